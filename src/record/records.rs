//! The records inside an opened batch, borrowed from its bytes (`DefaultRecord`).
//!
//! One record, all integers zigzag varints except the attributes:
//!
//! > length of what follows · attributes, one byte, unused · timestamp delta (64 bits) · offset delta ·
//! > key length, -1 for none · key · value length, -1 for none · value · header count, then each header:
//! > key length · key · value length, -1 for none · value

use thiserror::Error;

use super::header::BatchHeader;
use super::varint::{read_i32, read_i64};
use crate::model::Offset;

/// Why bytes are not the records that their batch declares; the producer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A varint is too long, or the bytes end inside it.
    #[error("a variable-length integer is malformed")]
    Varint,
    /// A negative record length, or one past the batch's end.
    #[error("the record declares {0} bytes, which the batch does not hold")]
    Length(i32),
    /// The record's fields do not take the length it declares.
    #[error("the record's fields end {0} bytes before its declared length")]
    LengthMismatch(usize),
    /// A key or value goes past the record's end.
    #[error("a key or value of {0} bytes goes past the end of its record")]
    Field(i32),
    /// A negative number of headers, or more than the record's bytes can hold.
    #[error("the record declares {0} headers")]
    HeaderCount(i32),
    /// A header without a key.
    #[error("a header has the key length {0}")]
    HeaderKey(i32),
    /// The batch ends before the declared number of records.
    #[error("the batch ends before the number of records that it declares")]
    Missing,
    /// Bytes are left after the last record.
    #[error("{0} bytes are left after the number of records that the batch declares")]
    Trailing(usize),
}

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its position in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970; -1 without one.
    pub timestamp: i64,
    /// Its position relative to the batch's base offset, as declared.
    pub offset_delta: i32,
    /// `None` is Kafka's null.
    pub key: Option<&'a [u8]>,
    /// `None` is Kafka's null: a tombstone where topics are compacted.
    pub value: Option<&'a [u8]>,
    /// In the order in which they were written; keys may repeat.
    pub headers: Headers<'a>,
}

/// Iterates over the records of a batch; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    records_left: i32,
    failed: bool,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
}

impl<'a> Records<'a> {
    /// Reads `opened`, the decompressed payload of the batch with `header`.
    pub fn new(header: &BatchHeader, opened: &'a [u8]) -> Records<'a> {
        Records {
            rest: opened,
            records_left: header.record_count,
            failed: false,
            base_offset: header.base_offset.0,
            base_timestamp: header.base_timestamp,
            log_append_time: header.is_log_append_time().then_some(header.max_timestamp),
        }
    }

    #[inline]
    fn read(&mut self) -> Result<Record<'a>, RecordError> {
        if self.rest.is_empty() {
            return Err(RecordError::Missing);
        }
        let (length, rest) = read_i32(self.rest).ok_or(RecordError::Varint)?;
        let size = usize::try_from(length).map_err(|_| RecordError::Length(length))?;
        let (body, rest) = rest.split_at_checked(size).ok_or(RecordError::Length(length))?;
        self.rest = rest;
        // The attributes byte has no meaning yet, and whatever a producer writes there is kept.
        let body = body.get(1..).ok_or(RecordError::Length(length))?;
        let (timestamp_delta, body) = read_i64(body).ok_or(RecordError::Varint)?;
        let (offset_delta, body) = read_i32(body).ok_or(RecordError::Varint)?;
        let (key, body) = read_field(body)?;
        let (value, body) = read_field(body)?;
        let headers = Headers::parse(body)?;
        Ok(Record {
            // Kafka adds with wrap-around; a lying delta is the business of validation.
            offset: Offset(self.base_offset.wrapping_add(i64::from(offset_delta))),
            timestamp: self
                .log_append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            offset_delta,
            key,
            value,
            headers,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = if self.records_left > 0 {
            self.records_left -= 1;
            Some(self.read())
        } else {
            (!self.rest.is_empty()).then_some(Err(RecordError::Trailing(self.rest.len())))
        };
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// Reads a length and that many bytes; any negative length is null, as Kafka reads it.
#[inline]
fn read_field(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), RecordError> {
    let (length, rest) = read_i32(bytes).ok_or(RecordError::Varint)?;
    let Ok(size) = usize::try_from(length) else { return Ok((None, rest)) };
    let (field, rest) = rest.split_at_checked(size).ok_or(RecordError::Field(length))?;
    Ok((Some(field), rest))
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by convention; nothing enforces it.
    pub key: &'a [u8],
    /// `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
}

/// Iterates over a record's headers, which were checked when the record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    rest: &'a [u8],
    count: i32,
}

impl<'a> Headers<'a> {
    /// Checks the count and the headers that `bytes`, the rest of a record, consist of.
    #[inline]
    fn parse(bytes: &'a [u8]) -> Result<Headers<'a>, RecordError> {
        let (count, rest) = read_i32(bytes).ok_or(RecordError::Varint)?;
        // Each header takes two bytes at least.
        if usize::try_from(count).map_or(true, |count| count > rest.len() / 2) {
            return Err(RecordError::HeaderCount(count));
        }
        let mut unread = rest;
        for _ in 0..count {
            (_, unread) = read_header(unread)?;
        }
        if !unread.is_empty() {
            return Err(RecordError::LengthMismatch(unread.len()));
        }
        Ok(Headers { rest, count })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.count == 0 {
            return None;
        }
        self.count -= 1;
        let (header, rest) = read_header(self.rest).ok()?;
        self.rest = rest;
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

fn read_header(bytes: &[u8]) -> Result<(Header<'_>, &[u8]), RecordError> {
    let (length, rest) = read_i32(bytes).ok_or(RecordError::Varint)?;
    let size = usize::try_from(length).map_err(|_| RecordError::HeaderKey(length))?;
    let (key, rest) = rest.split_at_checked(size).ok_or(RecordError::Field(length))?;
    let (value, rest) = read_field(rest)?;
    Ok((Header { key, value }, rest))
}
