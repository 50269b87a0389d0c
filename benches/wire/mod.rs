//! What the load programs share: a blocking connection, requests as frames, and how figures are printed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm::protocol::create_topics_response::CreateTopicsResponse;
use klamm::protocol::errors::EncodeError;
use klamm::protocol::frame::{self, RequestHeader};
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::ProduceResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::protocol::writer::Writer;
use klamm::record::{BatchBuilder, BatchOptions};

/// The version of Produce that every broker of today has, with topics by name.
const PRODUCE_VERSION: i16 = 9;
/// Kafka's code for a topic that is already there.
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// One connection with one request in flight.
pub struct Connection {
    stream: TcpStream,
    response: Vec<u8>,
}

impl Connection {
    /// Connects, with small requests sent at once.
    pub fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, response: Vec::new() })
    }

    /// Sends a frame and reads the response's frame, without its size.
    pub fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.response.clear();
        loop {
            let mut part = [0; 4096];
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the broker closed the connection");
            self.response.extend_from_slice(&part[..read]);
            if let Some((size, body)) = self.response.split_first_chunk()
                && body.len() >= usize::try_from(i32::from_be_bytes(*size))?
            {
                return Ok(&self.response[4..]);
            }
        }
    }
}

/// A request as a frame.
pub fn request(
    api_key: ApiKey,
    api_version: i16,
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>> {
    let header =
        RequestHeader { api_key, api_version, correlation_id: 1, client_id: Some("klamm-load") };
    let mut writer = frame::begin_request(Vec::new(), header)?;
    encode(&mut writer)?;
    Ok(frame::finish(writer)?.bytes)
}

/// A produce request of one record with this value.
pub fn produce_request(topic: &str, partition: i32, acks: i16, value: &[u8]) -> Result<Vec<u8>> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(wall_clock_ms()?, None, Some(value), &[]);
    let batch = batch.finish();
    let produce = ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Records::Bytes(&batch),
                ..PartitionProduceData::default()
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    request(ApiKey::Produce, PRODUCE_VERSION, |writer| produce.encode(writer, PRODUCE_VERSION))
}

/// An error if the batch of [`produce_request`] was refused.
pub fn check_produced(response: &[u8]) -> Result<()> {
    let (_, body) = frame::response(response, ApiKey::Produce, PRODUCE_VERSION)?;
    let produced = ProduceResponse::decode(&mut Reader::new(body), PRODUCE_VERSION)?;
    let code = produced.responses[0].partition_responses[0].error_code;
    ensure!(code == 0, "the broker refused a batch: error {code}");
    Ok(())
}

/// Creates a topic where it is not there yet.
pub fn create_topic(bootstrap: &str, name: &str, partitions: i32) -> Result<()> {
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    let create = request(ApiKey::CreateTopics, 5, |writer| create.encode(writer, 5))?;
    let mut connection = Connection::open(bootstrap)?;
    let response = connection.call(&create)?;
    let (_, body) = frame::response(response, ApiKey::CreateTopics, 5)?;
    let created = CreateTopicsResponse::decode(&mut Reader::new(body), 5)?;
    let code = created.topics.first().map_or(-1, |topic| topic.error_code);
    ensure!(code == 0 || code == TOPIC_ALREADY_EXISTS, "creating the topic failed: error {code}");
    if code == 0 {
        // The broker may still be electing leaders.
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// A histogram of microseconds, up to a minute.
pub fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Prints the quantiles of a histogram of microseconds on one line.
pub fn print_quantiles(name: &str, histogram: &Histogram<u64>) {
    let at = |quantile| histogram.value_at_quantile(quantile);
    println!(
        "{name:<10} µs: p50 {} p90 {} p99 {} p99.9 {} max {}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        histogram.max()
    );
}

fn wall_clock_ms() -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}
