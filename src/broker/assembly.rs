//! A broker put together on one machine, real or simulated: metadata, logs, shards, and its end.

use std::net::SocketAddr;
use std::rc::Rc;

use rustc_hash::FxHashSet;
use tracing::{error, info};

use crate::broker::control::{Broadcast, Control, Ending};
use crate::broker::descriptors::Descriptors;
use crate::broker::settings;
use crate::broker::shard_thread::ShardStart;
use crate::broker::start_error::StartError;
use crate::config::BrokerConfig;
use crate::controller::{Controller, ControllerOptions};
use crate::metadata::commands::{BrokerStart, Command};
use crate::metadata::{Image, Topic, snapshot};
use crate::model::limits::PARTITIONS_PER_REQUEST_MAX;
use crate::model::topic_config::{TopicConfig, TopicDefaults};
use crate::model::{LogId, PartitionIndex, ShardId, TopicId};
use crate::runtime::mesh::{self, MeshPort};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::{Lane, Runtime};
use crate::server::ConnectionQuota;
use crate::shard::{AdvertisedListener, Message, Place, owner};
use crate::storage::directory::{self, DataDirectory};
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::log::{LogState, ReplayReport};
use crate::storage::superblock::Superblock;
use crate::storage::{RecoverOptions, Recovered, StoreOptions, has_served, recover};

/// A broker that serves, seen from its control thread.
pub struct Assembly {
    runtime: Runtime,
    directory: DataDirectory,
    /// What the control thread does.
    pub control: Rc<Control>,
    /// What the start has found; the logs are with their shards.
    pub recovered: Recovered,
}

impl Assembly {
    /// Recovers the directory, starts the shards by `start_shards`, and returns when all serve. They
    /// open no more than `descriptors` together.
    ///
    /// # Errors
    /// One sentence for the first thing that prevents the start.
    pub async fn start<T>(
        runtime: &Runtime,
        config: &BrokerConfig,
        directory: DataDirectory,
        bound: Vec<SocketAddr>,
        descriptors: Descriptors,
        start_shards: impl FnOnce(Vec<ShardStart>) -> Result<T, StartError>,
    ) -> Result<(Assembly, T), StartError> {
        let shard_count = config.shard_cpus.len();
        let mut ports = mesh::mesh::<Message>(shard_count + 1);
        let port = ports.pop().expect("the mesh has a port for each shard and the control thread");
        let mesh = Rc::new(port.attach(runtime));
        let broadcast = Broadcast::new(mesh.clone(), shard_count);
        let told = settings::advertised(config, &bound);
        let controller = start_controller(runtime, config, &directory, &told, &broadcast).await?;
        let mut recovered = recover_logs(runtime, config, &directory, &controller).await?;
        let logs = std::mem::take(&mut recovered.logs);
        let quota = settings::quota(config, descriptors.connections_max);
        let starts = divide(
            config,
            &controller,
            logs,
            recovered.epoch,
            &directory,
            told,
            bound,
            ConnectionQuota::new(quota),
            descriptors.open_segments_max,
            ports,
        );
        let shards = start_shards(starts)?;
        let early = wait_started(&mesh, shard_count).await?;
        let control = Control::new(runtime.clone(), controller, broadcast);
        early.into_iter().for_each(|(shard, message)| control.take(shard, message));
        runtime.spawn(Lane::Hot, control.clone().receive());
        let (cleaner, dir) = (runtime.clone(), config.data_dir.clone());
        let leftovers = recovered.leftovers.clone();
        runtime.spawn(Lane::Background, async move {
            leftovers.remove(&cleaner, &dir).await;
        });
        Ok((Assembly { runtime: runtime.clone(), directory, control, recovered }, shards))
    }

    /// Stops the shards and the controller in order; says on disk that all is in its place, if it
    /// is, when `joined` has seen the shards' threads end.
    ///
    /// # Errors
    /// If the superblock cannot be written.
    pub async fn stop(self, joined: impl Future<Output = ()>) -> Result<Ending, StartError> {
        let ending = self.control.stop().await;
        // A shard that has not stopped may never end.
        if ending == Ending::Clean {
            joined.await;
            let (path, id) = (&self.directory.path, self.directory.meta.directory_id);
            match Superblock::read(&self.runtime, path, id).await? {
                Some(last) => {
                    last.next(self.recovered.epoch, true).write(&self.runtime, path).await?;
                }
                None => error!(
                    "the superblock is gone: the next start will refuse; was the data directory removed?"
                ),
            }
        }
        Ok(ending)
    }
}

async fn recover_logs(
    runtime: &Runtime,
    config: &BrokerConfig,
    directory: &DataDirectory,
    controller: &Controller,
) -> Result<Recovered, StartError> {
    let options = RecoverOptions {
        dir: config.data_dir.clone(),
        directory: directory.meta.directory_id,
        slot_count: config.shard_cpus.len() as u16,
        known: known_logs(&controller.image()),
        tails_max: settings::tails_max(config),
        removed: Some(controller.removed_before().clone()),
    };
    let recovered =
        recover(runtime, &options).await.map_err(|error| StartError::Recover(error.to_string()))?;
    let (logs, clean) = (recovered.logs.len(), recovered.clean);
    let ReplayReport { applied, segments, bytes, tails, deleted, read_back, not_arrived, .. } =
        recovered.report;
    info!(
        logs,
        clean,
        applied,
        segments,
        bytes,
        tails,
        deleted,
        read_back,
        not_arrived,
        "storage recovered"
    );
    #[cfg(test)]
    if is_planted(Planted::KeepEpoch) {
        return Ok(recovered);
    }
    if !recovered.clean {
        raise_leader_epochs(controller, &config.topic_defaults).await?;
    }
    Ok(recovered)
}

/// Where an acknowledgement comes before the disk has the record, a power failure may have taken
/// what readers have seen: they learn of it by the leader epoch.
async fn raise_leader_epochs(
    controller: &Controller,
    defaults: &TopicDefaults,
) -> Result<(), StartError> {
    let relaxed = relaxed_logs(&controller.image(), defaults);
    for logs in relaxed.chunks(PARTITIONS_PER_REQUEST_MAX) {
        let raised = controller.submit(Command::RaiseLeaderEpochs(logs.to_vec())).await;
        raised.map_err(|error| StartError::Controller(error.to_string()))?;
    }
    Ok(())
}

/// The partitions that may have served what is not durable.
pub fn relaxed_logs(image: &Image, defaults: &TopicDefaults) -> Vec<LogId> {
    let topics = image.topics().filter(|(_, topic)| {
        // One that does not resolve keeps the defaults.
        let config = TopicConfig::resolve(defaults, topic.configs());
        !config.as_ref().unwrap_or(defaults.config()).is_durable()
    });
    topics.flat_map(|(topic, found)| logs_of(topic, found)).collect()
}

fn logs_of(topic: TopicId, found: &Topic) -> impl Iterator<Item = LogId> + use<> {
    let count = found.partitions().len() as i32;
    (0..count).map(move |partition| LogId { topic, partition: PartitionIndex(partition) })
}

async fn start_controller(
    runtime: &Runtime,
    config: &BrokerConfig,
    directory: &DataDirectory,
    told: &[AdvertisedListener],
    broadcast: &Rc<Broadcast>,
) -> Result<Controller, StartError> {
    let served_before = has_served(runtime, &config.data_dir).await;
    let served_before = served_before.map_err(|error| StartError::Recover(error.to_string()))?;
    let incarnation = (u128::from(runtime.random()) << 64) | u128::from(runtime.random());
    let options = ControllerOptions {
        dir: directory::metadata_dir(&config.data_dir),
        directory: directory.meta.directory_id,
        served_before,
        broker: BrokerStart {
            cluster_id: directory.meta.cluster_id.clone(),
            broker: settings::registration(config, told, incarnation),
            metadata_version: METADATA_VERSION,
        },
        settings: settings::of_commands(config),
    };
    let broadcast = broadcast.clone();
    let on_committed = move |index, records: &[_]| broadcast.send(index, records);
    let started = Controller::start(runtime, options, on_committed).await;
    started.map_err(|error| StartError::Controller(error.to_string()))
}

/// The `metadata.version` of Kafka whose semantics are served (4.4-IV2).
const METADATA_VERSION: i16 = 33;

/// Every partition that the metadata knows; recovery drops the logs of all others.
pub fn known_logs(image: &Image) -> FxHashSet<LogId> {
    image.topics().flat_map(|(topic, found)| logs_of(topic, found)).collect()
}

/// Gives each shard the logs that it owns and its way into the mesh.
#[expect(clippy::too_many_arguments, reason = "the one place where everything meets")]
fn divide(
    config: &BrokerConfig,
    controller: &Controller,
    logs: Vec<LogState>,
    epoch: u64,
    directory: &DataDirectory,
    told: Vec<AdvertisedListener>,
    bound: Vec<SocketAddr>,
    quota: ConnectionQuota,
    open_segments_max: usize,
    ports: Vec<MeshPort<Message>>,
) -> Vec<ShardStart> {
    let shard_count = config.shard_cpus.len() as u16;
    let image = controller.image();
    let shard_settings = settings::of_shards(config, &directory.meta.cluster_id, told);
    let metadata = snapshot(&image);
    let mut starts: Vec<ShardStart> = ports
        .into_iter()
        .enumerate()
        .map(|(shard, port)| ShardStart {
            place: Place { id: ShardId(shard as u16), shard_count },
            settings: shard_settings.clone(),
            store: StoreOptions {
                open_segments_max,
                ..store_options(config, directory, epoch, shard as u16)
            },
            logs: Vec::new(),
            metadata: metadata.clone(),
            addresses: bound.clone(),
            quota: quota.clone(),
            port,
        })
        .collect();
    for log in logs {
        let named = image.partition(&log.id).and_then(|partition| partition.shard);
        starts[usize::from(owner(log.id, named, shard_count).0)].logs.push(log);
    }
    starts
}

/// How a shard opens its slot of the data directory, with its share of `journal.bytes`.
fn store_options(
    config: &BrokerConfig,
    directory: &DataDirectory,
    epoch: u64,
    slot: u16,
) -> StoreOptions {
    let identity = JournalIdentity { directory: directory.meta.directory_id, slot, epoch };
    let bytes = config.journal_bytes / config.shard_cpus.len() as u64;
    let journal = JournalOptions::new(&config.data_dir, identity, bytes);
    StoreOptions {
        keeps_reserve: true,
        bypass_bytes_min: config.journal_bypass_bytes as usize,
        ..StoreOptions::new(&config.data_dir, journal)
    }
}

/// Waits until every shard serves; gives what those that already do have asked for meanwhile.
async fn wait_started(
    mesh: &mesh::Mesh<Message>,
    shard_count: usize,
) -> Result<Vec<(usize, Message)>, StartError> {
    let mut early = Vec::new();
    let mut waiting = shard_count;
    while waiting > 0 {
        let (shard, message) = mesh.recv().await;
        match message {
            Message::Started(Ok(())) => waiting -= 1,
            Message::Started(Err(reason)) => return Err(StartError::Shard { shard, reason }),
            Message::Failed(reason) => return Err(StartError::Shard { shard, reason }),
            other => early.push((shard, other)),
        }
    }
    Ok(early)
}
