//! Deleted logs are gone at once, stay gone, and give their files back, in the simulator.

use std::path::Path;
use std::time::Duration;

use super::model_tests::start;
use crate::model::units::KIB;
use crate::model::{LeaderEpoch, LogId, Offset, PartitionIndex, TopicId};
use crate::record::{BatchBuilder, BatchOptions};
use crate::runtime::Runtime;
use crate::runtime::sim::{SimOptions, World};
use crate::storage::directory::topics_dir;
use crate::storage::{AppendMode, LogConfig, Store};

/// More than go in one turn.
const LOGS: i32 = 150;

fn id(topic: u8, partition: i32) -> LogId {
    LogId { topic: TopicId([topic; 16]), partition: PartitionIndex(partition) }
}

async fn append(runtime: &Runtime, store: &Store, id: LogId) -> Offset {
    let log = store.create(id, "orders", LogConfig::default());
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(1_000, None, Some(&[1; 5 * KIB]), &[]);
    let batch = builder.finish();
    log.prepare_append(batch.len()).await.expect("room");
    let now_ms = runtime.wall_clock_ms();
    let mode = AppendMode { leader_epoch: LeaderEpoch(0), log_append_time: None, now_ms };
    let appended = log.append(&batch, mode).expect("an append");
    appended.ticket.wait().await.expect("durable");
    appended.base_offset
}

#[test]
fn many_logs_go_between_passes_and_stay_gone() {
    for seed in 0..6 {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        world.run_until(async {
            for partition in 0..LOGS {
                append(&runtime, &store, id(1, partition)).await;
            }
            append(&runtime, &store, id(2, 0)).await;
            store.checkpoint().await.expect("a checkpoint");
        });
        let mut deleted: Vec<_> =
            (0..LOGS).map(|partition| store.delete(id(1, partition))).collect();
        assert_eq!(store.log_ids(), [id(2, 0)], "nobody finds them any more");
        world.run_until(async {
            // A checkpoint that lacks them comes before their files are gone.
            store.checkpoint().await.expect("a checkpoint");
            // Their topic's name is free.
            assert_eq!(append(&runtime, &store, id(3, 0)).await, Offset(0));
            if seed % 3 == 0 {
                for deleted in deleted.drain(..) {
                    deleted.await.expect("a well disk");
                }
                let left = runtime.disk().list_dir(&topics_dir(Path::new("/data"))).await;
                let left = left.expect("it lists");
                assert!(!left.iter().any(|entry| entry.name == id(1, 0).topic.to_string()));
            }
        });
        match seed % 3 {
            0 => world.run_for(Duration::from_secs(5)),
            1 => host.kill(),
            _ => host.power_loss(),
        }
        if seed % 3 == 0 {
            world.run_until(store.close()).expect("a clean stop");
            host.kill();
        }
        let runtime = host.runtime();
        let (store, _) = world.run_until(start(&runtime));
        assert_eq!(store.log_ids(), [id(2, 0), id(3, 0)], "seed {seed}");
    }
}
