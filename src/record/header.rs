//! The 61 bytes that begin every record batch of format version 2 (`DefaultRecordBatch`).
//!
//! All integers are big-endian:
//!
//! | at | size | field |
//! |---|---|---|
//! | 0 | 8 | base offset: that of the first record |
//! | 8 | 4 | batch length: the bytes that follow this field |
//! | 12 | 4 | partition leader epoch, written by the broker |
//! | 16 | 1 | magic: 2 |
//! | 17 | 4 | CRC-32C of everything from the attributes to the end |
//! | 21 | 2 | attributes: bits 0–2 compression, 3 log-append time, 4 transactional, 5 control, 6 delete horizon |
//! | 23 | 4 | last offset delta |
//! | 27 | 8 | base timestamp, ms; with bit 6 the delete horizon |
//! | 35 | 8 | max timestamp, ms |
//! | 43 | 8 | producer id, -1 without one |
//! | 51 | 2 | producer epoch |
//! | 53 | 4 | base sequence |
//! | 57 | 4 | record count |
//!
//! The records follow, compressed as one block where the attributes say so. The CRC leaves out what the
//! broker rewrites, so an append patches offset and epoch in place.

use thiserror::Error;

use super::compression::Compression;
use crate::model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// The bytes before a batch's records.
pub const BATCH_HEADER_BYTES: usize = 61;
/// The only message format that Kafka 4 takes.
pub const MAGIC: i8 = 2;

/// Offset and length fields: the batch length counts what comes after them.
pub(super) const LOG_OVERHEAD: usize = 12;
pub(super) const LENGTH_AT: usize = 8;
pub(super) const LEADER_EPOCH_AT: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(super) const BASE_TIMESTAMP_AT: usize = 27;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;
pub(super) const PRODUCER_ID_AT: usize = 43;
pub(super) const PRODUCER_EPOCH_AT: usize = 51;
pub(super) const BASE_SEQUENCE_AT: usize = 53;
pub(super) const RECORD_COUNT_AT: usize = 57;

pub(super) const COMPRESSION_MASK: i16 = 0x07;
pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// The least a declared batch length can be in any format: `LegacyRecord.RECORD_OVERHEAD_V0`. Below it
/// Kafka calls the length itself corrupt.
const BATCH_LENGTH_MIN_ANY_FORMAT: i32 = 14;

/// Why bytes are not a batch; the bytes' writer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end before the batch does: more may come, or the tail is torn.
    #[error("the batch ends after {size_bytes} bytes and takes {needed_bytes}")]
    Truncated {
        /// The bytes there are.
        size_bytes: usize,
        /// The least that the batch takes, as far as it can be read.
        needed_bytes: usize,
    },
    /// The declared length is less than the header takes.
    #[error("the batch length {0} is less than a batch header takes")]
    LengthTooSmall(i32),
    /// A format before version 2, or none that exists.
    #[error("the batch has magic {0}; only 2 is supported")]
    Magic(i8),
    /// A compression codec that does not exist.
    #[error("the batch has the unknown compression codec {0}")]
    Codec(u8),
    /// A negative base offset or delta, or a last offset past the largest.
    #[error("the batch has the invalid offset range {base_offset} + {last_offset_delta}")]
    OffsetRange {
        /// As declared.
        base_offset: i64,
        /// As declared.
        last_offset_delta: i32,
    },
    /// A negative number of records.
    #[error("the batch declares {0} records")]
    RecordCount(i32),
}

/// A batch's header, parsed and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The first record's offset; never negative.
    pub base_offset: Offset,
    /// The whole batch, this header included.
    pub size_bytes: usize,
    /// The term of the leader that appended the batch; -1 in what a producer sends.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C from the attributes on, as stored; see [`BatchView::crc_is_valid`](super::BatchView::crc_is_valid).
    pub crc: u32,
    /// The codec of the records.
    pub compression: Compression,
    /// The attribute bits, also those without a meaning yet.
    pub attributes: i16,
    /// Last offset minus base offset; never negative, and kept when compaction removes records.
    pub last_offset_delta: i32,
    /// What record timestamps are relative to, in ms.
    pub base_timestamp: i64,
    /// The largest record timestamp, or with log-append time that of all records, in ms.
    pub max_timestamp: i64,
    /// `ProducerId::NONE` where the producer is not idempotent.
    pub producer_id: ProducerId,
    /// Meaningless without a producer id.
    pub producer_epoch: ProducerEpoch,
    /// The first record's sequence number; meaningless without a producer id.
    pub base_sequence: i32,
    /// Never negative; 0 is what compaction leaves of an emptied batch.
    pub record_count: i32,
}

impl BatchHeader {
    /// Parses the header that `bytes` begin with; the records may be missing from `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        BatchHeader::read(bytes)?.check_range()
    }

    /// As [`parse`](Self::parse), with offsets and counts as they are declared, which may be any: for tools
    /// that show what is damaged.
    pub fn read(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let truncated =
            |needed_bytes| BatchError::Truncated { size_bytes: bytes.len(), needed_bytes };
        if bytes.len() <= MAGIC_AT {
            return Err(truncated(BATCH_HEADER_BYTES));
        }
        let length = i32_at(bytes, LENGTH_AT);
        if length < BATCH_LENGTH_MIN_ANY_FORMAT {
            return Err(BatchError::LengthTooSmall(length));
        }
        let magic = bytes[MAGIC_AT] as i8;
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let size_bytes = LOG_OVERHEAD + length as usize;
        if size_bytes < BATCH_HEADER_BYTES {
            return Err(BatchError::LengthTooSmall(length));
        }
        if bytes.len() < BATCH_HEADER_BYTES {
            return Err(truncated(size_bytes));
        }
        let attributes = i16_at(bytes, ATTRIBUTES_AT);
        let codec = (attributes & COMPRESSION_MASK) as u8;
        Ok(BatchHeader {
            base_offset: Offset(i64_at(bytes, 0)),
            size_bytes,
            leader_epoch: LeaderEpoch(i32_at(bytes, LEADER_EPOCH_AT)),
            crc: i32_at(bytes, CRC_AT) as u32,
            compression: Compression::from_id(codec).ok_or(BatchError::Codec(codec))?,
            attributes,
            last_offset_delta: i32_at(bytes, LAST_OFFSET_DELTA_AT),
            base_timestamp: i64_at(bytes, BASE_TIMESTAMP_AT),
            max_timestamp: i64_at(bytes, MAX_TIMESTAMP_AT),
            producer_id: ProducerId(i64_at(bytes, PRODUCER_ID_AT)),
            producer_epoch: ProducerEpoch(i16_at(bytes, PRODUCER_EPOCH_AT)),
            base_sequence: i32_at(bytes, BASE_SEQUENCE_AT),
            record_count: i32_at(bytes, RECORD_COUNT_AT),
        })
    }

    fn check_range(self) -> Result<BatchHeader, BatchError> {
        let (base, delta) = (self.base_offset.0, self.last_offset_delta);
        // The next offset has to exist too.
        let fits = base.checked_add(i64::from(delta)).is_some_and(|last| last < i64::MAX);
        if base < 0 || delta < 0 || !fits {
            return Err(BatchError::OffsetRange { base_offset: base, last_offset_delta: delta });
        }
        if self.record_count < 0 {
            return Err(BatchError::RecordCount(self.record_count));
        }
        Ok(self)
    }

    /// The last record's offset, counting records that compaction removed.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0 + i64::from(self.last_offset_delta))
    }

    /// The offset after this batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// The last record's sequence number; sequences wrap from the largest to 0.
    pub fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (last & i64::from(i32::MAX)) as i32
    }

    /// Whether all records have the time of their append, which is the max timestamp.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the records are the broker's own markers, which consumers do not see.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether the base timestamp is the time from which compaction may drop tombstones (KIP-534).
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON != 0
    }

    /// Whether the producer is idempotent.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(array_at(bytes, at))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(array_at(bytes, at))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(array_at(bytes, at))
}

/// The caller has checked that the header is all there.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is an array of N bytes")
}
