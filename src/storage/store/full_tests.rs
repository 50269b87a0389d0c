//! A full disk refuses appends and nothing else, is tried again, and loses nothing, in the simulator.

use std::time::Duration;

use super::model_tests::{append_acked, batch_of, start, start_with};
use crate::model::units::KIB;
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{Fault, SimOptions, World};
use crate::storage::{Log, LogAppendError, LogConfig, Store};

/// More than the disk has room for.
const APPENDS_MAX: u32 = 1_000;

fn open_log(store: &Store) -> Log {
    open_numbered(store, 0)
}

fn open_numbered(store: &Store, number: i32) -> Log {
    let id = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(number) };
    let config = LogConfig { segment_bytes: 64 * KIB as u32, ..LogConfig::default() };
    store.create(id, "orders", config)
}

async fn append(runtime: &Runtime, log: &Log) -> Result<(), LogAppendError> {
    append_acked(runtime, log, &batch_of(1_000, &[1; 3 * KIB])).await.map(drop)
}

/// Appends more than a block, which a pass does not leave in memory alone.
fn append_block(world: &World, runtime: &Runtime, log: &Log) {
    for _ in 0..2 {
        world.run_until(append(runtime, log)).expect("there is room");
    }
}

async fn read_all(log: &Log) -> Offset {
    let end = log.end_offset();
    let mut next = log.start_offset();
    while next < end {
        let read = log.read(next, 64 * KIB, end, true).await.expect("readers go on");
        assert!(read.next > next, "nothing at {next}");
        next = read.next;
    }
    next
}

#[test]
fn appends_are_refused_until_there_is_space_and_all_is_kept() {
    for seed in 0..20 {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        let log = open_log(&store);
        let mut kept = 0;
        for _ in 0..2 {
            host.set_disk_capacity(host.disk_bytes_used() + (20 + seed * 7) * KIB as u64);
            let refused = world.run_until(async {
                for _ in 0..APPENDS_MAX {
                    if let Err(error) = append(&runtime, &log).await {
                        return error;
                    }
                    kept += 1;
                    // A pass that finds no space fails; what is in the journal does not.
                    let _ = store.checkpoint().await;
                }
                panic!("the disk is never full");
            });
            assert_eq!(refused, LogAppendError::DiskFull, "seed {seed}");
            assert!(store.is_full() && store.failure().is_none(), "seed {seed}");
            assert_eq!(world.run_until(read_all(&log)), Offset(kept));
            // Tried again meanwhile: a log that is idle may just fit, the next appends never do.
            world.run_for(Duration::from_secs(5));
            assert!(store.failure().is_none(), "seed {seed}");
            host.set_disk_capacity(u64::MAX);
            world.run_for(Duration::from_secs(3));
            assert!(!store.is_full(), "seed {seed}: there is space again");
            world.run_until(append(&runtime, &log)).expect("it goes on");
            kept += 1;
        }
        let full = world.fault_count(Fault::DiskFull);
        assert!(full >= 2, "seed {seed}: each round finds the disk full, not {full} in all");
        host.set_disk_capacity(host.disk_bytes_used());
        if seed % 2 == 0 {
            host.kill();
        } else {
            host.power_loss();
        }
        host.set_disk_capacity(u64::MAX);
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        let log = open_log(&store);
        assert_eq!(log.end_offset(), Offset(kept), "seed {seed}: what was acknowledged is there");
        assert_eq!(world.run_until(read_all(&log)), Offset(kept));
    }
}

#[test]
fn what_cannot_be_opened_is_tried_again() {
    for seed in 0..10 {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        let logs: Vec<Log> = (0..40).map(|number| open_numbered(&store, number)).collect();
        let append_all = || {
            for log in &logs {
                append_block(&world, &runtime, log);
            }
        };
        append_all();
        host.faults().set_scope(Some("/data/topics".into()));
        if seed % 2 == 0 {
            host.faults().set_chance(Fault::NoDescriptor, 1.0);
        } else {
            // One of a few, of which each is tried twice.
            host.faults().set_chance(Fault::NoDescriptor, 0.5);
        }
        world.run_until(store.checkpoint()).expect_err("no descriptor");
        assert!(store.is_full() && store.failure().is_none(), "seed {seed}");
        let refused = world.run_until(append(&runtime, &logs[0])).expect_err("it is refused");
        assert_eq!(refused, LogAppendError::DiskFull, "seed {seed}");
        host.faults().clear();
        world.run_for(Duration::from_secs(3));
        assert!(!store.is_full(), "seed {seed}: they can be opened again");
        append_all();
        world.run_until(store.checkpoint()).expect("all is well");
        if seed % 3 == 0 {
            host.kill();
        } else {
            host.power_loss();
        }
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        for number in 0..40 {
            assert_eq!(open_numbered(&store, number).end_offset(), Offset(4), "seed {seed}");
        }
    }
}

#[test]
fn many_files_are_written_with_few_open() {
    let world = World::new(1, SimOptions::instant());
    let host = world.host();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start_with(&runtime, 16));
    // More than are synced one by one.
    let count = 1_200;
    let logs: Vec<Log> = (0..count).map(|number| open_numbered(&store, number)).collect();
    for round in 1..=2 {
        for (number, log) in logs.iter().enumerate() {
            append_block(&world, &runtime, log);
            if round == 1 && number == 600 {
                world.run_until(store.checkpoint()).expect("each is synced");
            }
        }
        host.take_open_files_most();
        world.run_until(store.checkpoint()).expect("all are synced");
        // Those that stay open, those that are being synced, the journal's and a few more.
        let most = host.take_open_files_most();
        assert!((16..60).contains(&most), "{most} files are open");
    }
    host.power_loss();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    for number in 0..count {
        assert_eq!(open_numbered(&store, number).end_offset(), Offset(4), "log {number}");
    }
}

#[test]
fn a_sync_that_fails_is_not_tried_again() {
    let world = World::new(3, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let log = open_log(&store);
    let syncs = |world: &World| world.fault_count(Fault::SyncError);
    let mut kept = 0;
    while store.failure().is_none() {
        if world.run_until(append(&runtime, &log)).is_ok() {
            kept += 1;
        }
        if kept == 5 {
            host.faults().strike_after(Fault::SyncError, 0);
        }
        let _ = world.run_until(store.checkpoint());
    }
    assert_eq!(syncs(&world), 1, "it has struck once, and the disk is well again");
    world.run_for(Duration::from_secs(60));
    let refused = world.run_until(append(&runtime, &log)).expect_err("never again");
    assert!(matches!(refused, LogAppendError::Storage(_)), "{refused}");
    host.kill();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let end = open_log(&store).end_offset();
    assert!(end >= Offset(kept), "{end} of {kept}");
}
