//! From whatever the last process left to logs that can be opened, in a new start epoch.
//!
//! The superblock names the last start epoch E. Its base checkpoint has every log as that start
//! found it, newer checkpoints of its slots replace parts of that, and every slot's journal of E
//! says what happened since. Everything is brought into the segments, then the base checkpoint of
//! E + 1 is written, and only then the superblock says E + 1: a crash anywhere before that repeats
//! the same recovery. Topic data is never scanned. Since all slots end in one base checkpoint, the
//! number of shards may differ at every start.

use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use tracing::{info, warn};

use crate::model::{LogId, TopicId};
use crate::runtime::Runtime;
use crate::storage::checkpoint::{self, BASE_SLOT, Checkpoint, CheckpointError, CheckpointName};
use crate::storage::directory::{
    DirectoryId, by_name_dir, checkpoint_dir, journal_dir, topic_dir, topics_dir,
};
use crate::storage::journal::{JournalIdentity, ScanError, Sequence, scan, slots};
use crate::storage::log::LogState;
use crate::storage::log::replay::{Replay, ReplayError, ReplayReport};
use crate::storage::superblock::{Superblock, SuperblockError};

/// What recovery starts from.
#[derive(Clone, Debug)]
pub struct RecoverOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Its id.
    pub directory: DirectoryId,
    /// Every log that the metadata knows; the others belong to deleted topics.
    pub known: FxHashSet<LogId>,
}

/// What a start finds.
#[derive(Debug)]
pub struct Recovered {
    /// The logs, each exactly as its segments are.
    pub logs: Vec<LogState>,
    /// The new start epoch.
    pub epoch: u64,
    /// Whether the last process stopped in order.
    pub clean: bool,
    /// What was done.
    pub report: ReplayReport,
    /// Topics that were being deleted: see [`remove_orphans`].
    pub orphans: Vec<TopicId>,
}

/// Why the data directory cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The superblock.
    #[error(transparent)]
    Superblock(#[from] SuperblockError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] ScanError),
    /// The entries of a journal.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A directory.
    #[error("recovering {path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Recovers a data directory into a new start epoch.
///
/// # Errors
/// When something that was acknowledged cannot be read; nothing is changed then.
pub async fn recover(
    runtime: &Runtime,
    options: RecoverOptions,
) -> Result<Recovered, RecoverError> {
    let RecoverOptions { dir, directory, known } = options;
    let Some(last) = Superblock::read(runtime, &dir, directory).await? else {
        return first_start(runtime, &dir, directory).await;
    };
    let epoch = last.epoch;
    let names = checkpoint::list(runtime, &dir).await.map_err(at(&checkpoint_dir(&dir)))?;
    let base = checkpoint::read(runtime, &dir, CheckpointName::base(epoch)).await?;
    let newest = newest_of_slots(runtime, &dir, &names, epoch).await?;
    let clean = last.clean && newest.iter().all(|slot| slot.clean);
    let from: Vec<(u16, Sequence)> =
        newest.iter().map(|slot| (slot.name.slot, slot.sequence)).collect();
    let states = checkpoint::merge(base.states, newest);
    let mut replay = Replay::new(states, runtime.wall_clock_ms());
    if !clean {
        scan_journals(runtime, &dir, directory, epoch, &from, &mut replay).await?;
    }
    let (mut logs, report) = replay.bring_up_to_date(runtime, &dir).await?;
    logs.retain(|log| known.contains(&log.id));
    let orphans = orphans(runtime, &dir, &known).await?;
    let next = last.next(epoch + 1, false);
    let base = CheckpointName::base(next.epoch);
    let written = checkpoint::write(runtime, &dir, base, false, &logs).await;
    written.map_err(at(&checkpoint_dir(&dir)))?;
    next.write(runtime, &dir).await?;
    remove_old_checkpoints(runtime, &dir, &names).await;
    Ok(Recovered { logs, epoch: next.epoch, clean, report, orphans })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecoverError {
    move |error| RecoverError::Io { path: path.into(), error }
}

async fn first_start(
    runtime: &Runtime,
    dir: &Path,
    directory: DirectoryId,
) -> Result<Recovered, RecoverError> {
    for path in [topics_dir(dir), by_name_dir(dir), checkpoint_dir(dir), journal_dir(dir)] {
        runtime.disk().create_dir_all(&path).await.map_err(at(&path))?;
    }
    runtime.disk().sync_dir(&topics_dir(dir)).await.map_err(at(dir))?;
    runtime.disk().sync_dir(dir).await.map_err(at(dir))?;
    let epoch = 1;
    let written = checkpoint::write(runtime, dir, CheckpointName::base(epoch), true, &[]).await;
    written.map_err(at(&checkpoint_dir(dir)))?;
    Superblock { generation: 1, epoch, clean: false, directory }.write(runtime, dir).await?;
    Ok(Recovered {
        logs: Vec::new(),
        epoch,
        clean: true,
        report: ReplayReport::default(),
        orphans: Vec::new(),
    })
}

/// The newest whole checkpoint of each slot. A damaged one is passed over: the journal before it is
/// released only when it is durable, so a newest one that is damaged was never relied on, and one
/// that was is missed by the scan below, which refuses a journal that begins too late.
async fn newest_of_slots(
    runtime: &Runtime,
    dir: &Path,
    names: &[CheckpointName],
    epoch: u64,
) -> Result<Vec<Checkpoint>, RecoverError> {
    let mut newest: Vec<Checkpoint> = Vec::new();
    let of_epoch = names.iter().filter(|name| name.epoch == epoch && name.slot != BASE_SLOT);
    for &name in of_epoch.rev() {
        if newest.iter().any(|found| found.name.slot == name.slot) {
            continue;
        }
        match checkpoint::read(runtime, dir, name).await {
            Ok(found) => newest.push(found),
            Err(CheckpointError::Damaged { path, error }) => {
                warn!(path = %path.display(), %error, "a checkpoint is damaged: the one before it is used");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(newest)
}

async fn scan_journals(
    runtime: &Runtime,
    dir: &Path,
    directory: DirectoryId,
    epoch: u64,
    covered: &[(u16, Sequence)],
    replay: &mut Replay,
) -> Result<(), RecoverError> {
    let path = journal_dir(dir);
    for slot in slots(runtime, &path).await.map_err(at(&path))? {
        let through = covered.iter().find(|(covered, _)| *covered == slot);
        let from = through.map_or(Sequence::FIRST, |(_, sequence)| sequence.next());
        let identity = JournalIdentity { directory, slot, epoch };
        let report = scan(runtime, &path, identity, from, None, |sequence, entry| {
            replay.feed(sequence, entry);
            Ok(())
        })
        .await?;
        info!(slot, from = %from, through = %report.last, torn = report.torn, "journal read");
    }
    Ok(())
}

/// Removes what the new epoch has made useless; what stays is removed at the next start.
async fn remove_old_checkpoints(runtime: &Runtime, dir: &Path, names: &[CheckpointName]) {
    for name in names {
        let path = name.path(dir);
        if let Err(error) = runtime.disk().remove_file(&path).await {
            warn!(path = %path.display(), %error, "an old checkpoint could not be removed");
        }
    }
}

/// The directories of topics that the metadata does not know: their deletion was under way when the
/// last process ended.
async fn orphans(
    runtime: &Runtime,
    dir: &Path,
    known: &FxHashSet<LogId>,
) -> Result<Vec<TopicId>, RecoverError> {
    let known: FxHashSet<TopicId> = known.iter().map(|log| log.topic).collect();
    let topics = topics_dir(dir);
    let entries = runtime.disk().list_dir(&topics).await.map_err(at(&topics))?;
    let ids = entries.iter().filter_map(|entry| TopicId::parse(&entry.name));
    Ok(ids.filter(|id| !known.contains(id)).collect())
}

/// Removes what is left of deleted topics, which may take long: to be run beside everything else.
pub async fn remove_orphans(runtime: &Runtime, dir: &Path, orphans: &[TopicId]) {
    for &topic in orphans {
        let path = topic_dir(dir, topic);
        match runtime.disk().remove_dir_all(&path).await {
            Ok(()) => info!(%topic, "removed what was left of a deleted topic"),
            Err(error) => {
                warn!(path = %path.display(), %error, "what is left of a deleted topic could not be removed");
            }
        }
    }
}
