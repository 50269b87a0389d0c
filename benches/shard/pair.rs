//! Two shards of one process, on a CPU each, with a topic of either durability spread over both.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use klamm::coordinator::group::GroupSettings;
use klamm::coordinator::partition::CoordinatorSettings;
use klamm::metadata::{ConfigResource, Partition, Record};
use klamm::model::topic_config::TopicDefaults;
use klamm::model::units::MIB;
use klamm::model::{BrokerId, LogId, PartitionIndex, ShardId, TopicId};
use klamm::runtime::mesh::{MeshPort, mesh};
use klamm::runtime::{ExecutorThread, Lane, Runtime};
use klamm::shard::{
    CoordinationSettings, Message, OffsetsTopic, Place, RetentionSettings, Settings, Shard, serve,
};
use klamm::storage::journal::JournalOptions;
use klamm::storage::{Store, StoreOptions};

use crate::cases::journal_options;
use crate::machine::thread;

/// Its records are on disk before they are acknowledged.
pub const DURABLE: TopicId = TopicId([1; 16]);
/// Its records are in the kernel's hands before they are acknowledged.
pub const RELAXED: TopicId = TopicId([2; 16]);

const SHARD_COUNT: u16 = 2;
const JOURNAL_FILE_BYTES: usize = 16 * MIB;
const MEMORY_BYTES: usize = 128 * MIB;

/// The partition of a topic that a shard owns.
pub fn partition(topic: TopicId, owner: i32) -> LogId {
    LogId { topic, partition: PartitionIndex(owner) }
}

/// Runs `cases` on shard 0 while shard 1 serves.
pub fn run<F: Future<Output = ()> + 'static>(
    spin: Duration,
    cases: impl FnOnce(Rc<Shard>, JournalOptions) -> F + Send + 'static,
) -> io::Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    // The last node is the control thread's, which has nothing to say here.
    let mut ports = mesh::<Message>(usize::from(SHARD_COUNT) + 1);
    let (_control, far, near) = (ports.pop(), ports.pop(), ports.pop());
    let far = start(1, spin, directory.path(), far.expect("three"), |shard, _| serve(shard))?;
    let near =
        start(0, spin, directory.path(), near.expect("three"), move |shard, options| async move {
            let serving = shard.clone();
            shard.runtime().spawn(Lane::Hot, serve(serving));
            let mesh = shard.mesh().clone();
            cases(shard, options).await;
            mesh.send(1, Message::Stop);
        })?;
    near.join()?;
    far.join()
}

fn start<F: Future<Output = ()> + 'static>(
    id: u16,
    spin: Duration,
    dir: &Path,
    port: MeshPort<Message>,
    life: impl FnOnce(Rc<Shard>, JournalOptions) -> F + Send + 'static,
) -> io::Result<ExecutorThread<()>> {
    let dir: PathBuf = dir.to_owned();
    thread(usize::from(id), spin, MEMORY_BYTES, move |runtime| async move {
        let options = journal_options(&dir, id, JOURNAL_FILE_BYTES);
        let shard = open(&runtime, ShardId(id), &dir, options.clone(), port).await;
        life(shard.clone(), options).await;
        shard.store().close().await.expect("the disk is well");
    })
}

async fn open(
    runtime: &Runtime,
    id: ShardId,
    dir: &Path,
    journal: JournalOptions,
    port: MeshPort<Message>,
) -> Rc<Shard> {
    let mesh = port.attach(runtime);
    let store = Store::open(runtime, StoreOptions::new(dir, journal), Vec::new()).await;
    let store = store.expect("the disk has room");
    let place = Place { id, shard_count: SHARD_COUNT };
    let shard = Shard::new(place, runtime.clone(), Rc::new(settings()), store, mesh);
    shard.apply(&metadata());
    shard
}

fn metadata() -> Vec<Record> {
    let mut records = Vec::new();
    for (id, name, flush_messages) in
        [(DURABLE, "durable", "1"), (RELAXED, "relaxed", "9223372036854775807")]
    {
        records.push(Record::Topic { id, name: name.into() });
        records.push(Record::Config {
            resource: ConfigResource::Topic(id),
            key: "flush.messages".into(),
            value: Some(flush_messages.into()),
        });
        records.extend((0..SHARD_COUNT).map(|shard| Record::Partition {
            topic: id,
            index: PartitionIndex(shard.into()),
            state: Partition { shard: Some(ShardId(shard)), ..Partition::fresh(vec![BrokerId(1)]) },
        }));
    }
    records
}

/// Settings of a broker without listeners, whose background work stays away.
fn settings() -> Settings {
    Settings {
        node_id: BrokerId(1),
        cluster_id: "bench".into(),
        rack: None,
        listeners: Vec::new(),
        auto_create_topics: false,
        request_bytes_max: MIB,
        fetch_bytes_max: MIB,
        fetch_session_slots: 0,
        described_partitions_max: 0,
        connection_idle_max: None,
        producer_expiration_ms: 86_400_000,
        connections_move_to_owner: false,
        slow_request: Duration::MAX,
        groups: CoordinationSettings {
            coordinator: CoordinatorSettings {
                group: GroupSettings::default(),
                offset_metadata_bytes_max: 4096,
                offsets_retention_ms: 604_800_000,
                batch_bytes_max: MIB,
            },
            bytes_max: MIB,
            offsets_check_interval: Duration::from_secs(600),
            snapshot_every_bytes: MIB,
            offsets_topic: OffsetsTopic {
                partition_count: 1,
                replication_factor: None,
                segment_bytes: MIB as u32,
            },
        },
        retention: RetentionSettings {
            initial_delay: Duration::from_secs(86_400),
            check_interval: Duration::from_secs(86_400),
        },
        topic_defaults: TopicDefaults::default(),
        broker_configs: Vec::new(),
    }
}
