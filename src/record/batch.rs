//! A record batch as a checked view over its bytes, and the few fields that a broker rewrites in place.

use std::borrow::Cow;
use std::ops::Deref;

use super::checksum::crc32c;
use super::compression::{Compression, DecompressionCaps, DecompressionError, decompress};
use super::header::{
    ATTRIBUTES_AT, BATCH_HEADER_BYTES, BatchError, BatchHeader, COMPRESSION_MASK, CRC_AT,
    LEADER_EPOCH_AT, LENGTH_AT, LOG_APPEND_TIME, MAX_TIMESTAMP_AT,
};
use super::records::Records;
use crate::model::{LeaderEpoch, Offset};

/// One whole batch: its parsed header, and exactly its bytes.
///
/// Parsing checks the header and that the bytes are all there; [`crc_is_valid`](Self::crc_is_valid) and
/// the records are checked when asked for.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch that `bytes` begin with; more may follow it.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        BatchView::with_header(BatchHeader::parse(bytes)?, bytes)
    }

    /// As [`parse`](Self::parse), with offsets and counts as they are declared: see [`BatchHeader::read`].
    pub fn read(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        BatchView::with_header(BatchHeader::read(bytes)?, bytes)
    }

    fn with_header(header: BatchHeader, bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        let needed_bytes = header.size_bytes;
        let bytes = bytes
            .get(..needed_bytes)
            .ok_or(BatchError::Truncated { size_bytes: bytes.len(), needed_bytes })?;
        Ok(BatchView { header, bytes })
    }

    /// The header's fields.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The batch as it is stored and sent.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header: the records, or their compressed block.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[BATCH_HEADER_BYTES..]
    }

    /// Whether the stored CRC is that of the bytes; reads the whole batch.
    pub fn crc_is_valid(&self) -> bool {
        self.crc_computed() == self.header.crc
    }

    /// The CRC-32C of the bytes from the attributes on.
    pub fn crc_computed(&self) -> u32 {
        crc32c(&self.bytes[ATTRIBUTES_AT..])
    }

    /// The records' bytes: borrowed if they are not compressed, else decompressed within `caps`.
    pub fn open(&self, caps: DecompressionCaps) -> Result<Cow<'a, [u8]>, DecompressionError> {
        decompress(self.header.compression, self.payload(), caps)
    }

    /// Iterates over `opened`, which is what [`open`](Self::open) gave.
    pub fn records<'o>(&self, opened: &'o [u8]) -> Records<'o> {
        Records::new(&self.header, opened)
    }
}

impl Deref for BatchView<'_> {
    type Target = BatchHeader;

    fn deref(&self) -> &BatchHeader {
        &self.header
    }
}

/// Splits a run of batches; ends after the first error. A [`BatchError::Truncated`] at the end of a
/// fetched run is how Kafka cuts an answer at its size, not corruption.
pub fn split(bytes: &[u8]) -> impl Iterator<Item = Result<BatchView<'_>, BatchError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let batch = BatchView::parse(rest);
        rest = batch.as_ref().map_or(&[], |batch| &rest[batch.size_bytes..]);
        Some(batch)
    })
}

/// Gives the batch in `bytes` its place in the log; the CRC leaves this field out.
///
/// Like the other setters it takes bytes that [`BatchView::parse`] has accepted.
pub fn set_base_offset(bytes: &mut [u8], base_offset: Offset) {
    bytes[..8].copy_from_slice(&base_offset.0.to_be_bytes());
}

/// Names the term of the leader that appends the batch; the CRC leaves this field out.
pub fn set_leader_epoch(bytes: &mut [u8], leader_epoch: LeaderEpoch) {
    bytes[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.0.to_be_bytes());
}

/// Gives all records of the one batch in `bytes` the time of their append: sets the timestamp type and
/// the max timestamp, and recomputes the CRC, as `message.timestamp.type=LogAppendTime` asks for.
pub fn set_log_append_time(bytes: &mut [u8], time_ms: i64) {
    // The bit is in the low byte of the big-endian attributes.
    bytes[ATTRIBUTES_AT + 1] |= LOG_APPEND_TIME as u8;
    set_max_timestamp(bytes, time_ms);
}

/// Corrects the max timestamp of the one batch in `bytes` and recomputes the CRC.
pub fn set_max_timestamp(bytes: &mut [u8], max_timestamp: i64) {
    bytes[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&max_timestamp.to_be_bytes());
    set_crc(bytes);
}

/// Says that what follows the header of the one batch in `bytes` is a block of `codec`, and the length that the
/// batch has with it; the CRC is left to be written.
pub(super) fn set_compression(bytes: &mut [u8], codec: Compression, length: i32) {
    bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    // The codec is in the low byte of the big-endian attributes.
    let low = &mut bytes[ATTRIBUTES_AT + 1];
    *low = (*low & !(COMPRESSION_MASK as u8)) | codec as u8;
}

/// Writes the CRC of the one batch in `bytes`.
pub(super) fn set_crc(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[ATTRIBUTES_AT..]);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}
