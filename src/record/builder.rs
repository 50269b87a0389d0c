//! Builds a record batch: what clients, tools and tests send.

use super::batch::set_crc;
use super::compression::{Compression, compress};
use super::header::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, BATCH_HEADER_BYTES, LAST_OFFSET_DELTA_AT,
    LEADER_EPOCH_AT, LENGTH_AT, LOG_APPEND_TIME, LOG_OVERHEAD, MAGIC, MAGIC_AT, MAX_TIMESTAMP_AT,
    PRODUCER_EPOCH_AT, PRODUCER_ID_AT, RECORD_COUNT_AT, TRANSACTIONAL,
};
use super::records::Header;
use super::varint;
use crate::model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// What an idempotent producer writes into its batches (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerFields {
    /// From InitProducerId.
    pub id: ProducerId,
    /// From InitProducerId.
    pub epoch: ProducerEpoch,
    /// The first record's sequence number.
    pub base_sequence: i32,
}

/// The fields of a batch that its records do not determine; the default is what a plain producer sends.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions {
    /// 0 in what a producer sends; the log assigns the real one.
    pub base_offset: Offset,
    /// -1 in what a producer sends.
    pub leader_epoch: LeaderEpoch,
    /// How the records are compressed.
    pub compression: Compression,
    /// On the codec's own scale; its default if `None`.
    pub compression_level: Option<i32>,
    /// All records have this time, instead of their own.
    pub log_append_time: Option<i64>,
    /// Whether the batch is part of a transaction.
    pub transactional: bool,
    /// `None` where the producer is not idempotent.
    pub producer: Option<ProducerFields>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch(-1),
            compression: Compression::None,
            compression_level: None,
            log_append_time: None,
            transactional: false,
            producer: None,
        }
    }
}

/// Collects records and turns them into one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records, uncompressed.
    batch: Vec<u8>,
    record_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new(options: BatchOptions) -> BatchBuilder {
        BatchBuilder::with_buffer(options, Vec::new())
    }

    /// An empty batch in the memory of `buffer`, whose old content is dropped.
    pub fn with_buffer(options: BatchOptions, mut buffer: Vec<u8>) -> BatchBuilder {
        buffer.clear();
        buffer.resize(BATCH_HEADER_BYTES, 0);
        let (base_timestamp, max_timestamp) = (-1, -1);
        BatchBuilder { options, batch: buffer, record_count: 0, base_timestamp, max_timestamp }
    }

    /// Appends a record with its time in ms since 1970, or -1.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        if self.record_count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let size = 1
            + varint::size(timestamp_delta)
            + varint::size(i64::from(self.record_count))
            + field_size(key)
            + field_size(value)
            + varint::size(headers.len() as i64)
            + headers.iter().map(|h| field_size(Some(h.key)) + field_size(h.value)).sum::<usize>();
        assert!(i32::try_from(size).is_ok(), "a record is at most 2 GiB long");
        let out = &mut self.batch;
        out.reserve(size + varint::size(size as i64));
        varint::write(size as i64, out);
        out.push(0);
        varint::write(timestamp_delta, out);
        varint::write(i64::from(self.record_count), out);
        write_field(key, out);
        write_field(value, out);
        varint::write(headers.len() as i64, out);
        for header in headers {
            write_field(Some(header.key), out);
            write_field(header.value, out);
        }
        self.record_count += 1;
    }

    /// Makes the batch an idempotent producer's, whose sequence number is known only when it is sent.
    pub fn set_producer(&mut self, producer: Option<ProducerFields>) {
        self.options.producer = producer;
    }

    /// The records appended so far.
    pub fn record_count(&self) -> usize {
        self.record_count as usize
    }

    /// The size of the batch if it were not compressed.
    pub fn size_bytes(&self) -> usize {
        self.batch.len()
    }

    /// The batch's bytes. A producer never sends an empty batch, so there has to be a record.
    pub fn finish(self) -> Vec<u8> {
        assert!(self.record_count > 0, "a batch has at least one record");
        let options = &self.options;
        let mut batch = self.batch;
        if options.compression != Compression::None {
            let records = &batch[BATCH_HEADER_BYTES..];
            let block = compress(options.compression, options.compression_level, records);
            batch.truncate(BATCH_HEADER_BYTES);
            batch.extend(block);
        }
        let length = i32::try_from(batch.len() - LOG_OVERHEAD).expect("a batch is at most 2 GiB");
        let mut attributes = i16::from(options.compression as u8);
        if options.log_append_time.is_some() {
            attributes |= LOG_APPEND_TIME;
        }
        if options.transactional {
            attributes |= TRANSACTIONAL;
        }
        let producer = options.producer.unwrap_or(ProducerFields {
            id: ProducerId::NONE,
            epoch: ProducerEpoch(-1),
            base_sequence: -1,
        });
        let max_timestamp = options.log_append_time.unwrap_or(self.max_timestamp);
        let mut put = |at: usize, field: &[u8]| batch[at..at + field.len()].copy_from_slice(field);
        put(0, &options.base_offset.0.to_be_bytes());
        put(LENGTH_AT, &length.to_be_bytes());
        put(LEADER_EPOCH_AT, &options.leader_epoch.0.to_be_bytes());
        put(MAGIC_AT, &MAGIC.to_be_bytes());
        put(ATTRIBUTES_AT, &attributes.to_be_bytes());
        put(LAST_OFFSET_DELTA_AT, &(self.record_count - 1).to_be_bytes());
        put(BASE_TIMESTAMP_AT, &self.base_timestamp.to_be_bytes());
        put(MAX_TIMESTAMP_AT, &max_timestamp.to_be_bytes());
        put(PRODUCER_ID_AT, &producer.id.0.to_be_bytes());
        put(PRODUCER_EPOCH_AT, &producer.epoch.0.to_be_bytes());
        put(BASE_SEQUENCE_AT, &producer.base_sequence.to_be_bytes());
        put(RECORD_COUNT_AT, &self.record_count.to_be_bytes());
        set_crc(&mut batch);
        batch
    }
}

fn field_size(field: Option<&[u8]>) -> usize {
    field.map_or(1, |field| varint::size(field.len() as i64) + field.len())
}

fn write_field(field: Option<&[u8]>, out: &mut Vec<u8>) {
    match field {
        Some(field) => {
            varint::write(field.len() as i64, out);
            out.extend_from_slice(field);
        }
        None => varint::write(-1, out),
    }
}
