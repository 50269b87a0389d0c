//! One process of the simulated host: the broker as it runs on a machine, on simulated cores.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::site::ADDRESS;
use crate::broker::assembly::Assembly;
use crate::broker::control::Ending;
use crate::broker::descriptors::Descriptors;
use crate::broker::shard_thread::{self, ShardStart};
use crate::config::{BrokerConfig, Machine};
use crate::model::units::{BLOCK, GIB};
use crate::runtime::sim::Host;
use crate::runtime::sync::{Event, oneshot, select2};
use crate::runtime::{Lane, Runtime};
use crate::storage::directory::{self, DataDirectory};
use crate::storage::journal::ScanReport;
use crate::storage::log::ReplayReport;

/// The data directory.
pub const DATA: &str = "/data";
/// The journal of a shard: as small as it can be, so that it goes round.
const JOURNAL_FILE_BYTES: u64 = 64 * BLOCK as u64;
const JOURNAL_FILES: u16 = 6;
const JOURNAL_ZEROED_BYTES: u64 = 8 * BLOCK as u64;
/// A partition of groups writes its snapshot after so little.
const SNAPSHOT_EVERY_BYTES: usize = 3000;
/// After this time an idle log gives its memory back.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// How a process is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub shard_count: u16,
    /// `connections.move.to.owner`.
    pub moves_connections: bool,
}

/// What a start has found on the disk.
#[derive(Clone, Debug)]
pub struct Found {
    pub clean: bool,
    pub report: ReplayReport,
    pub scan: ScanReport,
    pub orphans: usize,
}

/// A process, from its start to its end.
pub struct Process {
    runtime: Runtime,
    found: RefCell<Option<Found>>,
    stop: Cell<bool>,
    ended: RefCell<Option<Result<Ending, String>>>,
    changed: Event,
}

impl Process {
    /// Starts a broker on the host.
    pub fn start(host: &Host, setup: Setup) -> Rc<Process> {
        let runtime = host.runtime();
        let process = Rc::new(Process {
            runtime: runtime.clone(),
            found: RefCell::default(),
            stop: Cell::new(false),
            ended: RefCell::default(),
            changed: Event::new(),
        });
        let (host, running) = (host.clone(), process.clone());
        runtime.spawn(Lane::Hot, async move {
            let ended = running.run(&host, setup).await;
            *running.ended.borrow_mut() = Some(ended);
            running.changed.notify_all();
        });
        process
    }

    async fn run(&self, host: &Host, setup: Setup) -> Result<Ending, String> {
        let config = config(setup);
        let directory = DataDirectory::open(&self.runtime, &config.data_dir, config.node_id).await;
        let directory = directory.map_err(|error| error.to_string())?;
        let start_shards = |starts| Ok(start_shards(host, starts));
        let descriptors = Descriptors::divide(&config, 1 << 20);
        let bound = vec![ADDRESS];
        let started =
            Assembly::start(&self.runtime, &config, directory, bound, descriptors, start_shards)
                .await;
        let (broker, shards) = started.map_err(|error| error.to_string())?;
        let recovered = &broker.recovered;
        *self.found.borrow_mut() = Some(Found {
            clean: recovered.clean,
            report: recovered.report,
            scan: recovered.scan,
            orphans: recovered.leftovers.topics.len(),
        });
        self.changed.notify_all();
        let told = self.wait(|| self.stop.get().then_some(()));
        let control = broker.control.clone();
        if select2(told, control.failed()).await.left().is_none() {
            control.stop().await;
            return Err("a log directory has failed".into());
        }
        let joined = async {
            for shard in shards {
                // A shard that was never opened has ended, too.
                let _ = shard.await;
            }
        };
        broker.stop(joined).await.map_err(|error| error.to_string())
    }

    async fn wait<T>(&self, look: impl Fn() -> Option<T>) -> T {
        loop {
            let changed = self.changed.listen();
            if let Some(seen) = look() {
                return seen;
            }
            changed.await;
        }
    }

    /// Waits until the broker serves; what it has found, or why it does not.
    pub async fn ready(&self) -> Result<Found, String> {
        self.wait(|| match (&*self.found.borrow(), &*self.ended.borrow()) {
            (_, Some(Err(reason))) => Some(Err(reason.clone())),
            (Some(found), _) => Some(Ok(found.clone())),
            _ => None,
        })
        .await
    }

    /// Tells the broker to stop, as SIGTERM does, and waits until it has ended.
    pub async fn stop(&self) -> Result<Ending, String> {
        self.stop.set(true);
        self.changed.notify_all();
        self.wait(|| self.ended.borrow().clone()).await
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// The topics that have a directory.
    pub async fn topics_on_disk(&self) -> std::io::Result<Vec<String>> {
        let topics = directory::topics_dir(std::path::Path::new(DATA));
        let entries = self.runtime.disk().list_dir(&topics).await?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }
}

/// The configuration that an operator would write.
fn config(setup: Setup) -> BrokerConfig {
    let machine = Machine {
        cpus: vec![0, 1, 2, 3],
        parallelism: 4,
        memory_bytes: 4 * GIB as u64,
        host_name: "simulated".into(),
    };
    let overrides = [
        format!("log.dirs={DATA}"),
        format!("listeners=PLAINTEXT://{ADDRESS}"),
        format!("num.shards={}", setup.shard_count),
        format!("connections.move.to.owner={}", setup.moves_connections),
        "auto.create.topics.enable=false".to_owned(),
        "max.incremental.fetch.session.cache.slots=8".to_owned(),
        // One batch of ten is so large, and a part of these ends in another block.
        "journal.bypass.bytes=512".to_owned(),
        // The records' times are their numbers: they are all from 1970.
        "log.retention.ms=-1".to_owned(),
        "group.min.session.timeout.ms=10".to_owned(),
        "group.initial.rebalance.delay.ms=3".to_owned(),
        "offsets.topic.num.partitions=4".to_owned(),
        "offsets.topic.segment.bytes=1048576".to_owned(),
        "offsets.retention.check.interval.ms=40".to_owned(),
    ];
    BrokerConfig::load(None, &overrides, &machine).expect("a valid configuration").0
}

/// Starts each shard on a core of its own.
fn start_shards(host: &Host, starts: Vec<ShardStart>) -> Vec<oneshot::Receiver<()>> {
    let threads = starts.into_iter().map(|mut start| {
        let journal = start.store.journal.with_files(JOURNAL_FILE_BYTES, JOURNAL_FILES);
        start.store.journal = journal;
        start.store.journal.zeroed_at_start_bytes = JOURNAL_ZEROED_BYTES;
        start.store.idle_after = IDLE_AFTER;
        start.settings.groups.snapshot_every_bytes = SNAPSHOT_EVERY_BYTES;
        let (ended, joined) = oneshot::channel();
        let core = host.runtime();
        core.clone().spawn(Lane::Hot, async move {
            shard_thread::run(core, start).await;
            // Nobody waits for it where the start has failed.
            let _ = ended.send(());
        });
        joined
    });
    threads.collect()
}
