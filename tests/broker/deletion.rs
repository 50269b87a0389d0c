//! Deleted topics stay deleted, with their bytes; and topics of many segments are read whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::kafka;
use crate::ledger::Ledger;
use crate::load::{Kind, Load, Plan};
use crate::support::Broker;

const PARTITIONS: i32 = 3;

fn fill(broker: &Broker, topic: &str, first_producer: usize, large_every: usize) -> Ledger {
    let kinds = [Kind::Idempotent, Kind::Plain];
    let plan = Plan {
        topic,
        partitions: PARTITIONS,
        kinds: &kinds,
        first_producer,
        window: 50,
        large_every,
    };
    let mut load = Load::start(&broker.bootstrap(), plan);
    load.await_acknowledged(150);
    load.finish()
}

/// The segment files of all topics.
fn segments(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![data.join("topics")];
    while let Some(directory) = open.pop() {
        // A directory may go while it is looked at.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    found
}

/// Waits for what the broker does in the background after a start.
fn eventually(told: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{told}: not within 10 s");
}

#[test]
fn old_bytes_never_appear_under_a_new_topic() {
    let mut broker = Broker::start(&["num.shards=2"]);
    let topic = "again";
    for round in 0..6 {
        kafka::create_topic(&broker.bootstrap(), topic, PARTITIONS, &[]);
        if round % 2 == 1 {
            broker.kill();
            broker.restart();
        }
        let read = kafka::read_all(&broker.bootstrap(), topic, PARTITIONS);
        assert!(read.iter().all(Vec::is_empty), "round {round}: a new topic is empty");
        let ledger = fill(&broker, topic, 2 * round, 20);
        if round % 3 == 0 {
            broker.kill();
            broker.restart();
        }
        ledger.check(&kafka::read_all(&broker.bootstrap(), topic, PARTITIONS));
        kafka::delete_topic(&broker.bootstrap(), topic);
        if round % 3 < 2 {
            broker.kill();
            broker.restart();
        }
    }
    eventually("the deleted topics' files go", || segments(&broker.data_dir()).is_empty());
    kafka::create_topic(&broker.bootstrap(), topic, PARTITIONS, &[]);
    broker.stop();
    broker.restart();
    let read = kafka::read_all(&broker.bootstrap(), topic, PARTITIONS);
    assert!(read.iter().all(Vec::is_empty), "a new topic is empty");
}

#[test]
fn many_segments_are_one_log() {
    let mut broker = Broker::start(&["num.shards=2", "journal.bytes=16777216"]);
    let topic = "segments";
    let configs = [("segment.bytes", "1048576")];
    kafka::create_topic(&broker.bootstrap(), topic, PARTITIONS, &configs);
    let first = fill(&broker, topic, 0, 2);
    first.check(&kafka::read_all(&broker.bootstrap(), topic, PARTITIONS));
    broker.kill();
    broker.restart();
    first.check(&kafka::read_all(&broker.bootstrap(), topic, PARTITIONS));
    let second = fill(&broker, topic, 2, 2);
    broker.stop();
    let count = segments(&broker.data_dir()).len();
    assert!(count >= 4 * PARTITIONS as usize, "only {count} segments");
    broker.restart();
    let read = kafka::read_all(&broker.bootstrap(), topic, PARTITIONS);
    first.check(&read);
    second.check(&read);
    kafka::delete_topic(&broker.bootstrap(), topic);
    eventually("the space is free", || segments(&broker.data_dir()).is_empty());
}
