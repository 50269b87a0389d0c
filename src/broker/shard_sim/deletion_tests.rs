//! Deleting a topic holds nobody up: its files go when the write-behind lets them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::process::{DATA, Process, SharedImage};
use crate::metadata::commands::testing::image_of_brokers;
use crate::metadata::commands::{Command, CreateTopics, NewTopic, Reply, TopicReference};
use crate::model::units::KIB;
use crate::model::{LogId, PartitionIndex, TopicId};
use crate::record::{BatchBuilder, BatchOptions};
use crate::runtime::Lane;
use crate::runtime::sim::{Fault, Host, SimOptions, World};
use crate::runtime::sync::timeout;
use crate::shard::{Appends, Shard};
use crate::storage::directory::topics_dir;

const PARTITIONS: i32 = 8;
/// A record of whole blocks, which a pass writes, and one of which the journal takes many meanwhile.
const LARGE: usize = 5 * KIB;
const SMALL: usize = 100;
/// What anything takes that does not wait for a pass.
const SOON: Duration = Duration::from_millis(200);

struct Broker {
    world: World,
    host: Host,
    image: SharedImage,
    process: Process,
}

impl Broker {
    fn start(seed: u64) -> Broker {
        let world = World::new(seed, SimOptions::default());
        let host = world.host();
        let image: SharedImage = Rc::new(RefCell::new(image_of_brokers(1)));
        let process = world.run_until(Process::start(&host, image.clone(), 2));
        Broker { process: process.expect("an empty disk"), world, host, image }
    }

    fn soon<T>(&self, told: &str, work: impl Future<Output = T>) -> T {
        let done = self.world.run_until(timeout(&self.process.runtime, SOON, work));
        done.unwrap_or_else(|| panic!("{told} waits for the pass"))
    }

    fn command(&self, told: &str, command: Command) {
        let reply = self.soon(told, self.process.shards[0].command(command));
        let done = match reply.expect("a fair command") {
            Reply::CreateTopics(results) => results[0].result.is_ok(),
            Reply::DeleteTopics(results) => results[0].result.is_ok(),
            _ => false,
        };
        assert!(done, "{told}");
    }

    fn create(&self, name: &str) -> TopicId {
        let topic = NewTopic { partition_count: PARTITIONS, ..NewTopic::named(name) };
        let command = CreateTopics { topics: vec![topic], validate_only: false };
        self.command("a creation", Command::CreateTopics(command));
        self.image.borrow().topic_id(name).expect("it was created")
    }

    /// Appends a record of so many bytes to every partition, through `shard`, and gives the offsets.
    fn append(&self, shard: &Rc<Shard>, topic: TopicId, bytes: usize) -> Vec<i64> {
        let appended = async {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.append(1_000, None, Some(&vec![1; bytes]), &[]);
            let batch = builder.finish();
            let mut appends = Appends::new(shard, -1);
            for partition in 0..PARTITIONS {
                let log = LogId { topic, partition: PartitionIndex(partition) };
                appends.add(log, &batch, || batch.clone().into()).await;
            }
            appends.send().wait().await
        };
        let appended = self.soon("an append", appended);
        appended.into_iter().map(|one| one.expect("the disk is well").base_offset.0).collect()
    }

    fn has_files(&self, topic: TopicId) -> bool {
        let left = self.world.run_until(self.process.topics_on_disk()).expect("it lists");
        left.iter().any(|name| TopicId::parse(name) == Some(topic))
    }
}

#[test]
fn a_topic_is_deleted_during_a_slow_pass_and_all_else_goes_on() {
    for seed in 0..5 {
        let broker = Broker::start(seed);
        let (old, other) = (broker.create("old"), broker.create("other"));
        let shards = &broker.process.shards;
        for topic in [old, other] {
            assert_eq!(broker.append(&shards[0], topic, LARGE), [0; PARTITIONS as usize]);
        }
        let checkpoint = |shard: &Rc<Shard>| {
            let store = shard.store().clone();
            shard.runtime().spawn(Lane::Background, async move {
                store.checkpoint().await.expect("the disk is only slow");
            });
        };
        shards.iter().for_each(checkpoint);
        broker.world.run_for(Duration::from_secs(2));
        assert!(broker.has_files(old), "seed {seed}");
        // No log is idle, and cut, when the disk becomes slow.
        broker.append(&shards[0], old, LARGE);
        broker.append(&shards[0], other, LARGE);

        let faults = broker.host.faults();
        faults.set_scope(Some(topics_dir(DATA.as_ref())));
        faults.set_chance(Fault::SlowDisk, 1.0);
        shards.iter().for_each(checkpoint);
        broker.world.run_for(Duration::from_millis(5));
        let reference = TopicReference { name: None, id: old };
        broker.command("a deletion", Command::DeleteTopics(vec![reference]));
        for round in 1..4 {
            for shard in shards {
                broker.append(shard, other, SMALL);
            }
            assert_eq!(broker.append(&shards[0], other, SMALL)[0], 3 * round + 1, "seed {seed}");
        }
        // Its name is free at once, for a topic that has nothing of it.
        let again = broker.create("old");
        assert_eq!(
            broker.append(&shards[1], again, SMALL),
            [0; PARTITIONS as usize],
            "seed {seed}"
        );
        assert!(shards.iter().all(|shard| shard.store().log(&first_of(old)).is_none()));

        faults.clear();
        assert!(broker.has_files(old), "seed {seed}: the pass is not over");
        broker.world.run_for(Duration::from_secs(120));
        assert!(!broker.has_files(old), "seed {seed}");
        assert!(broker.world.run_until(broker.process.stop()), "seed {seed}: a clean stop");
    }
}

fn first_of(topic: TopicId) -> LogId {
    LogId { topic, partition: PartitionIndex(0) }
}
