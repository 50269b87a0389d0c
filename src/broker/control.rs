//! The control thread at work: commands to the controller, metadata to the shards, the end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::admin::{Numbers, Question};
use crate::broker::report::{ReportGround, report};
use crate::controller::Controller;
use crate::metadata::Record;
use crate::metadata::commands::Command;
use crate::metrics::ShardSnapshot;
use crate::runtime::mesh::Mesh;
use crate::runtime::sync::{Either, Event, Gate, select2, timeout};
use crate::runtime::{Lane, Runtime};
use crate::shard::Message;

/// How long a shard may take to stop before the broker ends without it.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a shard may take to give its numbers.
const MEASURE_WAIT_MAX: Duration = Duration::from_secs(1);

/// The way from the controller to the shards, shared with its callback.
pub struct Broadcast {
    mesh: Rc<Mesh<Message>>,
    shard_count: usize,
    sent: Cell<u64>,
}

impl Broadcast {
    /// To `shard_count` shards.
    pub fn new(mesh: Rc<Mesh<Message>>, shard_count: usize) -> Rc<Broadcast> {
        Rc::new(Broadcast { mesh, shard_count, sent: Cell::new(0) })
    }

    /// Sends committed records to every shard.
    pub fn send(&self, index: u64, records: &[Record]) {
        self.sent.set(index);
        for shard in 0..self.shard_count {
            self.mesh.send(shard, Message::Metadata { index, records: records.to_vec() });
        }
    }
}

/// How a broker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything is on disk, in its place.
    Clean,
    /// Something could not be flushed; the next start recovers.
    Unclean,
}

/// The control thread's state while the broker serves.
pub struct Control {
    runtime: Runtime,
    controller: Controller,
    broadcast: Rc<Broadcast>,
    applied: RefCell<Vec<u64>>,
    progress: Event,
    /// The round of the question that is being answered, and what has come in.
    round: Cell<u32>,
    measured: RefCell<Vec<Option<ShardSnapshot>>>,
    stopped: RefCell<Vec<Option<bool>>>,
    failed: Event,
    gate: Gate,
    /// All shards have stopped, or the broker ends without them.
    ending: Cell<bool>,
}

impl Control {
    /// A control thread whose shards all serve.
    pub fn new(runtime: Runtime, controller: Controller, broadcast: Rc<Broadcast>) -> Rc<Control> {
        let shard_count = broadcast.shard_count;
        let start = broadcast.sent.get();
        Rc::new(Control {
            runtime,
            controller,
            broadcast,
            applied: RefCell::new(vec![start; shard_count]),
            progress: Event::new(),
            round: Cell::new(0),
            measured: RefCell::new(vec![None; shard_count]),
            stopped: RefCell::new(vec![None; shard_count]),
            failed: Event::new(),
            gate: Gate::new(),
            ending: Cell::new(false),
        })
    }

    /// Takes messages of the shards for as long as the broker runs.
    pub async fn receive(self: Rc<Self>) {
        loop {
            let (from, message) = self.broadcast.mesh.recv().await;
            self.take(from, message);
        }
    }

    /// Takes one message of a shard.
    pub fn take(self: &Rc<Self>, from: usize, message: Message) {
        match message {
            Message::Command(id, command) => self.begin_command(from, id, command),
            Message::Applied(index) => {
                self.applied.borrow_mut()[from] = index;
                self.progress.notify_all();
            }
            // One of an earlier round was too late.
            Message::Measured(round, snapshot) if round == self.round.get() => {
                self.measured.borrow_mut()[from] = Some(*snapshot);
                self.progress.notify_all();
            }
            Message::Measured(..) => {}
            Message::Stopped(clean) => {
                self.stopped.borrow_mut()[from] = Some(clean);
                self.progress.notify_all();
            }
            Message::Failed(failure) => {
                error!(
                    shard = from,
                    failure,
                    "a log directory has failed: the broker stops; check the disk, then start it again"
                );
                self.failed.notify_all();
            }
            _ => warn!(from, "a message for a shard came to the control thread: ignored"),
        }
    }

    /// Waits until the broker cannot go on: a log directory or the metadata log has failed.
    pub async fn failed(&self) {
        let directory_failed = self.failed.listen();
        if let Either::Right(failure) =
            select2(directory_failed, self.controller.wait_failed()).await
        {
            error!(%failure, "the metadata log has failed: the broker stops; check the disk, then start it again");
        }
    }

    /// Submits a command; its answer goes back when every shard has applied what it changed.
    fn begin_command(self: &Rc<Self>, from: usize, id: u32, command: Command) {
        let Some(guard) = self.gate.enter() else { return };
        let control = self.clone();
        self.runtime.spawn(Lane::Hot, async move {
            let result = control.controller.submit(command).await;
            control.wait_applied(control.broadcast.sent.get()).await;
            control.broadcast.mesh.send(from, Message::CommandAnswer(id, result));
            drop(guard);
        });
    }

    async fn wait_applied(&self, index: u64) {
        loop {
            let progress = self.progress.listen();
            if self.ending.get() || self.applied.borrow().iter().all(|&applied| applied >= index) {
                return;
            }
            progress.await;
        }
    }

    /// Answers the admin door's questions.
    pub async fn answer_questions(
        self: Rc<Self>,
        mut questions: tokio::sync::mpsc::Receiver<Question>,
        ground: ReportGround,
    ) {
        while let Some(question) = self.runtime.outside(questions.recv()).await {
            // Whoever asked may have given up.
            match question {
                Question::Numbers(asker) => {
                    let shards = self.measure(false).await;
                    let _ = asker.send(Numbers { shard_count: self.broadcast.shard_count, shards });
                }
                Question::Report(asker) => {
                    let shards = self.measure(true).await;
                    let now = self.runtime.now();
                    let _ = asker.send(report(&ground, now, &self.controller.image(), &shards));
                }
            }
        }
    }

    async fn measure(&self, with_logs: bool) -> Vec<ShardSnapshot> {
        self.measured.borrow_mut().fill(None);
        let round = self.round.get().wrapping_add(1);
        self.round.set(round);
        for shard in 0..self.broadcast.shard_count {
            self.broadcast.mesh.send(shard, Message::Measure { round, with_logs });
        }
        let all = self.wait_for(|| self.measured.borrow().iter().all(Option::is_some));
        timeout(&self.runtime, MEASURE_WAIT_MAX, all).await;
        self.measured.borrow().iter().flatten().cloned().collect()
    }

    async fn wait_for(&self, done: impl Fn() -> bool) {
        loop {
            let progress = self.progress.listen();
            if done() {
                return;
            }
            progress.await;
        }
    }

    /// Stops the shards, then the controller.
    pub async fn stop(&self) -> Ending {
        for shard in 0..self.broadcast.shard_count {
            self.broadcast.mesh.send(shard, Message::Stop);
        }
        let all = self.wait_for(|| self.stopped.borrow().iter().all(Option::is_some));
        let in_time = timeout(&self.runtime, STOP_WAIT_MAX, all).await.is_some();
        let clean = self.stopped.borrow().iter().all(|stopped| *stopped == Some(true));
        if !in_time {
            warn!(
                "a shard has not stopped in {STOP_WAIT_MAX:?}: ending without it; nothing acknowledged is lost"
            );
        }
        // No shard applies anything any more: commands wait for nobody.
        self.ending.set(true);
        self.progress.notify_all();
        for shard in 0..self.broadcast.shard_count {
            self.broadcast.mesh.send(shard, Message::Stop);
        }
        self.gate.close().await;
        self.controller.close().await;
        if let Some(problem) = self.controller.failed() {
            error!(%problem, "the controller could not close its log; a start will recover it");
            return Ending::Unclean;
        }
        info!(clean, "all shards have stopped");
        if clean { Ending::Clean } else { Ending::Unclean }
    }
}
