//! Starting and stopping a broker: each step in order, each failure one sentence with its remedy.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashSet;
use thiserror::Error;
use tracing::{error, info, warn};

use crate::admin::{self, AdminChannel};
use crate::broker::addresses::{self, AddressError};
use crate::broker::control::{Broadcast, Control, Ending};
use crate::broker::settings;
use crate::broker::shard_thread::{self, ShardStart};
use crate::config::BrokerConfig;
use crate::controller::{Controller, ControllerOptions};
use crate::metadata::commands::{BrokerStart, Command};
use crate::metadata::{Image, Topic, snapshot};
use crate::model::limits::{PARTITIONS_PER_REQUEST_MAX, SHARD_COUNT_MAX};
use crate::model::topic_config::{TopicConfig, TopicDefaults};
use crate::model::units::MIB;
use crate::model::{LogId, PartitionIndex, ShardId, TopicId};
use crate::runtime::mesh::{self, MeshPort};
use crate::runtime::process::{Unfit, probe_directory, probe_ring};
use crate::runtime::sync::select2;
use crate::runtime::topology::Device;
use crate::runtime::{self, ExecutorSpec, ExecutorThread, Lane, Monotonic, Runtime};
use crate::server::ConnectionQuota;
use crate::shard::{Message, Place, owner};
use crate::storage::directory::{self, DataDirectory, DirectoryError};
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::log::LogState;
use crate::storage::superblock::{Superblock, SuperblockError};
use crate::storage::{RecoverOptions, StoreOptions, recover, remove_orphans};

/// The control thread's own memory: it holds no records.
const CONTROL_MEMORY_BYTES: usize = 16 * MIB;

/// What the command line says beside the configuration.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// When the process began, for the line that says how long the start took.
    pub began: std::time::Instant,
    /// `--unsafe`: a data directory without direct I/O is taken.
    pub allow_unsafe_directory: bool,
}

/// Why the broker did not start, or could not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The admin listener.
    #[error(
        "admin.listener {address}: cannot listen ({source}): set another address in 'admin.listener'"
    )]
    Admin {
        /// As configured.
        address: String,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The machine, or the file system of the data directory.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A file system that does not keep data, or not without the page cache.
    #[error("{0}, or give --unsafe to use it all the same")]
    UnsafeDirectory(Unfit),
    /// Its superblock, at the end.
    #[error(transparent)]
    Superblock(#[from] SuperblockError),
    /// Its contents, by what [`recover`] says.
    #[error("{0}")]
    Recover(String),
    /// The metadata, by what the controller says.
    #[error("{0}")]
    Controller(String),
    /// A thread.
    #[error(
        "cannot start a thread: {0}: is io_uring allowed (sysctl kernel.io_uring_disabled, the container's seccomp profile)?"
    )]
    Thread(std::io::Error),
    /// A shard.
    #[error("shard {shard} did not start: {reason}")]
    Shard {
        /// Which.
        shard: usize,
        /// Why not.
        reason: String,
    },
    /// A log directory failed while the broker ran.
    #[error(
        "the log directory failed; check the disk, then start the broker again: what was acknowledged is recovered"
    )]
    Failed,
    /// Too many shards.
    #[error("num.shards is {0}, the most is {SHARD_COUNT_MAX}: set it lower")]
    TooManyShards(usize),
}

/// What the control thread is given.
struct ControlStart {
    config: BrokerConfig,
    options: StartOptions,
    bound: Vec<SocketAddr>,
    admin: AdminChannel,
}

/// Runs a broker until it is told to stop.
///
/// # Errors
/// One sentence for the first thing that prevents the start, or ends the run.
pub fn run(config: BrokerConfig, options: StartOptions) -> Result<(), StartError> {
    if config.shard_cpus.len() > SHARD_COUNT_MAX {
        return Err(StartError::TooManyShards(config.shard_cpus.len()));
    }
    probe_ring()?;
    let mut bound = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        bound.push(addresses::resolve(listener)?);
    }
    let admin = bind_admin(&config)?;
    let spec = ExecutorSpec {
        name: "control".into(),
        cpu: config.control_cpu,
        memory_bytes: CONTROL_MEMORY_BYTES,
        spin_max: Duration::ZERO,
    };
    let start = ControlStart { config, options, bound, admin };
    let thread = runtime::start(spec, move |runtime| control_main(runtime, start));
    thread.and_then(ExecutorThread::join).map_err(StartError::Thread)?
}

fn bind_admin(config: &BrokerConfig) -> Result<AdminChannel, StartError> {
    let address = (config.admin_listener.host.as_str(), config.admin_listener.port);
    let bound = address
        .to_socket_addrs()
        .and_then(|mut found| found.next().ok_or(std::io::ErrorKind::NotFound.into()))
        .and_then(admin::bind);
    let named =
        |source| StartError::Admin { address: format!("{}:{}", address.0, address.1), source };
    let listener: TcpListener = bound.map_err(named)?;
    admin::start(listener).map_err(named)
}

async fn control_main(runtime: Runtime, start: ControlStart) -> Result<(), StartError> {
    let ControlStart { config, options, bound, admin } = start;
    probe_data_dir(&runtime, &config, &options).await?;
    let directory = DataDirectory::open(&runtime, &config.data_dir, config.node_id).await?;
    say_hello(&config, &directory, &bound);
    let shard_count = config.shard_cpus.len();
    let mut ports = mesh::mesh::<Message>(shard_count + 1);
    let port = ports.pop().expect("the mesh has a port for each shard and the control thread");
    let mesh = Rc::new(port.attach(&runtime));
    let broadcast = Broadcast::new(mesh.clone(), shard_count);
    let told = settings::advertised(&config, &bound);
    let controller = start_controller(&runtime, &config, &directory, &told, &broadcast).await?;
    let known = known_logs(&controller.image());
    let recovered = recover(
        &runtime,
        RecoverOptions {
            dir: config.data_dir.clone(),
            directory: directory.meta.directory_id,
            slot_count: shard_count as u16,
            known,
        },
    )
    .await
    .map_err(|error| StartError::Recover(error.to_string()))?;
    info!(logs = recovered.logs.len(), clean = recovered.clean, report = ?recovered.report, "storage recovered");
    if !recovered.clean {
        raise_leader_epochs(&controller, &config.topic_defaults).await?;
    }
    let starts = divide(
        &config,
        &controller,
        recovered.logs,
        recovered.epoch,
        &directory,
        told,
        bound,
        ports,
    );
    let threads = start_shards(&config, starts)?;
    wait_started(&mesh, shard_count).await?;
    let control = Control::new(runtime.clone(), controller, broadcast);
    runtime.spawn(Lane::Hot, control.clone().receive());
    runtime.spawn(Lane::Background, control.clone().answer_questions(admin.questions));
    let (cleaner, dir) = (runtime.clone(), config.data_dir.clone());
    let orphans = recovered.orphans;
    runtime.spawn(Lane::Background, async move { remove_orphans(&cleaner, &dir, &orphans).await });
    let _ = admin.ready.send(true);
    info!("ready in {} ms", options.began.elapsed().as_millis());
    let ended = select2(terminated(admin.termination), control.failed()).await;
    let _ = admin.ready.send(false);
    let began = runtime.now();
    if let Some(signal) = ended.left() {
        info!("{signal} received: shutting down");
        let ending = control.stop().await;
        return finish(&runtime, &directory, recovered.epoch, threads, ending, began).await;
    }
    control.stop().await;
    Err(StartError::Failed)
}

/// Refuses a directory on which an acknowledgement would mean nothing, before anything is written.
async fn probe_data_dir(
    runtime: &Runtime,
    config: &BrokerConfig,
    options: &StartOptions,
) -> Result<(), StartError> {
    let path = config.data_dir.clone();
    let failed = |source| DirectoryError::Io { path: config.data_dir.clone(), source };
    runtime.disk().create_dir_all(&path).await.map_err(failed)?;
    match runtime.blocking(move || probe_directory(&path)).await {
        Err(unfit @ (Unfit::InMemory { .. } | Unfit::NoDirectIo { .. })) => {
            if !options.allow_unsafe_directory {
                return Err(StartError::UnsafeDirectory(unfit));
            }
            warn!("{unfit} (--unsafe was given)");
            Ok(())
        }
        result => Ok(result?),
    }
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
        config.as_ref().unwrap_or(defaults.config()).flush_messages > 1
    });
    topics.flat_map(|(topic, found)| logs_of(topic, found)).collect()
}

fn logs_of(topic: TopicId, found: &Topic) -> impl Iterator<Item = LogId> + use<> {
    let count = found.partitions().len() as i32;
    (0..count).map(move |partition| LogId { topic, partition: PartitionIndex(partition) })
}

/// The signal that ends the broker; never, if the thread that listens for signals has ended.
async fn terminated(termination: tokio::sync::oneshot::Receiver<&'static str>) -> &'static str {
    match termination.await {
        Ok(signal) => signal,
        Err(_) => std::future::pending().await,
    }
}

/// The lines that an operator wants to see first.
fn say_hello(config: &BrokerConfig, directory: &DataDirectory, bound: &[SocketAddr]) {
    info!(
        "Klamm {} (node {}, cluster {})",
        env!("CARGO_PKG_VERSION"),
        config.node_id,
        &directory.meta.cluster_id
    );
    match Device::of(&config.data_dir) {
        Ok(Device { name, file_system, .. }) => {
            info!("data directory {} on {name} ({file_system})", config.data_dir.display());
        }
        Err(error) => {
            info!("data directory {} (its device is unknown: {error})", config.data_dir.display());
        }
    }
    for (listener, address) in config.listeners.iter().zip(bound) {
        info!(
            "listener {}://{address}, advertised as {}:{}",
            listener.name, listener.advertised.host, listener.advertised.port
        );
    }
    for (shard, cpu) in config.shard_cpus.iter().enumerate() {
        info!("shard {shard} on core {cpu}");
    }
    info!(
        "memory {} MiB and journal {} MiB over {} shards",
        config.memory_bytes / MIB as u64,
        config.journal_bytes / MIB as u64,
        config.shard_cpus.len()
    );
    if config.topic_defaults.config().flush_messages <= 1 {
        info!("durable: each batch on disk before its acknowledgement");
    } else {
        info!(
            "relaxed: an acknowledged batch survives kill -9, not a power failure (log.flush.interval.messages is not 1)"
        );
    }
    info!("retention and cleanup.policy are stored and described, and do not act yet");
}

async fn start_controller(
    runtime: &Runtime,
    config: &BrokerConfig,
    directory: &DataDirectory,
    told: &[crate::shard::AdvertisedListener],
    broadcast: &Rc<Broadcast>,
) -> Result<Controller, StartError> {
    let incarnation = (u128::from(runtime.random()) << 64) | u128::from(runtime.random());
    let options = ControllerOptions {
        dir: directory::metadata_dir(&config.data_dir),
        directory: directory.meta.directory_id,
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
    told: Vec<crate::shard::AdvertisedListener>,
    bound: Vec<SocketAddr>,
    ports: Vec<MeshPort<Message>>,
) -> Vec<ShardStart> {
    let shard_count = config.shard_cpus.len() as u16;
    let image = controller.image();
    let quota = ConnectionQuota::new(settings::quota(config));
    let shard_settings = settings::of_shards(config, &directory.meta.cluster_id, told);
    let metadata = snapshot(&image);
    let mut starts: Vec<ShardStart> = ports
        .into_iter()
        .enumerate()
        .map(|(shard, port)| ShardStart {
            place: Place { id: ShardId(shard as u16), shard_count },
            settings: shard_settings.clone(),
            store: store_options(config, directory, epoch, shard as u16),
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
    StoreOptions::new(&config.data_dir, journal)
}

fn start_shards(
    config: &BrokerConfig,
    starts: Vec<ShardStart>,
) -> Result<Vec<ExecutorThread<()>>, StartError> {
    let memory_bytes = config.memory_bytes as usize / starts.len();
    let mut threads = Vec::with_capacity(starts.len());
    for (start, &cpu) in starts.into_iter().zip(&config.shard_cpus) {
        let spec = ExecutorSpec {
            name: format!("shard-{}", start.place.id),
            cpu: Some(cpu),
            memory_bytes,
            spin_max: Duration::ZERO,
        };
        let thread = runtime::start(spec, move |runtime| shard_thread::run(runtime, start));
        threads.push(thread.map_err(StartError::Thread)?);
    }
    Ok(threads)
}

async fn wait_started(mesh: &mesh::Mesh<Message>, shard_count: usize) -> Result<(), StartError> {
    let mut waiting = shard_count;
    while waiting > 0 {
        let (shard, message) = mesh.recv().await;
        match message {
            Message::Started(Ok(())) => waiting -= 1,
            Message::Started(Err(reason)) => return Err(StartError::Shard { shard, reason }),
            Message::Failed(reason) => return Err(StartError::Shard { shard, reason }),
            _ => {}
        }
    }
    Ok(())
}

async fn finish(
    runtime: &Runtime,
    directory: &DataDirectory,
    epoch: u64,
    threads: Vec<ExecutorThread<()>>,
    ending: Ending,
    began: Monotonic,
) -> Result<(), StartError> {
    runtime
        .blocking(move || {
            for thread in threads {
                if let Err(problem) = thread.join() {
                    error!(%problem, "a shard's thread ended with an error");
                }
            }
        })
        .await;
    if ending == Ending::Clean {
        let id = directory.meta.directory_id;
        match Superblock::read(runtime, &directory.path, id).await? {
            Some(last) => last.next(epoch, true).write(runtime, &directory.path).await?,
            None => error!(
                "the superblock is gone: the next start will refuse; was the data directory removed?"
            ),
        }
    }
    let took = runtime.now().saturating_since(began);
    info!("shut down in {} ms", took.as_millis());
    Ok(())
}
