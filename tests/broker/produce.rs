//! Batches that nobody may produce: Kafka's error for each, and nothing appended.

use klamm::model::{ErrorCode, ProducerEpoch, ProducerId, TopicId};
use klamm::protocol::init_producer_id_request::InitProducerIdRequest;
use klamm::protocol::produce_request::ProduceRequest;
use klamm::record::{BatchBuilder, BatchOptions, Compression, ProducerFields};

use crate::healthy::Healthy;
use crate::support::Broker;
use crate::vitals::peak_bytes;
use crate::wire::{Wire, batch, batch_of, now_ms, produce_request};

const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const RECORD_COUNT_AT: usize = 57;
/// The first record of an uncompressed batch: its length is one byte in the tests here.
const RECORD_AT: usize = 61;

/// A batch of two records after `change`, its checksum right again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch(&["one", "two"]);
    change(&mut bytes);
    resealed(bytes)
}

fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as i32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn put_i32(bytes: &mut [u8], at: usize, value: i32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

fn timed(timestamps: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for timestamp in timestamps {
        builder.append(*timestamp, Some(b"key"), Some(b"value"), &[]);
    }
    builder.finish()
}

fn producer(id: i64, epoch: i16, base_sequence: i32) -> BatchOptions {
    let (id, epoch) = (ProducerId(id), ProducerEpoch(epoch));
    BatchOptions {
        producer: Some(ProducerFields { id, epoch, base_sequence }),
        ..BatchOptions::default()
    }
}

/// What is produced to a plain topic with the newest version by name, and Kafka's error.
fn refused() -> Vec<(&'static str, Vec<u8>, ErrorCode)> {
    use ErrorCode::UnsupportedCompressionType;
    use ErrorCode::{CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge};
    let mut bad_crc = batch(&["one", "two"]);
    bad_crc[CRC_AT] ^= 1;
    let mut flipped = batch(&["one", "two"]);
    *flipped.last_mut().expect("a batch has bytes") ^= 1;
    let future = now_ms() + 2 * 3_600_000;
    let cut = batch(&["one", "two"]);
    let transactional = BatchOptions { transactional: true, ..producer(1, 0, 0) };
    vec![
        ("no bytes", Vec::new(), InvalidRecord),
        ("half a header", cut[..30].to_vec(), InvalidRecord),
        ("a batch cut short", cut[..cut.len() - 1].to_vec(), InvalidRecord),
        ("two batches", [batch(&["a"]), batch(&["b"])].concat(), InvalidRecord),
        ("garbage behind the batch", [batch(&["a"]), vec![0; 9]].concat(), InvalidRecord),
        ("a wrong checksum", bad_crc, CorruptMessage),
        ("a flipped bit", flipped, CorruptMessage),
        ("magic 0", changed(|bytes| bytes[MAGIC_AT] = 0), InvalidRecord),
        ("magic 1", changed(|bytes| bytes[MAGIC_AT] = 1), InvalidRecord),
        ("magic 3", changed(|bytes| bytes[MAGIC_AT] = 3), CorruptMessage),
        ("magic -1", changed(|bytes| bytes[MAGIC_AT] = 0xff), CorruptMessage),
        ("a base offset", changed(|bytes| bytes[7] = 7), InvalidRecord),
        ("no records", changed(|bytes| put_i32(bytes, RECORD_COUNT_AT, 0)), InvalidRecord),
        ("a count of -1", changed(|bytes| put_i32(bytes, RECORD_COUNT_AT, -1)), InvalidRecord),
        (
            "one record more than there is",
            changed(|bytes| {
                put_i32(bytes, RECORD_COUNT_AT, 3);
                put_i32(bytes, LAST_OFFSET_DELTA_AT, 2);
            }),
            InvalidRecord,
        ),
        (
            "one record less than there is",
            changed(|bytes| {
                put_i32(bytes, RECORD_COUNT_AT, 1);
                put_i32(bytes, LAST_OFFSET_DELTA_AT, 0);
            }),
            InvalidRecord,
        ),
        (
            "2^31 - 1 records",
            changed(|bytes| {
                put_i32(bytes, RECORD_COUNT_AT, i32::MAX);
                put_i32(bytes, LAST_OFFSET_DELTA_AT, i32::MAX - 1);
            }),
            InvalidRecord,
        ),
        (
            "a last offset that the count contradicts",
            changed(|bytes| put_i32(bytes, LAST_OFFSET_DELTA_AT, 100)),
            InvalidRecord,
        ),
        (
            "a negative last offset",
            changed(|bytes| put_i32(bytes, LAST_OFFSET_DELTA_AT, -1)),
            InvalidRecord,
        ),
        // Length, attributes, timestamp delta, then the offset delta, zigzag: 4 is 2.
        ("a wrong inner offset", changed(|bytes| bytes[RECORD_AT + 3] = 4), InvalidRecord),
        ("a record longer than the batch", changed(|bytes| bytes[RECORD_AT] = 0x7e), InvalidRecord),
        ("a record of negative length", changed(|bytes| bytes[RECORD_AT] = 1), InvalidRecord),
        ("a control batch", changed(|bytes| bytes[ATTRIBUTES_AT + 1] |= 0x20), InvalidRecord),
        ("a transactional batch", batch_of(transactional, &["a"]), InvalidRecord),
        (
            "a transactional batch without a producer",
            changed(|bytes| bytes[ATTRIBUTES_AT + 1] |= 0x10),
            InvalidRecord,
        ),
        (
            "an unknown codec",
            changed(|bytes| bytes[ATTRIBUTES_AT + 1] |= 7),
            UnsupportedCompressionType,
        ),
        ("LogAppendTime", changed(|bytes| bytes[ATTRIBUTES_AT + 1] |= 8), InvalidTimestamp),
        ("a record of the future", timed(&[future]), InvalidTimestamp),
        ("one of them of the future", timed(&[now_ms(), future]), InvalidTimestamp),
        ("a batch too large", batch(&["x".repeat(1_100_000).as_str()]), MessageTooLarge),
        ("a producer without a sequence", batch_of(producer(9, 0, -1), &["a"]), InvalidRecord),
        ("a producer without an epoch", batch_of(producer(9, -1, 0), &["a"]), InvalidRecord),
    ]
}

#[test]
fn refused_batches_get_kafkas_error_and_append_nothing() {
    let mut broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    assert_eq!(wire.produce("t", 0, &batch(&["first"]), 12).base_offset, 0);
    for (what, bytes, expected) in refused() {
        for version in [3, 7, 12, 13] {
            let answer = produce_to(&mut wire, id, &bytes, version);
            let code = ErrorCode::from_code(answer.0);
            assert_eq!((code, answer.1), (expected, -1), "{what}, version {version}");
        }
        assert_eq!(wire.end_offset("t", 0), 1, "{what}");
        healthy.assert_beating();
    }
    assert_eq!(wire.produce("t", 0, &batch(&["last"]), 12).base_offset, 1);
    healthy.stop_and_check();
    broker.kill();
    broker.restart();
    let mut wire = Wire::connect(&broker);
    assert_eq!(wire.end_offset("t", 0), 2);
    assert_eq!(crate::fetch::values(&mut wire, "t", id, 0), ["first", "last"]);
}

/// Error code and base offset.
fn produce_to(wire: &mut Wire, id: TopicId, bytes: &[u8], version: i16) -> (i16, i64) {
    let mut request = produce_request("t", 0, bytes);
    if version >= 13 {
        request.topic_data[0].topic_id = id;
        request.topic_data[0].name = "".into();
    }
    let answer = wire.ask(&request, version);
    let partition = &answer.responses[0].partition_responses[0];
    assert!(version < 8 || partition.error_code == 0 || partition.error_message.is_some());
    (partition.error_code, partition.base_offset)
}

#[test]
fn requests_that_cannot_be_honoured_are_refused_as_a_whole() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 2, &[]);
    let records = batch(&["a"]);
    let plain = || produce_request("t", 0, &records);
    let named = |name: &'static str| produce_request(name, 0, &records);
    let by_id = |id| {
        let mut request = produce_request("", 0, &records);
        request.topic_data[0].topic_id = id;
        request
    };
    let cases: [(&str, ProduceRequest<'_>, i16, ErrorCode); 11] = [
        ("acks 2", ProduceRequest { acks: 2, ..plain() }, 9, ErrorCode::InvalidRequiredAcks),
        ("acks -2", ProduceRequest { acks: -2, ..plain() }, 13, ErrorCode::InvalidRequiredAcks),
        (
            "acks 2 to nobody",
            ProduceRequest { acks: 2, ..named("nobody") },
            9,
            ErrorCode::UnknownTopicOrPartition,
        ),
        (
            "a transactional id",
            ProduceRequest { transactional_id: Some("x".into()), ..plain() },
            9,
            ErrorCode::InvalidRequest,
        ),
        (
            "partition 2 of 2",
            produce_request("t", 2, &records),
            9,
            ErrorCode::UnknownTopicOrPartition,
        ),
        ("partition -1", produce_request("t", -1, &records), 9, ErrorCode::UnknownTopicOrPartition),
        ("an unknown topic", named("nobody"), 9, ErrorCode::UnknownTopicOrPartition),
        ("a path", named("../x"), 9, ErrorCode::UnknownTopicOrPartition),
        ("the metadata log", named("__cluster_metadata"), 9, ErrorCode::UnknownTopicOrPartition),
        ("an unknown id", by_id(TopicId([9; 16])), 13, ErrorCode::UnknownTopicId),
        ("no id", by_id(TopicId::ZERO), 13, ErrorCode::UnknownTopicId),
    ];
    for (what, request, version, expected) in cases {
        let transactional = request.transactional_id.is_some();
        if version == 13 && what.starts_with("acks") {
            let mut request = request.clone();
            request.topic_data[0].topic_id = id;
            request.topic_data[0].name = "".into();
            check_whole(&mut wire, what, &request, version, expected);
            continue;
        }
        assert_eq!(transactional, what == "a transactional id");
        check_whole(&mut wire, what, &request, version, expected);
    }
    assert_eq!((wire.end_offset("t", 0), wire.end_offset("t", 1)), (0, 0));
}

fn check_whole(
    wire: &mut Wire,
    what: &str,
    request: &ProduceRequest<'_>,
    version: i16,
    expected: ErrorCode,
) {
    let answer = wire.ask(request, version);
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(ErrorCode::from_code(partition.error_code), expected, "{what}");
    assert_eq!(partition.base_offset, -1, "{what}");
}

#[test]
fn without_an_acknowledgement_an_error_closes_the_connection() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    let (good, bad) = (batch(&["a"]), changed(|bytes| bytes[7] = 7));
    let silent = |records| ProduceRequest { acks: 0, ..produce_request("t", 0, records) };
    let mut hasty = Wire::connect(&broker);
    hasty.send(&silent(&good), 9);
    // The next answer on the connection is that of the next request.
    assert_eq!(hasty.end_offset("t", 0), 1);
    hasty.send(&silent(&bad), 9);
    hasty.assert_closed("a batch refused without an answer");
    assert_eq!(wire.end_offset("t", 0), 1);
}

#[test]
fn zstd_is_for_clients_that_know_it() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    let zstd = BatchOptions { compression: Compression::Zstd, ..BatchOptions::default() };
    let bytes = batch_of(zstd, &["a", "b"]);
    for (version, code, end) in [
        (3, ErrorCode::UnsupportedCompressionType, 0),
        (6, ErrorCode::UnsupportedCompressionType, 0),
        (7, ErrorCode::None, 2),
    ] {
        let answer = wire.produce("t", 0, &bytes, version);
        assert_eq!(ErrorCode::from_code(answer.error_code), code, "version {version}");
        assert_eq!(wire.end_offset("t", 0), end, "version {version}");
    }
}

#[test]
fn a_compacted_topic_names_its_records_without_a_key() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[("cleanup.policy", "compact")]);
    for compression in [Compression::None, Compression::Lz4] {
        let mut builder = BatchBuilder::new(BatchOptions { compression, ..Default::default() });
        for key in [Some(&b"k"[..]), None, Some(b"k"), None] {
            builder.append(now_ms(), key, Some(b"v"), &[]);
        }
        let bytes = builder.finish();
        for version in [7, 8, 12] {
            let answer = wire.produce("t", 0, &bytes, version);
            assert_eq!(ErrorCode::from_code(answer.error_code), ErrorCode::InvalidRecord);
            let named: Vec<i32> =
                answer.record_errors.iter().map(|fault| fault.batch_index).collect();
            assert_eq!(named, if version < 8 { vec![] } else { vec![1, 3] }, "version {version}");
        }
    }
    assert_eq!(wire.end_offset("t", 0), 0);
    assert_eq!(wire.produce("t", 0, &timed(&[now_ms()]), 9).error_code, 0);
}

const BOMB_BYTES: usize = 192 << 20;

/// A batch of some kilobytes that holds far more zeros than may be opened.
fn bomb(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..Default::default() });
    builder.append(now_ms(), Some(b"k"), Some(&vec![0; BOMB_BYTES]), &[]);
    builder.finish()
}

#[test]
fn a_decompression_bomb_costs_its_sender_the_batch_and_nobody_memory() {
    let broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("opened", 1, &[("cleanup.policy", "compact")]);
    let began = peak_bytes(&broker);
    for compression in [Compression::Zstd, Compression::Gzip, Compression::Lz4, Compression::Snappy]
    {
        let bytes = bomb(compression);
        // Only a topic that looks at keys opens what it takes.
        let answer = wire.produce("opened", 0, &bytes, 9);
        let refused = ErrorCode::from_code(answer.error_code);
        let fits = bytes.len() <= 1 << 20;
        let expected = if fits { ErrorCode::InvalidRecord } else { ErrorCode::MessageTooLarge };
        assert_eq!(refused, expected, "{compression:?}");
        let opaque = format!("{compression:?}");
        wire.create_topic(&opaque, 1, &[]);
        let stored = wire.produce(&opaque, 0, &bytes, 9).error_code;
        assert_eq!(stored == 0, fits, "{compression:?}");
        // A look-up by time opens it as well.
        let (code, _, _) = wire.offset_result(&opaque, 0, now_ms() - 600_000);
        assert_eq!(code, 0, "{compression:?}");
    }
    let grown = peak_bytes(&broker) - began;
    // Each of the two shards opens one batch at a time, up to 64 MiB; the allocator keeps some of it.
    assert!(grown < 160 << 20, "{grown} bytes for bombs of {BOMB_BYTES}");
    assert_eq!(wire.end_offset("opened", 0), 0);
    healthy.stop_and_check();
}

#[test]
fn the_topics_own_bounds_hold() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("small", 1, &[("max.message.bytes", "200")]);
    let fits = batch(&[&"x".repeat(100)]);
    assert!(fits.len() <= 200);
    assert_eq!(wire.produce("small", 0, &fits, 9).error_code, 0);
    let answer = wire.produce("small", 0, &batch(&[&"x".repeat(150)]), 9);
    assert_eq!(ErrorCode::from_code(answer.error_code), ErrorCode::MessageTooLarge);
    // A partition with one replica cannot ask for more of them (`Partition.effectiveMinIsr`).
    wire.create_topic("alone", 1, &[("min.insync.replicas", "2")]);
    assert_eq!(wire.produce("alone", 0, &batch(&["a"]), 9).error_code, 0);
    wire.create_topic("old", 1, &[("message.timestamp.before.max.ms", "60000")]);
    let answer = wire.produce("old", 0, &timed(&[now_ms(), now_ms() - 120_000]), 9);
    assert_eq!(ErrorCode::from_code(answer.error_code), ErrorCode::InvalidTimestamp);
    assert_eq!(answer.record_errors[0].batch_index, 1);
    wire.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let before = now_ms();
    let answer = wire.produce("stamped", 0, &timed(&[5]), 9);
    assert_eq!(answer.error_code, 0);
    assert!((before..=now_ms()).contains(&answer.log_append_time_ms));
    assert_eq!(wire.offset_result("stamped", 0, -3), (0, 0, answer.log_append_time_ms));
    let ends: Vec<i64> =
        ["small", "alone", "old", "stamped"].iter().map(|name| wire.end_offset(name, 0)).collect();
    assert_eq!(ends, [1, 1, 0, 1]);
}

#[test]
fn one_bad_partition_does_not_hurt_the_others() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 3, &[]);
    let (good, bad) = (batch(&["a", "b"]), changed(|bytes| bytes[7] = 7));
    let mut request = produce_request("t", 0, &good);
    for (index, records) in [(1, &bad), (2, &good), (77, &good)] {
        let more = produce_request("t", index, records).topic_data.remove(0);
        request.topic_data[0].partition_data.extend(more.partition_data);
    }
    let answer = wire.ask(&request, 9);
    let told: Vec<(i32, i16, i64)> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|partition| (partition.index, partition.error_code, partition.base_offset))
        .collect();
    assert_eq!(told, [(0, 0, 0), (1, 87, -1), (2, 0, 0), (77, 3, -1)]);
    let ends: Vec<i64> = (0..3).map(|index| wire.end_offset("t", index)).collect();
    assert_eq!(ends, [2, 0, 2]);
}

#[test]
fn nobody_gets_a_transactional_producer() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    for version in 0..=InitProducerIdRequest::LATEST_STABLE {
        let request = InitProducerIdRequest {
            transactional_id: Some("t".into()),
            transaction_timeout_ms: 1000,
            ..InitProducerIdRequest::default()
        };
        let answer = wire.ask(&request, version);
        assert_eq!(ErrorCode::from_code(answer.error_code), ErrorCode::InvalidRequest);
        assert_eq!(answer.producer_id, -1);
        let plain = InitProducerIdRequest { transactional_id: None, ..request };
        let answer = wire.ask(&plain, version);
        assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
        assert!(answer.producer_id >= 0);
    }
}
