//! How a record is printed: the columns of Kafka's `DefaultMessageFormatter`, in its order.

use std::io::{self, Write};

use thiserror::Error;
use tracing::error;

use crate::cli::client_options::Properties;
use crate::record::Record;

/// Why a record was not printed.
#[derive(Debug, Error)]
pub enum FormatError {
    /// Bytes that the deserializer does not take; the record's producer is to blame.
    #[error("Size of data received by {0} is not {1}")]
    Size(&'static str, usize),
    /// Nobody reads standard output any more.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Kafka's deserializers whose text is more than the bytes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserializer {
    Short,
    Integer,
    Long,
}

/// Prints records.
#[derive(Clone, Debug)]
pub struct Formatter {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    nothing: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_deserializer: Option<Deserializer>,
    value_deserializer: Option<Deserializer>,
    headers_deserializer: Option<Deserializer>,
}

impl Formatter {
    /// The formatter of a Java class name with these properties; `None` for a class that is not known.
    pub fn new(class: &str, properties: &Properties) -> Option<Formatter> {
        let name = class.strip_prefix("org.apache.kafka.tools.consumer.")?;
        if !matches!(name, "DefaultMessageFormatter" | "NoOpMessageFormatter") {
            return None;
        }
        let is_true = |name: &str, default: bool| {
            properties.get(name).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |name: &str, default: &str| {
            properties.get(name).map_or(default, |v| v.as_str()).to_owned()
        };
        let deserializer = |name: &str| properties.get(name).and_then(|class| deserializer(class));
        Some(Formatter {
            timestamp: is_true("print.timestamp", false),
            partition: is_true("print.partition", false),
            offset: is_true("print.offset", false),
            delivery: is_true("print.delivery", false),
            epoch: is_true("print.epoch", false),
            headers: is_true("print.headers", false),
            key: is_true("print.key", false),
            value: is_true("print.value", true),
            nothing: name == "NoOpMessageFormatter",
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer"),
            value_deserializer: deserializer("value.deserializer"),
            headers_deserializer: deserializer("headers.deserializer"),
        })
    }

    /// Prints one record of `partition`.
    pub fn write(
        &self,
        out: &mut impl Write,
        partition: i32,
        log_append_time: bool,
        record: &Record<'_>,
    ) -> Result<(), FormatError> {
        if self.nothing {
            return Ok(());
        }
        // All columns behind a column decide whether a separator or the line's end follows it.
        let later = [
            self.partition,
            self.offset,
            self.delivery,
            self.epoch,
            self.headers,
            self.key,
            self.value,
        ];
        let ends = |column: usize| later[column..].iter().any(|shown| *shown);
        if self.timestamp {
            let kind = if log_append_time { "LogAppendTime" } else { "CreateTime" };
            write!(out, "{kind}:{}{}", record.timestamp, self.after(ends(0)))?;
        }
        if self.partition {
            write!(out, "Partition:{partition}{}", self.after(ends(1)))?;
        }
        if self.offset {
            write!(out, "Offset:{}{}", record.offset, self.after(ends(2)))?;
        }
        // Kafka's console consumer hands neither of the two to its formatter.
        if self.delivery {
            write!(out, "Delivery:NOT_PRESENT{}", self.after(ends(3)))?;
        }
        if self.epoch {
            write!(out, "Epoch:NOT_PRESENT{}", self.after(ends(4)))?;
        }
        if self.headers {
            self.write_headers(out, record)?;
            write!(out, "{}", self.after(ends(5)))?;
        }
        if self.key {
            self.write_field(out, record.key, self.key_deserializer)?;
            write!(out, "{}", self.after(ends(6)))?;
        }
        if self.value {
            self.write_field(out, record.value, self.value_deserializer)?;
            write!(out, "{}", self.line_separator)?;
        }
        Ok(())
    }

    fn after(&self, more_follows: bool) -> &str {
        if more_follows { &self.key_separator } else { &self.line_separator }
    }

    fn write_headers(&self, out: &mut impl Write, record: &Record<'_>) -> Result<(), FormatError> {
        if record.headers.len() == 0 {
            out.write_all(b"NO_HEADERS")?;
        }
        for (index, header) in record.headers.enumerate() {
            if index > 0 {
                out.write_all(self.headers_separator.as_bytes())?;
            }
            out.write_all(header.key)?;
            out.write_all(b":")?;
            self.write_field(out, header.value, self.headers_deserializer)?;
        }
        Ok(())
    }

    fn write_field(
        &self,
        out: &mut impl Write,
        field: Option<&[u8]>,
        deserializer: Option<Deserializer>,
    ) -> Result<(), FormatError> {
        match (field, deserializer) {
            (None, _) => out.write_all(self.null_literal.as_bytes())?,
            (Some(field), None) => out.write_all(field)?,
            (Some(field), Some(deserializer)) => write!(out, "{}", deserializer.number(field)?)?,
        }
        Ok(())
    }
}

impl Deserializer {
    fn number(self, field: &[u8]) -> Result<i64, FormatError> {
        let number = match self {
            Deserializer::Short => field.try_into().map(i16::from_be_bytes).map(i64::from),
            Deserializer::Integer => field.try_into().map(i32::from_be_bytes).map(i64::from),
            Deserializer::Long => field.try_into().map(i64::from_be_bytes),
        };
        number.map_err(|_| match self {
            Deserializer::Short => FormatError::Size("ShortDeserializer", 2),
            Deserializer::Integer => FormatError::Size("IntegerDeserializer", 4),
            Deserializer::Long => FormatError::Size("LongDeserializer", 8),
        })
    }
}

fn deserializer(class: &str) -> Option<Deserializer> {
    match class.strip_prefix("org.apache.kafka.common.serialization.") {
        Some("ShortDeserializer") => Some(Deserializer::Short),
        Some("IntegerDeserializer") => Some(Deserializer::Integer),
        Some("LongDeserializer") => Some(Deserializer::Long),
        // The text of the bytes is the bytes.
        Some("StringDeserializer" | "ByteArrayDeserializer") => None,
        _ => {
            error!("Unable to instantiate a deserializer from {class}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, BatchOptions, BatchView, Header};

    const DEFAULT: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

    fn check(properties: &[(&str, &str)], expected: &str) {
        let headers =
            [Header { key: b"h1", value: Some(b"v1") }, Header { key: b"h2", value: None }];
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(1000, Some(b"\0\0\0\0\0\0\0\x07"), Some(b"hello"), &headers);
        builder.append(1001, None, None, &[]);
        let bytes = builder.finish();
        let batch = BatchView::parse(&bytes).expect("the builder makes batches");
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let formatter = Formatter::new(DEFAULT, &properties.collect()).expect("the class is known");
        let mut out = Vec::new();
        for record in batch.records(batch.payload()) {
            let record = record.expect("the builder makes records");
            formatter.write(&mut out, 3, false, &record).expect("memory takes everything");
        }
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn columns_are_kafkas() {
        check(&[], "hello\nnull\n");
        let long = ("key.deserializer", "org.apache.kafka.common.serialization.LongDeserializer");
        let all = [
            ("print.timestamp", "true"),
            ("print.partition", "true"),
            ("print.offset", "TRUE"),
            ("print.epoch", "true"),
            ("print.headers", "true"),
            ("print.key", "true"),
            long,
        ];
        check(
            &all,
            "CreateTime:1000\tPartition:3\tOffset:0\tEpoch:NOT_PRESENT\th1:v1,h2:null\t7\thello\n\
             CreateTime:1001\tPartition:3\tOffset:1\tEpoch:NOT_PRESENT\tNO_HEADERS\tnull\tnull\n",
        );
        check(&[("print.value", "false"), ("print.offset", "true")], "Offset:0\nOffset:1\n");
        check(
            &[
                ("print.offset", "true"),
                ("key.separator", "|"),
                ("line.separator", ";"),
                ("null.literal", "-"),
            ],
            "Offset:0|hello;Offset:1|-;",
        );
        check(&[("print.value", "no")], "");
    }

    #[test]
    fn a_number_of_the_wrong_size_is_an_error() {
        let said = Deserializer::Integer.number(b"123").map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, "Size of data received by IntegerDeserializer is not 4");
    }

    #[test]
    fn other_classes_are_not_known() {
        assert!(Formatter::new("com.example.Mine", &Properties::new()).is_none());
        let silent = Formatter::new(
            "org.apache.kafka.tools.consumer.NoOpMessageFormatter",
            &Properties::new(),
        );
        assert!(silent.is_some_and(|silent| silent.nothing));
    }
}
