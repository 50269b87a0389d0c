//! One partition of the coordinator at work: events in, answers out, writes appended in order.
//!
//! The machine is stepped where an event comes; what it wants written is appended by a task that
//! lives as long as there is something to write, and one task sleeps until the machine's deadline.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use rustc_hash::FxHashMap;
use tracing::{error, warn};

use crate::coordinator::message::{Answer, Request, Ticket};
use crate::coordinator::partition::{
    CoordinatorSettings, GroupFigures, GroupPartition, PartitionAction, PartitionEvent, WriteId,
};
use crate::model::limits::COORDINATOR_REQUESTS_WAITING_MAX;
use crate::model::{ErrorCode, LogId, Offset};
use crate::replication::{AppendError, Leader, PendingAppend};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{Event, Gate, oneshot, select2};
use crate::runtime::{Lane, Monotonic, Runtime};
use crate::shard::groups::loading::load;
use crate::shard::groups::memory::GroupMemoryShare;
use crate::shard::groups::snapshots;
use crate::storage::LogAppendError;

/// What a driver stands on.
pub struct Ground {
    /// The machine.
    pub runtime: Runtime,
    /// The partition of `__consumer_offsets`.
    pub leader: Rc<Leader>,
    /// The shard's tasks.
    pub gate: Gate,
    /// The configuration.
    pub settings: Rc<CoordinatorSettings>,
    /// Where the snapshot is.
    pub snapshot_path: PathBuf,
    /// What the partition may take of the shard's memory.
    pub memory: GroupMemoryShare,
    /// Bytes of the log, or of the last snapshot where that is larger, after which the next is written.
    pub snapshot_every_bytes: usize,
}

/// Where the partition stands.
enum Phase {
    /// Its state is being read.
    Loading,
    /// It coordinates.
    Serving(Box<GroupPartition>),
    /// It does no more: deleted, damaged or stopped.
    Closed,
}

/// One partition of the coordinator on the shard that leads it.
pub struct Driver {
    ground: Ground,
    phase: RefCell<Phase>,
    waiting: RefCell<FxHashMap<Ticket, oneshot::Sender<Answer>>>,
    next_ticket: Cell<u64>,
    /// What the machine has still to be told: it was loading, or in the middle of a step.
    untold: RefCell<Vec<PartitionEvent>>,
    writes: RefCell<VecDeque<(WriteId, Vec<u8>)>>,
    writing: Cell<bool>,
    written: Event,
    /// The offset behind the last write that the machine knows to be durable.
    durable_end: Cell<Offset>,
    /// Bytes that a load would read behind the snapshot.
    unkept_bytes: Cell<usize>,
    /// The length of the last snapshot that this process has written.
    snapshot_bytes: Cell<usize>,
    keeping: Cell<bool>,
    /// The deadline that the time task sleeps for.
    armed: Cell<Option<Monotonic>>,
    stirred: Event,
    /// The broker stops: the state stays as it is.
    finished: Cell<bool>,
    this: Weak<Driver>,
}

impl Driver {
    /// A partition whose state is still to be loaded, unless its log has never had any.
    pub fn new(ground: Ground) -> Rc<Driver> {
        let phase = match ground.leader.log().end_offset() {
            Offset(0) => Phase::Serving(Box::new(empty(&ground))),
            _ => Phase::Loading,
        };
        Rc::new_cyclic(|this| Driver {
            ground,
            phase: RefCell::new(phase),
            waiting: RefCell::default(),
            next_ticket: Cell::new(0),
            untold: RefCell::default(),
            writes: RefCell::default(),
            writing: Cell::new(false),
            written: Event::new(),
            durable_end: Cell::new(Offset(0)),
            unkept_bytes: Cell::new(0),
            snapshot_bytes: Cell::new(0),
            keeping: Cell::new(false),
            armed: Cell::new(None),
            stirred: Event::new(),
            finished: Cell::new(false),
            this: this.clone(),
        })
    }

    /// The partition's log.
    pub fn id(&self) -> LogId {
        self.ground.leader.id()
    }

    /// How many groups it has, once it is loaded.
    pub fn figures(&self) -> GroupFigures {
        match &*self.phase.borrow() {
            Phase::Serving(partition) => partition.figures(),
            Phase::Loading | Phase::Closed => GroupFigures::default(),
        }
    }

    fn is_closed(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Closed)
    }

    /// Loads the state, then keeps its time until the partition is closed.
    pub async fn run(&self) {
        if matches!(*self.phase.borrow(), Phase::Serving(_)) {
            return self.keep_time().await;
        }
        match load(&self.ground, || self.is_closed()).await {
            Ok(None) => return,
            Ok(Some(loaded)) => {
                self.durable_end.set(loaded.end);
                self.unkept_bytes.set(loaded.bytes_read);
                *self.phase.borrow_mut() = Phase::Serving(Box::new(loaded.partition));
            }
            Err(problem) => {
                error!(log = %self.id(), %problem, "the groups of this partition cannot be coordinated: its log does not read; check the disk, or delete __consumer_offsets to begin anew");
                return self.close();
            }
        }
        self.keep_time().await;
    }

    /// Hands a request to the machine, or answers it at once where that cannot be.
    pub fn ask(&self, request: Request) -> Result<Asked, Box<Answer>> {
        match &*self.phase.borrow() {
            Phase::Serving(_) => {}
            // As Kafka: the member is presumed alive until its group is known again.
            Phase::Loading if matches!(request, Request::Heartbeat(_)) => {
                return Err(Box::new(Answer::Heartbeat(ErrorCode::None)));
            }
            Phase::Loading => {
                return Err(Box::new(request.refused(ErrorCode::CoordinatorLoadInProgress)));
            }
            Phase::Closed => return Err(Box::new(request.refused(ErrorCode::NotCoordinator))),
        }
        if self.waiting.borrow().len() >= COORDINATOR_REQUESTS_WAITING_MAX {
            return Err(Box::new(request.refused(ErrorCode::CoordinatorNotAvailable)));
        }
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        let (answer, receiver) = oneshot::channel();
        let farewell = request.refused(ErrorCode::NotCoordinator);
        self.waiting.borrow_mut().insert(ticket, answer);
        self.tell(PartitionEvent::Request(ticket, request));
        Ok(Asked { receiver, ticket, driver: self.this.clone(), farewell: Some(farewell) })
    }

    /// Tells the machine of an event, now or when it has loaded.
    pub fn tell(&self, event: PartitionEvent) {
        self.untold.borrow_mut().push(event);
        self.step_all();
    }

    /// Steps the machine through everything that it has not been told.
    fn step_all(&self) {
        if self.finished.get() {
            return;
        }
        let Ok(mut phase) = self.phase.try_borrow_mut() else { return };
        let Phase::Serving(partition) = &mut *phase else { return };
        let (runtime, mut actions) = (&self.ground.runtime, Vec::new());
        let (now, now_ms) = (runtime.now(), runtime.wall_clock_ms());
        let memory = &self.ground.memory;
        partition.allow_growth(memory.room(), memory.room_for_newcomers());
        loop {
            let events = self.untold.take();
            if events.is_empty() {
                break;
            }
            for event in events {
                partition.step(now, now_ms, event, &mut actions);
            }
        }
        memory.set(partition.bytes());
        let deadline = partition.deadline();
        drop(phase);
        for action in actions {
            match action {
                PartitionAction::Reply(ticket, answer) => self.reply(ticket, answer),
                PartitionAction::Write(id, batch) => {
                    self.writes.borrow_mut().push_back((id, batch))
                }
            }
        }
        if deadline.is_some_and(|at| self.armed.get().is_none_or(|armed| at < armed)) {
            self.stirred.notify_all();
        }
        if !self.writes.borrow().is_empty() && !self.writing.replace(true) {
            self.start_writing();
        }
    }

    fn reply(&self, ticket: Ticket, answer: Answer) {
        let waiter = self.waiting.borrow_mut().remove(&ticket);
        if let Some(waiter) = waiter {
            // Who has gone meanwhile has said so.
            drop(waiter.send(answer));
        }
    }

    fn start_writing(&self) {
        let (Some(driver), Some(guard)) = (self.this.upgrade(), self.ground.gate.enter()) else {
            self.writing.set(false);
            return self.close();
        };
        self.ground.runtime.spawn(Lane::Hot, async move {
            driver.write_all().await;
            driver.writing.set(false);
            driver.written.notify_all();
            drop(guard);
        });
    }

    /// Appends what there is to write, all of it before the first wait for the disk, until there
    /// is nothing more. The commit of one round gathers the next.
    async fn write_all(&self) {
        loop {
            let round = self.writes.take();
            if round.is_empty() {
                return;
            }
            let mut appended = Vec::with_capacity(round.len());
            for (id, batch) in round {
                appended.push((id, batch.len(), self.append(&batch).await));
            }
            for (id, bytes, pending) in appended {
                let result = match pending {
                    #[cfg(test)]
                    Ok(_) if is_planted(Planted::AnswerBeforeDurable) => Ok(()),
                    Err(code) => Err(code),
                    Ok((pending, end)) => match pending.wait().await {
                        Ok(()) => {
                            self.durable_end.set(end);
                            self.unkept_bytes.set(self.unkept_bytes.get() + bytes);
                            Ok(())
                        }
                        Err(_) => {
                            // Whether it is in the log is not known, and the broker is stopping.
                            warn!(log = %self.id(), "a write of the group coordinator failed with its log directory");
                            return self.close();
                        }
                    },
                };
                self.tell(PartitionEvent::Written(id, result));
            }
            let enough = self.ground.snapshot_every_bytes.max(self.snapshot_bytes.get());
            if self.unkept_bytes.get() >= enough {
                self.keep_aside();
            }
        }
    }

    /// The batch in the log, and the offset behind it.
    async fn append(&self, batch: &[u8]) -> Result<(PendingAppend, Offset), ErrorCode> {
        let leader = &self.ground.leader;
        let now_ms = self.ground.runtime.wall_clock_ms();
        let before = leader.log().end_offset();
        match leader.append(batch, -1, now_ms).await {
            Ok(pending) => {
                debug_assert!(pending.base_offset >= before, "an append has its place at the end");
                Ok((pending, leader.log().end_offset()))
            }
            Err(error) => Err(code_of(&error)),
        }
    }

    /// Writes a snapshot beside the other tasks.
    fn keep_aside(&self) {
        if self.keeping.get() {
            return;
        }
        let (Some(driver), Some(guard)) = (self.this.upgrade(), self.ground.gate.enter()) else {
            return;
        };
        self.ground.runtime.spawn(Lane::Background, async move {
            driver.keep().await;
            drop(guard);
        });
    }

    /// Writes a snapshot, if a load would have to read more than the last one.
    pub async fn keep(&self) {
        if self.unkept_bytes.get() == 0 || self.keeping.replace(true) {
            return;
        }
        let (end, kept_bytes) = (self.durable_end.get(), self.unkept_bytes.get());
        #[cfg(test)]
        let end = match is_planted(Planted::SnapshotAhead) {
            true => self.ground.leader.log().end_offset(),
            false => end,
        };
        let snapshot = match &*self.phase.borrow() {
            Phase::Serving(partition) => Some(partition.snapshot(end)),
            Phase::Loading | Phase::Closed => None,
        };
        if let Some(snapshot) = snapshot {
            self.snapshot_bytes.set(snapshot.len());
            let written =
                snapshots::write(&self.ground.runtime, &self.ground.snapshot_path, &snapshot);
            match written.await {
                Ok(()) => self.unkept_bytes.set(self.unkept_bytes.get() - kept_bytes),
                Err(problem) => {
                    warn!(log = %self.id(), %problem, "the group coordinator's snapshot could not be written: the next start reads more of the log");
                }
            }
        }
        self.keeping.set(false);
    }

    /// Sleeps until the machine wants to be told the time, again and again.
    async fn keep_time(&self) {
        let runtime = &self.ground.runtime;
        self.step_all();
        loop {
            let stirred = self.stirred.listen();
            let deadline = match &*self.phase.borrow() {
                Phase::Serving(partition) => partition.deadline(),
                Phase::Loading | Phase::Closed => return,
            };
            if self.finished.get() {
                return;
            }
            self.armed.set(deadline);
            match deadline {
                None => stirred.await,
                Some(at) if at > runtime.now() => {
                    select2(runtime.sleep_until(at), stirred).await;
                }
                Some(_) => {
                    self.tell(PartitionEvent::Timeout);
                    runtime.yield_now().await;
                }
            }
        }
    }

    /// Waits until nothing is being written, then sends all that still wait their farewell. The state stays for [`Driver::keep`].
    pub async fn finish(&self) {
        loop {
            let written = self.written.listen();
            if !self.writing.get() {
                break;
            }
            written.await;
        }
        self.finished.set(true);
        self.waiting.borrow_mut().clear();
        self.stirred.notify_all();
        if !matches!(*self.phase.borrow(), Phase::Serving(_)) {
            self.close();
        }
    }

    /// Ends at once.
    pub fn close(&self) {
        *self.phase.borrow_mut() = Phase::Closed;
        self.ground.memory.set(0);
        self.writes.borrow_mut().clear();
        self.waiting.borrow_mut().clear();
        self.stirred.notify_all();
    }

    /// Nobody waits for this answer any more.
    fn gone(&self, ticket: Ticket) {
        if self.waiting.borrow_mut().remove(&ticket).is_some() {
            self.tell(PartitionEvent::Gone(ticket));
        }
    }
}

fn empty(ground: &Ground) -> GroupPartition {
    let mut partition = GroupPartition::new(ground.settings.clone());
    partition.finish_loading(ground.runtime.now());
    partition
}

/// An answer that will come. Dropped before it has, it tells the machine that nobody waits.
pub struct Asked {
    receiver: oneshot::Receiver<Answer>,
    ticket: Ticket,
    driver: Weak<Driver>,
    /// What the asker is told where the partition ends first; none once it has been told.
    farewell: Option<Answer>,
}

impl Future for Asked {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.receiver).poll(context).map(|answer| {
            let farewell = self.farewell.take();
            answer.or(farewell).expect("it is polled to its end once")
        })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let (Some(_), Some(driver)) = (&self.farewell, self.driver.upgrade()) {
            driver.gone(self.ticket);
        }
    }
}

/// The code for a batch that its log has refused.
fn code_of(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::NotEnoughReplicas { .. } => ErrorCode::NotEnoughReplicas,
        AppendError::Log(LogAppendError::Deleted) => ErrorCode::NotLeaderOrFollower,
        AppendError::Log(
            LogAppendError::Storage(_)
            | LogAppendError::NoMemory
            | LogAppendError::DiskFull
            | LogAppendError::Producer(_)
            | LogAppendError::Batch(_),
        ) => ErrorCode::KafkaStorageError,
    }
}
