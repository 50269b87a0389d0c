//! Produces to a running broker and prints throughput and latency: closed loop, or at a fixed rate.
//!
//! Works against any broker of the Kafka protocol. Each connection has one request in flight with
//! one record for one partition; at a fixed rate, latency counts from the intended send time, so a
//! slow answer is not hidden by the requests that it held up; the service time counts from when it
//! was sent. The round trip of an ApiVersions request on the same connections is measured beside
//! it: what a durable append adds to that is the commit, 110 to 200 µs on a disk without FUA, so
//! one connection's p50 is round trip + commit.
//!
//! A thread a connection, with blocking sockets: an asynchronous runtime's timer would add its
//! millisecond to every intended send time.
//!
//! ```text
//! cargo bench --bench load -- --bootstrap 127.0.0.1:9092 --connections 64 --partitions 64 \
//!     --record-bytes 1024 --seconds 10 [--rate 1000] [--topic bench] [--warm-up 3] [--acks -1]
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "a load client runs on no shard and measures real time"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm::protocol::create_topics_response::CreateTopicsResponse;
use klamm::protocol::frame::{self, RequestHeader};
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::ProduceResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::protocol::writer::Writer;
use klamm::record::{BatchBuilder, BatchOptions};

/// The version of Produce that every broker of today has, with topics by name.
const PRODUCE_VERSION: i16 = 9;
/// Produces between two measured round trips.
const ROUND_TRIP_EVERY: u64 = 64;

/// What to run.
#[derive(Clone, Debug)]
struct Workload {
    bootstrap: String,
    topic: String,
    connections: usize,
    partitions: i32,
    record_bytes: usize,
    seconds: u64,
    warm_up: u64,
    rate: Option<f64>,
    acks: i16,
    smoke: bool,
}

impl Workload {
    fn from_arguments() -> Result<Workload> {
        let mut workload = Workload {
            bootstrap: "127.0.0.1:9092".into(),
            topic: "bench".into(),
            connections: 1,
            partitions: 1,
            record_bytes: 100,
            seconds: 10,
            warm_up: 3,
            rate: None,
            acks: -1,
            smoke: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--smoke" => {
                    workload.smoke = true;
                    continue;
                }
                "--bench" => continue,
                _ => {}
            }
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--bootstrap" => workload.bootstrap = value,
                "--topic" => workload.topic = value,
                "--connections" => workload.connections = value.parse()?,
                "--partitions" => workload.partitions = value.parse()?,
                "--record-bytes" => workload.record_bytes = value.parse()?,
                "--seconds" => workload.seconds = value.parse()?,
                "--warm-up" => workload.warm_up = value.parse()?,
                "--rate" => workload.rate = Some(value.parse()?),
                "--acks" => workload.acks = value.parse()?,
                _ => bail!("unknown option {name}"),
            }
        }
        Ok(workload)
    }
}

/// What one connection measured, in microseconds.
struct Measured {
    latency: Histogram<u64>,
    service: Histogram<u64>,
    round_trip: Histogram<u64>,
}

impl Measured {
    fn new() -> Result<Measured> {
        let histogram = || Histogram::new_with_bounds(1, 60_000_000, 3);
        Ok(Measured { latency: histogram()?, service: histogram()?, round_trip: histogram()? })
    }
}

/// One connection with one request in flight.
struct Connection {
    stream: TcpStream,
    response: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, response: Vec::new() })
    }

    /// Sends a frame and reads the response's frame.
    fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
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

fn request(
    api_key: ApiKey,
    api_version: i16,
    encode: impl FnOnce(&mut Writer) -> Result<(), klamm::protocol::errors::EncodeError>,
) -> Result<Vec<u8>> {
    let header =
        RequestHeader { api_key, api_version, correlation_id: 1, client_id: Some("klamm-load") };
    let mut writer = frame::begin_request(Vec::new(), header)?;
    encode(&mut writer)?;
    Ok(frame::finish(writer)?.bytes)
}

fn produce_request(workload: &Workload, partition: i32) -> Result<Vec<u8>> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    let value: Vec<u8> = (0..workload.record_bytes).map(|index| index as u8).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    batch.append(i64::try_from(now)?, None, Some(&value), &[]);
    let batch = batch.finish();
    let produce = ProduceRequest {
        transactional_id: None,
        acks: workload.acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: workload.topic.as_str().into(),
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

fn check_produced(response: &[u8]) -> Result<()> {
    let (_, body) = frame::response(response, ApiKey::Produce, PRODUCE_VERSION)?;
    let produced = ProduceResponse::decode(&mut Reader::new(body), PRODUCE_VERSION)?;
    let partition = &produced.responses[0].partition_responses[0];
    ensure!(
        partition.error_code == 0,
        "the broker refused a batch: error {}",
        partition.error_code
    );
    Ok(())
}

fn create_topic(workload: &Workload) -> Result<()> {
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: workload.topic.as_str().into(),
            num_partitions: workload.partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    let create = request(ApiKey::CreateTopics, 5, |writer| create.encode(writer, 5))?;
    let mut connection = Connection::open(&workload.bootstrap)?;
    let response = connection.call(&create)?;
    let (_, body) = frame::response(response, ApiKey::CreateTopics, 5)?;
    let created = CreateTopicsResponse::decode(&mut Reader::new(body), 5)?;
    let code = created.topics.first().map_or(-1, |topic| topic.error_code);
    ensure!(code == 0 || code == 36, "creating the topic failed: error {code}");
    if code == 0 {
        // The broker may still be electing leaders.
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Runs one connection; what comes before `from` is not counted.
fn run(workload: Workload, index: usize, from: Instant, until: Instant) -> Result<Measured> {
    let mut connection = Connection::open(&workload.bootstrap)?;
    let partition = (index as i32) % workload.partitions;
    let produce = produce_request(&workload, partition)?;
    let probe = ApiVersionsRequest::default();
    let probe = request(ApiKey::ApiVersions, 0, |writer| probe.encode(writer, 0))?;
    let interval =
        workload.rate.map(|rate| Duration::from_secs_f64(workload.connections as f64 / rate));
    let mut measured = Measured::new()?;
    let mut intended = Instant::now();
    if let Some(interval) = interval {
        intended += interval.mul_f64(index as f64 / workload.connections as f64);
    }
    let mut count = 0u64;
    loop {
        match interval {
            Some(interval) => {
                intended += interval;
                thread::sleep(intended.saturating_duration_since(Instant::now()));
            }
            None => intended = Instant::now(),
        }
        if intended >= until {
            return Ok(measured);
        }
        let sent = Instant::now();
        check_produced(connection.call(&produce)?)?;
        let ended = Instant::now();
        if intended >= from {
            measured.latency.saturating_record((ended - intended).as_micros() as u64);
            measured.service.saturating_record((ended - sent).as_micros() as u64);
        }
        count += 1;
        if count.is_multiple_of(ROUND_TRIP_EVERY) && interval.is_some() {
            let began = Instant::now();
            connection.call(&probe)?;
            measured.round_trip.saturating_record(began.elapsed().as_micros() as u64);
        }
    }
}

fn print(workload: &Workload, all: &Measured) {
    let records = all.latency.len();
    let rate = records as f64 / workload.seconds as f64;
    println!("{records} records in {} s: {rate:.0} records/s", workload.seconds);
    print_quantiles("produce", &all.latency);
    if workload.rate.is_some() {
        print_quantiles("service", &all.service);
        print_quantiles("round trip", &all.round_trip);
    }
}

fn print_quantiles(name: &str, histogram: &Histogram<u64>) {
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

fn main() -> Result<()> {
    let workload = Workload::from_arguments()?;
    if workload.smoke {
        return check_smoke(&workload);
    }
    // A sleep may otherwise end 50 µs late; this thread is the process and the others inherit it.
    std::fs::write("/proc/self/timerslack_ns", "1").context("setting the timer slack")?;
    create_topic(&workload)?;
    let from = Instant::now() + Duration::from_secs(workload.warm_up);
    let until = from + Duration::from_secs(workload.seconds);
    let threads: Vec<_> = (0..workload.connections)
        .map(|index| {
            let workload = workload.clone();
            thread::spawn(move || run(workload, index, from, until))
        })
        .collect();
    let mut all = Measured::new()?;
    for one in threads {
        let one = one.join().expect("a connection's thread does not panic")?;
        all.latency.add(one.latency)?;
        all.service.add(one.service)?;
        all.round_trip.add(one.round_trip)?;
    }
    print(&workload, &all);
    Ok(())
}

/// Without a broker: the requests can be built and have the size that the figures assume.
fn check_smoke(workload: &Workload) -> Result<()> {
    let request = produce_request(workload, 0)?;
    ensure!(request.len() > workload.record_bytes, "the record is in the request");
    println!("load: a produce request takes {} bytes", request.len());
    Ok(())
}
