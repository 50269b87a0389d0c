//! The start of a log: what is told of it survives, what goes with it, and who reads meanwhile.

use std::path::Path;
use std::time::Duration;

use super::model_tests::{DATA, append_acked, batch_of, start};
use crate::model::units::KIB;
use crate::model::{LeaderEpoch, LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::sim::{Host, Planted, SimOptions, World, with_planted};
use crate::runtime::{Lane, Runtime};
use crate::storage::directory::partition_dir;
use crate::storage::{
    Log, LogConfig, LogReadError, LogStartError, ReadPart, RetentionTerms, Store,
};

const ID: LogId = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(0) };
/// Each has five of the batches that are appended here.
const SEGMENT_BYTES: u32 = 16 * KIB as u32;
/// What one batch of these tests takes, and what five do.
const BATCH: u64 = 3142;
const SEGMENT: u64 = 5 * BATCH;
const DAY_MS: i64 = 86_400_000;

fn open(store: &Store, delay: Duration) -> Log {
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        // Only size rolls here, whatever the records' times.
        segment_ms: i64::MAX,
        file_delete_delay: delay,
        ..LogConfig::default()
    };
    let log = store.create(ID, "orders", config);
    log.set_config(config);
    log
}

/// Appends one batch of one record, which is readable when this returns.
async fn append(runtime: &Runtime, log: &Log, timestamp: i64) {
    append_acked(runtime, log, &batch_of(timestamp, &[0; 3 * KIB])).await.expect("durable");
}

async fn append_all(runtime: &Runtime, log: &Log, timestamps: impl IntoIterator<Item = i64>) {
    for timestamp in timestamps {
        append(runtime, log, timestamp).await;
    }
}

/// The names of a log's files.
async fn files(runtime: &Runtime) -> Vec<String> {
    let entries = runtime.disk().list_dir(&partition_dir(Path::new(DATA), ID)).await;
    entries.unwrap_or_default().into_iter().map(|entry| entry.name).collect()
}

/// Whether no start that was told goes back, wherever the power is lost.
fn starts_stay() -> bool {
    // What a power failure leaves of a write that is under way is the seed's.
    (0..120).all(|step| {
        let world = World::new(step.into(), SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        let log = open(&store, Duration::ZERO);
        world.run_until(append_all(&runtime, &log, 0..20));
        let moving = log.clone();
        runtime.spawn(Lane::Hot, async move {
            // The power may be lost before it is there.
            drop(moving.advance_start(Offset(12)).await);
        });
        world.run_for(step % 40 * Duration::from_micros(10));
        let told = log.start_offset();
        host.power_loss();
        let (store, _) = world.run_until(start(&host.runtime()));
        open(&store, Duration::ZERO).start_offset() >= told
    })
}

#[test]
fn a_start_that_was_told_never_goes_back() {
    assert!(starts_stay());
    let found = !with_planted(Planted::TellStartEarly, starts_stay);
    assert!(found, "a start that is told too early goes back");
}

#[test]
fn a_start_is_not_beyond_what_is_readable() {
    let world = World::new(1, SimOptions::default());
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open(&store, Duration::ZERO);
    world.run_until(append_all(&runtime, &log, 0..12));
    for (to, expected) in [(0, Ok(0)), (7, Ok(7)), (3, Ok(7)), (13, Err(())), (12, Ok(12))] {
        match (world.run_until(log.advance_start(Offset(to))), expected) {
            (Ok(start), Ok(expected)) => assert_eq!(start, Offset(expected), "{to}"),
            (Err(LogStartError::OutOfRange { end, .. }), Err(())) => assert_eq!(end, Offset(12)),
            (result, _) => panic!("{to}: {result:?}"),
        }
    }
    assert_eq!((log.epoch_at(Offset(12)), log.epoch_at(Offset(11))), (Some(LeaderEpoch(0)), None));
    world.run_until(store.delete(ID)).expect("deleted");
    let gone = world.run_until(log.advance_start(Offset(1)));
    assert_eq!(gone, Err(LogStartError::Deleted));
    world.run_until(store.close()).expect("a clean stop");
}

/// Appends records of these ages in days, which have five to a segment, lets retention look, and
/// gives the start and the number of segments.
fn check(ages: &[i64], days_max: Option<i64>, bytes_max: Option<u64>, expected: (i64, usize)) {
    let world = World::new(1, SimOptions::default());
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open(&store, Duration::ZERO);
    let now_ms = runtime.wall_clock_ms();
    let timestamps =
        ages.iter().map(|age| if *age == i64::MAX { -1 } else { now_ms - age * DAY_MS });
    world.run_until(append_all(&runtime, &log, timestamps));
    let age_ms_max = days_max.map(|days| (days * DAY_MS) as u64);
    let terms = RetentionTerms { now_ms: now_ms + 1000, age_ms_max, bytes_max };
    let before = log.bytes();
    assert_eq!(before, ages.len() as u64 * BATCH);
    let expired = world.run_until(log.expire(&terms)).expect("a well disk");
    let told = (log.start_offset().0, log.segment_count());
    assert_eq!(told, expected, "{ages:?} {days_max:?} {bytes_max:?}");
    assert_eq!(expired.map_or(0, |expired| expired.bytes), before - log.bytes());
    let again = world.run_until(log.expire(&terms)).expect("a well disk");
    assert_eq!(again, None, "{ages:?}");
    // It goes on where it was.
    let end = log.end_offset();
    world.run_until(append(&runtime, &log, now_ms));
    assert_eq!(log.end_offset(), Offset(end.0 + 1));
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn whole_segments_go_by_age_as_kafkas_do() {
    let old = [9; 12];
    check(&old, Some(7), None, (12, 1));
    check(&old, Some(10), None, (0, 3));
    check(&old, None, None, (0, 3));
    check(&[], Some(7), None, (0, 1));
    // The largest timestamp of a segment counts, and nothing behind one that stays goes.
    check(&[9, 9, 9, 9, 1, 9, 9, 9, 9, 9, 9, 9], Some(7), None, (0, 3));
    check(&[9, 9, 9, 9, 9, 9, 1, 9, 9, 9, 9, 9], Some(7), None, (5, 2));
    check(&[9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 1], Some(7), None, (10, 1));
    // A time in the future keeps its segment.
    check(&[9, 9, -3650, 9, 9, 9, 9, 9, 9, 9, 9, 9], Some(7), None, (0, 3));
    check(&[9, 9, 9, 9, 9, 9, 9, 9, -1, 9, 9, 9], Some(0), None, (5, 2));
    // Without a time it is when they were written that counts.
    check(&[i64::MAX; 12], Some(7), None, (0, 3));
    check(&[9, 9, 9, 9, 9, i64::MAX, i64::MAX, i64::MAX], Some(7), None, (5, 1));
}

#[test]
fn whole_segments_go_by_size_as_kafkas_do() {
    let segment = SEGMENT;
    let young = [0; 12];
    check(&young, None, Some(0), (12, 1));
    check(&young, None, Some(u64::MAX), (0, 3));
    check(&young, None, Some(segment), (5, 2));
    check(&young, None, Some(2 * segment), (0, 3));
    check(&young, None, Some(6000), (10, 1));
    // By size first, then by age.
    check(&[9; 12], Some(7), Some(6000), (12, 1));
    check(&[9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1], Some(7), Some(6000), (10, 1));
}

/// Reads everything from `from` on; `None` where the log does not have it any more.
async fn read(log: &Log, from: Offset) -> Option<usize> {
    let end = log.readable_end();
    match log.read_or_range(from, usize::MAX / 2, end, true).await {
        Ok(read) => {
            let mut bytes = 0;
            let expected = read.len();
            for part in read.into_parts() {
                bytes += match part {
                    ReadPart::Piece(piece) => piece.len(),
                    ReadPart::File(range) => {
                        let buffer = crate::runtime::AlignedBuf::zeroed(range.bytes as usize);
                        let (_, read) = range.file.read_at(buffer, range.offset).await;
                        read.expect("a descriptor stays good")
                    }
                };
            }
            assert_eq!(bytes, expected, "nothing is short");
            Some(bytes)
        }
        Err(LogReadError::OutOfRange { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// A log of four segments, none of whose bytes is in memory.
fn cold(world: &World, host: &Host, delay: Duration) -> (Runtime, Store, Log) {
    let runtime = host.runtime();
    world.run_until(async {
        let (store, _) = start(&runtime).await;
        append_all(&runtime, &open(&store, delay), 0..20).await;
        store.close().await.expect("a clean stop");
        let (store, _) = start(&runtime).await;
        let log = open(&store, delay);
        (runtime, store, log)
    })
}

#[test]
fn who_reads_a_segment_that_goes_gets_all_of_it_or_hears_that_it_is_gone() {
    let (mut served, mut refused) = (0, 0);
    for seed in 0..200 {
        let world = World::new(seed.into(), SimOptions::default());
        let step = seed % 50;
        let (runtime, store, log) = cold(&world, &world.host(), Duration::ZERO);
        let reading = log.clone();
        let (sender, receiver) = crate::runtime::sync::oneshot::channel();
        runtime.spawn(Lane::Hot, async move {
            let _ = sender.send(read(&reading, Offset(0)).await);
        });
        world.run_for(step * Duration::from_micros(15));
        world.run_until(log.advance_start(Offset(11))).expect("moved");
        match world.run_until(receiver).expect("the reader ends well") {
            Some(bytes) => {
                assert!(bytes > 0);
                served += 1;
            }
            None => refused += 1,
        }
        world.run_for(Duration::from_millis(50));
        let stats = store.stats();
        assert_eq!(stats.removals_pending, 0);
        assert!(stats.open_segments <= 2, "a descriptor of a removed segment stays: {stats:?}");
        world.run_until(store.close()).expect("a clean stop");
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
}

#[test]
fn files_go_when_their_delay_is_over_or_at_the_next_start() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let delay = Duration::from_secs(60);
    let (runtime, store, log) = cold(&world, &host, delay);
    let names = |runtime: &Runtime, suffix: &str| -> usize {
        let names = world.run_until(files(runtime));
        names.iter().filter(|name| name.ends_with(suffix)).count()
    };
    world.run_for(Duration::from_secs(1));
    let used = host.disk_bytes_used();
    assert_eq!((names(&runtime, ".log"), names(&runtime, ".index")), (4, 4));
    world.run_until(log.advance_start(Offset(11))).expect("moved");
    world.run_for(Duration::from_secs(1));
    assert_eq!((names(&runtime, ".log"), names(&runtime, ".index")), (2, 2));
    assert_eq!(names(&runtime, ".log.deleted"), 2);
    assert_eq!(store.stats().removals_pending, 2);
    assert_eq!(store.stats().dropped_bytes, 2 * SEGMENT);
    world.run_for(delay);
    assert_eq!(names(&runtime, ".deleted"), 0);
    assert!(host.disk_bytes_used() + 2 * SEGMENT <= used, "the disk has its blocks back");
    world.run_until(log.advance_start(Offset(20))).expect("moved");
    world.run_for(Duration::from_secs(1));
    assert_eq!(names(&runtime, ".log.deleted"), 1);
    host.kill();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let state = open(&store, delay);
    assert_eq!((state.start_offset(), state.end_offset()), (Offset(20), Offset(20)));
    let leftovers = crate::storage::Leftovers { topics: Vec::new(), logs: vec![(ID, Offset(15))] };
    assert_eq!(world.run_until(leftovers.remove(&runtime, Path::new(DATA))), 1);
    assert_eq!((names(&runtime, ".log"), names(&runtime, ".deleted")), (1, 0));
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn memory_of_what_was_never_written_is_free_at_once() {
    let world = World::new(1, SimOptions::default());
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open(&store, Duration::ZERO);
    world.run_until(append_all(&runtime, &log, 0..40));
    let before = store.stats();
    assert!(before.memory_bytes >= 100 * KIB, "{before:?}");
    let terms = RetentionTerms { now_ms: 0, age_ms_max: None, bytes_max: Some(0) };
    world.run_until(log.expire(&terms)).expect("a well disk").expect("all of it");
    world.run_for(Duration::from_millis(10));
    let after = store.stats();
    assert_eq!((after.memory_bytes, after.removals_pending), (0, 0), "{after:?}");
    assert!(world.run_until(files(&runtime)).is_empty(), "nothing was written");
    assert_eq!(store.0.engine.held().0, 0, "no entry of an index stays");
    world.run_until(store.close()).expect("a clean stop");
}
