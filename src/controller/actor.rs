//! The controller: one task that decides commands in rounds and makes each round one commit.
//!
//! Commands that arrive while a round is on its way to the disk wait for the next round and share
//! its commit: group commit again, without a timer.

use std::cell::{Ref, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use raft::eraftpb::Entry;
use rustc_hash::FxHashSet;

use super::log_store::{LogStore, LogStoreError, Recovered, records_of};
use super::quorum::{Actions, NotLeader, Quorum};
use crate::metadata::commands::{BrokerStart, Command, CommandError, Reply, Settings, decide};
use crate::metadata::record::encode_batch;
use crate::metadata::{Image, Record, replay};
use crate::model::limits::{
    COMMANDS_WAITING_MAX, METADATA_BATCH_BYTES_MAX, METADATA_ROUND_BYTES_MAX,
};
use crate::model::{ErrorCode, TopicId};
use crate::runtime::sync::{Event, Gate, Queue, oneshot};
use crate::runtime::{Lane, Runtime};
use crate::storage::directory::DirectoryId;

/// What a controller is started with.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// `data/metadata`.
    pub dir: PathBuf,
    /// The data directory's own id: a journal of another directory is never taken for this one's.
    pub directory: DirectoryId,
    /// A broker has kept data in this directory: metadata that is not there is lost, not new.
    pub served_before: bool,
    /// How this broker registers itself at every start.
    pub broker: BrokerStart,
    /// What decisions take from the configuration.
    pub settings: Settings,
}

/// Why there is no controller.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The metadata on disk cannot be used or written.
    #[error("cannot open the metadata: {0}")]
    Store(#[from] LogStoreError),
    /// Raft refuses its own state.
    #[error("cannot start the metadata quorum: {0}")]
    Raft(#[from] raft::Error),
    /// The broker may not start in this cluster.
    #[error("cannot register this broker: {0}")]
    Refused(#[from] CommandError),
    /// The node did not come to lead its quorum.
    #[error("cannot start the metadata quorum: {0}")]
    NotLeader(#[from] NotLeader),
}

/// The controller stopped because its disk failed; the broker has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata can no longer be written: {reason}")]
pub struct ControllerFailed {
    reason: Rc<str>,
}

type Answer = Result<Reply, CommandError>;

struct Pending {
    command: Command,
    answer: oneshot::Sender<Answer>,
}

/// Is told of every committed batch and its index.
type OnCommitted = Box<dyn FnMut(u64, &[Record])>;

/// A decided command that waits for its round's commit.
type Decided = (oneshot::Sender<Answer>, Answer);

struct Shared {
    /// What is committed and replayed.
    image: RefCell<Image>,
    removed_before: FxHashSet<TopicId>,
    queue: Queue<Pending>,
    failed: RefCell<Option<ControllerFailed>>,
    failure: Event,
    gate: Gate,
}

/// The handle; clones are the same controller. It lives on the control thread.
#[derive(Clone)]
pub struct Controller(Rc<Shared>);

impl Controller {
    /// Recovers the metadata, leads the quorum and registers this broker, all of it durable before
    /// this returns. From then on `on_committed` gets every batch of records, with its index in the
    /// log, after its replay and before anybody is answered; what is in the image until then is
    /// [`Controller::image`]'s.
    pub async fn start(
        runtime: &Runtime,
        options: ControllerOptions,
        on_committed: impl FnMut(u64, &[Record]) + 'static,
    ) -> Result<Controller, ControllerError> {
        // Raft takes 0 for nobody, Kafka takes it for a broker.
        let id = u64::from(options.broker.broker.id.0.unsigned_abs()) + 1;
        let ControllerOptions { dir, directory, served_before, .. } = &options;
        let (store, recovered) =
            LogStore::open(runtime, dir, *directory, vec![id], *served_before).await?;
        let Recovered { image, log, removed } = recovered;
        let mut tip = image.clone();
        for entry in &log.entries {
            replay_entry(&mut tip, entry)?;
        }
        let quorum = Quorum::new(id, log, runtime.random())?;
        let shared = Rc::new(Shared {
            image: RefCell::new(image),
            removed_before: removed,
            queue: Queue::new(COMMANDS_WAITING_MAX),
            failed: RefCell::new(None),
            failure: Event::new(),
            gate: Gate::new(),
        });
        let mut actor = Actor {
            runtime: runtime.clone(),
            settings: options.settings,
            shared: shared.clone(),
            store,
            quorum,
            tip,
            on_committed: Box::new(|_, _| {}),
        };
        actor.quorum.campaign()?;
        // Raft's entry of the new term and the registration share one commit.
        let mut round = Round::default();
        let reply = actor.decide(Command::StartBroker(options.broker), &mut round)?;
        actor.propose(round)?;
        actor.commit().await?;
        debug_assert_eq!(reply, Reply::BrokerStarted);
        actor.on_committed = Box::new(on_committed);
        let guard = shared.gate.enter().expect("the gate has just been made");
        runtime.spawn(Lane::Hot, async move {
            actor.run().await;
            drop(guard);
        });
        Ok(Controller(shared))
    }

    /// Decides a command, makes its records durable, and answers. Waits while too many do.
    pub async fn submit(&self, command: Command) -> Result<Reply, CommandError> {
        let (answer, answered) = oneshot::channel();
        if self.0.queue.push(Pending { command, answer }).await.is_err() {
            return Err(self.gone());
        }
        match answered.await {
            Some(answer) => answer,
            None => Err(self.gone()),
        }
    }

    /// The committed image. Never hold it over an `await`.
    pub fn image(&self) -> Ref<'_, Image> {
        self.0.image.borrow()
    }

    /// The topics whose removal was the last that the log said of them before this start.
    pub fn removed_before(&self) -> &FxHashSet<TopicId> {
        &self.0.removed_before
    }

    /// Why the controller stopped answering, if it did.
    pub fn failed(&self) -> Option<ControllerFailed> {
        self.0.failed.borrow().clone()
    }

    /// Waits until the controller fails, which it may never.
    pub async fn wait_failed(&self) -> ControllerFailed {
        loop {
            let change = self.0.failure.listen();
            if let Some(failed) = self.failed() {
                return failed;
            }
            change.await;
        }
    }

    /// Answers what was submitted, refuses what comes later, and ends the controller's tasks.
    pub async fn close(&self) {
        self.0.queue.close();
        self.0.gate.close().await;
    }

    fn gone(&self) -> CommandError {
        match self.failed() {
            Some(failed) => CommandError::new(ErrorCode::KafkaStorageError, failed.to_string()),
            None => ErrorCode::NotController.into(),
        }
    }
}

/// What commands of one round add to the log.
#[derive(Default)]
struct Round {
    batches: Vec<Vec<u8>>,
    bytes: usize,
}

struct Actor {
    runtime: Runtime,
    settings: Settings,
    shared: Rc<Shared>,
    store: LogStore,
    quorum: Quorum,
    /// The image with everything that is on its way to be committed.
    tip: Image,
    on_committed: OnCommitted,
}

impl Actor {
    async fn run(mut self) {
        while let Some(first) = self.shared.queue.pop().await {
            if let Err(error) = self.round(first).await {
                return self.fail(&error.to_string());
            }
        }
        if let Err(error) = self.store.close().await {
            self.fail(&error.to_string());
        }
    }

    /// Decides everything that waits, commits it as one, and answers.
    async fn round(&mut self, first: Pending) -> Result<(), ControllerError> {
        let mut round = Round::default();
        let mut decided: Vec<Decided> = Vec::new();
        let mut next = Some(first);
        while let Some(Pending { command, answer }) = next {
            let result = self.decide(command, &mut round);
            decided.push((answer, result));
            next = match round.bytes < METADATA_ROUND_BYTES_MAX {
                true => self.shared.queue.try_pop(),
                false => None,
            };
        }
        if !round.batches.is_empty() {
            self.propose(round)?;
            self.commit().await?;
        }
        for (answer, result) in decided {
            // An asker that is gone needs no answer; its command stands.
            drop(answer.send(result));
        }
        if self.store.checkpoint_is_due() {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Decides one command on the tip and replays its records there.
    fn decide(&mut self, command: Command, round: &mut Round) -> Answer {
        let runtime = self.runtime.clone();
        let decision = decide(&self.tip, &self.settings, command, &mut || runtime.random())?;
        if decision.records.is_empty() {
            return Ok(decision.reply);
        }
        let batch = encode_batch(&decision.records);
        if batch.len() > METADATA_BATCH_BYTES_MAX {
            return Err(CommandError::new(
                ErrorCode::PolicyViolation,
                format!(
                    "The request would write {} bytes of metadata; at most \
                     {METADATA_BATCH_BYTES_MAX} are allowed. Split it.",
                    batch.len()
                ),
            ));
        }
        for record in &decision.records {
            replay(&mut self.tip, record)
                .expect("a decision's records fit the image that it was decided on");
        }
        round.bytes += batch.len();
        round.batches.push(batch);
        Ok(decision.reply)
    }

    fn propose(&mut self, round: Round) -> Result<(), NotLeader> {
        for batch in round.batches {
            self.quorum.propose(batch)?;
        }
        Ok(())
    }

    /// Makes durable, commits and replays everything that was proposed.
    async fn commit(&mut self) -> Result<(), ControllerError> {
        while let Some(actions) = self.quorum.ready() {
            let Actions { number, messages, entries, hard_state, must_sync, .. } = actions;
            let (messages_after, committed) = (actions.messages_after, actions.committed);
            assert!(
                messages.is_empty() && messages_after.is_empty(),
                "a lone voter has nobody to write to"
            );
            if must_sync {
                let bytes = entries.iter().map(|entry| entry.data.len()).sum();
                self.store.reserve(entries.len(), bytes).await?;
                self.store.append(&entries, hard_state.as_ref());
                self.store.wait_durable().await?;
            }
            // A commit index alone is not worth a write: the next start finds it again.
            self.quorum.persisted(number);
            for entry in committed {
                self.apply(&entry)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), LogStoreError> {
        let records = replay_entry(&mut self.shared.image.borrow_mut(), entry)?;
        self.quorum.applied(entry.index);
        if !records.is_empty() {
            (self.on_committed)(entry.index, &records);
        }
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<(), LogStoreError> {
        let applied = self.quorum.log().hard_state.commit;
        let checkpoint =
            self.store.checkpoint(&self.shared.image.borrow(), self.quorum.log(), applied);
        self.store.write(&checkpoint).await?;
        self.quorum.forget_through(applied);
        Ok(())
    }

    /// Stops answering: what waits is answered with the failure, and so is all that comes.
    fn fail(&self, reason: &str) {
        tracing::error!("the metadata can no longer be written, the broker has to stop: {reason}");
        *self.shared.failed.borrow_mut() = Some(ControllerFailed { reason: reason.into() });
        self.shared.queue.close();
        while self.shared.queue.try_pop().is_some() {}
        self.shared.failure.notify_all();
    }
}

fn replay_entry(image: &mut Image, entry: &Entry) -> Result<Vec<Record>, LogStoreError> {
    let records = records_of(entry)?;
    for record in &records {
        replay(image, record)?;
    }
    Ok(records)
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
