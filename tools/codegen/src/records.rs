//! The shapes of the records that Kafka's coordinators keep in topics, as one table of JSON.
//!
//! Each line is a definition of a jar, without what is there for people and for Java. They are read when the
//! tools show such a record, which is seldom, so there is no code for each of them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::definition;
use crate::model::DATA_MESSAGES;
use crate::source;

/// What tells nothing about the bytes.
const LEFT_OUT: [&str; 6] =
    ["about", "entityType", "ignorable", "latestVersionUnstable", "mapKey", "zeroCopy"];

/// The table of all `jars`: the jar's name, then its definitions.
pub fn table(jars: &[PathBuf]) -> Result<String> {
    let mut parts = Vec::new();
    for jar in jars {
        let source = source::read(jar)?;
        let mut lines = Vec::new();
        for (name, text) in &source.texts {
            let value: Value = serde_json::from_str(&definition::without_comments(text))
                .with_context(|| format!("definition {name}"))?;
            if is_record(&value) {
                lines.push(stripped(value).to_string());
            }
        }
        parts.push(format!("{:?}: [\n{}\n]", source.name, lines.join(",\n")));
    }
    Ok(format!("{{\n{}\n}}\n", parts.join(",\n")))
}

fn is_record(value: &Value) -> bool {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "coordinator-key" | "coordinator-value" => true,
        "data" => DATA_MESSAGES.contains(&text("name")),
        _ => false,
    }
}

fn stripped(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(stripped).collect()),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, stripped(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_the_bytes_is_kept() {
        let text =
            r#"{"type":"coordinator-key","fields":[{"name":"A","about":"x","mapKey":true}]}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(is_record(&value));
        let expected = r#"{"fields":[{"name":"A"}],"type":"coordinator-key"}"#;
        assert_eq!(stripped(value).to_string(), expected);
        assert!(!is_record(&serde_json::from_str(r#"{"type":"request"}"#).unwrap()));
    }
}
