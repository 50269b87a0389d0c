//! The group coordinator's partitions on the shard that leads them, and the way to each.
//!
//! One driver a partition of `__consumer_offsets`: it loads the state from a snapshot and the log,
//! hands requests to the pure machine, appends what that wants written, and keeps its time. A
//! request goes to the shard that leads its group's partition, and is taken there in the order in
//! which it was asked here. Deliberately absent: what a group is (`coordinator`).

mod driver;
mod loading;
mod memory;
mod routing;
mod snapshots;

pub(super) use driver::Ground;
pub(super) use routing::serve_call;
pub use routing::{GroupAnswer, coordinate, coordinator_of, list_groups};
pub(super) use snapshots::path as snapshot_path;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use self::driver::{Asked, Driver};
use self::memory::{GroupMemory, GroupMemoryShare};
use crate::coordinator::message::{Answer, Request};
use crate::coordinator::partition::{GroupFigures, PartitionEvent};
use crate::model::{ErrorCode, LogId, TopicId};
use crate::runtime::sync::{Event, join_all, select2};
use crate::runtime::{Lane, Runtime};
use crate::shard::message::CallId;

/// How long the last answers have to leave before connections are closed at a stop.
const FAREWELL: Duration = Duration::from_millis(10);

/// The coordinator's partitions that this shard leads.
pub struct Groups {
    drivers: RefCell<FxHashMap<LogId, Rc<Driver>>>,
    memory: Rc<GroupMemory>,
    sweeping: Cell<bool>,
    stopping: Cell<bool>,
    stopped: Event,
    /// Requests of other shards that wait here: to be told when nobody waits any more.
    parked: RefCell<FxHashMap<(usize, CallId), Rc<Event>>>,
}

impl Groups {
    /// No partitions yet; the groups of all may take `bytes_max` before new ones are sent away.
    pub(super) fn new(bytes_max: usize) -> Groups {
        Groups {
            drivers: RefCell::default(),
            memory: GroupMemory::new(bytes_max),
            sweeping: Cell::new(false),
            stopping: Cell::new(false),
            stopped: Event::new(),
            parked: RefCell::default(),
        }
    }

    /// The memory of a partition that is about to be led.
    pub(super) fn memory_share(&self) -> GroupMemoryShare {
        self.memory.share()
    }

    /// Begins to lead a partition; it answers that it loads until it has.
    pub(super) fn open(self: &Rc<Self>, ground: Ground, sweep_every: Duration) {
        let (runtime, gate) = (ground.runtime.clone(), ground.gate.clone());
        let driver = Driver::new(ground);
        self.drivers.borrow_mut().insert(driver.id(), driver.clone());
        if let Some(guard) = gate.enter() {
            runtime.spawn(Lane::Hot, async move {
                driver.run().await;
                drop(guard);
            });
        }
        if !self.sweeping.replace(true)
            && let Some(guard) = gate.enter()
        {
            let groups = self.clone();
            let sweeper = runtime.clone();
            runtime.spawn(Lane::Background, async move {
                groups.sweep(&sweeper, sweep_every).await;
                drop(guard);
            });
        }
    }

    /// Asks a partition of this shard; its machine has the request when this returns.
    pub(super) fn ask(&self, log: LogId, request: Request) -> Result<Asked, Box<Answer>> {
        match self.drivers.borrow().get(&log) {
            Some(driver) if !self.stopping.get() => driver.ask(request),
            _ => Err(Box::new(request.refused(ErrorCode::NotCoordinator))),
        }
    }

    /// Nobody waits for the answer to another shard's request any more.
    pub(super) fn abandon(&self, call: (usize, CallId)) {
        if let Some(abandoned) = self.parked.borrow().get(&call) {
            abandoned.notify_all();
        }
    }

    /// Requests of other shards that wait here.
    #[cfg(test)]
    pub fn parked_count(&self) -> usize {
        self.parked.borrow().len()
    }

    /// A topic is deleted: its offsets go, and if it is the coordinator's own, its groups.
    pub(super) fn topic_deleted(&self, topic: &str, id: TopicId) {
        self.drivers.borrow_mut().retain(|log, driver| {
            let own = log.topic == id;
            if own {
                driver.close();
            }
            !own
        });
        for driver in self.drivers.borrow().values() {
            driver.tell(PartitionEvent::TopicDeleted { topic: topic.to_owned(), id });
        }
    }

    /// Takes no more requests, finishes what is being written, and tells all that still wait to
    /// look for their coordinator again.
    pub async fn finish(&self, runtime: &Runtime) {
        self.stopping.set(true);
        let drivers: Vec<Rc<Driver>> = self.drivers.borrow().values().cloned().collect();
        if drivers.is_empty() {
            return;
        }
        join_all(drivers.iter().map(|driver| driver.finish())).await;
        self.stopped.notify_all();
        runtime.sleep(FAREWELL).await;
    }

    /// Keeps each partition's state beside its log, so that the next start reads little.
    pub async fn keep(&self) {
        let drivers: Vec<Rc<Driver>> = self.drivers.borrow().values().cloned().collect();
        join_all(drivers.iter().map(|driver| driver.keep())).await;
    }

    /// Counts all groups, one partition after the other while others run.
    pub async fn figures(&self, runtime: &Runtime) -> GroupFigures {
        let drivers: Vec<Rc<Driver>> = self.drivers.borrow().values().cloned().collect();
        let mut sum = GroupFigures::default();
        for driver in drivers {
            sum.add(&driver.figures());
            runtime.yield_now().await;
        }
        sum
    }

    /// Has every partition look for offsets that nobody needs any more.
    async fn sweep(&self, runtime: &Runtime, every: Duration) {
        loop {
            let stopped = self.stopped.listen();
            if self.stopping.get() || select2(runtime.sleep(every), stopped).await.left().is_none()
            {
                return;
            }
            let drivers: Vec<Rc<Driver>> = self.drivers.borrow().values().cloned().collect();
            for driver in drivers {
                driver.tell(PartitionEvent::ExpireOffsets);
                runtime.yield_now().await;
            }
        }
    }
}
