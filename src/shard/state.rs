//! One shard: its machine, its store, its own copy of the metadata and the partitions it leads.
//!
//! Lives on one core and is shared by that core's tasks through an `Rc`. Committed metadata changes
//! it in one place, [`Shard::apply`], in the order of the metadata log.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tracing::error;

use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::partition::CoordinatorSettings;
use crate::metadata::commands::{Command, CommandError};
use crate::metadata::{Image, Partition, Record, replay};
use crate::metrics::ShardMetrics;
use crate::model::topic_config::TopicConfig;
use crate::model::{ErrorCode, LogId, PartitionIndex, ShardId, TopicId};
use crate::replication::Leader;
use crate::runtime::Runtime;
use crate::runtime::memory::{LeaseReturns, LeaseTable};
use crate::runtime::mesh::Mesh;
use crate::runtime::sync::{Event, Gate, Queue, oneshot};
use crate::shard::answer_memory::AnswerMemory;
use crate::shard::calls::{CallReply, Calls};
use crate::shard::fetches::Haste;
use crate::shard::groups::{Ground, Groups, snapshot_path};
use crate::shard::log_budget::LogBudget;
use crate::shard::message::{Call, CallId, Message, MovedConnection};
use crate::shard::placement;
use crate::shard::producer_ids::ProducerIds;
use crate::shard::retention::RetentionClock;
use crate::shard::settings::{CoordinationSettings, SharedSettings};
use crate::storage::{LogConfig, Store};

/// Connections on their way to this shard before further ones are refused.
const ARRIVALS_MAX: usize = 1024;

/// Where a shard stands in its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub id: ShardId,
    /// How many shards there are; the control thread's node of the mesh comes behind them.
    pub shard_count: u16,
}

/// One shard.
pub struct Shard {
    place: Place,
    runtime: Runtime,
    settings: SharedSettings,
    store: Store,
    mesh: Mesh<Message>,
    image: RefCell<Image>,
    configs: RefCell<FxHashMap<TopicId, Rc<TopicConfig>>>,
    default_config: Rc<TopicConfig>,
    leaders: RefCell<FxHashMap<LogId, Rc<Leader>>>,
    calls: Calls,
    /// Fetches of other shards that wait here, to be hurried.
    waiting: RefCell<FxHashMap<(usize, CallId), Rc<Haste>>>,
    lent: LeaseTable,
    answers: AnswerMemory,
    borrowed: LeaseReturns,
    arrivals: Queue<MovedConnection>,
    producer_ids: ProducerIds,
    metrics: Rc<ShardMetrics>,
    groups: Rc<Groups>,
    log_budget: LogBudget,
    retention_clock: RefCell<RetentionClock>,
    gate: Gate,
    stopping: Cell<bool>,
    stopped: Event,
}

impl Shard {
    /// A shard whose store is open and whose image is still empty.
    pub fn new(
        place: Place,
        runtime: Runtime,
        settings: SharedSettings,
        store: Store,
        mesh: Mesh<Message>,
    ) -> Rc<Shard> {
        let metrics = Rc::new(ShardMetrics::new());
        let groups = Rc::new(Groups::new(settings.groups.bytes_max));
        let counted = metrics.clone();
        store.observe_commits(Rc::new(move |bytes, took| counted.committed(bytes, took)));
        Rc::new(Shard {
            place,
            log_budget: LogBudget::new(runtime.clone()),
            answers: AnswerMemory::new(runtime.arena().bytes_max()),
            retention_clock: RetentionClock::new(runtime.wall_clock_ms(), runtime.now()).into(),
            default_config: Rc::new(settings.topic_defaults.config().clone()),
            runtime,
            settings,
            store,
            mesh,
            image: RefCell::default(),
            configs: RefCell::default(),
            leaders: RefCell::default(),
            calls: Calls::default(),
            waiting: RefCell::default(),
            lent: LeaseTable::new(place.id),
            borrowed: LeaseReturns::new(),
            arrivals: Queue::new(ARRIVALS_MAX),
            producer_ids: ProducerIds::default(),
            groups,
            metrics,
            gate: Gate::new(),
            stopping: Cell::new(false),
            stopped: Event::new(),
        })
    }

    /// This shard's number.
    pub fn id(&self) -> ShardId {
        self.place.id
    }

    /// How many shards the process has.
    pub fn shard_count(&self) -> u16 {
        self.place.shard_count
    }

    /// The machine.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The configuration.
    pub fn settings(&self) -> &SharedSettings {
        &self.settings
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What this shard counts.
    pub fn metrics(&self) -> &Rc<ShardMetrics> {
        &self.metrics
    }

    /// Limits how often clients can make the broker log.
    pub fn log_budget(&self) -> &LogBudget {
        &self.log_budget
    }

    /// The metadata; the borrow must not span an await.
    pub fn image(&self) -> Ref<'_, Image> {
        self.image.borrow()
    }

    /// The tasks of this shard: each enters, and the shard ends when all have left.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// True from the moment that the broker is told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The time by which records are old.
    pub(super) fn retention_clock(&self) -> &RefCell<RetentionClock> {
        &self.retention_clock
    }

    /// Fires when the broker is told to stop.
    pub(super) fn stopped(&self) -> &Event {
        &self.stopped
    }

    /// Nothing new is served from now on.
    pub fn begin_stop(&self) {
        self.stopping.set(true);
        self.stopped.notify_all();
        self.arrivals.close();
        for haste in self.waiting.borrow().values() {
            haste.give();
        }
    }

    /// Connections that other shards send here.
    pub fn arrivals(&self) -> &Queue<MovedConnection> {
        &self.arrivals
    }

    /// The producer ids that this shard gives out.
    pub fn producer_ids(&self) -> &ProducerIds {
        &self.producer_ids
    }

    /// The groups that this shard coordinates.
    pub fn groups(&self) -> &Rc<Groups> {
        &self.groups
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(super) fn waiting(&self) -> &RefCell<FxHashMap<(usize, CallId), Rc<Haste>>> {
        &self.waiting
    }

    /// What answers on their way hold.
    pub(super) fn answers(&self) -> &AnswerMemory {
        &self.answers
    }

    /// What further answers may hold.
    pub(super) fn answer_allowance(&self) -> usize {
        self.answers.allowance(self.lent.lent_bytes())
    }

    pub(super) fn lent(&self) -> &LeaseTable {
        &self.lent
    }

    pub(super) fn borrowed(&self) -> &LeaseReturns {
        &self.borrowed
    }

    /// The way to the other shards and the control thread.
    pub fn mesh(&self) -> &Mesh<Message> {
        &self.mesh
    }

    /// The mesh node of the control thread.
    pub fn control_node(&self) -> usize {
        usize::from(self.place.shard_count)
    }

    /// The shard that owns a partition.
    pub fn owner(&self, log: LogId) -> ShardId {
        let named = self.image.borrow().partition(&log).and_then(|partition| partition.shard);
        self.placed(log, named)
    }

    /// The same where the metadata has been asked already: `named` is what it says of the partition.
    pub fn placed(&self, log: LogId, named: Option<ShardId>) -> ShardId {
        placement::owner(log, named, self.place.shard_count)
    }

    /// The leader of a partition of this shard.
    pub fn leader(&self, log: LogId) -> Option<Rc<Leader>> {
        self.leaders.borrow().get(&log).cloned()
    }

    /// The partitions that this shard leads; the borrow must not span an await.
    pub(super) fn leaders(&self) -> Ref<'_, FxHashMap<LogId, Rc<Leader>>> {
        self.leaders.borrow()
    }

    /// How many partitions this shard leads.
    pub fn leader_count(&self) -> usize {
        self.leaders.borrow().len()
    }

    /// A topic's configuration.
    pub fn topic_config(&self, topic: TopicId) -> Rc<TopicConfig> {
        self.configs.borrow().get(&topic).unwrap_or(&self.default_config).clone()
    }

    /// Sends a message to another shard.
    pub(super) fn send(&self, to: ShardId, message: Message) {
        self.mesh.send(usize::from(to.0), message);
    }

    /// Calls another shard; `None` comes back if it ends first.
    pub(super) fn call(&self, to: ShardId, call: Call) -> oneshot::Receiver<CallReply> {
        let (id, receiver) = self.calls.open(None);
        self.send(to, Message::Call(id, call));
        receiver
    }

    /// Sends a connection to another shard.
    pub fn send_connection(&self, to: ShardId, connection: MovedConnection) {
        self.send(to, Message::Connection(connection));
    }

    /// Asks the controller for a change; it is durable and known to every shard when this returns.
    /// The command is on its way before the first wait.
    pub fn command(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<crate::metadata::commands::Reply, CommandError>> + 'static
    {
        let (id, receiver) = self.calls.open(None);
        self.mesh.send(self.control_node(), Message::Command(id, command));
        async move {
            match receiver.await {
                Some(CallReply::Command(result)) => result,
                _ => Err(ErrorCode::NotController.into()),
            }
        }
    }

    /// Gives back the leases that this shard has done with, one message to each owner.
    pub fn return_leases(&self) {
        if self.borrowed.is_empty() {
            return;
        }
        let mut slots = self.borrowed.take();
        slots.sort_by_key(|slot| slot.owner());
        while let Some(owner) = slots.last().map(|slot| slot.owner()) {
            let start = slots.partition_point(|slot| slot.owner() < owner);
            self.send(owner, Message::Release(slots.split_off(start)));
        }
    }

    /// Applies committed metadata: changes the image, then opens, changes and drops partitions.
    pub fn apply(&self, records: &[Record]) {
        let mut removed = Vec::new();
        for record in records {
            if let Record::RemoveTopic { id } = record {
                let image = self.image.borrow();
                if let Some(topic) = image.topic(*id) {
                    removed.push((*id, topic.name().to_owned(), topic.partitions().len()));
                }
            }
            let replayed = replay(&mut self.image.borrow_mut(), record);
            if let Err(error) = replayed {
                // All that follows would be served from an image that no other thread has.
                panic!("committed metadata does not fit the image: {error}: please report this");
            }
            match record {
                Record::Config { resource, .. } => self.reconfigure(*resource),
                Record::Partition { topic, index, state } => {
                    self.open(LogId { topic: *topic, partition: *index }, state);
                }
                _ => {}
            }
        }
        for (topic, name, count) in removed {
            self.groups.topic_deleted(&name, topic);
            self.remove(topic, count);
        }
    }

    /// Opens a partition if this shard owns it and has not opened it.
    fn open(&self, log: LogId, state: &Partition) {
        let ours = placement::owner(log, state.shard, self.place.shard_count) == self.place.id;
        if !ours || self.leaders.borrow().contains_key(&log) {
            return;
        }
        let name = match self.image.borrow().topic(log.topic) {
            Some(topic) => topic.name().to_string(),
            None => return,
        };
        let config = self.topic_config(log.topic);
        let opened = match self.store.log(&log) {
            Some(opened) => {
                opened.set_config(self.log_config(&config));
                opened
            }
            None => self.store.create(log, &name, self.log_config(&config)),
        };
        let leader = Rc::new(Leader::new(opened, state.leader_epoch, config));
        self.leaders.borrow_mut().insert(log, leader.clone());
        if name == OFFSETS_TOPIC {
            self.coordinate_groups(leader);
        }
    }

    /// Coordinates the groups of a partition of `__consumer_offsets`.
    fn coordinate_groups(&self, leader: Rc<Leader>) {
        let CoordinationSettings {
            coordinator, offsets_check_interval, snapshot_every_bytes, ..
        } = &self.settings.groups;
        let batch_bytes_max = leader.config().max_message_bytes as usize;
        let ground = Ground {
            runtime: self.runtime.clone(),
            gate: self.gate.clone(),
            settings: Rc::new(CoordinatorSettings { batch_bytes_max, ..coordinator.clone() }),
            snapshot_path: snapshot_path(&self.store.directory_of(leader.id())),
            memory: self.groups.memory_share(),
            snapshot_every_bytes: *snapshot_every_bytes,
            leader,
        };
        self.groups.open(ground, *offsets_check_interval);
    }

    fn reconfigure(&self, resource: crate::metadata::ConfigResource) {
        let crate::metadata::ConfigResource::Topic(topic) = resource else { return };
        let config = {
            let image = self.image.borrow();
            let Some(found) = image.topic(topic) else { return };
            TopicConfig::resolve(&self.settings.topic_defaults, found.configs())
        };
        let config = match config {
            Ok(config) => Rc::new(config),
            Err(error) => {
                error!(%topic, %error, "a stored topic configuration does not parse, the topic keeps the one it had: set or delete what the error names");
                return;
            }
        };
        self.configs.borrow_mut().insert(topic, config.clone());
        for leader in self.leaders.borrow().values() {
            if leader.id().topic == topic {
                leader.configure(config.clone(), self.log_config(&config));
            }
        }
    }

    fn log_config(&self, config: &TopicConfig) -> LogConfig {
        LogConfig {
            segment_bytes: config.segment_bytes,
            segment_ms: i64::try_from(config.segment_ms).unwrap_or(i64::MAX),
            segment_jitter_ms: i64::try_from(config.segment_jitter_ms).unwrap_or(i64::MAX),
            flush_messages: config.flush_messages,
            flush_ms: config.flush_ms,
            producer_expiration_ms: self.settings.producer_expiration_ms,
            file_delete_delay: Duration::from_millis(config.file_delete_delay_ms),
        }
    }

    /// Drops a topic's partitions. Nothing here waits: their files go in the background, and what
    /// makes the deletion durable is the metadata.
    fn remove(&self, topic: TopicId, partition_count: usize) {
        self.configs.borrow_mut().remove(&topic);
        for partition in 0..partition_count {
            let log = LogId { topic, partition: PartitionIndex(partition as i32) };
            let Some(leader) = self.leaders.borrow_mut().remove(&log) else { continue };
            leader.retire();
            drop(self.store.delete(log));
        }
    }
}
