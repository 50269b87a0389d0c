//! How long a record takes to its consumer, and how many offsets can be committed a second.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::fetch_response::FetchResponse;
use klamm::protocol::frame;
use klamm::protocol::offset_commit_response::OffsetCommitResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::record::{DecompressionCaps, split};

use super::client::{
    COMMIT_VERSION, FETCH_VERSION, await_coordinator, commit_request, fetch_request,
};
use super::wire::{
    Connection, check_produced, create_topic, histogram, print_quantiles, produce_request,
};
use super::{Workload, cpu_time};

const TOPIC: &str = "bench-end-to-end";
const RECORD_BYTES: usize = 100;
/// What is not counted at the begin.
const WARM_UP: Duration = Duration::from_secs(2);

/// One producer at a fixed rate, one consumer; a record's value begins with its intended send time.
pub fn end_to_end(workload: &Workload) -> Result<()> {
    std::fs::write("/proc/self/timerslack_ns", "1").context("setting the timer slack")?;
    create_topic(&workload.bootstrap, TOPIC, 1)?;
    let begin = Instant::now();
    let until = begin + WARM_UP + Duration::from_secs(workload.seconds);
    let producer = {
        let workload = workload.clone();
        thread::spawn(move || produce(&workload, begin, until))
    };
    let mut all = histogram()?;
    let mut connection = Connection::open(&workload.bootstrap)?;
    let (mut offset, mut cpu_before, mut cpu) = (0, None, Duration::ZERO);
    while Instant::now() < until {
        let (records, next) = fetch(&mut connection, offset)?;
        offset = next;
        let now = begin.elapsed();
        if now >= WARM_UP && cpu_before.is_none() {
            cpu_before = workload.pid.map(cpu_time).transpose()?;
        }
        for sent in records {
            // What an earlier run left in the topic has no place on this run's clock.
            let sent = Duration::from_nanos(sent);
            if sent >= WARM_UP && sent <= now {
                all.saturating_record((now - sent).as_micros() as u64);
            }
        }
    }
    if let (Some(pid), Some(before)) = (workload.pid, cpu_before) {
        cpu = cpu_time(pid)? - before;
    }
    producer.join().expect("the producer does not panic")?;
    println!("end to end, {} records, expected p50 <= 350, p99 <= 2000", all.len());
    print_quantiles("end to end", &all);
    if !cpu.is_zero() {
        println!("broker's CPU: {:.1} µs a record", cpu.as_micros() as f64 / all.len() as f64);
    }
    Ok(())
}

fn produce(workload: &Workload, begin: Instant, until: Instant) -> Result<()> {
    let mut connection = Connection::open(&workload.bootstrap)?;
    let interval = Duration::from_secs_f64(1.0 / workload.rate);
    let mut intended = Instant::now();
    while intended < until {
        intended += interval;
        thread::sleep(intended.saturating_duration_since(Instant::now()));
        let mut value = [0; RECORD_BYTES];
        let stamp = (intended - begin).as_nanos() as u64;
        value[..8].copy_from_slice(&stamp.to_be_bytes());
        check_produced(connection.call(&produce_request(TOPIC, 0, -1, &value)?)?)?;
    }
    Ok(())
}

/// The stamps of the records from `offset` on, and the offset behind them.
fn fetch(connection: &mut Connection, offset: i64) -> Result<(Vec<u64>, i64)> {
    let response = connection.call(&fetch_request(TOPIC, 0, offset)?)?;
    let (_, body) = frame::response(response, ApiKey::Fetch, FETCH_VERSION)?;
    let fetched = FetchResponse::decode(&mut Reader::new(body), FETCH_VERSION)?;
    let partition = &fetched.responses[0].partitions[0];
    ensure!(partition.error_code == 0, "the fetch failed: error {}", partition.error_code);
    let Records::Bytes(bytes) = partition.records else { return Ok((Vec::new(), offset)) };
    let (mut stamps, mut next) = (Vec::new(), offset);
    for batch in split(bytes) {
        // The last batch may be cut off by the size that was asked for.
        let Ok(batch) = batch else { break };
        next = batch.header().next_offset().0;
        let opened = batch.open(DecompressionCaps::default())?;
        for record in batch.records(&opened) {
            let value = record?.value.unwrap_or_default();
            stamps.extend(value.first_chunk().map(|stamp| u64::from_be_bytes(*stamp)));
        }
    }
    Ok((stamps, next))
}

/// Commits over many connections, one in flight each, each connection with a group of its own.
pub fn commits(workload: &Workload) -> Result<()> {
    create_topic(&workload.bootstrap, TOPIC, 1)?;
    await_coordinator(&workload.bootstrap)?;
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs(workload.seconds);
    let threads: Vec<_> = (0..workload.connections)
        .map(|index| {
            let workload = workload.clone();
            thread::spawn(move || commit(&workload, index, from, until))
        })
        .collect();
    thread::sleep(WARM_UP);
    let before = workload.pid.map(cpu_time).transpose()?;
    let mut all = histogram()?;
    for one in threads {
        all.add(one.join().expect("a connection's thread does not panic")?)?;
    }
    let rate = all.len() as f64 / workload.seconds as f64;
    println!("{rate:.0} offset commits/s, expected >= 10,000");
    print_quantiles("commit", &all);
    if let (Some(pid), Some(before)) = (workload.pid, before) {
        let cpu = cpu_time(pid)? - before;
        println!("broker's CPU: {:.1} µs a commit", cpu.as_micros() as f64 / all.len() as f64);
    }
    Ok(())
}

fn commit(
    workload: &Workload,
    index: usize,
    from: Instant,
    until: Instant,
) -> Result<hdrhistogram::Histogram<u64>> {
    let mut connection = Connection::open(&workload.bootstrap)?;
    let group = format!("bench-commits-{index}");
    let mut measured = histogram()?;
    for offset in 0.. {
        let request = commit_request(&group, TOPIC, offset)?;
        let began = Instant::now();
        if began >= until {
            break;
        }
        let response = connection.call(&request)?;
        let (_, body) = frame::response(response, ApiKey::OffsetCommit, COMMIT_VERSION)?;
        let committed = OffsetCommitResponse::decode(&mut Reader::new(body), COMMIT_VERSION)?;
        let code = committed.topics[0].partitions[0].error_code;
        ensure!(code == 0, "the broker refused a commit: error {code}");
        if began >= from {
            measured.saturating_record(began.elapsed().as_micros() as u64);
        }
    }
    Ok(measured)
}
