//! A message definition as Kafka writes it: JSON with `//` comments.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// One definition file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    #[serde(default)]
    pub api_key: Option<i16>,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub valid_versions: String,
    #[serde(default)]
    pub flexible_versions: String,
    #[serde(default)]
    pub latest_version_unstable: bool,
    /// Where a request is served: `broker`, `controller`.
    #[serde(default)]
    pub listeners: Vec<String>,
    #[serde(default)]
    pub fields: Vec<FieldDefinition>,
    #[serde(default)]
    pub common_structs: Vec<StructDefinition>,
}

/// A structure that several fields of a message share.
#[derive(Debug, Deserialize)]
pub struct StructDefinition {
    pub name: String,
    pub versions: String,
    pub fields: Vec<FieldDefinition>,
}

/// One field; a structure written in place has fields of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDefinition {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub versions: String,
    #[serde(default)]
    pub nullable_versions: Option<String>,
    #[serde(default)]
    pub flexible_versions: Option<String>,
    #[serde(default)]
    pub tagged_versions: Option<String>,
    #[serde(default)]
    pub tag: Option<u32>,
    #[serde(default)]
    pub ignorable: bool,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(default)]
    pub fields: Vec<FieldDefinition>,
}

impl Definition {
    /// Parses one definition.
    pub fn parse(text: &str) -> Result<Definition> {
        serde_json::from_str(&without_comments(text)).context("not a message definition")
    }
}

impl FieldDefinition {
    /// The default as text: definitions write `-1`, `"-1"`, `false` and `"false"` alike.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// Drops `//` comments outside of strings.
pub fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        let mut end = line.len();
        for (index, symbol) in line.char_indices() {
            if symbol == '"' && previous != '\\' {
                in_string = !in_string;
            }
            if symbol == '/' && previous == '/' && !in_string {
                end = index - 1;
                break;
            }
            previous = symbol;
        }
        kept.push_str(&line[..end]);
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_comments;

    #[test]
    fn comments_go_and_strings_stay() {
        for (text, kept) in [
            ("{} // gone", "{} \n"),
            ("// gone", "\n"),
            (r#"{"a": "b//c"} // gone"#, "{\"a\": \"b//c\"} \n"),
            (r#""an \" escaped // quote""#, "\"an \\\" escaped // quote\"\n"),
        ] {
            assert_eq!(without_comments(text), kept, "{text}");
        }
    }
}
