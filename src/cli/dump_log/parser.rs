//! How the keys and values of a log are shown: as text, as numbers, or as the records of a coordinator.

use thiserror::Error;

use crate::cli::record_json::{
    Keeper, RecordJsonError, RecordShapes, ShapeError, json_string, object,
};
use crate::record::Record;

/// Why a record is not shown.
#[derive(Debug, Error)]
pub enum ParseError {
    /// A decoder that does not exist.
    #[error("Failed to load decoder class {0}")]
    Decoder(String),
    /// Bytes that the decoder does not take.
    #[error("{decoder} cannot read {size_bytes} bytes at offset {offset}")]
    Size {
        /// Its name.
        decoder: &'static str,
        /// What there is.
        size_bytes: usize,
        /// The record's.
        offset: i64,
    },
    /// A record of a coordinator without a key.
    #[error(
        "Failed to decode message at offset {0} using the specified decoder (message had a missing key)"
    )]
    NoKey(i64),
    /// The table of definitions.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// `org.apache.kafka.tools.api.Decoder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// Bytes as text: those that are no UTF-8 become the replacement character.
    Text,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    Long,
}

impl Decoder {
    /// The decoder of a class name.
    pub fn of_class(class: &str) -> Result<Decoder, ParseError> {
        match class.strip_prefix("org.apache.kafka.tools.api.") {
            Some("StringDecoder" | "DefaultDecoder") => Ok(Decoder::Text),
            Some("IntegerDecoder") => Ok(Decoder::Integer),
            Some("LongDecoder") => Ok(Decoder::Long),
            _ => Err(ParseError::Decoder(class.to_owned())),
        }
    }

    fn text(self, bytes: &[u8], offset: i64) -> Result<String, ParseError> {
        let size_bytes = bytes.len();
        match self {
            Decoder::Text => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Decoder::Integer => bytes
                .first_chunk()
                .map(|bytes| i32::from_be_bytes(*bytes).to_string())
                .ok_or(ParseError::Size { decoder: "IntegerDecoder", size_bytes, offset }),
            Decoder::Long => bytes
                .first_chunk()
                .map(|bytes| i64::from_be_bytes(*bytes).to_string())
                .ok_or(ParseError::Size { decoder: "LongDecoder", size_bytes, offset }),
        }
    }
}

/// Shows keys and values.
#[derive(Debug)]
pub enum Parser {
    /// Of the key and of the value.
    Plain(Decoder, Decoder),
    /// As JSON.
    Coordinator(Box<RecordShapes>),
}

impl Parser {
    /// For the log of a coordinator.
    pub fn coordinator(keeper: Keeper) -> Result<Parser, ParseError> {
        Ok(Parser::Coordinator(Box::new(RecordShapes::new(keeper, true)?)))
    }

    /// A record's key and value, each where there is one.
    pub fn parse(
        &self,
        record: &Record<'_>,
    ) -> Result<(Option<String>, Option<String>), ParseError> {
        let offset = record.offset.0;
        match self {
            Parser::Plain(of_key, of_value) => {
                let key = record.key.map(|key| of_key.text(key, offset)).transpose()?;
                let value = record.value.map(|value| of_value.text(value, offset)).transpose()?;
                Ok((key, value))
            }
            Parser::Coordinator(shapes) => {
                let key = record.key.ok_or(ParseError::NoKey(offset))?;
                Ok(match shapes.read(key, record.value) {
                    Ok(read) => {
                        let key =
                            [("type", json_string(&read.key_type.to_string())), ("data", read.key)];
                        let value = read.value.map(|(version, data)| {
                            let version = json_string(&version.to_string());
                            object([("version", version), ("data", data)].into_iter())
                        });
                        let value = value.unwrap_or_else(|| "<DELETE>".to_owned());
                        (Some(object(key.into_iter())), Some(value))
                    }
                    Err(RecordJsonError::UnknownType(kind)) => {
                        let said =
                            format!("Unknown record type {kind} at offset {offset}, skipping.");
                        (Some(said), None)
                    }
                    Err(error) => {
                        (Some(format!("Error at offset {offset}, skipping. {error}")), None)
                    }
                })
            }
        }
    }
}
