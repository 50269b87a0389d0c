//! A broker that may open few files: many partitions and a flood of connections share them in peace.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use klamm::protocol::produce_request::ProduceRequest;

use crate::healthy::Healthy;
use crate::load::now;
use crate::support::Broker;
use crate::wire::{Wire, batch, produce_request};

/// More than twice as many for each shard as the process may have files.
const PARTITIONS: i32 = 1_200;
const PATIENCE: Duration = Duration::from_secs(120);
/// Threads that connect, and what each has open at a time.
const FLOODS: usize = 3;
const FLOOD_CONNECTIONS: usize = 150;

/// Appends `records` to every partition, which has `offset` by then.
fn produce_everywhere(wire: &mut Wire, records: &[u8], offset: i64, broker: &Broker) {
    for partitions in (0..PARTITIONS).collect::<Vec<_>>().chunks(50) {
        for &partition in partitions {
            wire.send(&produce_request("wide", partition, records), 9);
        }
        for &partition in partitions {
            let answer = wire.receive_next::<ProduceRequest<'_>>(9);
            let found = &answer.responses[0].partition_responses[0];
            let told = (found.error_code, found.base_offset);
            assert_eq!(told, (0, offset), "{partition}: {}", broker.log());
        }
    }
}

fn segments(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => segments(&entry.path()),
        _ => usize::from(entry.path().extension().is_some_and(|extension| extension == "log")),
    };
    entries.flatten().map(count).sum()
}

/// Connects again and again, and leaves connections as a crash of their client would.
fn flood(address: SocketAddr, stop: &std::sync::mpsc::Receiver<()>) -> usize {
    let mut made = 0;
    loop {
        let open: Vec<_> = (0..FLOOD_CONNECTIONS)
            .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok())
            .collect();
        made += open.len();
        if stop.recv_timeout(Duration::from_millis(20)) != Err(RecvTimeoutError::Timeout) {
            return made;
        }
    }
}

#[test]
fn many_partitions_and_a_flood_of_connections_share_few_descriptors() {
    let under = ["prlimit", "--nofile=512:512"];
    let overrides = ["num.shards=2", "memory.bytes=67108864", "journal.bytes=16777216"];
    let Some(mut broker) = Broker::start_under(&under, &overrides) else {
        return println!("skipped: there is no prlimit here");
    };
    let mut wire = Wire::connect(&broker);
    wire.create_topic("wide", PARTITIONS, &[]);
    let healthy = Healthy::start(&broker);
    let records = batch(&[&"v".repeat(5_000)]);
    let address = broker.bootstrap().parse().expect("an address");
    let topics = broker.data_dir().join("topics");
    thread::scope(|scope| {
        let floods: Vec<_> = (0..FLOODS)
            .map(|_| {
                let (stop, stopped) = sync_channel(1);
                (stop, scope.spawn(move || flood(address, &stopped)))
            })
            .collect();
        for round in 0..3 {
            produce_everywhere(&mut wire, &records, round, &broker);
            healthy.assert_beating();
        }
        let began = now();
        while segments(&topics) < PARTITIONS as usize {
            healthy.assert_beating();
            assert!(began.elapsed() < PATIENCE, "no checkpoint: {}", broker.log());
        }
        for (stop, flood) in floods {
            stop.send(()).expect("it floods");
            assert!(flood.join().expect("it floods") > FLOOD_CONNECTIONS);
        }
    });
    healthy.stop_and_check();
    assert!(!broker.log().contains("can be opened"), "{}", broker.log());

    broker.kill();
    broker.restart();
    let mut wire = Wire::connect(&broker);
    produce_everywhere(&mut wire, &records, 3, &broker);
    assert!(broker.stop().success(), "{}", broker.log());
    broker.restart();
    let mut wire = Wire::connect(&broker);
    for partition in (0..PARTITIONS).step_by(37) {
        assert_eq!(wire.end_offset("wide", partition), 4, "{partition}: {}", broker.log());
    }
}
