//! Idle producers are forgotten in time, in the simulator's hours.

use std::time::Duration;

use super::model_tests::{append as append_batch, start};
use crate::model::{LogId, PartitionIndex, ProducerEpoch, ProducerId, TopicId};
use crate::record::{BatchBuilder, BatchOptions, ProducerFields};
use crate::runtime::Runtime;
use crate::runtime::sim::{SimOptions, World};
use crate::storage::{Log, LogConfig, Store};

const MINUTE: Duration = Duration::from_secs(60);

fn config() -> LogConfig {
    LogConfig { producer_expiration_ms: 3_600_000, ..LogConfig::default() }
}

fn open_log(store: &Store, partition: i32) -> Log {
    let id = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(partition) };
    store.create(id, "orders", config())
}

/// Appends a producer's first batch and waits until it is durable; whether it was a retry.
async fn append(runtime: &Runtime, log: &Log, producer: i64) -> bool {
    let producer =
        ProducerFields { id: ProducerId(producer), epoch: ProducerEpoch(0), base_sequence: 0 };
    let options = BatchOptions { producer: Some(producer), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.append(1_000, None, Some(b"value"), &[]);
    let batch = builder.finish();
    let appended = append_batch(runtime, log, &batch).await.expect("room");
    appended.ticket.wait().await.expect("durable");
    appended.duplicate
}

fn remembered(log: &Log) -> usize {
    log.0.core().producers.as_ref().map_or(0, |producers| producers.count())
}

#[test]
fn idle_producers_are_forgotten_in_logs_that_nobody_writes_to() {
    let world = World::new(1, SimOptions::default());
    let host = world.host();
    let runtime = host.runtime();
    let (store, _) = world.run_until(start(&runtime));
    let (busy, idle) = (open_log(&store, 0), open_log(&store, 1));
    for log in [&busy, &idle] {
        assert!(!world.run_until(append(&runtime, log, 1)));
    }
    world.run_for(45 * MINUTE);
    assert!(!world.run_until(append(&runtime, &busy, 2)));
    assert_eq!((remembered(&busy), remembered(&idle)), (2, 1));
    world.run_for(30 * MINUTE);
    assert_eq!((remembered(&busy), remembered(&idle)), (1, 0));
    assert!(world.run_until(append(&runtime, &busy, 2)), "it was never idle for an hour");
    world.run_until(store.close()).expect("a clean stop");

    // What a start finds is forgotten an hour later, and then nothing is left to look for.
    let (store, clean) = world.run_until(start(&runtime));
    let (busy, idle) = (open_log(&store, 0), open_log(&store, 1));
    assert!(clean);
    assert_eq!((remembered(&busy), remembered(&idle)), (1, 0));
    world.run_for(55 * MINUTE);
    assert_eq!(remembered(&busy), 1);
    world.run_until_quiet();
    assert_eq!(remembered(&busy), 0);
    assert!(!world.run_until(append(&runtime, &idle, 1)), "a forgotten producer is a new one");
    assert_eq!(remembered(&idle), 1);
    world.run_until(store.close()).expect("a clean stop");
}
