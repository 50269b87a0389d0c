//! What a store holds follows what there is, not what there was, in the simulator.

use std::time::Duration;

use super::model_tests::{append_acked, batch_of, start};
use crate::model::units::{KIB, MIB};
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{SimOptions, World};
use crate::runtime::sync::timeout;
use crate::storage::{Log, LogConfig, Store};

/// More than a queue may hold of a few segments.
const ROUNDS: u64 = 400;
const HELD_MAX: usize = 130;

fn open_log(store: &Store, topic: u64) -> Log {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&topic.to_be_bytes());
    let id = LogId { topic: TopicId(id), partition: PartitionIndex(0) };
    let config = LogConfig {
        segment_bytes: 16 * KIB as u32,
        file_delete_delay: Duration::from_secs(1),
        ..LogConfig::default()
    };
    store.create(id, "orders", config)
}

async fn append(runtime: &Runtime, log: &Log) {
    append_acked(runtime, log, &batch_of(1_000, &[0; 3 * KIB])).await.expect("room, and durable");
}

fn assert_small(store: &Store, entries_max: usize) {
    let (entries, indexes, caches) = store.0.engine.held();
    assert!(entries <= entries_max, "{entries} entries of indexes");
    assert!(indexes <= HELD_MAX && caches <= HELD_MAX, "{indexes} indexes, {caches} caches");
}

#[test]
fn a_log_that_is_deleted_leaves_nothing_behind() {
    let world = World::new(1, SimOptions::instant());
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    for topic in 0..ROUNDS {
        world.run_until(async {
            let log = open_log(&store, topic);
            append(&runtime, &log).await;
            store.checkpoint().await.expect("a checkpoint");
            store.delete(log.id()).await.expect("deleted");
        });
    }
    assert_small(&store, 0);
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn segments_that_go_and_passes_that_come_leave_nothing_behind() {
    let world = World::new(1, SimOptions::instant());
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open_log(&store, 0);
    for _ in 0..ROUNDS {
        world.run_until(append(&runtime, &log));
        // Long enough for the idle pass to write and cut it.
        world.run_for(Duration::from_secs(10));
        let start = Offset(log.end_offset().0 - 1);
        world.run_until(log.advance_start(start)).expect("a durable start");
    }
    assert!(log.segment_count() <= 2, "{} segments", log.segment_count());
    world.run_for(Duration::from_secs(2));
    assert_eq!(store.stats().removals_pending, 0);
    assert!(store.stats().open_segments <= 2, "{:?}", store.stats());
    assert_small(&store, 4);
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn a_log_whose_own_caches_take_all_memory_gives_them_up_for_its_appends() {
    let world = World::new(1, SimOptions { arena_bytes: MIB, ..SimOptions::instant() });
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    for (topic, segment_bytes) in [(0, 16 * KIB), (1, 64 * MIB)] {
        let log = open_log(&store, topic);
        log.set_config(LogConfig { segment_bytes: segment_bytes as u32, ..LogConfig::default() });
        // Three times as much as there is memory.
        let all = async {
            for _ in 0..1_000 {
                append(&runtime, &log).await;
            }
        };
        let took = world.run_until(timeout(&runtime, Duration::from_secs(1), all));
        assert!(took.is_some(), "{segment_bytes}: stuck at {}", log.end_offset());
    }
    world.run_until(store.close()).expect("a clean stop");
}

/// Reads whole batches of a log one read after the other, and gives how many bytes that were.
async fn read(log: &Log, from: i64, reads: usize) -> usize {
    let (mut next, mut bytes) = (Offset(from), 0);
    for _ in 0..reads {
        let read = log.read(next, 256 * KIB, log.readable_end(), true).await.expect("a read");
        (next, bytes) = (read.next, bytes + read.len());
    }
    bytes
}

#[test]
fn caches_grow_only_by_what_a_reader_has_missed() {
    let world = World::new(1, SimOptions { arena_bytes: 16 * MIB, ..SimOptions::instant() });
    let runtime = world.host().runtime();
    let (store, _) = world.run_until(start(&runtime));
    let arena = runtime.arena();
    let quota = arena.quota();
    assert!((2 * MIB..8 * MIB).contains(&quota), "{quota} bytes");
    let log = open_log(&store, 0);
    log.set_config(LogConfig { segment_bytes: 64 * MIB as u32, ..LogConfig::default() });
    let append_bytes = |bytes: usize| {
        world.run_until(async {
            for _ in 0..bytes / (3 * KIB) {
                append(&runtime, &log).await;
            }
        });
    };
    append_bytes(32 * MIB);
    assert_eq!(arena.bytes_touched(), quota, "what nobody reads takes no fresh memory");
    // Further back than all of the memory reaches.
    world.run_until(read(&log, 0, 4));
    append_bytes(4 * MIB);
    assert_eq!(arena.bytes_touched(), quota);
    // What the whole of the memory would have kept.
    let missed = world.run_until(read(&log, log.end_offset().0 - 8 * 1024 / 3, 4));
    append_bytes(4 * MIB);
    let grown = arena.bytes_touched() - quota;
    assert!((missed / 2..=missed + MIB).contains(&grown), "{grown} for {missed} bytes");
    world.run_until(store.close()).expect("a clean stop");
}
