//! Which names a topic may have (Kafka's `Topic.validate`).

use crate::model::limits::TOPIC_NAME_BYTES_MAX;

/// Refuses an illegal name in Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        // Kafka counts UTF-16 units; a name with a unit of more than one byte is illegal anyway.
        _ if name.encode_utf16().count() > TOPIC_NAME_BYTES_MAX => {
            format!(
                "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}"
            )
        }
        _ if !name.bytes().all(legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, reason: Option<&str>) {
        let expected = match reason {
            None => Ok(()),
            Some(reason) => Err(format!("Topic name is invalid: {reason}")),
        };
        assert_eq!(check_topic_name(name), expected);
    }

    #[test]
    fn names_are_judged_as_kafka_does() {
        for name in ["a", "...", "a.b_c-D9", "-", "__consumer_offsets", &"x".repeat(249)] {
            check(name, None);
        }
        check("", Some("the empty string is not allowed"));
        check(".", Some("'.' is not allowed"));
        check("..", Some("'..' is not allowed"));
        let long = "x".repeat(250);
        check(
            &long,
            Some(&format!("the length of '{long}' is longer than the max allowed length 249")),
        );
        for name in ["../x", "a b", "a\0", "ä", "a/b", "a:b"] {
            let reason = format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            );
            check(name, Some(&reason));
        }
        // As many characters as allowed, but more bytes: illegal for its characters, not its length.
        assert!(check_topic_name(&"ä".repeat(200)).expect_err("illegal").contains("ASCII"));
    }
}
