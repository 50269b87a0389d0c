//! Topics that name a codec: every batch is stored in it, whatever its producer chose.

use klamm::model::{ErrorCode, ProducerEpoch, ProducerId, TopicId};
use klamm::protocol::fetch_response::PartitionData;
use klamm::record::{BatchOptions, Compression, ProducerFields, split};

use crate::fetch::values_of;
use crate::support::Broker;
use crate::wire::{Wire, batch_of, fetch_request};

/// As `compression.type` names them.
const NAMES: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];

/// The first Fetch version that may carry zstd.
const FETCH_ZSTD: i16 = 10;

fn compressed(compression: Compression, values: &[&str]) -> Vec<u8> {
    batch_of(BatchOptions { compression, ..BatchOptions::default() }, values)
}

fn fetched(wire: &mut Wire, topic: &str, id: TopicId, version: i16) -> PartitionData<'static> {
    let mut request = fetch_request(topic, id, 0, 0);
    request.topics[0].topic_id = TopicId::ZERO;
    wire.ask(&request, version).responses.remove(0).partitions.remove(0)
}

#[test]
fn a_topic_stores_the_codec_that_it_names() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    // More than is compressed between two turns of a shard, and less.
    let long = "x".repeat(20_000);
    for (name, stored) in NAMES.into_iter().zip(Compression::ALL) {
        let id = wire.create_topic(name, 1, &[("compression.type", name)]);
        let mut expected = Vec::new();
        for sent in Compression::ALL {
            for values in [["a", "b"], ["c", long.as_str()]] {
                let answer = wire.produce(name, 0, &compressed(sent, &values), 9);
                let at = expected.len() as i64;
                assert_eq!((answer.error_code, answer.base_offset), (0, at), "{sent:?} in {name}");
                expected.extend(values);
            }
        }
        let partition = fetched(&mut wire, name, id, FETCH_ZSTD);
        assert_eq!(values_of(&partition), expected, "{name}");
        for batch in split(partition.records.bytes()) {
            assert_eq!(batch.expect("a whole batch").compression, stored, "{name}");
        }
        let old = fetched(&mut wire, name, id, FETCH_ZSTD - 1);
        let refused = stored == Compression::Zstd;
        let code = if refused { ErrorCode::UnsupportedCompressionType } else { ErrorCode::None };
        assert_eq!(ErrorCode::from_code(old.error_code), code, "{name}");
    }
}

#[test]
fn the_brokers_codec_is_that_of_topics_without_one() {
    let broker = Broker::start(&["compression.type=gzip", "compression.gzip.level=1"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("default", 1, &[]);
    let own = wire.create_topic("own", 1, &[("compression.type", "producer")]);
    for (topic, id, stored) in
        [("default", id, Compression::Gzip), ("own", own, Compression::Snappy)]
    {
        let sent = compressed(Compression::Snappy, &["a"]);
        assert_eq!(wire.produce(topic, 0, &sent, 9).error_code, 0);
        let partition = fetched(&mut wire, topic, id, FETCH_ZSTD);
        let batch = split(partition.records.bytes()).next().expect("a batch");
        assert_eq!(batch.expect("a whole batch").compression, stored, "{topic}");
    }
}

#[test]
fn a_retry_of_what_was_compressed_here_is_known() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[("compression.type", "zstd")]);
    let producer = ProducerFields { id: ProducerId(1), epoch: ProducerEpoch(0), base_sequence: 0 };
    let options = BatchOptions {
        producer: Some(producer),
        compression: Compression::Lz4,
        ..BatchOptions::default()
    };
    let sent = batch_of(options, &["a", "b", "c"]);
    for _ in 0..2 {
        let answer = wire.produce("t", 0, &sent, 9);
        assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    }
    assert_eq!(wire.end_offset("t", 0), 3);
}

#[test]
fn what_does_not_open_or_fit_is_refused() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let bounds = [("compression.type", "uncompressed"), ("max.message.bytes", "2000")];
    wire.create_topic("t", 1, &bounds);
    let swells = compressed(Compression::Gzip, &[&"x".repeat(2000)]);
    assert!(swells.len() < 2000);
    let mut garbage = compressed(Compression::Gzip, &["a"]);
    // A producer that says lz4 and has compressed by gzip.
    garbage[22] = Compression::Lz4 as u8;
    let crc = crc32c::crc32c(&garbage[21..]);
    garbage[17..21].copy_from_slice(&crc.to_be_bytes());
    for (bytes, code) in [(swells, ErrorCode::MessageTooLarge), (garbage, ErrorCode::InvalidRecord)]
    {
        let answer = wire.produce("t", 0, &bytes, 9);
        assert_eq!(ErrorCode::from_code(answer.error_code), code);
    }
    assert_eq!(wire.end_offset("t", 0), 0);
}
