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

#[path = "wire/mod.rs"]
mod wire;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_request::ApiVersionsRequest;

use wire::{Connection, check_produced, create_topic, histogram, print_quantiles, request};

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
        Ok(Measured { latency: histogram()?, service: histogram()?, round_trip: histogram()? })
    }
}

fn produce_request(workload: &Workload, partition: i32) -> Result<Vec<u8>> {
    let value: Vec<u8> = (0..workload.record_bytes).map(|index| index as u8).collect();
    wire::produce_request(&workload.topic, partition, workload.acks, &value)
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

fn main() -> Result<()> {
    let workload = Workload::from_arguments()?;
    if workload.smoke {
        return check_smoke(&workload);
    }
    // A sleep may otherwise end 50 µs late; this thread is the process and the others inherit it.
    std::fs::write("/proc/self/timerslack_ns", "1").context("setting the timer slack")?;
    create_topic(&workload.bootstrap, &workload.topic, workload.partitions)?;
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
