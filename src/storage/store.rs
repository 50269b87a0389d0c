//! The store of one slot: its journal, its logs, and the tasks that write segments behind them.
//!
//! A shard has one store for each data directory. Deliberately absent: which shard that is, the
//! lock and the superblock of the directory (recovery's), and topics' metadata.

mod bypass;
#[cfg(test)]
mod bypass_tests;
#[cfg(test)]
mod damage_tests;
mod deleting;
#[cfg(test)]
mod deleting_tests;
#[cfg(test)]
mod full_tests;
mod gauges;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod lookup_tests;
#[cfg(test)]
mod model_tests;
mod pace;
mod plan;
#[cfg(test)]
mod producer_tests;
#[cfg(test)]
mod range_tests;
#[cfg(test)]
mod real_tests;
mod removing;
#[cfg(test)]
mod start_tests;
mod write_behind;

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::directory::{checkpoint_dir, partition_dir, topics_dir};
use super::journal::{
    CommitObserver, EntryKind, Journal, JournalOptions, JournalStats, OpenError, Sequence,
};
use super::log::engine::{Engine, FULL_TRIED_EVERY, STARVED_AFTER};
use super::log::failure::may_pass;
use super::log::partition_log::LogShared;
use super::log::{Log, LogConfig, LogState, StorageFailed};
use super::reserve;
use crate::model::limits::{BYPASS_BYTES_MIN, OPEN_SEGMENTS_MAX};
use crate::model::units::MIB;
use crate::model::{LogId, OwnerEpoch};
use crate::runtime::sync::{Event, Gate, Semaphore, select2, timeout};
use crate::runtime::{Lane, Monotonic, Runtime};
use bypass::BYPASS_WRITERS;
use deleting::Deletions;
pub use gauges::StoreGauges;
use write_behind::Pass;

/// The owner epoch of a log that has never moved.
const FIRST_OWNER: OwnerEpoch = OwnerEpoch(1);
/// How often idle producers are forgotten: Kafka's default of
/// `producer.id.expiration.check.interval.ms`.
const PRODUCERS_EXPIRED_EVERY: Duration = Duration::from_secs(600);
/// Logs that are looked at before other tasks get their turn.
const LOGS_PER_TURN: usize = 64;
/// Fresh memory is taken without further ado for what the journal may hold, and as much again for what
/// readers that follow want; for more only where caches give nothing back, or where a reader has missed it.
const QUOTA_JOURNALS: usize = 2;
/// The least memory for chunks with which a store opens: what is not checkpointed is in chunks.
const ARENA_BYTES_MIN: usize = MIB;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// The slot's journal.
    pub journal: JournalOptions,
    /// How long a log is idle before its end is written, its file cut and its memory given back.
    pub idle_after: Duration,
    /// Whether space is set aside for the next start.
    pub keeps_reserve: bool,
    /// Segment files that stay open; while segments are written, as many again are.
    pub open_segments_max: usize,
    /// Batches of at least so many bytes go past the journal, straight to their segment.
    pub bypass_bytes_min: usize,
}

impl StoreOptions {
    /// A store over a journal, with the usual times.
    pub fn new(dir: &Path, journal: JournalOptions) -> StoreOptions {
        StoreOptions {
            dir: dir.to_owned(),
            journal,
            idle_after: Duration::from_secs(30),
            keeps_reserve: false,
            open_segments_max: OPEN_SEGMENTS_MAX,
            bypass_bytes_min: BYPASS_BYTES_MIN,
        }
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The journal does not.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// A directory cannot be made.
    #[error("{path}: {error}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// There is too little memory.
    #[error(
        "{bytes} bytes are too little memory for a shard's log, {ARENA_BYTES_MIN} are the least: raise memory.bytes"
    )]
    Memory {
        /// What there is.
        bytes: usize,
    },
}

/// Figures of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Logs.
    pub logs: usize,
    /// Segment files that are open.
    pub open_segments: usize,
    /// Bytes of segments that logs have dropped since the start.
    pub dropped_bytes: u64,
    /// Dropped segments whose files are still there, as far as they have any.
    pub removals_pending: usize,
    /// Checkpoints written since the start.
    pub checkpoints: u64,
    /// Bytes of chunks in use.
    pub memory_bytes: usize,
    /// Bytes that went past the journal since the start.
    pub bypassed_bytes: u64,
    /// The journal's figures.
    pub journal: JournalStats,
}

/// The logs of one slot; clones are the same store.
#[derive(Clone)]
pub struct Store(Rc<StoreCore>);

struct StoreCore {
    engine: Rc<Engine>,
    logs: RefCell<FxHashMap<LogId, Log>>,
    epoch: u64,
    slot: u16,
    /// Bytes of the journal's files, if space is set aside for what they hold.
    reserved_for: Option<u64>,
    /// Bytes that are set aside.
    reserved: Cell<u64>,
    checkpoint_number: Cell<u64>,
    /// The first sequence that no checkpoint covers.
    next_uncovered: Cell<Sequence>,
    /// When memory was last sought by cutting logs.
    short_pass_at: Cell<Monotonic>,
    /// Logs of the epoch's base that are deleted: checkpoints say so.
    deleted_of_base: RefCell<Vec<LogId>>,
    base: RefCell<FxHashSet<LogId>>,
    /// Deleted logs whose files are not gone yet.
    deletions: Deletions,
    /// One pass of the write-behind, or one turn of deletions, at a time.
    pass: Semaphore,
    /// One segment that is made ready, or one turn of deletions, at a time.
    removing: Semaphore,
    closing: Cell<bool>,
    closed: Event,
    tasks: Gate,
}

impl Store {
    /// Opens a slot with the logs that recovery gives it; their files are exact, but for tails that are in the states.
    ///
    /// # Errors
    /// Where the journal's files cannot be made ready, and where the tails take more memory than there is.
    pub async fn open(
        runtime: &Runtime,
        options: StoreOptions,
        states: Vec<LogState>,
    ) -> Result<Store, StoreError> {
        let memory = runtime.arena().bytes_max();
        if memory < ARENA_BYTES_MIN {
            return Err(StoreError::Memory { bytes: memory });
        }
        for path in [topics_dir(&options.dir), checkpoint_dir(&options.dir)] {
            let made = runtime.disk().create_dir_all(&path).await;
            made.map_err(|error| StoreError::Directory { path, error })?;
        }
        let synced = runtime.disk().sync_dir(&options.dir).await;
        synced.map_err(|error| StoreError::Directory { path: options.dir.clone(), error })?;
        let (epoch, slot) = (options.journal.identity.epoch, options.journal.identity.slot);
        let journal_bytes = options.journal.bytes_max();
        let quota = usize::try_from(journal_bytes).unwrap_or(usize::MAX);
        runtime.arena().limit(quota.saturating_mul(QUOTA_JOURNALS));
        let journal = Journal::open(runtime, options.journal).await?;
        let engine = Rc::new(Engine::new(
            runtime.clone(),
            journal,
            options.dir,
            options.open_segments_max,
            options.bypass_bytes_min,
        ));
        let base = states.iter().map(|state| state.id).collect();
        let mut logs = FxHashMap::default();
        for mut state in states {
            let tail = std::mem::take(&mut state.tail);
            let log = LogShared::open(engine.clone(), state, LogConfig::default());
            if !log.take_tail(&tail) {
                return Err(StoreError::Memory { bytes: memory });
            }
            logs.insert(log.id, Log(log));
        }
        let core = Rc::new(StoreCore {
            logs: RefCell::new(logs),
            epoch,
            slot,
            reserved_for: options.keeps_reserve.then_some(journal_bytes),
            reserved: Cell::new(0),
            checkpoint_number: Cell::new(0),
            next_uncovered: Cell::new(engine.journal.next_sequence()),
            short_pass_at: Cell::new(Monotonic::default()),
            deleted_of_base: RefCell::default(),
            base: RefCell::new(base),
            deletions: Deletions::default(),
            pass: Semaphore::new(1),
            removing: Semaphore::new(1),
            closing: Cell::new(false),
            closed: Event::new(),
            tasks: Gate::new(),
            engine,
        });
        // Whatever is taken from now on has to find its place at the next start, too.
        core.keep_reserve().await;
        core.spawn(Lane::Hot, StoreCore::settle_as_the_journal_moves);
        for _ in 0..BYPASS_WRITERS {
            core.spawn(Lane::Hot, StoreCore::write_past_the_journal);
        }
        core.spawn(Lane::Hot, StoreCore::make_segments_ready);
        core.spawn(Lane::Background, StoreCore::write_behind_when_due);
        core.spawn(Lane::Background, StoreCore::flush_when_due);
        core.spawn(Lane::Background, StoreCore::expire_idle_producers);
        core.spawn(Lane::Background, StoreCore::remove_dropped_segments);
        core.spawn(Lane::Background, StoreCore::remove_deleted_logs);
        let idle_after = options.idle_after;
        core.spawn(Lane::Background, move |core| core.retire_the_idle(idle_after));
        Ok(Store(core))
    }

    /// The log with that id.
    pub fn log(&self, id: &LogId) -> Option<Log> {
        self.0.logs.borrow().get(id).cloned()
    }

    /// All logs, ordered.
    pub fn log_ids(&self) -> Vec<LogId> {
        let mut ids: Vec<LogId> = self.0.logs.borrow().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Makes a log, or gives the one that is there. Its topic's name only labels a link.
    pub fn create(&self, id: LogId, topic: &str, config: LogConfig) -> Log {
        if let Some(log) = self.log(&id) {
            log.set_config(config);
            return log;
        }
        let state = LogState::new(id, FIRST_OWNER, topic);
        let shared = LogShared::open(self.0.engine.clone(), state, config);
        shared.log_change(&mut shared.core_mut(), EntryKind::Create, topic.as_bytes(), &[]);
        let log = Log(shared);
        self.0.logs.borrow_mut().insert(id, log.clone());
        log
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.0.engine.dir
    }

    /// The directory of a log, which is made with its first segment.
    pub fn directory_of(&self, id: LogId) -> PathBuf {
        partition_dir(&self.0.engine.dir, id)
    }

    /// Writes everything that is whole to the segments, and a checkpoint.
    ///
    /// # Errors
    /// Once the directory has failed, and while the disk is full.
    pub async fn checkpoint(&self) -> Result<(), StorageFailed> {
        self.0.write_behind(Pass::Checkpoint { cut_after: None }).await
    }

    /// Why the directory has failed, if it has.
    pub fn failure(&self) -> Option<StorageFailed> {
        self.0.engine.failure()
    }

    /// Tells `observer` of every durable commit of the slot's journal from now on.
    pub fn observe_commits(&self, observer: CommitObserver) {
        self.0.engine.journal.observe_commits(observer);
    }

    /// Waits until an append waits for memory that writing does not give: somebody else holds it.
    pub async fn starved(&self) {
        let engine = &self.0.engine;
        loop {
            let starved = engine.starved.listen();
            let at = engine.starved_at.get();
            if at.is_some_and(|at| engine.runtime.now().saturating_since(at) < STARVED_AFTER) {
                return;
            }
            starved.await;
        }
    }

    /// Whether the disk is full: appends are refused until there is space again.
    pub fn is_full(&self) -> bool {
        self.0.engine.full_until().is_some()
    }

    /// Waits until the directory fails, which it may never.
    pub async fn failed(&self) -> StorageFailed {
        loop {
            let progress = self.0.engine.journal.progress().listen();
            if let Some(failure) = self.failure() {
                return failure;
            }
            progress.await;
        }
    }

    /// Figures for the operator.
    pub fn stats(&self) -> StoreStats {
        let engine = &self.0.engine;
        StoreStats {
            logs: self.0.logs.borrow().len(),
            open_segments: engine.files.count(),
            dropped_bytes: engine.removals.dropped_bytes(),
            removals_pending: engine.removals.pending(),
            checkpoints: self.0.checkpoint_number.get(),
            memory_bytes: engine.runtime.arena().bytes_used(),
            bypassed_bytes: engine.bypass.bytes_total(),
            journal: engine.journal.stats(),
        }
    }

    /// Stops cleanly: everything is in segments of exact length, with a checkpoint that says so.
    /// Nothing may be appended any more. The superblock is the caller's, when all slots are closed.
    ///
    /// # Errors
    /// Once the directory has failed: the next start recovers what was acknowledged.
    pub async fn close(&self) -> Result<(), StorageFailed> {
        let core = &self.0;
        core.closing.set(true);
        core.closed.notify_all();
        core.engine.wanted.notify_all();
        core.tasks.close().await;
        let written = core.write_behind(Pass::Close).await;
        core.engine.settle();
        let closed = core.engine.journal.close().await;
        core.logs.borrow_mut().clear();
        written.and(closed.map_err(StorageFailed::from))
    }
}

impl StoreCore {
    fn spawn<F: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        lane: Lane,
        task: impl FnOnce(Rc<StoreCore>) -> F,
    ) {
        let Some(guard) = self.tasks.enter() else { return };
        let task = task(self.clone());
        self.engine.runtime.spawn(lane, async move {
            task.await;
            drop(guard);
        });
    }

    /// Moves readable ends, once a tick in which the journal moved.
    async fn settle_as_the_journal_moves(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let progress = engine.journal.progress().listen();
            let closed = self.closed.listen();
            engine.settle();
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            if write_behind::is_due(&self) {
                engine.wanted.notify_all();
            }
            select2(progress, closed).await;
        }
    }

    async fn write_behind_when_due(self: Rc<Self>) {
        loop {
            let wanted = self.engine.wanted.listen();
            if self.closing.get() || self.engine.failure().is_some() {
                return;
            }
            match write_behind::due(&self) {
                // A failure has poisoned the store, which the next turn sees.
                Some(pass) => drop(self.write_behind(pass).await),
                None if self.engine.full_until().is_some() => {
                    timeout(&self.engine.runtime, FULL_TRIED_EVERY, wanted).await;
                }
                None => wanted.await,
            }
        }
    }

    /// Sets space aside for what only the journal holds, or notes that the disk is too full for that;
    /// true unless it is.
    async fn keep_reserve(&self) -> bool {
        let Some(journal_bytes) = self.reserved_for else { return true };
        let engine = &self.engine;
        let wanted = reserve::bytes_wanted(journal_bytes, self.logs.borrow().len());
        if self.reserved.get() >= wanted {
            return true;
        }
        match reserve::keep(&engine.runtime, &engine.dir, self.slot, wanted).await {
            Err(error) if may_pass(&error) => {
                engine.note_full(&error);
                return false;
            }
            Err(error) => {
                tracing::warn!(%error, "no space can be set aside in {} for a start on a full disk", engine.dir.display());
            }
            Ok(()) => {}
        }
        self.reserved.set(wanted);
        true
    }

    /// Makes durable what `flush.ms` no longer leaves only accepted.
    async fn flush_when_due(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (armed, closed) = (engine.flush_armed.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            let now = engine.runtime.now();
            match engine.flush_at.get() {
                None => drop(select2(armed, closed).await),
                Some(at) if at > now => {
                    timeout(&engine.runtime, at.saturating_since(now), select2(armed, closed))
                        .await;
                }
                Some(_) => {
                    engine.flush_at.set(None);
                    let last = Sequence(engine.journal.next_sequence().0 - 1);
                    engine.journal.demand_durable(last);
                }
            }
        }
    }

    /// Cuts logs that have been idle for long, and gives their memory and files back.
    async fn retire_the_idle(self: Rc<Self>, idle: Duration) {
        let engine = &self.engine;
        loop {
            let (awoken, closed) = (engine.awoken.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            if engine.awake.borrow().is_empty() {
                select2(awoken, closed).await;
                continue;
            }
            timeout(&engine.runtime, idle / 2, closed).await;
            let now = engine.runtime.now();
            let since = |log: &Weak<LogShared>| log.upgrade().map(|log| log.idle_since());
            let has_idle = engine
                .awake
                .borrow()
                .iter()
                .filter_map(since)
                .any(|at| now.saturating_since(at) >= idle);
            if has_idle && !self.closing.get() {
                // A failure has poisoned the store, which the next turn sees.
                drop(self.write_behind(Pass::Retire { idle }).await);
            }
            engine
                .awake
                .borrow_mut()
                .retain(|log| log.upgrade().is_some_and(|log| log.stays_awake()));
        }
    }

    /// Forgets producers that have been idle for too long, also in logs that nobody writes to.
    async fn expire_idle_producers(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (remembered, closed) = (engine.remembered.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            if engine.remembering.borrow().is_empty() {
                select2(remembered, closed).await;
                continue;
            }
            timeout(&engine.runtime, PRODUCERS_EXPIRED_EVERY, closed).await;
            // A log that begins to remember meanwhile joins the new list.
            let logs = engine.remembering.take();
            for (looked_at, weak) in logs.into_iter().enumerate() {
                if looked_at % LOGS_PER_TURN == LOGS_PER_TURN - 1 {
                    engine.runtime.yield_now().await;
                }
                if weak.upgrade().is_some_and(|log| log.expire_producers()) {
                    engine.remembering.borrow_mut().push(weak);
                }
            }
        }
    }
}
