//! One life of the process: recovery, a control node that plays the controller, and its shards.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::broker::assembly::{known_logs, relaxed_logs};
use crate::broker::control::Broadcast;
use crate::broker::shard_thread::{self, ShardStart};
use crate::coordinator::partition::CoordinatorSettings;
use crate::metadata::commands::{Command, CommandError, Reply, decide, testing};
use crate::metadata::{Image, replay, snapshot};
use crate::model::units::BLOCK;
use crate::model::{BrokerId, LogId, ShardId};
use crate::runtime::mesh::{Mesh, MeshPort, mesh};
use crate::runtime::sim::{Host, Planted, is_planted};
use crate::runtime::sync::Event;
use crate::runtime::{Lane, Runtime};
use crate::server::{ConnectionQuota, QuotaLimits};
use crate::shard::{
    CoordinationSettings, Message, OffsetsTopic, Place, RetentionSettings, Settings, Shard, owner,
};
use crate::storage::directory::{DirectoryId, partition_dir, topics_dir};
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::superblock::Superblock;
use crate::storage::{RecoverOptions, Recovered, StoreOptions, recover};

pub const DATA: &str = "/data";
const DIRECTORY: DirectoryId = DirectoryId([7; 16]);
/// Fewer than there are partitions, so that starts write some tails and keep others.
const TAILS_MAX: usize = 3;

/// The metadata, which a simulated controller never loses.
pub type SharedImage = Rc<RefCell<Image>>;

/// The control node.
pub struct Control {
    runtime: Runtime,
    image: SharedImage,
    mesh: Rc<Mesh<Message>>,
    broadcast: Rc<Broadcast>,
    index: Cell<u64>,
    applied: RefCell<Vec<u64>>,
    stopped: RefCell<Vec<Option<bool>>>,
    failure: RefCell<Option<String>>,
    progress: Event,
}

impl Control {
    async fn receive(self: Rc<Self>) {
        loop {
            let (from, message) = self.mesh.recv().await;
            match message {
                Message::Command(id, command) => {
                    let control = self.clone();
                    self.runtime.spawn(Lane::Hot, async move {
                        let result = control.submit(command).await;
                        control.mesh.send(from, Message::CommandAnswer(id, result));
                    });
                }
                Message::Applied(index) => self.applied.borrow_mut()[from] = index,
                Message::Stopped(clean) => self.stopped.borrow_mut()[from] = Some(clean),
                Message::Failed(failure) => *self.failure.borrow_mut() = Some(failure),
                _ => panic!("a message for a shard came to the control node"),
            }
            self.progress.notify_all();
        }
    }

    /// Decides a command, makes it known, and waits until every shard has applied it.
    async fn submit(&self, command: Command) -> Result<Reply, CommandError> {
        // A commit of the metadata takes its time.
        self.runtime.yield_now().await;
        let decision = {
            let image = self.image.borrow();
            let mut random = || self.runtime.random();
            decide(&image, &testing::settings(), command, &mut random)?
        };
        for record in &decision.records {
            replay(&mut self.image.borrow_mut(), record).expect("records fit their image");
        }
        let index = self.index.get() + 1;
        self.index.set(index);
        self.broadcast.send(index, &decision.records);
        self.wait(|| self.applied.borrow().iter().all(|&applied| applied >= index)).await;
        Ok(decision.reply)
    }

    async fn wait(&self, done: impl Fn() -> bool) {
        loop {
            let progress = self.progress.listen();
            if done() {
                return;
            }
            progress.await;
        }
    }

    /// Why a log directory has failed, if one has.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }
}

/// A process that serves.
pub struct Process {
    pub runtime: Runtime,
    pub control: Rc<Control>,
    pub shards: Vec<Rc<Shard>>,
    pub recovered: Recovered,
    /// How much of what earlier processes left was removed, once it is.
    pub leftovers_removed: Rc<Cell<Option<u64>>>,
    epoch: u64,
}

/// Settings of a broker that nobody configured.
fn settings() -> Settings {
    Settings {
        node_id: BrokerId(1),
        cluster_id: "simulated".into(),
        rack: None,
        listeners: Vec::new(),
        auto_create_topics: false,
        request_bytes_max: 1 << 20,
        fetch_bytes_max: 1 << 20,
        fetch_session_slots: 10,
        described_partitions_max: 10,
        connection_idle_max: None,
        producer_expiration_ms: 86_400_000,
        connections_move_to_owner: false,
        slow_request: Duration::MAX,
        groups: CoordinationSettings {
            coordinator: CoordinatorSettings {
                group: Default::default(),
                offset_metadata_bytes_max: 4096,
                offsets_retention_ms: 604_800_000,
                batch_bytes_max: 0,
            },
            bytes_max: 1 << 24,
            offsets_check_interval: Duration::from_secs(600),
            snapshot_every_bytes: 4096,
            offsets_topic: OffsetsTopic {
                partition_count: 2,
                replication_factor: None,
                segment_bytes: 1 << 20,
            },
        },
        retention: RetentionSettings {
            // An operator of the simulation asks for passes.
            initial_delay: Duration::from_secs(86_400),
            check_interval: Duration::from_secs(86_400),
        },
        topic_defaults: Default::default(),
        broker_configs: Vec::new(),
    }
}

impl Process {
    /// Recovers the directory and starts `shard_count` shards.
    pub async fn start(
        host: &Host,
        image: SharedImage,
        shard_count: u16,
    ) -> Result<Process, String> {
        let runtime = host.runtime();
        let mut recovered = recover_logs(&runtime, &image, shard_count).await?;
        if !recovered.clean && !is_planted(Planted::KeepEpoch) {
            raise_epochs(&image);
        }
        let mut ports = mesh::<Message>(usize::from(shard_count) + 1);
        let port = ports.pop().expect("a port for each node");
        let mesh = Rc::new(port.attach(&runtime));
        let epoch = recovered.epoch;
        let mut starts = starts(&image, ports, epoch);
        for log in std::mem::take(&mut recovered.logs) {
            starts[usize::from(owner(log.id, None, shard_count).0)].logs.push(log);
        }
        let shards = open_shards(host, starts, &mesh).await?;
        let nodes = usize::from(shard_count);
        let control = Rc::new(Control {
            runtime: runtime.clone(),
            image,
            broadcast: Broadcast::new(mesh.clone(), nodes),
            mesh,
            index: Cell::new(0),
            applied: RefCell::new(vec![0; nodes]),
            stopped: RefCell::new(vec![None; nodes]),
            failure: RefCell::default(),
            progress: Event::new(),
        });
        runtime.spawn(Lane::Hot, control.clone().receive());
        let leftovers_removed = Rc::new(Cell::new(None));
        let (cleaner, leftovers, told) =
            (runtime.clone(), recovered.leftovers.clone(), leftovers_removed.clone());
        runtime.spawn(Lane::Background, async move {
            told.set(Some(leftovers.remove(&cleaner, Path::new(DATA)).await));
        });
        Ok(Process { runtime, control, shards, recovered, leftovers_removed, epoch })
    }

    /// Stops in order; true if everything is on disk and the superblock says so.
    pub async fn stop(&self) -> bool {
        for shard in 0..self.shards.len() {
            self.control.mesh.send(shard, Message::Stop);
        }
        let stopped = || self.control.stopped.borrow().iter().all(Option::is_some);
        self.control.wait(stopped).await;
        for shard in 0..self.shards.len() {
            self.control.mesh.send(shard, Message::Stop);
        }
        if self.control.stopped.borrow().contains(&Some(false)) {
            return false;
        }
        let dir = Path::new(DATA);
        match Superblock::read(&self.runtime, dir, DIRECTORY).await {
            Ok(Some(last)) => last.next(self.epoch, true).write(&self.runtime, dir).await.is_ok(),
            _ => false,
        }
    }

    /// The files of a partition.
    pub async fn files_of(&self, log: LogId) -> Vec<String> {
        let path = partition_dir(Path::new(DATA), log);
        let entries = self.runtime.disk().list_dir(&path).await.unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    /// The topics that have a directory.
    pub async fn topics_on_disk(&self) -> std::io::Result<Vec<String>> {
        let entries = self.runtime.disk().list_dir(&topics_dir(Path::new(DATA))).await?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }
}

async fn recover_logs(
    runtime: &Runtime,
    image: &SharedImage,
    shard_count: u16,
) -> Result<Recovered, String> {
    let dir = Path::new(DATA);
    runtime.disk().create_dir_all(dir).await.map_err(|error| error.to_string())?;
    runtime.disk().sync_dir(Path::new("/")).await.map_err(|error| error.to_string())?;
    let options = RecoverOptions {
        dir: dir.to_owned(),
        directory: DIRECTORY,
        slot_count: shard_count,
        known: known_logs(&image.borrow()),
        tails_max: TAILS_MAX,
        removed: None,
    };
    recover(runtime, &options).await.map_err(|error| error.to_string())
}

/// What each shard is given, without its logs.
fn starts(image: &SharedImage, ports: Vec<MeshPort<Message>>, epoch: u64) -> Vec<ShardStart> {
    let metadata = snapshot(&image.borrow());
    let quota = ConnectionQuota::new(QuotaLimits { connections_max: 1, connections_per_ip_max: 1 });
    let shard_count = ports.len() as u16;
    let ports = ports.into_iter().enumerate();
    ports
        .map(|(shard, port)| ShardStart {
            place: Place { id: ShardId(shard as u16), shard_count },
            settings: settings(),
            store: store_options(epoch, shard as u16),
            logs: Vec::new(),
            metadata: metadata.clone(),
            addresses: Vec::new(),
            quota: quota.clone(),
            port,
        })
        .collect()
}

/// Starts each shard on a core of its own and waits until all serve.
async fn open_shards(
    host: &Host,
    starts: Vec<ShardStart>,
    mesh: &Mesh<Message>,
) -> Result<Vec<Rc<Shard>>, String> {
    let count = starts.len();
    let serving = Rc::new(RefCell::new(vec![None; count]));
    for start in starts {
        let (core, serving) = (host.runtime(), serving.clone());
        core.clone().spawn(Lane::Hot, async move {
            let place = usize::from(start.place.id.0);
            if let Some(opened) = shard_thread::open(&core, start).await {
                serving.borrow_mut()[place] = Some(opened.shard.clone());
                opened.run().await;
            }
        });
    }
    for _ in 0..count {
        match mesh.recv().await {
            (_, Message::Started(Ok(()))) => {}
            (_, Message::Started(Err(reason)) | Message::Failed(reason)) => return Err(reason),
            _ => panic!("a shard says something before it has started"),
        }
    }
    Ok(serving.borrow().iter().flatten().cloned().collect())
}

/// What a broker's start asks of its controller after a crash.
fn raise_epochs(image: &SharedImage) {
    let settings = testing::settings();
    let logs = relaxed_logs(&image.borrow(), &settings.topic_defaults);
    let command = Command::RaiseLeaderEpochs(logs);
    let decided = decide(&image.borrow(), &settings, command, &mut || 0);
    for record in decided.expect("nothing refuses it").records {
        replay(&mut image.borrow_mut(), &record).expect("records fit their image");
    }
}

fn store_options(epoch: u64, slot: u16) -> StoreOptions {
    let identity = JournalIdentity { directory: DIRECTORY, slot, epoch };
    let journal =
        JournalOptions::new(Path::new(DATA), identity, 0).with_files(64 * BLOCK as u64, 6);
    let journal = JournalOptions { zeroed_at_start_bytes: 8 * BLOCK as u64, ..journal };
    let mut options = StoreOptions::new(Path::new(DATA), journal);
    options.idle_after = std::time::Duration::from_millis(200);
    options.bypass_bytes_min = 512;
    options
}
