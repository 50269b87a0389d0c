//! The few wire types that are not plain Rust: ids, records, tagged fields and version ranges.

use std::fmt;

use super::errors::DecodeError;
use super::reader::Reader;
use crate::model::ids::TopicId;

/// Any 128-bit id of the protocol that is not a topic's: directories, members, processes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Kafka's zero UUID: "none".
    pub const ZERO: Uuid = Uuid([0; 16]);
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TopicId(self.0).fmt(f)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TopicId(self.0).fmt(f)
    }
}

/// The versions of a message, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

impl VersionRange {
    /// True where the message has the version.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// Record batches inside a message: borrowed when decoded, and either bytes or a promise of bytes
/// when encoded.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Records<'a> {
    /// No record set at all, which is not the same as an empty one.
    #[default]
    Null,
    /// The batches themselves.
    Bytes(&'a [u8]),
    /// Batches that the sender puts on the wire from elsewhere: the writer counts `len` and notes
    /// the place, and copies nothing.
    External {
        /// The sender's own name for the bytes.
        id: u32,
        /// How many bytes will be sent.
        len: u32,
    },
}

impl<'a> Records<'a> {
    /// The bytes of a decoded field; empty where it was null.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Records::Bytes(bytes) => bytes,
            Records::Null | Records::External { .. } => &[],
        }
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Records::Null => f.write_str("null"),
            Records::Bytes(bytes) => bytes.fmt(f),
            Records::External { id, len } => write!(f, "external {id} of {len} bytes"),
        }
    }
}

/// Tagged fields that this version of the definitions does not know, kept so that encoding again
/// gives the same bytes.
///
/// Invariant: `raw` is a sequence of (tag, size, value) with strictly rising tags, each above the
/// known ones, as `Reader::tags` checked it. Known tags count from 0 without a gap (the generator
/// insists), so the unknown ones are one piece of the frame.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct UnknownTags<'a> {
    raw: &'a [u8],
}

impl<'a> UnknownTags<'a> {
    pub(super) fn from_checked(raw: &'a [u8]) -> UnknownTags<'a> {
        UnknownTags { raw }
    }

    /// True where the peer sent no unknown field.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    pub(super) fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The fields as (tag, value).
    pub fn iter(self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let mut reader = Reader::new(self.raw);
        std::iter::from_fn(move || next_tag(&mut reader).ok())
    }
}

fn next_tag<'a>(reader: &mut Reader<'a>) -> Result<(u32, &'a [u8]), DecodeError> {
    let tag = reader.unsigned_varint()?;
    let size = reader.unsigned_varint()?;
    Ok((tag, reader.take(size as usize)?))
}

impl fmt::Debug for UnknownTags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
