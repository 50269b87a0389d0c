//! Starting and stopping a broker: each step in order, each failure one sentence with its remedy.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use tracing::{error, info, warn};

use crate::admin::{self, AdminChannel};
use crate::broker::addresses;
use crate::broker::assembly::Assembly;
use crate::broker::descriptors::Descriptors;
use crate::broker::report::ReportGround;
use crate::broker::shard_thread::{self, ShardStart};
use crate::broker::start_error::StartError;
use crate::config::{BrokerConfig, cpu_list};
use crate::model::limits::SHARD_COUNT_MAX;
use crate::model::units::MIB;
use crate::runtime::process::{Unfit, probe_directory, probe_ring, raise_open_files_limit};
use crate::runtime::sync::select2;
use crate::runtime::topology::{Device, Topology};
use crate::runtime::{self, ExecutorSpec, ExecutorThread, Lane, Runtime};
use crate::storage::directory::{DataDirectory, DirectoryError};

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

/// What the control thread is given.
struct ControlStart {
    config: BrokerConfig,
    options: StartOptions,
    open_files: u64,
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
    // Before anything else may want a descriptor.
    let open_files = raise_open_files_limit().map_err(StartError::OpenFiles)?;
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
    let start = ControlStart { config, options, open_files, bound, admin };
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
    let ControlStart { config, options, open_files, bound, admin } = start;
    probe_data_dir(&runtime, &config, &options).await?;
    let directory = DataDirectory::open(&runtime, &config.data_dir, config.node_id).await?;
    say_hello(&config, &directory, &bound);
    let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
    let descriptors = Descriptors::divide(&config, open_files);
    descriptors.say(&config, open_files);
    let start_shards = |starts| start_shards(&config, starts);
    let (broker, threads) =
        Assembly::start(&runtime, &config, directory, bound, descriptors, start_shards).await?;
    let control = broker.control.clone();
    let ground = ReportGround::new(&config);
    runtime.spawn(Lane::Background, control.clone().answer_questions(admin.questions, ground));
    let _ = admin.ready.send(true);
    info!("ready in {} ms", options.began.elapsed().as_millis());
    let ended = select2(runtime.outside(terminated(admin.termination)), control.failed()).await;
    let _ = admin.ready.send(false);
    let began = runtime.now();
    if let Some(signal) = ended.left() {
        info!("{signal} received: shutting down");
        broker.stop(join(&runtime, threads)).await?;
        let took = runtime.now().saturating_since(began);
        info!("shut down in {} ms", took.as_millis());
        return Ok(());
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
    say_cpus(config);
    info!(
        "memory {} MiB and journal {} MiB over {} shards",
        config.memory_bytes / MIB as u64,
        config.journal_bytes / MIB as u64,
        config.shard_cpus.len()
    );
    if config.topic_defaults.config().is_durable() {
        info!("durable: each batch on disk before its acknowledgement");
    } else {
        info!(
            "relaxed: an acknowledged batch survives kill -9, not a power failure (log.flush.interval.messages is not 1)"
        );
    }
    info!("compaction (cleanup.policy=compact) is stored and described, and does not act yet");
}

/// Which CPUs there are, what of them may be used, and what the shards have of it.
fn say_cpus(config: &BrokerConfig) {
    let topology = Topology::read().ok();
    if let Some(topology) = &topology {
        let quota = topology.quota_cpus.map_or(String::new(), |cpus| {
            format!(", and {cpus} CPUs' worth of time by the quota of the control group")
        });
        info!("the process may use the CPUs {}{quota}", cpu_list::text(&topology.cpus));
        if topology.quota_cpus.is_some_and(|cpus| cpus < config.shard_cpus.len() as f64) {
            warn!(
                "{} shards have less CPU time than one CPU each: when the quota is used up they all stand still; raise it or lower num.shards",
                config.shard_cpus.len()
            );
        }
    }
    for (shard, cpu) in config.shard_cpus.iter().enumerate() {
        match topology.as_ref().and_then(|topology| topology.siblings.get(cpu)) {
            Some(core) => {
                info!("shard {shard} on CPU {cpu} (hyper-threads {})", cpu_list::text(core));
            }
            None => info!("shard {shard} on CPU {cpu}"),
        }
    }
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
            spin_max: config.shard_spin,
        };
        let thread = runtime::start(spec, move |runtime| shard_thread::run(runtime, start));
        threads.push(thread.map_err(StartError::Thread)?);
    }
    Ok(threads)
}

async fn join(runtime: &Runtime, threads: Vec<ExecutorThread<()>>) {
    runtime
        .blocking(move || {
            for thread in threads {
                if let Err(problem) = thread.join() {
                    error!(%problem, "a shard's thread ended with an error: please report it with the lines before it");
                }
            }
        })
        .await;
}
