//! What a broker accepts from a producer, and each thing that it refuses.

use super::{CAPS, TIME, sample};
use crate::model::topic_config::TopicConfig;
use crate::model::{Offset, ProducerEpoch, ProducerId};
use crate::record::batch::{set_base_offset, set_crc, set_max_timestamp};
use crate::record::header::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BATCH_HEADER_BYTES, CONTROL, CRC_AT, LAST_OFFSET_DELTA_AT,
    LOG_APPEND_TIME, MAGIC_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT, RECORD_COUNT_AT, TRANSACTIONAL,
};
use crate::record::{
    Accepted, BatchBuilder, BatchOptions, Compression, InvalidBatch, ProduceRules, ProducerFields,
    RecordError, validate,
};

/// Kafka's defaults, an hour of tolerance for clocks that run ahead included.
fn rules() -> ProduceRules {
    let rules = ProduceRules::of_topic(&TopicConfig::default(), TIME);
    ProduceRules { decompression: CAPS, ..rules }
}

fn plain() -> Vec<u8> {
    sample(BatchOptions::default())
}

fn compressed(compression: Compression) -> Vec<u8> {
    sample(BatchOptions { compression, ..BatchOptions::default() })
}

/// The plain batch with `bytes` put at `at` and a right CRC.
fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = plain();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    set_crc(&mut batch);
    batch
}

fn accept(batch: &[u8], rules: &ProduceRules) -> Accepted {
    validate(batch, rules).unwrap()
}

fn check_refused(batch: &[u8], rules: &ProduceRules, expected: &str) {
    let error = validate(batch, rules).expect_err(expected);
    let text = format!("{error:?} {error}");
    assert!(text.contains(expected), "expected {expected}, got {text}");
}

#[test]
fn sound_batches_are_accepted() {
    for codec in Compression::ALL {
        for compacted in [false, true] {
            let mut builder = BatchBuilder::new(BatchOptions {
                compression: codec,
                producer: Some(ProducerFields {
                    id: ProducerId(1),
                    epoch: ProducerEpoch(0),
                    base_sequence: 0,
                }),
                ..BatchOptions::default()
            });
            builder.append(TIME, Some(b"k"), Some(b"v"), &[]);
            builder.append(-1, Some(b"k"), None, &[]);
            let accepted = accept(&builder.finish(), &ProduceRules { compacted, ..rules() });
            assert_eq!(accepted.header.record_count, 2);
            assert_eq!(accepted.max_timestamp, TIME);
        }
    }
}

#[test]
fn a_lying_max_timestamp_is_corrected_not_believed() {
    let mut batch = plain();
    set_max_timestamp(&mut batch, 5);
    let accepted = accept(&batch, &rules());
    assert_eq!((accepted.header.max_timestamp, accepted.max_timestamp), (5, TIME + 2));
}

#[test]
fn unknown_attribute_bits_are_tolerated() {
    accept(&patched(ATTRIBUTES_AT, &[0xff, 0x80]), &rules());
}

#[test]
fn headers_that_lie_are_refused() {
    let attributes = |bits: i16| patched(ATTRIBUTES_AT, &bits.to_be_bytes());
    let mut offset = plain();
    set_base_offset(&mut offset, Offset(1));
    let mut crc = plain();
    crc[CRC_AT] ^= 1;
    let mut two = plain();
    two.extend(plain());
    let one_past = [plain(), vec![0]].concat();
    let sequence = [0_i64.to_be_bytes().as_slice(), &[0, 0], &[0xff; 4]].concat();
    assert_eq!(PRODUCER_EPOCH_AT, PRODUCER_ID_AT + 8);
    assert_eq!(BASE_SEQUENCE_AT, PRODUCER_EPOCH_AT + 2);
    for (batch, expected) in [
        (vec![], "Missing"),
        (plain()[..plain().len() - 1].to_vec(), "Missing"),
        (two, "MoreThanOne"),
        (one_past, "MoreThanOne"),
        (patched(MAGIC_AT, &[1]), "Magic(1)"),
        (patched(MAGIC_AT, &[0]), "Magic(0)"),
        (patched(MAGIC_AT, &[3]), "Corrupt(Magic(3))"),
        (patched(8, &5_i32.to_be_bytes()), "Corrupt(LengthTooSmall(5))"),
        (patched(8, &48_i32.to_be_bytes()), "Corrupt(LengthTooSmall(48))"),
        (patched(8, &(-1_i32).to_be_bytes()), "Corrupt(LengthTooSmall(-1))"),
        (offset, "base offset"),
        (crc, "Crc"),
        (attributes(5), "Codec(5)"),
        (attributes(7), "Codec(7)"),
        (attributes(CONTROL), "control"),
        (attributes(TRANSACTIONAL), "transactional"),
        (attributes(LOG_APPEND_TIME), "LogAppendTime"),
        (patched(LAST_OFFSET_DELTA_AT, &3_i32.to_be_bytes()), "contradicts"),
        (patched(LAST_OFFSET_DELTA_AT, &(-1_i32).to_be_bytes()), "offset range"),
        (patched(RECORD_COUNT_AT, &2_i32.to_be_bytes()), "contradicts"),
        (patched(RECORD_COUNT_AT, &0_i32.to_be_bytes()), "no records"),
        (patched(RECORD_COUNT_AT, &i32::MIN.to_be_bytes()), "record count"),
        (patched(PRODUCER_ID_AT, &0_i64.to_be_bytes()), "without an epoch"),
        (patched(PRODUCER_ID_AT, &sequence), "without an epoch"),
    ] {
        check_refused(&batch, &rules(), expected);
    }
}

#[test]
fn the_topic_and_the_request_decide() {
    let old = ProduceRules { zstd_permitted: false, ..rules() };
    check_refused(&compressed(Compression::Zstd), &old, "Codec(4)");
    accept(&compressed(Compression::Lz4), &old);
    let small = ProduceRules { batch_size_bytes_max: plain().len() - 1, ..rules() };
    check_refused(&plain(), &small, "TooLarge");
    accept(&plain(), &ProduceRules { batch_size_bytes_max: plain().len(), ..rules() });
    let transactional = |producer| {
        sample(BatchOptions { transactional: true, producer, ..BatchOptions::default() })
    };
    let permitted = ProduceRules { transactional_permitted: true, ..rules() };
    let epoch = ProducerEpoch(0);
    let producer = ProducerFields { id: ProducerId(1), epoch, base_sequence: 0 };
    accept(&transactional(Some(producer)), &permitted);
    check_refused(&transactional(None), &permitted, "no producer id");
    check_refused(&transactional(Some(producer)), &rules(), "not supported");
}

#[test]
fn a_compacted_topic_needs_keys_also_inside_compressed_batches() {
    let compacted = ProduceRules { compacted: true, ..rules() };
    for codec in Compression::ALL {
        let batch = compressed(codec);
        accept(&batch, &rules());
        match validate(&batch, &compacted) {
            Err(InvalidBatch::Records { faults, count: 1 }) => {
                assert_eq!(faults.len(), 1, "{codec:?}");
                assert_eq!(faults[0].index, 1, "{codec:?}");
                assert!(faults[0].message.as_ref().is_some_and(|message| message.contains("key")));
            }
            other => panic!("{codec:?}: {other:?}"),
        }
    }
}

#[test]
fn timestamps_are_bounded_by_the_topic() {
    let early = ProduceRules { now_ms: TIME + 11, timestamp_before_ms_max: 9, ..rules() };
    let late = ProduceRules { now_ms: TIME - 11, timestamp_after_ms_max: 11, ..rules() };
    match validate(&plain(), &late) {
        Err(InvalidBatch::Timestamps(faults)) => {
            assert_eq!(faults.iter().map(|fault| fault.index).collect::<Vec<_>>(), [1, 2]);
        }
        other => panic!("{other:?}"),
    }
    for codec in Compression::ALL {
        let batch = compressed(codec);
        check_refused(&batch, &early, "Timestamps");
        check_refused(&batch, &late, "Timestamps");
        for rules in [early, late] {
            accept(&batch, &ProduceRules { log_append_time: true, ..rules });
        }
    }
    let mut without = BatchBuilder::new(BatchOptions::default());
    without.append(-1, None, Some(b"v"), &[]);
    accept(&without.finish(), &early);
}

#[test]
fn records_that_lie_are_refused() {
    // One record: length, attributes, timestamp delta, offset delta, key, value, header count.
    let one = |record: &[u8]| {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(TIME, None, None, &[]);
        let mut batch = builder.finish();
        batch.truncate(BATCH_HEADER_BYTES);
        batch.extend_from_slice(record);
        let length = (batch.len() - 12) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        set_crc(&mut batch);
        batch
    };
    accept(&one(&[12, 0, 0, 0, 1, 1, 0]), &rules());
    // Any negative length is null, as Kafka reads it.
    accept(&one(&[12, 0, 0, 0, 3, 5, 0]), &rules());
    for (record, expected) in [
        (&[][..], RecordError::Missing),
        (&[0x80], RecordError::Varint),
        (&[1], RecordError::Length(-1)),
        (&[0], RecordError::Length(0)),
        (&[14, 0, 0, 0, 1, 1, 0], RecordError::Length(7)),
        (&[14, 0, 0, 0, 1, 1, 0, 0], RecordError::LengthMismatch(1)),
        (&[10, 0, 0, 0, 1, 1, 0], RecordError::Varint),
        (&[12, 0, 0, 0, 8, 1, 0], RecordError::Field(4)),
        (&[12, 0, 0, 0, 1, 4, 0], RecordError::Field(2)),
        (&[12, 0, 0, 0, 1, 1, 1], RecordError::HeaderCount(-1)),
        (&[12, 0, 0, 0, 1, 1, 2], RecordError::HeaderCount(1)),
        (&[16, 0, 0, 0, 1, 1, 2, 1, 1], RecordError::HeaderKey(-1)),
        (&[16, 0, 0, 0, 1, 1, 2, 4, 1], RecordError::Field(2)),
        (&[12, 0, 0, 0, 1, 1, 0, 9], RecordError::Trailing(1)),
    ] {
        match validate(&one(record), &rules()) {
            Err(InvalidBatch::Malformed { error, .. }) => assert_eq!(error, expected),
            other => panic!("{record:?}: {other:?}"),
        }
    }
    check_refused(&one(&[12, 0, 0, 2, 1, 1, 0]), &rules(), "inner offset 1, expected 0");
}

#[test]
fn a_refusal_is_never_larger_than_its_request() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..1000 {
        builder.append(TIME, None, None, &[]);
    }
    let compacted = ProduceRules { compacted: true, ..rules() };
    let batch = builder.finish();
    match validate(&batch, &compacted) {
        Err(InvalidBatch::Records { faults, count: 1000 }) => {
            assert!(faults.iter().map(|fault| fault.index).eq(0..1000), "each is named");
            let explained = faults.iter().filter(|fault| fault.message.is_some());
            assert_eq!(explained.count(), 16);
        }
        other => panic!("{other:?}"),
    }
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: Compression::Zstd,
        ..BatchOptions::default()
    });
    for _ in 0..10_000 {
        builder.append(TIME, None, None, &[]);
    }
    let batch = builder.finish();
    match validate(&batch, &compacted) {
        Err(InvalidBatch::Records { faults, count: 10_000 }) => {
            assert!(
                faults.len() * 6 <= batch.len() + 6 * 16,
                "{} of {}",
                faults.len(),
                batch.len()
            );
        }
        other => panic!("{other:?}"),
    }
}
