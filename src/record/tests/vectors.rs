//! Batches that Kafka's own classes built: parsed as they were meant, and built again.
//!
//! `tests/vectors/RecordBatches.java` wrote them and describes the file. With `KLAMM_VECTORS_OUT` set,
//! the batches built here are written in the same form, for that program to read with Kafka's classes.

use std::io::{Read, Write};

use super::CAPS;
use crate::model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use crate::record::{
    BatchBuilder, BatchOptions, BatchView, Compression, Header, ProducerFields, batch, split,
};

const VECTORS: &[u8] = include_bytes!("../../../tests/vectors/record-batches.bin.gz");

struct Vector {
    name: String,
    options: BatchOptions,
    records: Vec<OwnedRecord>,
    /// The vector's bytes up to the batch: what a file of our own batches repeats.
    described: Vec<u8>,
    batch: Vec<u8>,
}

struct OwnedRecord {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.slice(N).try_into().unwrap()
    }

    fn slice(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        taken
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    fn field(&mut self) -> Option<Vec<u8>> {
        let length = self.i32();
        (length >= 0).then(|| self.slice(length as usize).to_vec())
    }

    fn record(&mut self) -> OwnedRecord {
        OwnedRecord {
            timestamp: self.i64(),
            key: self.field(),
            value: self.field(),
            headers: (0..self.i32()).map(|_| (self.field().unwrap(), self.field())).collect(),
        }
    }

    fn vector(&mut self) -> Vector {
        let before = self.0;
        let name_size = usize::from(u16::from_be_bytes(self.array()));
        let name = String::from_utf8(self.slice(name_size).to_vec()).unwrap();
        let compression = Compression::from_id(self.array::<1>()[0]).unwrap();
        let base_offset = Offset(self.i64());
        let leader_epoch = LeaderEpoch(self.i32());
        let log_append_time = Some(self.i64()).filter(|time| *time >= 0);
        let transactional = self.array::<1>()[0] == 1;
        let producer = ProducerFields {
            id: ProducerId(self.i64()),
            epoch: ProducerEpoch(i16::from_be_bytes(self.array())),
            base_sequence: self.i32(),
        };
        let records = (0..self.i32()).map(|_| self.record()).collect();
        let described = before[..before.len() - self.0.len()].to_vec();
        let options = BatchOptions {
            base_offset,
            leader_epoch,
            compression,
            compression_level: None,
            log_append_time,
            transactional,
            producer: (producer.id.0 >= 0).then_some(producer),
        };
        Vector { name, options, records, described, batch: self.field().unwrap() }
    }
}

fn vectors() -> Vec<Vector> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(VECTORS).read_to_end(&mut bytes).unwrap();
    let mut cursor = Cursor(&bytes);
    let vectors = (0..cursor.i32()).map(|_| cursor.vector()).collect();
    assert!(cursor.0.is_empty());
    vectors
}

fn build(vector: &Vector) -> Vec<u8> {
    let mut builder = BatchBuilder::new(vector.options);
    for record in &vector.records {
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &headers);
    }
    builder.finish()
}

/// Checks that `bytes` are the batch that `vector` describes.
fn check(vector: &Vector, bytes: &[u8]) {
    let (name, options) = (&vector.name, &vector.options);
    let batch = BatchView::parse(bytes).unwrap();
    assert!(batch.crc_is_valid(), "{name}");
    assert_eq!(batch.size_bytes, bytes.len(), "{name}");
    assert_eq!(batch.base_offset, options.base_offset, "{name}");
    assert_eq!(batch.leader_epoch, options.leader_epoch, "{name}");
    assert_eq!(batch.compression, options.compression, "{name}");
    assert_eq!(batch.is_transactional(), options.transactional, "{name}");
    assert_eq!(batch.is_log_append_time(), options.log_append_time.is_some(), "{name}");
    assert_eq!(batch.has_producer_id(), options.producer.is_some(), "{name}");
    assert!(!batch.is_control() && !batch.has_delete_horizon(), "{name}");
    if let Some(producer) = options.producer {
        assert_eq!(batch.producer_id, producer.id, "{name}");
        assert_eq!(batch.producer_epoch, producer.epoch, "{name}");
        assert_eq!(batch.base_sequence, producer.base_sequence, "{name}");
    }
    let largest = vector.records.iter().map(|record| record.timestamp).max();
    assert_eq!(Some(batch.max_timestamp), options.log_append_time.or(largest), "{name}");
    assert_eq!(batch.record_count as usize, vector.records.len(), "{name}");
    let count = vector.records.len() as i64;
    assert_eq!(batch.last_offset().0, options.base_offset.0 + count - 1, "{name}");
    let opened = batch.open(CAPS).unwrap();
    let mut found = batch.records(&opened);
    for (index, expected) in (0..).zip(&vector.records) {
        let record = found.next().unwrap().unwrap();
        assert_eq!(record.offset.0, options.base_offset.0 + index, "{name}");
        let time = options.log_append_time.unwrap_or(expected.timestamp);
        assert_eq!(record.timestamp, time, "{name}");
        assert_eq!(record.key, expected.key.as_deref(), "{name}");
        assert_eq!(record.value, expected.value.as_deref(), "{name}");
        let headers: Vec<_> =
            record.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
        assert_eq!(headers, expected.headers, "{name}");
    }
    assert!(found.next().is_none(), "{name}");
}

#[test]
fn kafkas_batches_are_read_as_they_were_written() {
    let vectors = vectors();
    for codec in Compression::ALL {
        assert!(vectors.iter().any(|vector| vector.options.compression == codec));
    }
    for vector in &vectors {
        check(vector, &vector.batch);
    }
}

#[test]
fn uncompressed_batches_are_built_byte_for_byte_as_kafka_builds_them() {
    let vectors = vectors();
    let mut built = (vectors.len() as i32).to_be_bytes().to_vec();
    for vector in &vectors {
        let batch = build(vector);
        check(vector, &batch);
        if vector.options.compression == Compression::None {
            assert_eq!(batch, vector.batch, "{}", vector.name);
        }
        built.extend_from_slice(&vector.described);
        built.extend_from_slice(&(batch.len() as i32).to_be_bytes());
        built.extend_from_slice(&batch);
    }
    if let Some(path) = std::env::var_os("KLAMM_VECTORS_OUT") {
        let file = std::fs::File::create(path).unwrap();
        let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        file.write_all(&built).unwrap();
        file.finish().unwrap();
    }
}

#[test]
fn a_run_of_batches_is_split_and_a_cut_one_ends_it() {
    let vectors = vectors();
    let run: Vec<u8> = vectors.iter().flat_map(|vector| vector.batch.clone()).collect();
    let sizes: Vec<usize> = split(&run).map(|batch| batch.unwrap().bytes().len()).collect();
    assert_eq!(sizes, vectors.iter().map(|vector| vector.batch.len()).collect::<Vec<_>>());
    let mut cut = split(&run[..run.len() - 1]);
    assert_eq!(cut.by_ref().filter(Result::is_ok).count(), vectors.len() - 1);
    assert!(cut.next().is_none());
}

#[test]
fn offset_and_epoch_are_patched_without_touching_the_crc() {
    for vector in vectors() {
        let mut bytes = vector.batch.clone();
        batch::set_base_offset(&mut bytes, Offset(1 << 40));
        batch::set_leader_epoch(&mut bytes, LeaderEpoch(77));
        let mut patched = vector;
        patched.options.base_offset = Offset(1 << 40);
        patched.options.leader_epoch = LeaderEpoch(77);
        check(&patched, &bytes);
    }
}

#[test]
fn log_append_time_replaces_all_timestamps() {
    for vector in vectors() {
        let mut bytes = vector.batch.clone();
        batch::set_log_append_time(&mut bytes, 12_345);
        let mut patched = vector;
        patched.options.log_append_time = Some(12_345);
        check(&patched, &bytes);
    }
}
