//! Topics by a regular expression, as Kafka's tools take it (`IncludeList`).

use regex::Regex;
use thiserror::Error;

/// Text that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} is an invalid regex.")]
pub struct InvalidFilter(String);

/// A regular expression for whole names, in which a comma is an "or".
pub fn topic_filter(text: &str) -> Result<Regex, InvalidFilter> {
    let pattern = text.trim().replace(',', "|").replace(' ', "");
    let pattern = pattern.trim_matches(['"', '\'']);
    Regex::new(&format!("^(?:{pattern})$")).map_err(|_| InvalidFilter(pattern.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, matches: &[&str], differs: &[&str]) {
        let filter = topic_filter(filter).expect("the filter is a regular expression");
        for topic in matches {
            assert!(filter.is_match(topic), "{filter} {topic}");
        }
        for topic in differs {
            assert!(!filter.is_match(topic), "{filter} {topic}");
        }
    }

    #[test]
    fn filters_match_whole_names() {
        check("a", &["a"], &["ab", "ba", ""]);
        check("a.*", &["a", "a.b"], &["ba"]);
        check("a, b", &["a", "b"], &["a,b", "c"]);
        check("'a'", &["a"], &["'a'"]);
        check("my.topic", &["my.topic", "my-topic"], &["mytopic"]);
        let said = topic_filter("a(").map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, "a( is an invalid regex.");
    }
}
