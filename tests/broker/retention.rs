//! Old records go, by retention and by DeleteRecords; what was told of a log's start never goes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use klamm::model::ErrorCode;
use klamm::protocol::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm::record::{BatchBuilder, BatchOptions};

use crate::kafka;
use crate::kill_loop::kills;
use crate::support::Broker;
use crate::wire::{Wire, batch, fetch_request, now_ms};

const DAY_MS: i64 = 86_400_000;
/// Passes that a test need not wait for.
const QUICK: [&str; 2] = ["log.initial.task.delay.ms=100", "log.retention.check.interval.ms=100"];
/// Kafka's least `segment.bytes`.
const SEGMENT_BYTES: usize = 1 << 20;

/// A batch of one record of that size and age.
fn aged(days: i64, bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(now_ms() - days * DAY_MS, Some(b"k"), Some(&vec![b'v'; bytes]), &[]);
    builder.finish()
}

/// Error and low watermark of each partition.
fn delete(
    wire: &mut Wire,
    topic: &str,
    parts: &[(i32, i64)],
    version: i16,
) -> Vec<(ErrorCode, i64)> {
    let partition = |&(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index,
        offset,
        ..DeleteRecordsPartition::default()
    };
    let topic = DeleteRecordsTopic {
        name: topic.to_owned().into(),
        partitions: parts.iter().map(partition).collect(),
        ..DeleteRecordsTopic::default()
    };
    let request =
        DeleteRecordsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let answer = wire.ask(&request, version);
    let results = answer.topics[0].partitions.iter();
    results.map(|one| (ErrorCode::from_code(one.error_code), one.low_watermark)).collect()
}

fn start_offset(wire: &mut Wire, topic: &str, partition: i32) -> i64 {
    let (error, offset, _) = wire.offset_result(topic, partition, -2);
    assert_eq!(error, 0, "{topic}-{partition}");
    offset
}

/// Every file below the topics' directories, and the bytes of disk that they take.
fn files(data: &Path) -> (Vec<PathBuf>, u64) {
    use std::os::unix::fs::MetadataExt;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut open = vec![data.join("topics")];
    while let Some(directory) = open.pop() {
        // A directory may go while it is looked at.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) if metadata.is_file() => {
                    bytes += metadata.blocks() * 512;
                    found.push(entry.path());
                }
                _ => {}
            }
        }
    }
    (found, bytes)
}

/// Waits for what the broker does in the background.
fn eventually(told: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if done() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{told}: not within 30 s");
}

#[test]
fn what_is_too_old_or_too_much_goes_after_a_pass() {
    let mut broker = Broker::start(&[&["num.shards=2"][..], &QUICK].concat());
    let mut wire = Wire::connect(&broker);
    let small = ("segment.bytes", "1048576");
    wire.create_topic("aged", 2, &[small, ("file.delete.delay.ms", "0")]);
    wire.create_topic("kept", 1, &[small, ("retention.ms", "-1")]);
    wire.create_topic("compacted", 1, &[small, ("cleanup.policy", "compact")]);
    wire.create_topic("none", 1, &[small, ("cleanup.policy", "")]);
    wire.create_topic("both", 1, &[small, ("cleanup.policy", "compact,delete")]);
    wire.create_topic("sized", 1, &[small, ("retention.bytes", "1500000")]);
    for topic in ["aged", "kept", "compacted", "none", "both"] {
        for _ in 0..4 {
            assert_eq!(wire.produce(topic, 0, &aged(8, 400_000), 9).error_code, 0);
        }
    }
    for _ in 0..9 {
        assert_eq!(wire.produce("sized", 0, &aged(0, 400_000), 9).error_code, 0);
    }
    for days in [1, 9, 9] {
        assert_eq!(wire.produce("aged", 1, &aged(days, 10), 9).error_code, 0);
    }
    // The active segment goes, too, when all of it is old; the offsets go on.
    eventually("old records go", || start_offset(&mut wire, "aged", 0) == 4);
    eventually("compact,delete is delete", || start_offset(&mut wire, "both", 0) == 4);
    // Two batches fill a segment; two segments are more than 1,500,000 bytes.
    eventually("more than retention.bytes goes", || start_offset(&mut wire, "sized", 0) == 4);
    for (topic, partition) in [("aged", 1), ("kept", 0), ("compacted", 0), ("none", 0)] {
        assert_eq!(start_offset(&mut wire, topic, partition), 0, "{topic}-{partition}");
    }
    assert_eq!(wire.end_offset("aged", 0), 4);
    assert_eq!(wire.produce("aged", 0, &aged(0, 10), 9).base_offset, 4);
    broker.kill();
    broker.restart();
    let mut wire = Wire::connect(&broker);
    let starts = [("aged", 4), ("both", 4), ("sized", 4), ("kept", 0), ("compacted", 0)];
    for (topic, start) in starts {
        assert_eq!(start_offset(&mut wire, topic, 0), start, "{topic} after a kill");
    }
    assert_eq!(wire.end_offset("aged", 0), 5);
}

#[test]
fn committed_offsets_outlive_every_retention() {
    let broker = Broker::start(
        &[&["log.retention.ms=1", "offsets.topic.num.partitions=1"][..], &QUICK].concat(),
    );
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 1, &[("retention.ms", "-1")]);
    kafka::commit(&bootstrap, "readers", "t", 42);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("pass", 1, &[]);
    // Twice a pass goes over all partitions of the shards.
    for offset in [1, 2] {
        assert_eq!(wire.produce("pass", 0, &aged(1, 10), 9).error_code, 0);
        eventually("a pass", || start_offset(&mut wire, "pass", 0) == offset);
    }
    assert_eq!(start_offset(&mut wire, "__consumer_offsets", 0), 0);
    assert!(wire.end_offset("__consumer_offsets", 0) > 0);
    assert_eq!(kafka::committed(&bootstrap, "readers", "t"), Some(42));
    for version in 0..=2 {
        let refused = delete(&mut wire, "__consumer_offsets", &[(0, -1)], version);
        assert_eq!(refused, [(ErrorCode::InvalidTopicException, -1)]);
    }
}

#[test]
fn delete_records_answers_as_kafka_does() {
    let broker = Broker::start(&["num.shards=2"]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 4, &[]);
    wire.create_topic("c", 1, &[("cleanup.policy", "compact")]);
    wire.create_topic("n", 1, &[("cleanup.policy", "")]);
    for partition in 0..4 {
        assert_eq!(wire.produce("t", partition, &batch(&["a"; 10]), 9).error_code, 0);
    }
    assert_eq!(wire.produce("n", 0, &batch(&["a"; 10]), 9).error_code, 0);
    let (none, range) = (ErrorCode::None, (ErrorCode::OffsetOutOfRange, -1));
    let unknown = (ErrorCode::UnknownTopicOrPartition, -1);
    for (topic, parts, expected) in [
        ("t", vec![(0, 0)], vec![(none, 0)]),
        ("t", vec![(0, 3)], vec![(none, 3)]),
        ("t", vec![(0, 2)], vec![(none, 3)]),
        ("t", vec![(0, 11), (1, -2), (2, i64::MAX)], vec![range, range, range]),
        ("t", vec![(3, 5), (9, 5), (-1, 5), (2, 4)], vec![(none, 5), unknown, unknown, (none, 4)]),
        ("t", vec![(1, 10)], vec![(none, 10)]),
        ("t", vec![(2, -1), (3, -1)], vec![(none, 10), (none, 10)]),
        ("missing", vec![(0, 0)], vec![unknown]),
        ("c", vec![(0, 0)], vec![(ErrorCode::PolicyViolation, -1)]),
        ("n", vec![(0, 4)], vec![(none, 4)]),
    ] {
        for version in 0..=2 {
            let told = delete(&mut wire, topic, &parts, version);
            assert_eq!(told, expected, "{topic} {parts:?} in version {version}");
        }
    }
    // What is below the start cannot be read, a batch that it cuts through is given whole.
    let id = wire.create_topic("other", 1, &[]);
    assert_eq!(wire.produce("other", 0, &batch(&["a"; 10]), 9).error_code, 0);
    assert_eq!(delete(&mut wire, "other", &[(0, 4)], 2), [(none, 4)]);
    for (offset, code, has_records) in
        [(3, ErrorCode::OffsetOutOfRange, false), (4, none, true), (10, none, false)]
    {
        let answer = wire.ask(&fetch_request("other", id, 0, offset), 18);
        let part = &answer.responses[0].partitions[0];
        assert_eq!(ErrorCode::from_code(part.error_code), code, "at {offset}");
        let start = if code == none { 4 } else { -1 };
        assert_eq!(part.log_start_offset, start, "at {offset}");
        assert_eq!(!part.records.bytes().is_empty(), has_records, "at {offset}");
    }
    let (error, offset, _) = wire.offset_result("other", 0, 0);
    assert_eq!((error, offset), (0, 4), "the first record by time is the start");
}

#[test]
fn a_log_start_never_goes_back_and_its_disk_space_comes_back() {
    let settings = ["num.shards=2", "journal.bytes=16777216", "log.segment.delete.delay.ms=200"];
    let mut broker = Broker::start(&settings);
    let bootstrap = broker.bootstrap();
    let configs = [("segment.bytes", "1048576")];
    kafka::create_topic(&bootstrap, "t", 2, &configs);
    let mut told = [0; 2];
    let mut most = 0;
    for round in 0..kills(8) {
        let mut wire = Wire::connect(&broker);
        for number in 0..10 {
            let partition = number % 2;
            let answer = wire.produce("t", partition, &aged(0, SEGMENT_BYTES * 9 / 10), 9);
            assert_eq!(answer.error_code, 0);
        }
        most = most.max(files(&broker.data_dir()).1);
        let end = wire.end_offset("t", 0);
        for step in 1..=3 {
            let asked = [end - 4 + step, end - 3];
            let starts = kafka::delete_records(&bootstrap, "t", &asked);
            assert_eq!(starts, asked, "round {round}");
            told = asked;
        }
        // The power of the process goes at once, or while files are renamed and removed.
        thread::park_timeout(Duration::from_millis([0, 30, 250][round % 3]));
        broker.kill();
        broker.restart();
        let mut wire = Wire::connect(&broker);
        for (partition, told) in told.iter().enumerate() {
            let partition = partition as i32;
            assert_eq!(start_offset(&mut wire, "t", partition), *told, "round {round}");
            assert_eq!(wire.end_offset("t", partition), end, "round {round}");
        }
    }
    // The last of each partition stay, whatever was written.
    let kept = (1 + 4 + 2) * SEGMENT_BYTES as u64;
    eventually("the disk has its blocks back", || {
        let (found, bytes) = files(&broker.data_dir());
        let is_deleted = |path: &PathBuf| path.extension().is_some_and(|last| last == "deleted");
        bytes <= kept && !found.iter().any(is_deleted)
    });
    kafka::delete_topic(&bootstrap, "t");
    eventually("a deleted topic leaves nothing", || {
        !files(&broker.data_dir()).0.iter().any(|path| path.to_string_lossy().contains(".log"))
    });
    assert!(most > 0, "segments were written");
}
