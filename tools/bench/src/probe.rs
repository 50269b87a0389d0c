//! Produces one record as soon as a broker takes it: how long a start really takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use klamm::client::{Address, wall_clock_ms};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm::protocol::errors::EncodeError;
use klamm::protocol::frame::{self, SIZE_BYTES};
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::ProduceResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::protocol::writer::Writer;
use klamm::record::{BatchBuilder, BatchOptions};
use serde_json::json;

use crate::clock::{Clock, Nanos, nanos};
use crate::nats::{self, socket::NatsSocket};
use crate::socket::request;
use crate::workload::Protocol;

/// Versions that every broker of today has.
const CREATE_TOPICS_VERSION: i16 = 5;
const PRODUCE_VERSION: i16 = 9;
/// Between two tries: a start is measured to the millisecond.
const PAUSE: Nanos = 500_000;
/// For one answer; a broker may be slow, and is asked again on a new connection after that.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The record that is waited for: the first of a topic with one partition, which it makes where it is not there.
#[derive(Clone, Copy, Debug)]
pub struct First<'a> {
    /// What the broker speaks.
    pub protocol: Protocol,
    /// Where it will listen.
    pub address: &'a Address,
    /// The topic.
    pub topic: &'a str,
}

/// Tries until the record is acknowledged; gives the time of that.
pub fn first_acknowledgement(
    clock: Clock,
    first: &First<'_>,
    patience: Duration,
    check_alive: &mut dyn FnMut() -> Result<()>,
) -> Result<Nanos> {
    let deadline = clock.now() + nanos(patience);
    let mut tries = 0u64;
    loop {
        let last = match produce_one(first) {
            Ok(()) => return Ok(clock.now()),
            Err(error) => error,
        };
        tries += 1;
        // Asking after the process costs more than a try.
        if tries.is_multiple_of(64) {
            check_alive()?;
        }
        ensure!(clock.now() < deadline, "no record was acknowledged in time: {last:#}");
        clock.sleep_until(clock.now() + PAUSE);
    }
}

fn produce_one(first: &First<'_>) -> Result<()> {
    match first.protocol {
        Protocol::Kafka => produce_to_kafka(first),
        Protocol::Nats => publish_to_nats(first),
    }
}

fn publish_to_nats(first: &First<'_>) -> Result<()> {
    let mut socket = NatsSocket::connect(first.address, ANSWER_WITHIN)?;
    let (stream, subject) = (nats::stream(first.topic, 0), nats::subject(first.topic, 0));
    let config = json!({ "name": stream, "subjects": [subject], "storage": "file" });
    socket.ask(&format!("STREAM.CREATE.{stream}"), &config)?;
    let answer = socket.publish_and_wait(&subject, b"first")?;
    ensure!(answer.get("seq").is_some(), "it answers {answer}");
    Ok(())
}

fn produce_to_kafka(first: &First<'_>) -> Result<()> {
    let topic = first.topic;
    let mut stream = TcpStream::connect((first.address.host.as_str(), first.address.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: topic.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    };
    // It may be there already; what the broker says then is of no interest.
    call(&mut stream, (ApiKey::CreateTopics, CREATE_TOPICS_VERSION), |writer| {
        create.encode(writer, CREATE_TOPICS_VERSION)
    })?;
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(wall_clock_ms(), None, Some(b"first"), &[]);
    let batch = batch.finish();
    let produce = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Records::Bytes(&batch),
                ..PartitionProduceData::default()
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let answer = call(&mut stream, (ApiKey::Produce, PRODUCE_VERSION), |writer| {
        produce.encode(writer, PRODUCE_VERSION)
    })?;
    let (_, body) = frame::response(&answer, ApiKey::Produce, PRODUCE_VERSION)?;
    let answer = ProduceResponse::decode(&mut Reader::new(body), PRODUCE_VERSION)?;
    let parts = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    let codes: Vec<i16> = parts.map(|part| part.error_code).collect();
    ensure!(codes == [0], "it answers with error {codes:?}");
    Ok(())
}

fn call(
    stream: &mut TcpStream,
    api: (ApiKey, i16),
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>> {
    let frame = request(Vec::new(), api, 1, encode)?;
    stream.write_all(&frame.bytes)?;
    let mut size = [0; SIZE_BYTES];
    stream.read_exact(&mut size)?;
    let size = frame::size(&size, 1 << 20)?.unwrap_or(0);
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
