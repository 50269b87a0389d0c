//! A growing message: bytes in memory, and places where the sender puts bytes from elsewhere.

use std::borrow::Cow;

use super::errors::EncodeError;
use super::reader::STRING_BYTES_MAX;
use super::types::{Records, UnknownTags, Uuid, VersionRange};
use crate::model::ids::TopicId;

type Encoded = Result<(), EncodeError>;

/// Bytes that are part of the message but not of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct External {
    /// How many bytes of the buffer precede them.
    pub position: usize,
    /// The sender's own name for them, from [`Records::External`].
    pub id: u32,
    /// How many they are.
    pub len: u32,
}

/// Writes one message into an owned buffer.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    externals: Vec<External>,
    external_bytes: u64,
}

/// A tagged field whose size is not known yet.
#[must_use = "a tagged field ends with Writer::tag_end"]
pub struct OpenTag {
    value_start: usize,
}

impl Writer {
    /// A writer that appends to `buffer`.
    pub fn new(buffer: Vec<u8>) -> Writer {
        Writer { bytes: buffer, externals: Vec::new(), external_bytes: 0 }
    }

    /// The message's size with what is sent from elsewhere.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.external_bytes
    }

    /// True before anything was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Overwrites four bytes that were written before, at `position`.
    pub(super) fn patch_i32(&mut self, position: usize, value: i32) {
        self.bytes[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// The buffer, and the places where other bytes belong, in order.
    pub fn into_parts(self) -> (Vec<u8>, Vec<External>) {
        (self.bytes, self.externals)
    }

    /// Insists that the message has the version.
    pub fn check(&self, message: &'static str, versions: VersionRange, version: i16) -> Encoded {
        if versions.contains(version) {
            Ok(())
        } else {
            Err(EncodeError::UnsupportedVersion { message, version })
        }
    }

    /// Refuses the message where a value would be lost in the version.
    #[inline]
    pub fn refuse_if(&self, lost: bool, field: &'static str, version: i16) -> Encoded {
        if lost { Err(EncodeError::Inexpressible { field, version }) } else { Ok(()) }
    }

    /// `bool`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// `int8`.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `int16`.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `uint16`.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `int32`.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `int64`.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `float64`.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// `uuid`.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// `uuid` that names a topic.
    #[inline]
    pub fn topic_id(&mut self, value: TopicId) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// A variable-length unsigned integer: seven bits a byte, the lowest first.
    #[inline]
    pub fn unsigned_varint(&mut self, value: u32) {
        let (encoded, length) = varint_bytes(value);
        self.bytes.extend_from_slice(&encoded[..length]);
    }

    /// The length of a byte string or an array; `None` for null.
    #[inline]
    fn length(&mut self, length: Option<usize>, flexible: bool) -> Encoded {
        let plain = match length {
            Some(length) => i32::try_from(length).map_err(|_| EncodeError::TooLong(length))?,
            None => -1,
        };
        if flexible {
            self.unsigned_varint(plain.wrapping_add(1).cast_unsigned());
        } else {
            self.i32(plain);
        }
        Ok(())
    }

    /// `string`.
    #[inline]
    pub fn string(&mut self, value: &str, flexible: bool) -> Encoded {
        self.string_or_null(Some(value), flexible)
    }

    /// `string` or null.
    pub fn string_or_null(&mut self, value: Option<&str>, flexible: bool) -> Encoded {
        let length = match value {
            Some(value) if value.len() > STRING_BYTES_MAX => {
                return Err(EncodeError::TooLong(value.len()));
            }
            // No truncation: STRING_BYTES_MAX is i16::MAX.
            Some(value) => value.len() as i16,
            None => -1,
        };
        if flexible {
            self.unsigned_varint((i32::from(length) + 1).cast_unsigned());
        } else {
            self.i16(length);
        }
        self.bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// `bytes`.
    pub fn bytes(&mut self, value: &[u8], flexible: bool) -> Encoded {
        self.bytes_or_null(Some(value), flexible)
    }

    /// `bytes` or null.
    pub fn bytes_or_null(&mut self, value: Option<&[u8]>, flexible: bool) -> Encoded {
        self.length(value.map(<[u8]>::len), flexible)?;
        self.bytes.extend_from_slice(value.unwrap_or_default());
        Ok(())
    }

    /// `records`: copied, or counted and noted as external.
    pub fn records(&mut self, value: Records<'_>, flexible: bool, nullable: bool) -> Encoded {
        match value {
            Records::Null if !nullable => Err(EncodeError::UnexpectedNull),
            Records::Null => self.length(None, flexible),
            Records::Bytes(bytes) => self.bytes(bytes, flexible),
            Records::External { id, len } => {
                self.length(Some(len as usize), flexible)?;
                self.externals.push(External { position: self.bytes.len(), id, len });
                self.external_bytes += u64::from(len);
                Ok(())
            }
        }
    }

    /// An array of scalars.
    pub fn array<T: Copy>(
        &mut self,
        values: &[T],
        flexible: bool,
        write: fn(&mut Writer, T),
    ) -> Encoded {
        self.array_or_null(Some(values), flexible, write)
    }

    /// An array of scalars, or null.
    pub fn array_or_null<T: Copy>(
        &mut self,
        values: Option<&[T]>,
        flexible: bool,
        write: fn(&mut Writer, T),
    ) -> Encoded {
        self.length(values.map(<[T]>::len), flexible)?;
        for &value in values.unwrap_or_default() {
            write(self, value);
        }
        Ok(())
    }

    /// An array of strings.
    pub fn strings(&mut self, values: &[Cow<'_, str>], flexible: bool) -> Encoded {
        self.strings_or_null(Some(values), flexible)
    }

    /// An array of strings, or null.
    pub fn strings_or_null(&mut self, values: Option<&[Cow<'_, str>]>, flexible: bool) -> Encoded {
        self.length(values.map(<[_]>::len), flexible)?;
        for value in values.unwrap_or_default() {
            self.string(value, flexible)?;
        }
        Ok(())
    }

    /// An array of structures.
    pub fn structs<T>(
        &mut self,
        values: &[T],
        flexible: bool,
        version: i16,
        encode: fn(&T, &mut Writer, i16) -> Encoded,
    ) -> Encoded {
        self.structs_or_null(Some(values), flexible, version, encode)
    }

    /// An array of structures, or null.
    pub fn structs_or_null<T>(
        &mut self,
        values: Option<&[T]>,
        flexible: bool,
        version: i16,
        encode: fn(&T, &mut Writer, i16) -> Encoded,
    ) -> Encoded {
        self.length(values.map(<[T]>::len), flexible)?;
        for value in values.unwrap_or_default() {
            encode(value, self, version)?;
        }
        Ok(())
    }

    /// A structure after the byte 1, or the byte -1 for null.
    pub fn struct_or_null<T>(
        &mut self,
        value: Option<&T>,
        version: i16,
        encode: fn(&T, &mut Writer, i16) -> Encoded,
    ) -> Encoded {
        match value {
            Some(value) => {
                self.i8(1);
                encode(value, self, version)
            }
            None => {
                self.i8(-1);
                Ok(())
            }
        }
    }

    /// The tagged fields of a structure that knows none.
    #[inline]
    pub fn tags(&mut self, unknown: UnknownTags<'_>, flexible: bool, version: i16) -> Encoded {
        self.tag_count(0, unknown, flexible, version)?;
        self.unknown_tags(unknown);
        Ok(())
    }

    /// Begins the section of tagged fields: how many known ones follow, besides the unknown.
    pub fn tag_count(
        &mut self,
        known: u32,
        unknown: UnknownTags<'_>,
        flexible: bool,
        version: i16,
    ) -> Encoded {
        if flexible {
            // At most TAGGED_FIELDS_MAX were decoded.
            let unknown_count = if unknown.is_empty() { 0 } else { unknown.iter().count() as u32 };
            self.unsigned_varint(known + unknown_count);
            Ok(())
        } else if known == 0 && unknown.is_empty() {
            Ok(())
        } else {
            Err(EncodeError::TagsUnsupported(version))
        }
    }

    /// Begins a tagged field.
    pub fn tag_begin(&mut self, tag: u32) -> OpenTag {
        self.unsigned_varint(tag);
        OpenTag { value_start: self.bytes.len() }
    }

    /// Ends a tagged field: its size goes before its value.
    pub fn tag_end(&mut self, open: OpenTag) -> Encoded {
        let size = self.bytes.len() - open.value_start;
        let size = u32::try_from(size).map_err(|_| EncodeError::TooLong(size))?;
        let (encoded, length) = varint_bytes(size);
        let position = open.value_start;
        self.bytes.splice(position..position, encoded[..length].iter().copied());
        Ok(())
    }

    /// The unknown tagged fields, as they came; all their tags are above the known ones.
    pub fn unknown_tags(&mut self, unknown: UnknownTags<'_>) {
        self.bytes.extend_from_slice(unknown.raw());
    }
}

#[inline]
fn varint_bytes(value: u32) -> ([u8; 5], usize) {
    let mut encoded = [0; 5];
    let mut left = value;
    let mut length = 0;
    while left >= 0x80 {
        encoded[length] = (left & 0x7f) as u8 | 0x80;
        left >>= 7;
        length += 1;
    }
    encoded[length] = left as u8;
    (encoded, length + 1)
}
