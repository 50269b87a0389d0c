//! Deleted logs are gone at once, stay gone, and give their files back, in the simulator.

use std::path::Path;
use std::time::Duration;

use super::model_tests::{append_acked, batch_of, start};
use crate::model::units::KIB;
use crate::model::{LogId, Offset, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::sim::{SimOptions, World};
use crate::storage::directory::topics_dir;
use crate::storage::{LogConfig, Store};

/// More than go in one turn.
const LOGS: i32 = 150;

fn id(topic: u8, partition: i32) -> LogId {
    LogId { topic: TopicId([topic; 16]), partition: PartitionIndex(partition) }
}

async fn append(runtime: &Runtime, store: &Store, id: LogId) -> Offset {
    let log = store.create(id, "orders", LogConfig::default());
    append_acked(runtime, &log, &batch_of(1_000, &[1; 5 * KIB])).await.expect("room, and durable")
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
