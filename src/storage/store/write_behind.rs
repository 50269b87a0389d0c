//! Writing segments behind the journal, and the checkpoints that let the journal's files go round.
//!
//! One pass at a time. A pass takes each log's state and leases on its bytes in one step, writes
//! them at a bounded depth while appends go on, syncs what it wrote, and only then says so: to the
//! logs, whose chunks become caches, and, if it is a checkpoint, to the journal.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::pace::{Pace, Work};
use super::plan::{LogPlan, Tails};
use super::{LOGS_PER_TURN, StoreCore};
use crate::model::units::block_floor;
use crate::runtime::disk::{File, sync_failed};
use crate::runtime::sync::join_all;
use crate::storage::checkpoint::{self, CheckpointName, CheckpointPart, CheckpointWriter};
use crate::storage::directory::partition_dir;
use crate::storage::journal::Sequence;
use crate::storage::log::directories;
use crate::storage::log::engine::Engine;
use crate::storage::log::failure::may_pass;
use crate::storage::log::partition_log::LogShared;
use crate::storage::log::{Log, StorageFailed};

/// Logs that are written at the same time by a pass that hurries.
const WRITES_IN_FLIGHT_MAX: usize = 4;
/// Files that are synced at the same time by a pass that hurries: the file system commits them together.
const SYNCS_IN_FLIGHT_MAX: usize = 16;
/// From here on one `syncfs` is cheaper than a sync for each further file, although it also writes back what
/// others have left in the page cache of the same file system.
const FILES_SYNCED_ALONE_MAX: usize = 1024;

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The journal is filling up, or memory: a checkpoint, and logs that have been idle for the
    /// given time give back their memory.
    Checkpoint { cut_after: Option<Duration> },
    /// The same for logs that have been idle for long, and no checkpoint.
    Retire { idle: Duration },
    /// Everything is written and cut, with a checkpoint that says so.
    Close,
}

impl Pass {
    fn is_checkpoint(self) -> bool {
        !matches!(self, Pass::Retire { .. })
    }

    /// Whether a log is cut; `None` leaves it out altogether.
    fn tails(self, engine: &Engine, log: &LogShared) -> Option<Tails> {
        let core = log.core();
        let idle = engine.runtime.now().saturating_since(core.last_append);
        // A file that others write to is not cut.
        let may_cut = !core.active().is_written_past_the_journal();
        match self {
            Pass::Checkpoint { cut_after: Some(after) } if idle >= after && may_cut => {
                Some(Tails::Cut)
            }
            Pass::Checkpoint { .. } => Some(Tails::Keep),
            Pass::Retire { idle: long } => (idle >= long && may_cut).then_some(Tails::Cut),
            Pass::Close => Some(Tails::Cut),
        }
    }
}

/// What one pass has done so far.
struct Progress {
    logs: std::vec::IntoIter<Log>,
    checkpoint: Option<CheckpointWriter>,
    covered: Sequence,
    done: Vec<(LogPlan, Tails)>,
    /// Files that are written and not synced; never more than descriptors can be spared for.
    files: Vec<File>,
    /// Files that were written so far.
    written: usize,
    /// There were so many that the whole file system is synced at the end.
    syncs_all: bool,
    directories: BTreeSet<PathBuf>,
}

impl StoreCore {
    /// Runs one pass; an error has poisoned the store.
    pub(super) async fn write_behind(&self, pass: Pass) -> Result<(), StorageFailed> {
        let _turn = self.pass.acquire(1).await;
        let engine = &self.engine;
        if let Some(failed) = engine.failure() {
            return Err(failed);
        }
        let sequence = Sequence(engine.journal.next_sequence().0 - 1);
        let bytes = engine.appended.get();
        if pass.is_checkpoint() {
            engine.appended.set(0);
            engine.short_of_memory.set(false);
        }
        // What is written over in a segment's last block must be durable elsewhere first.
        engine.journal.wait_durable(sequence).await?;
        let all = Work { logs: self.logs.borrow().len(), bytes };
        let outcome = self.write(pass, sequence, all).await;
        if outcome.is_err() && pass.is_checkpoint() {
            checkpoint::abandon(&engine.runtime, &engine.dir, self.next_name()).await;
        }
        match outcome {
            // Another pass may have written nothing, or the little for which there was space.
            Ok(()) if !pass.is_checkpoint() => {}
            Ok(()) => {
                if pass == Pass::Close || self.keep_reserve().await {
                    engine.note_space();
                }
            }
            // Nothing is synced of what was not written, so it may be written again later.
            Err(error) if may_pass(&error) => {
                engine.note_full(&error);
                return Err(StorageFailed(error.to_string().into()));
            }
            Err(error) => engine.fail("writing segments or a checkpoint", &error),
        }
        engine.relieved.notify_all();
        engine.failure().map_or(Ok(()), Err)
    }

    async fn write(&self, pass: Pass, sequence: Sequence, all: Work) -> io::Result<()> {
        let engine = &self.engine;
        let file = if pass.is_checkpoint() {
            Some(checkpoint::create(&engine.runtime, &engine.dir, self.next_name()).await?)
        } else {
            None
        };
        let progress = RefCell::new(self.begin(pass, sequence, file));
        let pace = Pace::new(engine, &self.closing, all);
        let writers = (0..WRITES_IN_FLIGHT_MAX).map(|_| self.write_logs(pass, &pace, &progress));
        let written: io::Result<Vec<()>> = join_all(writers).await.into_iter().collect();
        written?;
        self.finish(pass, &pace, progress.into_inner(), sequence).await
    }

    fn begin(&self, pass: Pass, sequence: Sequence, file: Option<File>) -> Progress {
        let mut logs: Vec<Log> = self.logs.borrow().values().cloned().collect();
        logs.sort_unstable_by_key(Log::id);
        let (name, clean) = (self.next_name(), pass == Pass::Close);
        let deleted = self.deleted_of_base.borrow();
        let checkpoint =
            file.map(|file| CheckpointWriter::new(file, name, clean, sequence, &deleted));
        Progress {
            logs: logs.into_iter(),
            checkpoint,
            // Logs that are not among these were deleted by entries up to here.
            covered: Sequence(self.engine.journal.next_sequence().0 - 1),
            done: Vec::new(),
            files: Vec::new(),
            written: 0,
            syncs_all: false,
            directories: BTreeSet::new(),
        }
    }

    /// The checkpoint that comes next.
    fn next_name(&self) -> CheckpointName {
        self.name_of(self.checkpoint_number.get() + 1)
    }

    fn name_of(&self, number: u64) -> CheckpointName {
        CheckpointName { epoch: self.epoch, slot: self.slot, number }
    }

    /// One of the writers of a pass: plans and writes one log after the other.
    async fn write_logs(
        &self,
        pass: Pass,
        pace: &Pace<'_>,
        progress: &RefCell<Progress>,
    ) -> io::Result<()> {
        let engine = &self.engine;
        let mut looked_at = 0;
        loop {
            let Some(Log(log)) = progress.borrow_mut().logs.next() else { return Ok(()) };
            pace.log_done();
            looked_at += 1;
            if looked_at % LOGS_PER_TURN == 0 {
                engine.runtime.yield_now().await;
            }
            if log.core().deleted {
                let progress = &mut *progress.borrow_mut();
                progress.covered = progress.covered.max(log.core().covered);
                continue;
            }
            let Some(tails) = pass.tails(engine, &log) else { continue };
            let plan = LogPlan::new(&log, tails);
            let part = progress.borrow_mut().note_state(pass, &log);
            if let Some(part) = part {
                pace.piece(part.write()).await?;
            }
            if !plan.segments.is_empty() {
                // No byte reaches a segment before it is durable in the journal.
                let covered = log.core().covered;
                let durable = engine.journal.wait_durable(covered).await;
                durable.map_err(|poisoned| io::Error::other(poisoned.to_string()))?;
                self.write_segments(&plan, pace, progress).await?;
            }
            progress.borrow_mut().done.push((plan, tails));
        }
    }

    /// Writes what is planned of a log, and syncs what has been written when it is as many files as may
    /// be open for that.
    async fn write_segments(
        &self,
        plan: &LogPlan,
        pace: &Pace<'_>,
        progress: &RefCell<Progress>,
    ) -> io::Result<()> {
        let engine = &self.engine;
        plan.make_directory(engine).await?;
        progress.borrow_mut().note_directories(engine, plan);
        for segment in &plan.segments {
            let file = segment.write(engine, pace, plan.log.id).await?;
            let together = progress.borrow_mut().note_file(file, engine.files.count_max());
            sync_each(&together, pace).await.map_err(sync_failed)?;
        }
        Ok(())
    }

    async fn finish(
        &self,
        pass: Pass,
        pace: &Pace<'_>,
        progress: Progress,
        sequence: Sequence,
    ) -> io::Result<()> {
        let engine = &self.engine;
        let disk = engine.runtime.disk();
        if progress.syncs_all {
            disk.sync_filesystem(&engine.dir).await?;
        } else {
            sync_each(&progress.files, pace).await.map_err(sync_failed)?;
            for directory in &progress.directories {
                disk.sync_dir(directory).await?;
            }
        }
        if let Some(checkpoint) = progress.checkpoint {
            // A state may be ahead of its journal; a checkpoint never is.
            let durable = engine.journal.wait_durable(progress.covered).await;
            durable.map_err(|poisoned| io::Error::other(poisoned.to_string()))?;
            checkpoint.write(&engine.runtime, &engine.dir).await?;
        }
        for (plan, tails) in &progress.done {
            self.written(plan, *tails);
        }
        if pass.is_checkpoint() {
            let number = self.checkpoint_number.get();
            self.checkpoint_number.set(number + 1);
            self.next_uncovered.set(sequence.next());
            engine.journal.release_before(sequence.next());
            if number > 0 {
                let old = self.name_of(number).path(&engine.dir);
                engine.report_removal(disk.remove_file(&old).await, &old);
            }
        }
        Ok(())
    }

    /// Tells a log what its files now have.
    fn written(&self, plan: &LogPlan, tails: Tails) {
        let (log, engine) = (&plan.log, &self.engine);
        let mut core = log.core_mut();
        core.has_directory |= plan.makes_directory;
        for written in &plan.segments {
            let Some(index) = core.segment_index(written.base) else { continue };
            let segment = &mut core.segments[index];
            let grown = segment.state.bytes > written.to;
            // What was cut and has grown since begins with a partial block that is in memory.
            let to = if grown { block_floor(written.to.into()) as u32 } else { written.to };
            segment.written = segment.written.max(to);
            segment.is_being_written = false;
            if let Some(allocated) = written.allocate {
                segment.allocated = segment.allocated.max(allocated);
            } else if written.exact && segment.allocated == written.allocated {
                segment.allocated = 0;
            }
            if written.exact {
                segment.ready = 0;
            }
            engine.cached(log, written.base);
        }
        let active = core.active_mut();
        // A file that is cut goes with an empty window: the next append reads its end back.
        if tails == Tails::Cut && active.written == active.state.bytes {
            active.window.clear();
            active.allocated = 0;
            active.ready = 0;
            drop(core);
            engine.files.close(log.id, None);
        }
    }
}

impl Progress {
    /// Adds the log's state to the checkpoint, taken in the same step as its plan; gives what of the
    /// checkpoint is to be written now.
    fn note_state(&mut self, pass: Pass, log: &LogShared) -> Option<CheckpointPart> {
        let checkpoint = self.checkpoint.as_mut()?;
        let core = log.core();
        let active = core.active();
        // A tail that is cut by this pass may be written over before its log says so again, so
        // the checkpoint keeps it; at a clean stop nothing comes after.
        let written = if pass == Pass::Close || active.is_cut() {
            active.state.bytes
        } else {
            block_floor(active.state.bytes.into()) as u32
        };
        checkpoint.add(|out| log.encode_state(&core, written, out));
        self.covered = self.covered.max(core.covered);
        checkpoint.take_part()
    }

    /// Takes a file that was written; gives those that are to be synced now.
    fn note_file(&mut self, file: File, open_max: usize) -> Vec<File> {
        self.written += 1;
        self.files.push(file);
        if self.written > FILES_SYNCED_ALONE_MAX {
            // A sync of all needs none of them open.
            self.syncs_all = true;
            self.files.clear();
        }
        if self.files.len() < open_max { Vec::new() } else { std::mem::take(&mut self.files) }
    }

    fn note_directories(&mut self, engine: &Engine, plan: &LogPlan) {
        let (dir, id) = (&engine.dir, plan.log.id);
        if plan.makes_directory {
            self.directories.extend(directories::holders(dir, id));
        } else if plan.segments.iter().any(|segment| segment.creates()) {
            self.directories.insert(partition_dir(dir, id));
        }
    }
}

/// Syncs the data of all files, some at a time; an error ends it when what is under way has ended.
async fn sync_each(files: &[File], pace: &Pace<'_>) -> io::Result<()> {
    let next = Cell::new(0);
    let syncers = (0..SYNCS_IN_FLIGHT_MAX.min(files.len())).map(|_| async {
        while let Some(file) = files.get(next.replace(next.get() + 1)) {
            pace.piece(file.sync_data()).await?;
        }
        Ok(())
    });
    join_all(syncers).await.into_iter().collect()
}

/// Whether a pass is due.
pub(super) fn is_due(core: &StoreCore) -> bool {
    let engine = &core.engine;
    let news = engine.journal.next_sequence() > core.next_uncovered.get();
    let half = engine.journal.pressure() >= 0.5;
    let full = engine.appended.get() > engine.runtime.arena().bytes_max() as u64 / 2;
    (half && news) || full
}

/// What calls for a pass now.
pub(super) fn due(core: &StoreCore) -> Option<Pass> {
    let engine = &core.engine;
    let now = engine.runtime.now();
    if let Some(until) = engine.full_until() {
        return (now >= until).then_some(Pass::Checkpoint { cut_after: None });
    }
    let waited = now.saturating_since(core.short_pass_at.get());
    if engine.short_of_memory.get() && waited >= CUT_WHEN_SHORT_AFTER {
        core.short_pass_at.set(now);
        return Some(Pass::Checkpoint { cut_after: Some(CUT_WHEN_SHORT_AFTER) });
    }
    is_due(core).then_some(Pass::Checkpoint { cut_after: None })
}

/// When memory is short, logs that are idle for so long give theirs back, and so often at most.
const CUT_WHEN_SHORT_AFTER: Duration = Duration::from_millis(100);
