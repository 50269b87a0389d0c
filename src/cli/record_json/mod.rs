//! The records of `__consumer_offsets`, `__transaction_state` and `__share_group_state` as JSON, by the
//! definitions of Kafka's own records.
//!
//! A key begins with the number of its type, a value with its version, two bytes each. The table of
//! definitions is written by `tools/codegen --records`.

mod shape;

use serde_json::Value;
use thiserror::Error;

use self::shape::Shape;
pub use self::shape::{ShapeError, json_string, object};

/// The definitions, by the jar that they come from.
const TABLE: &str = include_str!("kafka-4.4.0-records.json");

/// Whose records they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// `__consumer_offsets`.
    Groups,
    /// `__transaction_state`.
    Transactions,
    /// `__share_group_state`.
    Shares,
}

/// The type of a classic group's generation, whose members carry messages of the consumer protocol.
pub const GROUP_METADATA: i16 = 2;
/// The protocol type of consumers, whose messages are known.
const CONSUMER_PROTOCOL: &str = "consumer";

/// Why a record is not shown; its writer is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordJsonError {
    /// A type that this version does not know.
    #[error("Found an unknown record type {0}")]
    UnknownType(i16),
    /// A version that this version does not know.
    #[error("Found an unknown record version {version} for {key} type")]
    UnknownVersion {
        /// The record's type.
        key: i16,
        /// The value's version.
        version: i16,
    },
    /// Less than two bytes.
    #[error("Could not read version from {0}'s buffer.")]
    NoVersion(&'static str),
    /// Bytes that are not of the definition.
    #[error("Could not read record with version {version} from {part}'s buffer due to: {reason}.")]
    Malformed {
        /// Of the key the type.
        version: i16,
        /// `key` or `value`.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// A record as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordJson {
    /// The number of the record's type.
    pub key_type: i16,
    /// The key's fields.
    pub key: String,
    /// The value's version and fields; `None` is a tombstone.
    pub value: Option<(i16, String)>,
}

/// Reads records.
#[derive(Clone, Debug)]
pub struct RecordShapes {
    keys: Vec<Shape>,
    values: Vec<Shape>,
    subscription: Option<Shape>,
    assignment: Option<Shape>,
}

impl RecordShapes {
    /// The records of one keeper. With `opens_members` what members of a consumer group have handed in and
    /// were given is shown by its fields, not as bytes.
    pub fn new(keeper: Keeper, opens_members: bool) -> Result<RecordShapes, ShapeError> {
        let table: Value = serde_json::from_str(TABLE).expect("the table was written as JSON");
        let jar = match keeper {
            Keeper::Groups => "kafka-group-coordinator-4.4.0",
            Keeper::Transactions => "kafka-transaction-coordinator-4.4.0",
            Keeper::Shares => "kafka-share-coordinator-4.4.0",
        };
        let protocol = |name: &str| -> Result<Option<Shape>, ShapeError> {
            let listed = definitions(&table, "kafka-clients-4.4.0");
            let found = listed.iter().find(|found| found.get("name").is_some_and(|is| is == name));
            found.filter(|_| opens_members).map(Shape::parse).transpose()
        };
        let of_kind = |kind: &str| -> Result<Vec<Shape>, ShapeError> {
            let listed = definitions(&table, jar).iter();
            listed
                .filter(|found| found.get("type").is_some_and(|is| is == kind))
                .map(Shape::parse)
                .collect()
        };
        Ok(RecordShapes {
            keys: of_kind("coordinator-key")?,
            values: of_kind("coordinator-value")?,
            subscription: protocol("ConsumerProtocolSubscription")?,
            assignment: protocol("ConsumerProtocolAssignment")?,
        })
    }

    /// A record's key and value as JSON.
    pub fn read(&self, key: &[u8], value: Option<&[u8]>) -> Result<RecordJson, RecordJsonError> {
        let (key_type, rest) = split_version(key, "key")?;
        let of_type = |shapes: &[Shape]| shapes.iter().position(|shape| shape.key == key_type);
        let unknown = RecordJsonError::UnknownType(key_type);
        let shape = &self.keys[of_type(&self.keys).ok_or_else(|| unknown.clone())?];
        let key = shape.to_json(rest, shape.versions.min, &[]);
        let key = key.map_err(|error| malformed(key_type, "key", &error))?;
        let Some(value) = value else { return Ok(RecordJson { key_type, key, value: None }) };
        let shape = &self.values[of_type(&self.values).ok_or(unknown)?];
        let (version, rest) = split_version(value, "value")?;
        if !shape.versions.contains(version) {
            return Err(RecordJsonError::UnknownVersion { key: key_type, version });
        }
        let mut opened = Vec::new();
        if key_type == GROUP_METADATA
            && shape.first_text(rest, version).is_some_and(|protocol| protocol == CONSUMER_PROTOCOL)
        {
            opened.extend(self.subscription.iter().map(|shape| ("subscription", shape)));
            opened.extend(self.assignment.iter().map(|shape| ("assignment", shape)));
        }
        let json = shape.to_json(rest, version, &opened);
        let json = json.map_err(|error| malformed(version, "value", &error))?;
        Ok(RecordJson { key_type, key, value: Some((version, json)) })
    }
}

fn definitions<'a>(table: &'a Value, jar: &str) -> &'a [Value] {
    table.get(jar).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn malformed(version: i16, part: &'static str, error: &impl ToString) -> RecordJsonError {
    RecordJsonError::Malformed { version, part, reason: error.to_string() }
}

fn split_version<'a>(
    bytes: &'a [u8],
    part: &'static str,
) -> Result<(i16, &'a [u8]), RecordJsonError> {
    let (version, rest) = bytes.split_first_chunk().ok_or(RecordJsonError::NoVersion(part))?;
    Ok((i16::from_be_bytes(*version), rest))
}
