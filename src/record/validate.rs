//! What a broker checks of a produced batch before it may be appended (`LogValidator`, `UnifiedLog`).
//!
//! The header is checked always, and the CRC reads every byte. Uncompressed records are walked one by
//! one. A compressed batch is opened only for a compacted topic, whose records need keys, and where the
//! topic names another codec (`recompress.rs`): on other topics a lying block is stored as opaque bytes, which Kafka would refuse after decompressing all of
//! them. So whoever opens a stored batch treats it as hostile.

use std::fmt;

use thiserror::Error;

use super::batch::BatchView;
use super::compression::{Compression, DecompressionCaps, DecompressionError};
use super::header::{BatchError, BatchHeader};
use super::records::{RecordError, Records};
use crate::model::limits::RECORD_FAULTS_LISTED_MAX;
use crate::model::topic_config::{TimestampType, TopicConfig};

/// What the topic and the request say about a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules {
    /// `max.message.bytes`, of the batch with its header.
    pub batch_size_bytes_max: usize,
    /// Whether `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type=LogAppendTime`: the producer's timestamps do not count.
    pub log_append_time: bool,
    /// The wall clock, in ms since 1970.
    pub now_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_ms_max: u64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_ms_max: u64,
    /// Produce requests before version 7 may not carry it.
    pub zstd_permitted: bool,
    /// Whether transactions can be honoured.
    pub transactional_permitted: bool,
    /// For a compressed batch that has to be opened.
    pub decompression: DecompressionCaps,
}

impl ProduceRules {
    /// The rules of a topic for a request that may carry everything but transactions, at `now_ms`.
    pub fn of_topic(config: &TopicConfig, now_ms: i64) -> ProduceRules {
        ProduceRules {
            batch_size_bytes_max: config.max_message_bytes as usize,
            compacted: config.cleanup_policy.compact,
            log_append_time: config.message_timestamp_type == TimestampType::LogAppendTime,
            now_ms,
            timestamp_before_ms_max: config.message_timestamp_before_max_ms,
            timestamp_after_ms_max: config.message_timestamp_after_max_ms,
            zstd_permitted: true,
            transactional_permitted: false,
            decompression: DecompressionCaps::default(),
        }
    }
}

/// A batch that may be appended.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The batch's header as sent.
    pub header: BatchHeader,
    /// The largest timestamp, in ms: the records' own where they were read. If it is not the header's,
    /// the batch is to be corrected by [`set_max_timestamp`](super::batch::set_max_timestamp), as
    /// Kafka does.
    pub max_timestamp: i64,
}

/// One record that was refused; Produce answers carry these from version 8 on (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// Its index in the batch.
    pub index: i32,
    /// What is wrong with it, for the producer's log; said of the first few only.
    pub message: Option<String>,
}

impl fmt::Display for RecordFault {
    /// As Kafka says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.as_deref().unwrap_or_default();
        write!(f, "RecordError(batchIndex={}, message='{message}')", self.index)
    }
}

fn first_three(faults: &[RecordFault]) -> String {
    let texts: Vec<String> = faults.iter().take(3).map(RecordFault::to_string).collect();
    texts.join(", ")
}

/// Why a batch is refused; each variant names Kafka's error for it.
#[derive(Debug, Error)]
pub enum InvalidBatch {
    /// INVALID_RECORD: no batch, or less than one.
    #[error("the request has no whole record batch for the partition")]
    Missing,
    /// INVALID_RECORD: bytes follow the batch.
    #[error("the request has more than one record batch for the partition")]
    MoreThanOne,
    /// INVALID_RECORD: a message format before version 2.
    #[error("the record batch has magic {0}: only 2 is permitted")]
    Magic(i8),
    /// CORRUPT_MESSAGE: lengths or counts that cannot be.
    #[error("the record batch is corrupt: {0}")]
    Corrupt(BatchError),
    /// CORRUPT_MESSAGE: the checksum does not match.
    #[error("the record batch is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Crc {
        /// As sent.
        stored: u32,
        /// Over the bytes sent.
        computed: u32,
    },
    /// MESSAGE_TOO_LARGE: over `max.message.bytes`.
    #[error("the record batch takes {size_bytes} bytes, more than the maximum of {size_bytes_max}")]
    TooLarge {
        /// Of the batch.
        size_bytes: usize,
        /// What the topic permits.
        size_bytes_max: usize,
    },
    /// UNSUPPORTED_COMPRESSION_TYPE: zstd in an old request, or a codec that does not exist.
    #[error("the record batch is compressed as the request may not be (codec {0})")]
    Codec(u8),
    /// INVALID_RECORD: the header contradicts itself, or claims what a client may not.
    #[error("{0}")]
    Header(&'static str),
    /// INVALID_RECORD: the records are not what the batch declares; nothing after the index was read.
    #[error("record {index} of the batch is invalid: {error}")]
    Malformed {
        /// The record's index in the batch.
        index: i32,
        /// What is wrong with it.
        error: RecordError,
    },
    /// INVALID_RECORD: the compressed records do not open within the caps.
    #[error(transparent)]
    Compressed(DecompressionError),
    /// INVALID_RECORD: records of a well-formed batch are refused.
    #[error(
        "One or more records have been rejected due to {} record errors in total, and only showing \
         the first three errors at most: [{}]", .count, first_three(.faults)
    )]
    Records {
        /// Those that are listed, in order: all, unless a small batch opens into very many.
        faults: Vec<RecordFault>,
        /// How many there are.
        count: usize,
    },
    /// INVALID_TIMESTAMP: records are too far from the broker's clock.
    #[error("One or more records have been rejected due to invalid timestamp")]
    Timestamps(Vec<RecordFault>),
}

/// So many faults are explained: what is said of a record may be longer than the record.
const FAULTS_EXPLAINED_MAX: usize = 16;
/// A fault without an explanation takes so much of an answer, which is never larger than its request.
const FAULT_BYTES: usize = 6;

/// Checks the records that a client produced to one partition.
pub fn validate(bytes: &[u8], rules: &ProduceRules) -> Result<Accepted, InvalidBatch> {
    let batch = BatchView::parse(bytes).map_err(|error| refuse_parse(bytes, error))?;
    if batch.bytes().len() < bytes.len() {
        return Err(InvalidBatch::MoreThanOne);
    }
    check_bounds(&batch, rules)?;
    // Before what the header says otherwise: a damaged batch is worth sending again, a wrong one is not.
    check_crc(&batch)?;
    check_header(&batch, rules)?;
    let header = *batch.header();
    let opaque = header.compression != Compression::None && !rules.compacted;
    let max_timestamp = if opaque {
        check_header_timestamps(&header, rules)
            .map_err(|fault| each_fault(&batch, rules).unwrap_or(fault))?;
        header.max_timestamp
    } else {
        let opened = batch.open(rules.decompression).map_err(InvalidBatch::Compressed)?;
        check_records(&header, &opened, rules)?
    };
    Ok(Accepted { header, max_timestamp })
}

fn refuse_parse(bytes: &[u8], error: BatchError) -> InvalidBatch {
    // What a header declares may be damage of the way here.
    if let Ok(batch) = BatchView::read(bytes)
        && let Err(damage) = check_crc(&batch)
    {
        return damage;
    }
    match error {
        BatchError::Truncated { .. } => InvalidBatch::Missing,
        BatchError::Magic(magic @ (0 | 1)) => InvalidBatch::Magic(magic),
        BatchError::Codec(codec) => InvalidBatch::Codec(codec),
        BatchError::OffsetRange { .. } => {
            InvalidBatch::Header("the record batch has an invalid offset range")
        }
        BatchError::RecordCount(_) => {
            InvalidBatch::Header("the record batch has an invalid record count")
        }
        BatchError::LengthTooSmall(_) | BatchError::Magic(_) => InvalidBatch::Corrupt(error),
    }
}

fn check_crc(batch: &BatchView<'_>) -> Result<(), InvalidBatch> {
    let (stored, computed) = (batch.crc, batch.crc_computed());
    if stored == computed { Ok(()) } else { Err(InvalidBatch::Crc { stored, computed }) }
}

/// What is looked at before the checksum.
fn check_bounds(batch: &BatchHeader, rules: &ProduceRules) -> Result<(), InvalidBatch> {
    if batch.base_offset.0 != 0 {
        return Err(InvalidBatch::Header("the base offset of a produced record batch is not 0"));
    }
    if batch.size_bytes > rules.batch_size_bytes_max {
        return Err(InvalidBatch::TooLarge {
            size_bytes: batch.size_bytes,
            size_bytes_max: rules.batch_size_bytes_max,
        });
    }
    Ok(())
}

fn check_header(batch: &BatchHeader, rules: &ProduceRules) -> Result<(), InvalidBatch> {
    if batch.compression == Compression::Zstd && !rules.zstd_permitted {
        return Err(InvalidBatch::Codec(Compression::Zstd as u8));
    }
    let has_sequence = batch.producer_epoch.0 >= 0 && batch.base_sequence >= 0;
    let broken = [
        (batch.record_count == 0, "the record batch has no records"),
        (
            i64::from(batch.last_offset_delta) + 1 != i64::from(batch.record_count),
            "the record batch's offset range contradicts its record count",
        ),
        (batch.is_control(), "clients are not allowed to write control records"),
        (
            batch.is_transactional() && !rules.transactional_permitted,
            "transactional records are not supported",
        ),
        (
            batch.is_transactional() && !batch.has_producer_id(),
            "the record batch is transactional and has no producer id",
        ),
        (
            batch.has_producer_id() && !has_sequence,
            "the record batch has a producer id without an epoch and a sequence number",
        ),
    ];
    if let Some((_, reason)) = broken.into_iter().find(|(is_broken, _)| *is_broken) {
        return Err(InvalidBatch::Header(reason));
    }
    if batch.is_log_append_time() {
        let message = "a producer may not set the timestamp type to LogAppendTime".to_owned();
        return Err(InvalidBatch::Timestamps(vec![RecordFault {
            index: 0,
            message: Some(message),
        }]));
    }
    Ok(())
}

/// Walks the records: their form, their offsets, and as the topic asks for it their keys and times.
/// Returns the largest timestamp.
pub(super) fn check_records(
    header: &BatchHeader,
    opened: &[u8],
    rules: &ProduceRules,
) -> Result<i64, InvalidBatch> {
    let (time_min, time_max) = time_bounds(rules);
    let mut max_timestamp = i64::MIN;
    let mut faulty = false;
    for (index, record) in (0..).zip(Records::new(header, opened)) {
        let record = record.map_err(|error| InvalidBatch::Malformed { index, error })?;
        max_timestamp = max_timestamp.max(record.timestamp);
        faulty |= record.offset_delta != index;
        faulty |= rules.compacted && record.key.is_none();
        faulty |= is_out_of_bounds(record.timestamp, time_min, time_max);
    }
    if faulty { Err(faults(header, opened, rules)) } else { Ok(max_timestamp) }
}

/// What is wrong with each record of a refused block, where it opens.
fn each_fault(batch: &BatchView<'_>, rules: &ProduceRules) -> Option<InvalidBatch> {
    let opened = batch.open(rules.decompression).ok()?;
    check_records(batch.header(), &opened, rules).err()
}

/// Lists what [`check_records`] found; only a refused batch is walked twice.
fn faults(header: &BatchHeader, opened: &[u8], rules: &ProduceRules) -> InvalidBatch {
    let (time_min, time_max) = time_bounds(rules);
    let mut is_of_times = false;
    let mut faults = Vec::new();
    let mut count = 0;
    let count_max =
        FAULTS_EXPLAINED_MAX.max(header.size_bytes / FAULT_BYTES).min(RECORD_FAULTS_LISTED_MAX);
    for (index, record) in (0..).zip(Records::new(header, opened).map_while(Result::ok)) {
        let message = if record.offset_delta != index {
            format!("the record has the inner offset {}, expected {index}", record.offset_delta)
        } else if rules.compacted && record.key.is_none() {
            "a compacted topic cannot accept a message without a key".to_owned()
        } else if is_out_of_bounds(record.timestamp, time_min, time_max) {
            is_of_times = true;
            times_message(record.timestamp, time_min, time_max)
        } else {
            continue;
        };
        count += 1;
        if count <= count_max {
            let message = (count <= FAULTS_EXPLAINED_MAX).then_some(message);
            faults.push(RecordFault { index, message });
        }
    }
    match is_of_times {
        true => InvalidBatch::Timestamps(faults),
        false => InvalidBatch::Records { faults, count },
    }
}

/// The bounds of a block that is not opened: its first record by the base timestamp, all by the max.
fn check_header_timestamps(header: &BatchHeader, rules: &ProduceRules) -> Result<(), InvalidBatch> {
    let (time_min, time_max) = time_bounds(rules);
    let outside = [header.base_timestamp, header.max_timestamp]
        .into_iter()
        .find(|time| is_out_of_bounds(*time, time_min, time_max));
    outside.map_or(Ok(()), |time| {
        let message = times_message(time, time_min, time_max);
        Err(InvalidBatch::Timestamps(vec![RecordFault { index: 0, message: Some(message) }]))
    })
}

/// The earliest and the latest time that a record may have.
fn time_bounds(rules: &ProduceRules) -> (i64, i64) {
    if rules.log_append_time {
        return (i64::MIN, i64::MAX);
    }
    (
        rules.now_ms.saturating_sub_unsigned(rules.timestamp_before_ms_max),
        rules.now_ms.saturating_add_unsigned(rules.timestamp_after_ms_max),
    )
}

/// -1 is "no timestamp", which Kafka does not judge.
fn is_out_of_bounds(timestamp: i64, time_min: i64, time_max: i64) -> bool {
    timestamp != -1 && !(time_min..=time_max).contains(&timestamp)
}

fn times_message(timestamp: i64, time_min: i64, time_max: i64) -> String {
    format!(
        "the timestamp {timestamp} is out of range: it should be within [{time_min}, {time_max}]"
    )
}
