//! How a record is printed: by the columns of Kafka's `DefaultMessageFormatter`, in its order, or as the JSON
//! of those that show the topics of coordinators.

use std::io::{self, Write};

use thiserror::Error;
use tracing::info;

use super::deserializer::{DeserializeError, Deserializer};
use crate::cli::client_options::Properties;
use crate::cli::record_json::{Keeper, RecordJsonError, RecordShapes, ShapeError, object};
use crate::record::Record;

/// Why a record was not printed.
#[derive(Debug, Error)]
pub enum FormatError {
    /// Bytes that the deserializer does not take.
    #[error(transparent)]
    Deserialize(#[from] DeserializeError),
    /// A coordinator's record that cannot be read.
    #[error("Could not read record at offset {offset} due to: {reason}")]
    Record {
        /// The record's.
        offset: i64,
        /// What is wrong with it.
        reason: RecordJsonError,
    },
    /// Nobody reads standard output any more.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Prints records.
#[derive(Clone, Debug)]
pub enum Formatter {
    /// `DefaultMessageFormatter`.
    Columns(Columns),
    /// `LoggingMessageFormatter`: in the log too.
    Logged(Columns),
    /// `NoOpMessageFormatter`.
    Nothing,
    /// The records of a coordinator, of these types, or of all where there are none.
    Coordinator(Box<RecordShapes>, &'static [i16]),
}

/// The formatters of coordinators' records, with the types that each of them shows.
const COORDINATORS: [(&str, Keeper, &[i16]); 5] = [
    ("OffsetsMessageFormatter", Keeper::Groups, &[0, 1]),
    ("GroupMetadataMessageFormatter", Keeper::Groups, &[2]),
    ("ShareGroupMessageFormatter", Keeper::Groups, &[10, 11, 12, 13, 14, 15]),
    ("TransactionLogMessageFormatter", Keeper::Transactions, &[]),
    ("group.share.ShareGroupStateMessageFormatter", Keeper::Shares, &[]),
];

impl Formatter {
    /// The formatter of a Java class name with these properties; `None` for a class that is not known.
    pub fn new(class: &str, properties: &Properties) -> Result<Option<Formatter>, ShapeError> {
        let Some(name) = class.strip_prefix("org.apache.kafka.tools.consumer.") else {
            return Ok(None);
        };
        Ok(Some(match name {
            "DefaultMessageFormatter" => Formatter::Columns(Columns::new(properties)),
            "LoggingMessageFormatter" => Formatter::Logged(Columns::new(properties)),
            "NoOpMessageFormatter" => Formatter::Nothing,
            _ => match COORDINATORS.iter().find(|(other, _, _)| *other == name) {
                Some((_, keeper, types)) => {
                    Formatter::Coordinator(Box::new(RecordShapes::new(*keeper, false)?), types)
                }
                None => return Ok(None),
            },
        }))
    }

    /// Prints one record of `partition`.
    pub fn write(
        &self,
        out: &mut impl Write,
        partition: i32,
        log_append_time: bool,
        record: &Record<'_>,
    ) -> Result<(), FormatError> {
        match self {
            Formatter::Nothing => Ok(()),
            Formatter::Columns(columns) => columns.write(out, partition, log_append_time, record),
            Formatter::Logged(columns) => {
                columns.write(out, partition, log_append_time, record)?;
                let kind = timestamp_type(log_append_time);
                let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
                let key = record.key.map_or("null ".to_owned(), |key| text(key) + ", ");
                let value = record.value.map_or("null".to_owned(), text);
                info!("{kind}:{}, key:{key}value:{value}", record.timestamp);
                Ok(())
            }
            Formatter::Coordinator(shapes, types) => write_json(out, shapes, types, record),
        }
    }
}

fn timestamp_type(log_append_time: bool) -> &'static str {
    if log_append_time { "LogAppendTime" } else { "CreateTime" }
}

/// As Kafka's `CoordinatorRecordMessageFormatter`, which ends no line.
fn write_json(
    out: &mut impl Write,
    shapes: &RecordShapes,
    types: &[i16],
    record: &Record<'_>,
) -> Result<(), FormatError> {
    let Some(key) = record.key else { return Ok(()) };
    let read = match shapes.read(key, record.value) {
        Err(RecordJsonError::UnknownType(_)) => return Ok(()),
        read => read.map_err(|reason| FormatError::Record { offset: record.offset.0, reason })?,
    };
    if !types.is_empty() && !types.contains(&read.key_type) {
        return Ok(());
    }
    let key = [("type", read.key_type.to_string()), ("data", read.key)];
    let value = read.value.map_or_else(
        || "null".to_owned(),
        |(version, data)| object([("version", version.to_string()), ("data", data)].into_iter()),
    );
    let json = object([("key", object(key.into_iter())), ("value", value)].into_iter());
    Ok(out.write_all(json.as_bytes())?)
}

/// What of a record is printed.
#[derive(Clone, Debug)]
pub struct Columns {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_deserializer: Option<Deserializer>,
    value_deserializer: Option<Deserializer>,
    headers_deserializer: Option<Deserializer>,
}

impl Columns {
    fn new(properties: &Properties) -> Columns {
        let is_true = |name: &str, default: bool| {
            properties.get(name).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |name: &str, default: &str| {
            properties.get(name).map_or(default, |v| v.as_str()).to_owned()
        };
        let deserializer =
            |name: &str| properties.get(name).and_then(|class| Deserializer::of_class(class));
        Columns {
            timestamp: is_true("print.timestamp", false),
            partition: is_true("print.partition", false),
            offset: is_true("print.offset", false),
            delivery: is_true("print.delivery", false),
            epoch: is_true("print.epoch", false),
            headers: is_true("print.headers", false),
            key: is_true("print.key", false),
            value: is_true("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer"),
            value_deserializer: deserializer("value.deserializer"),
            headers_deserializer: deserializer("headers.deserializer"),
        }
    }

    fn write(
        &self,
        out: &mut impl Write,
        partition: i32,
        log_append_time: bool,
        record: &Record<'_>,
    ) -> Result<(), FormatError> {
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
            let kind = timestamp_type(log_append_time);
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
            (Some(field), Some(deserializer)) => {
                out.write_all(deserializer.text(field)?.as_bytes())?;
            }
        }
        Ok(())
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
        let formatter = Formatter::new(DEFAULT, &properties.collect());
        let formatter = formatter.expect("no table is read").expect("the class is known");
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
    fn every_class_of_kafkas_is_known_and_no_other() {
        let none = Properties::new();
        let new = |name: &str| Formatter::new(name, &none).expect("the table is understood");
        assert!(new("com.example.Mine").is_none());
        assert!(new("org.apache.kafka.tools.consumer.Mine").is_none());
        let others = ["DefaultMessageFormatter", "LoggingMessageFormatter", "NoOpMessageFormatter"];
        for name in COORDINATORS.iter().map(|(name, _, _)| *name).chain(others) {
            assert!(new(&format!("org.apache.kafka.tools.consumer.{name}")).is_some(), "{name}");
        }
    }

    /// What Kafka 4.3.0's formatter prints for such a record.
    #[test]
    fn records_of_coordinators_are_json_without_an_end_of_line() {
        let key = b"\x00\x01\x00\x02g2\x00\x03mix\x00\x00\x00\x00";
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(
            1000,
            Some(key),
            Some(b"\x00\x03\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\0\x01m\0\0\0\0\0\0\0\x07"),
            &[],
        );
        builder.append(1000, Some(key), None, &[]);
        builder.append(1000, Some(b"\0\x02\0\x01g"), None, &[]);
        builder.append(1000, Some(b"\0\x63"), None, &[]);
        builder.append(1000, None, Some(b""), &[]);
        let bytes = builder.finish();
        let batch = BatchView::parse(&bytes).expect("the builder makes batches");
        let class = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter";
        let formatter = Formatter::new(class, &Properties::new());
        let formatter = formatter.expect("the table is understood").expect("the class is known");
        let mut out = Vec::new();
        for record in batch.records(batch.payload()) {
            let record = record.expect("the builder makes records");
            formatter.write(&mut out, 0, false, &record).expect("the records are well formed");
        }
        let key = r#"{"key":{"type":1,"data":{"group":"g2","topic":"mix","partition":0}},"value":"#;
        let value = r#"{"version":3,"data":{"offset":5,"leaderEpoch":-1,"metadata":"m","commitTimestamp":7}}}"#;
        assert_eq!(String::from_utf8_lossy(&out), format!("{key}{value}{key}null}}"));
    }
}
