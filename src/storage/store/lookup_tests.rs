//! Looking up an offset by time while the log's start passes what is looked at, in the simulator.

use std::pin::Pin;
use std::time::Duration;

use super::model_tests::{append_acked, batch_of, start};
use crate::model::units::KIB;
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{Host, SimOptions, World};
use crate::runtime::sync::select2;
use crate::storage::{Log, LogConfig, LogReadError, Store, TimedOffset};

const BATCHES: i64 = 100;

type Found = Result<Option<TimedOffset>, LogReadError>;
type Look = for<'a> fn(&'a Log, Offset) -> Pin<Box<dyn Future<Output = Found> + 'a>>;

pub fn id() -> LogId {
    LogId { topic: TopicId([7; 16]), partition: PartitionIndex(0) }
}

pub fn open_log(store: &Store) -> Log {
    let config = LogConfig { segment_bytes: 64 * KIB as u32, ..LogConfig::default() };
    store.create(id(), "orders", config)
}

/// Fills a log with one record a batch and stops; gives the length of a batch.
pub async fn filled(runtime: &Runtime, timestamp: impl Fn(i64) -> i64) -> usize {
    let (store, _) = start(runtime).await;
    let log = open_log(&store);
    let mut bytes = 0;
    for number in 0..BATCHES {
        let batch = batch_of(timestamp(number), &[0; 3 * KIB]);
        bytes = batch.len();
        append_acked(runtime, &log, &batch).await.expect("room, and durable");
    }
    store.close().await.expect("a clean stop");
    bytes
}

/// A filled log after a start, with nothing of it in memory.
async fn reopened(host: &Host, timestamp: impl Fn(i64) -> i64) -> (Runtime, Store, Log) {
    let runtime = host.runtime();
    filled(&runtime, timestamp).await;
    let (store, _) = start(&runtime).await;
    let log = open_log(&store);
    assert_eq!(log.segment_count(), 5);
    (runtime, store, log)
}

/// Lets the start move into the third of five segments when the look-up has run for a while,
/// whatever while that is.
fn check(new_start: Offset, timestamp: impl Fn(i64) -> i64, look: Look) {
    let mut overtaken = 0;
    for step in 0..60 {
        let world = World::new(1, SimOptions::default());
        let host = world.host();
        let (runtime, store, log) = world.run_until(reopened(&host, &timestamp));
        let mut looking = look(&log, log.end_offset());
        let passes = runtime.sleep(step * Duration::from_micros(20));
        if let Some(found) = world.run_until(select2(&mut looking, passes)).left() {
            let found = found.expect("a look").expect("a record");
            assert_eq!(found.offset, Offset(0), "after {step} steps");
        } else {
            overtaken += 1;
            world.run_until(log.advance_start(new_start)).expect("a durable start");
            assert_eq!(log.segment_count(), 3);
            let found = world.run_until(looking).expect("a look").expect("a record");
            assert_eq!(found.offset, new_start, "after {step} steps");
            assert_eq!(found.timestamp, timestamp(new_start.0), "after {step} steps");
        }
        world.run_until(store.close()).expect("a clean stop");
    }
    assert!((3..60).contains(&overtaken), "{overtaken} look-ups were overtaken");
}

#[test]
fn a_look_up_by_time_begins_again_where_the_start_has_passed_it() {
    let since: Look = |log, end| Box::pin(log.offset_for_timestamp(1_000, end));
    check(Offset(50), |number| 1_000 + number, since);
    let largest: Look = |log, end| Box::pin(log.max_timestamp(end));
    check(Offset(40), |number| 9_000 - number, largest);
}
