//! A bounded view of received bytes: every read checks what is left, and every allocation is
//! charged to a budget before it happens.
//!
//! Lengths on the wire come in two forms: plain (a big-endian integer, -1 for null) and, in
//! flexible versions, compact (a variable-length integer of the length plus one, 0 for null).

use std::borrow::Cow;

use super::errors::DecodeError;
use super::types::{Records, UnknownTags, Uuid, VersionRange};
use crate::model::ids::TopicId;

/// Kafka's bound on a string, in bytes.
pub const STRING_BYTES_MAX: usize = 0x7fff;
/// Kafka's bound on the elements of one array (since 4.4).
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// The elements of all arrays of one message: far more than an honest one about every partition that a
/// broker takes, and what keeps the work for arrays within arrays in bounds.
pub const MESSAGE_ELEMENTS_MAX: usize = 4 * ARRAY_ELEMENTS_MAX;
/// Kafka's bound on the tagged fields of one structure (since 4.4).
pub const TAGGED_FIELDS_MAX: u32 = 10_000;

type Decoded<T> = Result<T, DecodeError>;

/// Reads one message from borrowed bytes.
pub struct Reader<'a> {
    rest: &'a [u8],
    budget: usize,
    /// The elements that arrays may still declare.
    elements_left: usize,
}

/// Where the reader is within a section of tagged fields.
pub struct TagSection<'a> {
    left: u32,
    /// The smallest tag that may follow.
    tag_min: u64,
    tag: u32,
    /// How many bytes are left in the reader where the current value ends.
    value_end: Option<usize>,
    /// What the reader had left before the current tag.
    tag_start: &'a [u8],
    /// What the reader had left before the first unknown tag.
    unknown_start: Option<&'a [u8]>,
    unknown: UnknownTags<'a>,
}

impl<'a> TagSection<'a> {
    /// What the section held beyond the known fields.
    pub fn unknown(&self) -> UnknownTags<'a> {
        self.unknown
    }
}

impl<'a> Reader<'a> {
    /// A reader whose vectors may take 64 KiB, and beyond it up to 32 times the message's size for
    /// small messages and about 4 times for large ones.
    ///
    /// The factor is what honest messages need: an empty partition list of a one-letter topic is
    /// three bytes on the wire and some eighty in memory.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        const KIB: usize = 1024;
        let small = bytes.len().saturating_mul(32);
        let large = bytes.len().saturating_mul(4).saturating_add(32 * KIB * KIB);
        Reader::with_budget(bytes, small.min(large).saturating_add(64 * KIB))
    }

    /// A reader whose vectors may take `budget` bytes in all.
    pub fn with_budget(bytes: &'a [u8], budget: usize) -> Reader<'a> {
        Reader { rest: bytes, budget, elements_left: MESSAGE_ELEMENTS_MAX }
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What may still be allocated, in bytes.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Insists that everything was read.
    pub fn finish(&self) -> Decoded<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    /// Insists that the message has the version.
    pub fn check(&self, versions: VersionRange, version: i16) -> Decoded<()> {
        if versions.contains(version) {
            Ok(())
        } else {
            Err(DecodeError::UnsupportedVersion(version))
        }
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::Truncated { needed: count, left: self.rest.len() }),
        }
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(DecodeError::Truncated { needed: N, left: self.rest.len() }),
        }
    }

    /// `bool`: any byte but 0 is true.
    #[inline]
    pub fn bool(&mut self) -> Decoded<bool> {
        Ok(self.i8()? != 0)
    }

    /// `int8`.
    #[inline]
    pub fn i8(&mut self) -> Decoded<i8> {
        Ok(i8::from_be_bytes(self.chunk()?))
    }

    /// `int16`.
    #[inline]
    pub fn i16(&mut self) -> Decoded<i16> {
        Ok(i16::from_be_bytes(self.chunk()?))
    }

    /// `uint16`.
    #[inline]
    pub fn u16(&mut self) -> Decoded<u16> {
        Ok(u16::from_be_bytes(self.chunk()?))
    }

    /// `int32`.
    #[inline]
    pub fn i32(&mut self) -> Decoded<i32> {
        Ok(i32::from_be_bytes(self.chunk()?))
    }

    /// `int64`.
    #[inline]
    pub fn i64(&mut self) -> Decoded<i64> {
        Ok(i64::from_be_bytes(self.chunk()?))
    }

    /// `float64`.
    #[inline]
    pub fn f64(&mut self) -> Decoded<f64> {
        Ok(f64::from_be_bytes(self.chunk()?))
    }

    /// `uuid`.
    #[inline]
    pub fn uuid(&mut self) -> Decoded<Uuid> {
        Ok(Uuid(self.chunk()?))
    }

    /// `uuid` that names a topic.
    #[inline]
    pub fn topic_id(&mut self) -> Decoded<TopicId> {
        Ok(TopicId(self.chunk()?))
    }

    /// A variable-length unsigned integer: seven bits a byte, the lowest first.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Decoded<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = u8::from_be_bytes(self.chunk()?);
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::VarintTooLong);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    /// The length of a byte string or an array; `None` for null.
    #[inline]
    fn length(&mut self, flexible: bool, nullable: bool) -> Decoded<Option<usize>> {
        let length =
            if flexible { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i32()?) };
        valid_length(length, nullable)
    }

    /// `string`.
    #[inline]
    pub fn string(&mut self, flexible: bool) -> Decoded<Cow<'a, str>> {
        match self.string_or_null(flexible, false)? {
            Some(string) => Ok(string),
            None => Err(DecodeError::UnexpectedNull(-1)),
        }
    }

    /// `string` that may be null in the versions where `nullable`.
    pub fn string_or_null(
        &mut self,
        flexible: bool,
        nullable: bool,
    ) -> Decoded<Option<Cow<'a, str>>> {
        let length =
            if flexible { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i16()?) };
        let Some(length) = valid_length(length, nullable)? else {
            return Ok(None);
        };
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::StringTooLong(length as u64));
        }
        match std::str::from_utf8(self.take(length)?) {
            Ok(string) => Ok(Some(Cow::Borrowed(string))),
            Err(_) => Err(DecodeError::InvalidUtf8),
        }
    }

    /// `bytes`.
    pub fn bytes(&mut self, flexible: bool) -> Decoded<Cow<'a, [u8]>> {
        match self.bytes_or_null(flexible, false)? {
            Some(bytes) => Ok(bytes),
            None => Err(DecodeError::UnexpectedNull(-1)),
        }
    }

    /// `bytes` that may be null in the versions where `nullable`.
    pub fn bytes_or_null(
        &mut self,
        flexible: bool,
        nullable: bool,
    ) -> Decoded<Option<Cow<'a, [u8]>>> {
        match self.length(flexible, nullable)? {
            Some(length) => Ok(Some(Cow::Borrowed(self.take(length)?))),
            None => Ok(None),
        }
    }

    /// `records`.
    pub fn records(&mut self, flexible: bool, nullable: bool) -> Decoded<Records<'a>> {
        match self.length(flexible, nullable)? {
            Some(length) => Ok(Records::Bytes(self.take(length)?)),
            None => Ok(Records::Null),
        }
    }

    /// An empty vector with room for as many elements as the wire declares, if the bytes left can
    /// hold so many of at least `wire_min` bytes each and the budget bears it.
    fn vector<T>(
        &mut self,
        flexible: bool,
        nullable: bool,
        wire_min: usize,
    ) -> Decoded<Option<(usize, Vec<T>)>> {
        let Some(count) = self.length(flexible, nullable)? else {
            return Ok(None);
        };
        if count > ARRAY_ELEMENTS_MAX {
            return Err(DecodeError::TooManyElements(count as u64));
        }
        let needed = count * wire_min.max(1);
        if needed > self.rest.len() {
            return Err(DecodeError::Truncated { needed, left: self.rest.len() });
        }
        let left = self.elements_left.checked_sub(count);
        self.elements_left = left.ok_or(DecodeError::TooManyElements(count as u64))?;
        let charge = count * size_of::<T>();
        self.budget = self.budget.checked_sub(charge).ok_or(DecodeError::OverBudget)?;
        Ok(Some((count, Vec::with_capacity(count))))
    }

    /// An array of scalars, each read by `read` and `wire_min` bytes long.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        wire_min: usize,
        read: fn(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<Vec<T>> {
        self.array_or_null(flexible, false, wire_min, read)?.ok_or(DecodeError::UnexpectedNull(-1))
    }

    /// An array of scalars that may be null in the versions where `nullable`.
    pub fn array_or_null<T>(
        &mut self,
        flexible: bool,
        nullable: bool,
        wire_min: usize,
        read: fn(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<Option<Vec<T>>> {
        let Some((count, mut vector)) = self.vector(flexible, nullable, wire_min)? else {
            return Ok(None);
        };
        for _ in 0..count {
            vector.push(read(self)?);
        }
        Ok(Some(vector))
    }

    /// An array of strings.
    pub fn strings(&mut self, flexible: bool) -> Decoded<Vec<Cow<'a, str>>> {
        self.strings_or_null(flexible, false)?.ok_or(DecodeError::UnexpectedNull(-1))
    }

    /// An array of strings that may be null in the versions where `nullable`.
    pub fn strings_or_null(
        &mut self,
        flexible: bool,
        nullable: bool,
    ) -> Decoded<Option<Vec<Cow<'a, str>>>> {
        let wire_min = if flexible { 1 } else { 2 };
        let Some((count, mut vector)) = self.vector(flexible, nullable, wire_min)? else {
            return Ok(None);
        };
        for _ in 0..count {
            vector.push(self.string(flexible)?);
        }
        Ok(Some(vector))
    }

    /// An array of structures, each at least `wire_min` bytes long.
    pub fn structs<T>(
        &mut self,
        flexible: bool,
        version: i16,
        wire_min: usize,
        decode: fn(&mut Reader<'a>, i16) -> Decoded<T>,
    ) -> Decoded<Vec<T>> {
        self.structs_or_null(flexible, false, version, wire_min, decode)?
            .ok_or(DecodeError::UnexpectedNull(-1))
    }

    /// An array of structures that may be null in the versions where `nullable`.
    pub fn structs_or_null<T>(
        &mut self,
        flexible: bool,
        nullable: bool,
        version: i16,
        wire_min: usize,
        decode: fn(&mut Reader<'a>, i16) -> Decoded<T>,
    ) -> Decoded<Option<Vec<T>>> {
        let Some((count, mut vector)) = self.vector(flexible, nullable, wire_min)? else {
            return Ok(None);
        };
        for _ in 0..count {
            vector.push(decode(self, version)?);
        }
        Ok(Some(vector))
    }

    /// A nullable structure: a byte below zero is null, any other precedes it.
    pub fn struct_or_null<T>(
        &mut self,
        version: i16,
        decode: fn(&mut Reader<'a>, i16) -> Decoded<T>,
    ) -> Decoded<Option<T>> {
        if self.i8()? < 0 {
            return Ok(None);
        }
        Ok(Some(decode(self, version)?))
    }

    /// The tagged fields of a structure that knows none.
    #[inline]
    pub fn tags(&mut self, flexible: bool) -> Decoded<UnknownTags<'a>> {
        if !flexible {
            return Ok(UnknownTags::default());
        }
        let mut section = self.tag_section(true)?;
        while self.tag(&mut section)?.is_some() {
            self.unknown_tag(&mut section, 0)?;
        }
        Ok(section.unknown)
    }

    /// Begins the section of tagged fields that ends each structure of a flexible version.
    pub fn tag_section(&mut self, flexible: bool) -> Decoded<TagSection<'a>> {
        let left = if flexible { self.unsigned_varint()? } else { 0 };
        if left > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TooManyTags(left));
        }
        Ok(TagSection {
            left,
            tag_min: 0,
            tag: 0,
            value_end: None,
            tag_start: self.rest,
            unknown_start: None,
            unknown: UnknownTags::default(),
        })
    }

    /// The next tag, once the previous one's value was read to its end; `None` after the last.
    pub fn tag(&mut self, section: &mut TagSection<'a>) -> Decoded<Option<u32>> {
        if section.value_end.is_some_and(|end| end != self.rest.len()) {
            return Err(DecodeError::TagSize);
        }
        section.value_end = None;
        if section.left == 0 {
            return Ok(None);
        }
        section.left -= 1;
        section.tag_start = self.rest;
        section.tag = self.unsigned_varint()?;
        if u64::from(section.tag) < section.tag_min {
            return Err(DecodeError::TagOrder(section.tag));
        }
        section.tag_min = u64::from(section.tag) + 1;
        let size = self.unsigned_varint()? as usize;
        match self.rest.len().checked_sub(size) {
            Some(end) => section.value_end = Some(end),
            None => {
                return Err(DecodeError::Truncated { needed: size, left: self.rest.len() });
            }
        }
        Ok(Some(section.tag))
    }

    /// Passes over the current value, which must not carry one of the first `known` tags.
    pub fn unknown_tag(&mut self, section: &mut TagSection<'a>, known: u32) -> Decoded<()> {
        if section.tag < known {
            return Err(DecodeError::TagVersion(section.tag));
        }
        let size = self.rest.len() - section.value_end.unwrap_or(self.rest.len());
        self.take(size)?;
        let start = *section.unknown_start.get_or_insert(section.tag_start);
        section.unknown = UnknownTags::from_checked(&start[..start.len() - self.rest.len()]);
        Ok(())
    }
}

#[inline]
fn valid_length(length: i64, nullable: bool) -> Decoded<Option<usize>> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        // Kafka takes every negative length for null.
        Err(_) if nullable => Ok(None),
        Err(_) => Err(DecodeError::UnexpectedNull(length)),
    }
}
