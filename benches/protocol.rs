//! What the wire costs beside the records: requests decoded, answers encoded.
//!
//! Expected on the reference machine (2 cores, EPYC at 3 GHz), and why:
//!
//! - **Produce, decoded**: 100 ns whatever the batch's size, because records are borrowed from the frame
//!   and not looked at: two vectors of one element from the allocator (20 ns each), the header's client id
//!   checked as UTF-8, and some fifteen fields, each a compare with the frame's end and a load (2 ns).
//!   Each further partition 15 ns: three fields, 40 bytes into a vector that is not grown.
//! - **Fetch, decoded**: 70 ns for a session's request that names nothing, and 15 ns a partition it names.
//! - **Produce's answer, encoded**: 120 ns: the frame's vector grows from nothing in three or four steps of
//!   the allocator (20 ns each), and the rest is stores behind a capacity check (1–2 ns a field).
//!   Each further partition 15 ns for eight fields.
//! - **Fetch's answer, encoded**: 150 ns: the same, and the list of stretches around the records, which are
//!   a place and a length here and leave from where they lie. Each further partition 30 ns: eleven fields
//!   and two stretches.

mod harness;

use std::hint::black_box;

use harness::Bench;
use klamm::model::TopicId;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::errors::EncodeError;
use klamm::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::protocol::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use klamm::protocol::frame::{self, Frame, RequestHeader};
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::protocol::writer::Writer;

/// What a Java client of 4.x sends.
const PRODUCE_VERSION: i16 = 13;
const FETCH_VERSION: i16 = 18;
const TOPIC: TopicId = TopicId([7; 16]);
/// Of each partition; larger ones are taken as a matter of course.
const BATCH_BYTES: usize = 1024;

fn main() {
    let bench = Bench::from_arguments();
    produce_decoded(&bench);
    fetch_decoded(&bench);
    produce_encoded(&bench);
    fetch_encoded(&bench);
}

fn produce_decoded(bench: &Bench) {
    for (partitions, batch_bytes, expected) in [
        (1, BATCH_BYTES, "100 ns"),
        (1, 1024 * BATCH_BYTES, "100 ns"),
        (64, BATCH_BYTES, "1.0 us"),
        (1000, BATCH_BYTES, "15 us"),
    ] {
        let batch = vec![0x5a; batch_bytes];
        let partition_data = (0..partitions)
            .map(|index| PartitionProduceData {
                index,
                records: Records::Bytes(&batch),
                ..PartitionProduceData::default()
            })
            .collect();
        let produce = ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![TopicProduceData {
                topic_id: TOPIC,
                partition_data,
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let request = request(ApiKey::Produce, PRODUCE_VERSION, |writer| {
            produce.encode(writer, PRODUCE_VERSION)
        });
        let name = format!("decode Produce, {partitions} x {batch_bytes} B");
        bench.case(&name, expected, 0, || {
            let (header, body) = frame::request(black_box(&request)).expect("it was written here");
            let produce = ProduceRequest::decode(&mut Reader::new(body), header.api_version);
            black_box(produce.expect("it was written here"));
        });
    }
}

fn fetch_decoded(bench: &Bench) {
    for (partitions, expected) in [(0, "70 ns"), (1, "110 ns"), (1000, "15 us")] {
        let asked = |partition| FetchPartition {
            partition,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic_id: TOPIC,
            partitions: (0..partitions).map(asked).collect(),
            ..FetchTopic::default()
        };
        let fetch = FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            session_id: 7,
            session_epoch: 3,
            topics: if partitions == 0 { Vec::new() } else { vec![topic] },
            ..FetchRequest::default()
        };
        let request =
            request(ApiKey::Fetch, FETCH_VERSION, |writer| fetch.encode(writer, FETCH_VERSION));
        bench.case(&format!("decode Fetch, {partitions} partitions"), expected, 0, || {
            let (header, body) = frame::request(black_box(&request)).expect("it was written here");
            let fetch = FetchRequest::decode(&mut Reader::new(body), header.api_version);
            black_box(fetch.expect("it was written here"));
        });
    }
}

fn produce_encoded(bench: &Bench) {
    for (partitions, expected) in [(1, "120 ns"), (64, "1.3 us"), (1000, "17 us")] {
        let appended = |index| PartitionProduceResponse {
            index,
            base_offset: 1_000_000,
            log_start_offset: 0,
            ..PartitionProduceResponse::default()
        };
        let topic = TopicProduceResponse {
            topic_id: TOPIC,
            partition_responses: (0..partitions).map(appended).collect(),
            ..TopicProduceResponse::default()
        };
        let produced = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        bench.case(&format!("encode Produce, {partitions} partitions"), expected, 0, || {
            black_box(response(ApiKey::Produce, PRODUCE_VERSION, |writer| {
                black_box(&produced).encode(writer, PRODUCE_VERSION)
            }));
        });
    }
}

fn fetch_encoded(bench: &Bench) {
    for (partitions, expected) in [(1, "150 ns"), (64, "2 us"), (1000, "30 us")] {
        let fetched = |partition_index| PartitionData {
            partition_index,
            high_watermark: 1_000_000,
            last_stable_offset: 1_000_000,
            log_start_offset: 0,
            aborted_transactions: None,
            records: Records::External { id: partition_index as u32, len: BATCH_BYTES as u32 },
            ..PartitionData::default()
        };
        let topic = FetchableTopicResponse {
            topic_id: TOPIC,
            partitions: (0..partitions).map(fetched).collect(),
            ..FetchableTopicResponse::default()
        };
        let fetched =
            FetchResponse { session_id: 7, responses: vec![topic], ..FetchResponse::default() };
        bench.case(&format!("encode Fetch, {partitions} partitions"), expected, 0, || {
            let frame = response(ApiKey::Fetch, FETCH_VERSION, |writer| {
                black_box(&fetched).encode(writer, FETCH_VERSION)
            });
            black_box((frame.wire_bytes(), frame.stretches().count()));
        });
    }
}

/// A request as the decoder gets it: a frame without its size.
fn request(
    api_key: ApiKey,
    api_version: i16,
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let client_id = Some("producer-1");
    let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id };
    let mut writer = frame::begin_request(Vec::new(), header).expect("a header encodes");
    encode(&mut writer).expect("the version carries it");
    frame::finish(writer).expect("it is small").bytes.split_off(frame::SIZE_BYTES)
}

/// An answer as the broker begins it, in a vector of its own.
fn response(
    api_key: ApiKey,
    version: i16,
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Frame {
    let mut writer =
        frame::begin_response(Vec::new(), api_key, version, 1).expect("a header encodes");
    encode(&mut writer).expect("the version carries it");
    frame::finish(writer).expect("it is small")
}
