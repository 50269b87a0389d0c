//! Batches that go past the journal: which ones do, what becomes of them at faults, in the simulator.

use std::path::Path;
use std::time::Duration;

use super::model_tests::{DATA, append_acked, batch_of, recover, start};
use crate::model::units::{BLOCK, KIB, MIB};
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{Fault, Host, SimOptions, World};
use crate::storage::checkpoint::{self, CheckpointName};
use crate::storage::directory::{DirectoryId, segment_path};
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::{Log, LogConfig, Store, StoreOptions};

/// More than `bypass_bytes_min` of these stores.
const LARGE: usize = 5 * BLOCK;

fn id() -> LogId {
    LogId { topic: TopicId([7; 16]), partition: PartitionIndex(0) }
}

fn open_log(store: &Store) -> Log {
    let config = LogConfig { segment_bytes: 4 * MIB as u32, ..LogConfig::default() };
    store.create(id(), "orders", config)
}

/// Appends one batch with a value of so many bytes; what is returned is whether it was acknowledged.
async fn append(runtime: &Runtime, log: &Log, bytes: usize) -> bool {
    append_acked(runtime, log, &batch_of(1_000, &vec![9; bytes])).await.is_ok()
}

/// A store whose log has a segment that is ready.
fn ready(world: &World, host: &Host) -> (Runtime, Store, Log) {
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open_log(&store);
    assert!(world.run_until(append(&runtime, &log, LARGE)));
    world.run_for(Duration::from_millis(100));
    assert_eq!(store.stats().bypassed_bytes, 0, "the first one comes before its segment is ready");
    (runtime, store, log)
}

#[test]
fn large_batches_of_durable_topics_are_written_once() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let (runtime, store, log) = ready(&world, &host);
    let frame_bytes = || store.stats().journal.frame_bytes;
    let before = frame_bytes();
    for _ in 0..50 {
        assert!(world.run_until(append(&runtime, &log, LARGE)));
    }
    let took = frame_bytes() - before;
    assert!(took <= 50 * 2 * BLOCK as u64, "{took} bytes of journal");
    let bypassed = store.stats().bypassed_bytes;
    assert!(bypassed >= 50 * LARGE as u64, "{bypassed}");

    assert!(world.run_until(append(&runtime, &log, KIB)));
    log.set_config(LogConfig { flush_messages: u64::MAX, ..log.config() });
    assert!(world.run_until(append(&runtime, &log, LARGE)));
    assert_eq!(store.stats().bypassed_bytes, bypassed, "neither small nor relaxed ones");

    host.power_loss();
    let (store, clean) = world.run_until(start(&host.runtime()));
    assert!(!clean && open_log(&store).end_offset() >= Offset(52));
    world.run_until(store.close()).expect("a clean stop");
}

/// A store with a journal so large that no pass comes before 8 MiB are in it.
async fn start_without_passes(runtime: &Runtime) -> Store {
    let dir = Path::new(DATA);
    recover(runtime).await;
    let identity = JournalIdentity { directory: DirectoryId([7; 16]), slot: 0, epoch: 1 };
    let base = CheckpointName::base(identity.epoch);
    checkpoint::write(runtime, dir, base, false, &[]).await.expect("a base");
    let journal = JournalOptions::new(dir, identity, 0).with_files(4 * MIB as u64, 4);
    let mut options = StoreOptions::new(dir, journal);
    options.bypass_bytes_min = BLOCK;
    Store::open(runtime, options, Vec::new()).await.expect("a store")
}

#[test]
fn a_batch_behind_which_much_waits_takes_the_usual_way() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    let store = world.run_until(start_without_passes(&runtime));
    let log = open_log(&store);
    log.set_config(LogConfig { segment_bytes: 64 * MIB as u32, ..log.config() });
    let bypasses = || {
        let before = store.stats().bypassed_bytes;
        assert!(world.run_until(append(&runtime, &log, LARGE)));
        world.run_for(Duration::from_millis(100));
        store.stats().bypassed_bytes > before
    };
    assert_eq!([bypasses(), bypasses()], [false, true]);
    for _ in 0..1_500 {
        assert!(world.run_until(append(&runtime, &log, 3 * KIB)));
    }
    assert_eq!(store.stats().checkpoints, 0);
    assert_eq!([bypasses(), bypasses()], [false, false], "more than four times a MiB waits");
    world.run_until(store.checkpoint()).expect("a checkpoint");
    assert_eq!([bypasses(), bypasses()], [true, true]);
    world.run_until(store.close()).expect("a clean stop");
}

/// A value whose batch is exactly so many bytes.
fn value_for(batch_bytes: usize) -> usize {
    let bytes_of = |value: &usize| batch_of(1_000, &vec![9; *value]).len();
    (0..batch_bytes).rev().find(|value| bytes_of(value) == batch_bytes).expect("a value")
}

#[test]
fn a_segment_that_was_filled_past_the_journal_hides_no_other_from_a_pass() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open_log(&store);
    log.set_config(LogConfig { segment_bytes: 2 * LARGE as u32, ..log.config() });
    let whole = value_for(LARGE);
    // The first segment gets an end that only a pass writes; the second is filled to its last block by what goes past
    // the journal, and has no space to spare.
    for bytes in [whole, 3 * KIB, whole, whole, whole] {
        assert!(world.run_until(append(&runtime, &log, bytes)));
        world.run_for(Duration::from_millis(100));
    }
    assert_eq!(log.segment_count(), 3);
    assert_eq!(store.stats().bypassed_bytes, 2 * LARGE as u64);
    world.run_until(store.checkpoint()).expect("a checkpoint");
    let first = segment_path(Path::new(DATA), id(), Offset(0));
    let written = world.run_until(runtime.disk().read_whole(&first, MIB)).expect("the file");
    assert!(written.len() > LARGE + 3 * KIB, "{} bytes", written.len());
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn a_segment_that_cannot_be_made_ready_leaves_them_to_the_journal() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let (runtime, store, log) = ready(&world, &host);
    // Enough for what is appended, and not for a step of what is set aside.
    host.set_disk_capacity(host.disk_bytes_used() + 700 * KIB as u64);
    for _ in 0..60 {
        assert!(world.run_until(append(&runtime, &log, LARGE)));
        world.run_for(Duration::from_millis(100));
    }
    let stats = store.stats();
    let appended = 60 * LARGE as u64;
    assert!(stats.bypassed_bytes < appended, "{stats:?}");
    assert!(!store.is_full() && store.failure().is_none());
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn a_disk_that_is_full_has_the_space_that_was_set_aside() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let (runtime, store, log) = ready(&world, &host);
    // What the segment has so far is only in the journal, and is written with the batch.
    host.set_disk_capacity(host.disk_bytes_used());
    assert!(world.run_until(append(&runtime, &log, LARGE)));
    assert!(store.stats().bypassed_bytes > 0 && !store.is_full());
    host.set_disk_capacity(u64::MAX);
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn what_a_failed_sync_left_to_the_disk_is_written_again() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let (runtime, _, log) = ready(&world, &host);
    host.faults().set_scope(Some(segment_path(Path::new(DATA), id(), Offset(0))));
    host.faults().set_chance(Fault::SyncError, 1.0);
    assert!(!world.run_until(append(&runtime, &log, LARGE)));
    host.faults().clear();
    // Its bytes can be read, and no sync of the file will ever have the disk keep them.
    host.kill();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open_log(&store);
    assert_eq!(log.end_offset(), Offset(2), "the batch has arrived");
    assert!(world.run_until(append(&runtime, &log, KIB)));
    host.power_loss();
    let (store, _) = world.run_until(start(&host.runtime()));
    let log = open_log(&store);
    assert_eq!(log.end_offset(), Offset(3));
    let read = world.run_until(log.read(Offset(1), MIB, Offset(3), true)).expect("all is there");
    assert_eq!(read.next, Offset(3));
    world.run_until(store.close()).expect("a clean stop");
}

#[test]
fn an_error_of_a_write_past_the_journal_fails_the_directory() {
    for fault in [Fault::WriteError, Fault::SyncError] {
        let world = World::new(1, SimOptions::default());
        let host = world.host();
        let (runtime, store, log) = ready(&world, &host);
        let segment = segment_path(Path::new(DATA), id(), Offset(0));
        host.faults().set_scope(Some(segment));
        host.faults().set_chance(fault, 1.0);
        assert!(!world.run_until(append(&runtime, &log, LARGE)), "{fault:?} is not acknowledged");
        assert!(store.failure().is_some());
        host.faults().clear();
        host.power_loss();
        let (store, _) = world.run_until(start(&host.runtime()));
        assert!(open_log(&store).end_offset() >= Offset(1));
        world.run_until(store.close()).expect("a clean stop");
    }
}
