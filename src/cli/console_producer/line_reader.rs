//! What a line means: headers, a key and a value, as the reader's properties say (`LineMessageReader`).
//!
//! > headers · headers.delimiter · key · key.separator · value
//!
//! Headers are pairs, joined by `headers.separator`, each a key, `headers.key.separator` and a value.

use regex::bytes::Regex;
use thiserror::Error;

use crate::cli::client_options::Properties;

/// A header's key, and its value, where `None` is null.
pub type LineHeader = (Vec<u8>, Option<Vec<u8>>);

/// A line as a record's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// In the order of the line.
    pub headers: Vec<LineHeader>,
    /// `None` is null.
    pub key: Option<Vec<u8>>,
    /// `None` is null.
    pub value: Option<Vec<u8>>,
}

/// Why a line, or the properties, make no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// Two separators that could not be told apart.
    #[error("{0} and {1} may not be equal")]
    Equal(&'static str, &'static str),
    /// `headers.separator` is a regular expression.
    #[error("headers.separator '{0}' is an invalid regex")]
    Separator(String),
    /// A part that the properties announce is missing.
    #[error("No {what} found on line number {line}: '{text}'")]
    Missing {
        /// Which separator.
        what: &'static str,
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A header without a separator.
    #[error("No header key separator found in pair '{pair}' on line number {line}")]
    Pair {
        /// The header.
        pair: String,
        /// Counted from 1.
        line: usize,
    },
    /// A header's key cannot be null.
    #[error("Header keys should not be equal to the null marker '{0}' as they can't be null")]
    NullKey(String),
}

/// Reads lines.
#[derive(Clone, Debug)]
pub struct LineReader {
    parse_key: bool,
    parse_headers: bool,
    ignore_error: bool,
    key_separator: Vec<u8>,
    headers_delimiter: Vec<u8>,
    headers_separator: Regex,
    headers_key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    line: usize,
}

impl LineReader {
    /// A reader with these properties.
    pub fn new(properties: &Properties) -> Result<LineReader, LineError> {
        let is_true = |name: &str| {
            properties.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |name: &str, default: &str| {
            properties.get(name).map_or(default, |v| v.as_str()).to_owned()
        };
        let key_separator = text("key.separator", "\t");
        let delimiter = text("headers.delimiter", "\t");
        let separator = text("headers.separator", ",");
        let key_in_header = text("headers.key.separator", ":");
        let marker = properties.get("null.marker");
        for (one, one_name, other, other_name) in [
            (Some(&delimiter), "headers.delimiter", &separator, "headers.separator"),
            (Some(&delimiter), "headers.delimiter", &key_in_header, "headers.key.separator"),
            (Some(&separator), "headers.separator", &key_in_header, "headers.key.separator"),
            (marker, "null.marker", &key_separator, "key.separator"),
            (marker, "null.marker", &separator, "headers.separator"),
            (marker, "null.marker", &delimiter, "headers.delimiter"),
            (marker, "null.marker", &key_in_header, "headers.key.separator"),
        ] {
            if one == Some(other) {
                return Err(LineError::Equal(one_name, other_name));
            }
        }
        Ok(LineReader {
            parse_key: is_true("parse.key"),
            parse_headers: is_true("parse.headers"),
            ignore_error: is_true("ignore.error"),
            key_separator: key_separator.into_bytes(),
            headers_delimiter: delimiter.into_bytes(),
            headers_separator: Regex::new(&separator)
                .map_err(|_| LineError::Separator(separator))?,
            headers_key_separator: key_in_header.into_bytes(),
            null_marker: marker.map(|marker| marker.clone().into_bytes()),
            line: 0,
        })
    }

    /// The parts of the next line, which is without its end.
    pub fn parse(&mut self, line: &[u8]) -> Result<Line, LineError> {
        self.line += 1;
        // Kafka reads text: bytes that are no UTF-8 become the replacement character.
        let text = String::from_utf8_lossy(line);
        let whole = text.as_bytes();
        let delimiter = self.headers_delimiter.as_slice();
        let (headers, rest) =
            self.split(self.parse_headers, whole, whole, delimiter, "headers delimiter")?;
        let (key, value) =
            self.split(self.parse_key, rest, whole, &self.key_separator, "key separator")?;
        let headers = match headers.and_then(|headers| self.unless_null(headers)) {
            Some(headers) => self.headers(&headers)?,
            None => Vec::new(),
        };
        Ok(Line {
            headers,
            key: key.and_then(|key| self.unless_null(key)),
            value: self.unless_null(value),
        })
    }

    /// What is before `separator` in `rest` and what is after it.
    fn split<'a>(
        &self,
        enabled: bool,
        rest: &'a [u8],
        whole: &[u8],
        separator: &[u8],
        what: &'static str,
    ) -> Result<(Option<&'a [u8]>, &'a [u8]), LineError> {
        if !enabled {
            return Ok((None, rest));
        }
        match find(rest, separator) {
            Some(at) => Ok((Some(&rest[..at]), &rest[at + separator.len()..])),
            None if self.ignore_error => Ok((None, rest)),
            None => {
                let text = String::from_utf8_lossy(whole).into_owned();
                Err(LineError::Missing { what, line: self.line, text })
            }
        }
    }

    fn unless_null(&self, part: &[u8]) -> Option<Vec<u8>> {
        (self.null_marker.as_deref() != Some(part)).then(|| part.to_vec())
    }

    fn headers(&self, headers: &[u8]) -> Result<Vec<LineHeader>, LineError> {
        let mut pairs: Vec<&[u8]> = self.headers_separator.split(headers).collect();
        // Java's `split` drops empty pieces at the end, unless there is nothing else.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair)).collect()
    }

    fn header(&self, pair: &[u8]) -> Result<LineHeader, LineError> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let separator = self.headers_key_separator.as_slice();
        let Some(at) = find(pair, separator) else {
            if self.ignore_error {
                return Ok((pair.to_vec(), None));
            }
            return Err(LineError::Pair { pair: lossy(pair), line: self.line });
        };
        let Some(key) = self.unless_null(&pair[..at]) else {
            return Err(LineError::NullKey(lossy(&pair[..at])));
        };
        Ok((key, self.unless_null(&pair[at + separator.len()..])))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(texts: &[(&str, &str)]) -> Result<LineReader, LineError> {
        let properties =
            texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        LineReader::new(&properties.collect())
    }

    type Parts<'a> = (&'a [(&'a str, Option<&'a str>)], Option<&'a str>, Option<&'a str>);

    fn check(properties: &[(&str, &str)], line: &str, expected: Result<Parts<'_>, &str>) {
        let mut reader = reader(properties).expect("the properties make sense");
        let found = reader.parse(line.as_bytes()).map_err(|error| error.to_string());
        let bytes = |text: &str| text.as_bytes().to_vec();
        let expected = expected.map_err(str::to_owned).map(|(headers, key, value)| Line {
            headers: headers.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect(),
            key: key.map(bytes),
            value: value.map(bytes),
        });
        assert_eq!(found, expected, "{line}");
    }

    const KEY: (&str, &str) = ("parse.key", "true");
    const HEADERS: (&str, &str) = ("parse.headers", "TRUE ");

    #[test]
    fn lines_are_split_as_kafka_splits_them() {
        check(&[], "a\tb", Ok((&[], None, Some("a\tb"))));
        check(&[], "", Ok((&[], None, Some(""))));
        check(&[KEY], "k\tv", Ok((&[], Some("k"), Some("v"))));
        check(&[KEY], "k\tv\tw", Ok((&[], Some("k"), Some("v\tw"))));
        check(&[KEY, ("key.separator", "::")], "k::v", Ok((&[], Some("k"), Some("v"))));
        check(&[KEY, ("ignore.error", "true")], "v", Ok((&[], None, Some("v"))));
        check(&[KEY], "v", Err("No key separator found on line number 1: 'v'"));
        let two: &[(&str, Option<&str>)] = &[("h1", Some("v1")), ("h2", Some("v:2"))];
        check(&[HEADERS], "h1:v1,h2:v:2\tvalue", Ok((two, None, Some("value"))));
        check(&[HEADERS, KEY], "h1:v1,h2:v:2\tk\tv", Ok((two, Some("k"), Some("v"))));
        check(&[HEADERS], "v", Err("No headers delimiter found on line number 1: 'v'"));
        check(
            &[HEADERS],
            "h\tv",
            Err("No header key separator found in pair 'h' on line number 1"),
        );
        check(&[HEADERS, ("ignore.error", "true")], "h\tv", Ok((&[("h", None)], None, Some("v"))));
    }

    #[test]
    fn the_null_marker_stands_for_null() {
        let marker = ("null.marker", "NULL");
        check(&[KEY, marker], "NULL\tNULL", Ok((&[], None, None)));
        check(&[HEADERS, marker], "a:NULL\tv", Ok((&[("a", None)], None, Some("v"))));
        check(&[HEADERS, marker], "NULL\tv", Ok((&[], None, Some("v"))));
        let said =
            "Header keys should not be equal to the null marker 'NULL' as they can't be null";
        check(&[HEADERS, marker], "NULL:a\tv", Err(said));
    }

    #[test]
    fn separators_have_to_differ() {
        for (properties, expected) in [
            (
                vec![("headers.delimiter", ",")],
                "headers.delimiter and headers.separator may not be equal",
            ),
            (
                vec![("headers.key.separator", ",")],
                "headers.separator and headers.key.separator may not be equal",
            ),
            (vec![("null.marker", "\t")], "null.marker and key.separator may not be equal"),
            (vec![("headers.separator", "(")], "headers.separator '(' is an invalid regex"),
        ] {
            let said = reader(&properties).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(said, Err(expected.to_owned()));
        }
    }
}
