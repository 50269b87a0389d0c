//! The least memory, a thousand partitions, consumers that lag and dawdle: everything gets through.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use klamm::model::TopicId;
use klamm::protocol::fetch_request::FetchRequest;
use klamm::protocol::produce_request::ProduceRequest;

use crate::healthy::Healthy;
use crate::load::now;
use crate::support::Broker;
use crate::vitals::resident_bytes;
use crate::wire::{Wire, batch, fetch_request, produce_request, request_frame};

const PARTITIONS: i32 = 1_000;
/// Consumers that read a few KB at a time of answers as large as a broker gives.
const SLOW: usize = 24;
/// The broker's memory for records.
const MEMORY_BYTES: usize = 32 << 20;
/// What a process with 1,000 partitions has besides, and what answers on their way may hold.
const OTHER_BYTES_MAX: usize = 96 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// A fetch of many partitions from their beginning, as large as it may be.
fn greedy(id: TopicId, first: i32) -> Vec<u8> {
    let mut request: FetchRequest<'_> = fetch_request("wide", id, first, 0);
    request.max_bytes = i32::MAX;
    let one = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = (first..first + 100)
        .map(|partition| {
            let mut asked = one.clone();
            asked.partition = partition % PARTITIONS;
            asked
        })
        .collect();
    request_frame(&request, 12, 1)
}

/// Asks and reads 4 KiB at a time with a rest in between, until it is told to stop; gives the bytes read.
fn dawdle(address: String, frame: Vec<u8>, stop: Receiver<()>) -> u64 {
    let mut stream = TcpStream::connect(address).expect("the broker accepts");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    let mut buffer = [0; 4096];
    let (mut read, mut left) = (0, 0usize);
    loop {
        if left == 0 {
            stream.write_all(&frame).expect("the broker is there");
            let mut size = [0; 4];
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
            stream.read_exact(&mut size).expect("a slow consumer is served");
            stream.set_read_timeout(Some(Duration::from_millis(100))).expect("it can be set");
            left = u32::from_be_bytes(size) as usize;
        }
        match stream.read(&mut buffer[..left.min(4096)]) {
            Ok(0) => panic!("a slow consumer was ended, and it need not"),
            Ok(count) => {
                read += count as u64;
                left -= count;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("a slow consumer is not served: {error}"),
        }
        // Slow, as a link or a program is: what the wait is for cannot be signalled.
        if stop.recv_timeout(Duration::from_millis(20)) != Err(RecvTimeoutError::Timeout) {
            return read;
        }
    }
}

#[test]
fn the_least_memory_serves_a_thousand_partitions_and_slow_consumers() {
    let broker =
        Broker::start(&["num.shards=1", "memory.bytes=33554432", "journal.bytes=33554432"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("wide", PARTITIONS, &[]);
    let healthy = Healthy::start(&broker);
    let value = "v".repeat(16_000);
    let records = batch(&[&value]);
    let mut stops = Vec::new();
    let mut most = 0;
    thread::scope(|scope| {
        let mut slow = Vec::new();
        for round in 0..6 {
            // Pipelined, as producers do.
            for partitions in (0..PARTITIONS).collect::<Vec<_>>().chunks(50) {
                let began = now();
                for &partition in partitions {
                    wire.send(&produce_request("wide", partition, &records), 9);
                }
                for &partition in partitions {
                    let answer = wire.receive_next::<ProduceRequest<'_>>(9);
                    let found = &answer.responses[0].partition_responses[0];
                    let told = (found.error_code, found.base_offset);
                    assert_eq!(told, (0, round), "{partition}: {}", broker.log());
                }
                assert!(began.elapsed() < PATIENCE, "producers wait for too long");
                most = most.max(resident_bytes(&broker));
            }
            healthy.assert_beating();
            for number in 0..SLOW / 6 {
                let (stop, stopped) = sync_channel(1);
                stops.push(stop);
                let frame = greedy(id, (round as i32 * 160 + number as i32 * 40) % PARTITIONS);
                let address = broker.bootstrap();
                slow.push(scope.spawn(move || dawdle(address, frame, stopped)));
            }
        }
        healthy.assert_beating();
        for stop in &stops {
            // One that has panicked says so below.
            let _ = stop.send(());
        }
        for reader in slow {
            assert!(reader.join().expect("a slow consumer is served") > 0);
        }
    });
    println!("at most {} MiB resident with {} MiB for records", most >> 20, MEMORY_BYTES >> 20);
    assert!(most < MEMORY_BYTES + OTHER_BYTES_MAX, "{most} bytes resident");
    for partition in (0..PARTITIONS).step_by(37) {
        assert_eq!(wire.end_offset("wide", partition), 6);
    }
    healthy.stop_and_check();
}

#[test]
fn who_never_reads_does_not_stop_producers() {
    let broker =
        Broker::start(&["num.shards=1", "memory.bytes=33554432", "journal.bytes=16777216"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("wide", PARTITIONS, &[]);
    let large = batch(&[&"y".repeat(120_000)]);
    let mut deaf: Vec<TcpStream> = Vec::new();
    let began = now();
    for round in 0..400 {
        let partition = round % PARTITIONS;
        let answer = wire.produce("wide", partition, &large, 9);
        assert_eq!(answer.error_code, 0, "{}", broker.log());
        let mut stream = TcpStream::connect(broker.bootstrap()).expect("the broker accepts");
        let frame = request_frame(&fetch_request("wide", id, partition, 0), 12, 1);
        // Small windows: what is not read stays with the broker.
        stream.write_all(&frame.repeat(50)).expect("sent");
        deaf.push(stream);
        assert!(began.elapsed() < PATIENCE, "{round} of 400: {}", broker.log());
    }
    let resident = resident_bytes(&broker);
    println!("{} deaf clients: {} MiB resident", deaf.len(), resident >> 20);
    assert!(resident < MEMORY_BYTES + OTHER_BYTES_MAX, "{resident} bytes resident");
}
