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
use crate::runtime::disk::{OpenMode, is_full};
use crate::runtime::sync::join_all;
use crate::storage::checkpoint::{self, BASE_SLOT, Checkpoint, CheckpointError, CheckpointName};
use crate::storage::directory::{
    DirectoryId, by_name_dir, checkpoint_dir, journal_dir, lost_topics_dir, parse_segment_name,
    partition_dir, superblock_path, topics_dir,
};
use crate::storage::journal::{
    JournalIdentity, ScanError, ScanReport, Sequence, parse_file_name, parse_mirror_name, scan,
    slots,
};
use crate::storage::leftovers::Leftovers;
use crate::storage::log::LogState;
use crate::storage::log::replay::{Replay, ReplayError, ReplayReport};
use crate::storage::lost;
use crate::storage::reserve;
use crate::storage::superblock::{Superblock, SuperblockError};

/// Partition directories that are read at the same time.
const DIRECTORIES_IN_FLIGHT_MAX: usize = 16;

/// What recovery starts from.
#[derive(Clone, Debug)]
pub struct RecoverOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Its id.
    pub directory: DirectoryId,
    /// Slots that will be written from now on: what other slots have is removed.
    pub slot_count: u16,
    /// Every log that the metadata knows.
    pub known: FxHashSet<LogId>,
    /// Logs whose last partial block need not be in their files: the store that opens them has it in memory.
    pub tails_max: usize,
    /// Of the topics that the metadata does not know, those that it has seen removed: the records of all others
    /// are set aside. `None` where it is sure of what it does not know.
    pub removed: Option<FxHashSet<TopicId>>,
}

/// What a start finds.
#[derive(Debug)]
pub struct Recovered {
    /// The logs, each exactly as its segments and its tail are.
    pub logs: Vec<LogState>,
    /// The new start epoch.
    pub epoch: u64,
    /// Whether the last process stopped in order.
    pub clean: bool,
    /// What was done.
    pub report: ReplayReport,
    /// What the journals held.
    pub scan: ScanReport,
    /// What the last process was still removing.
    pub leftovers: Leftovers,
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
    /// There are journals or topics and no superblock.
    #[error(
        "{path} is not empty but there is no superblock: restore the file 'superblock' from a copy"
    )]
    SuperblockMissing {
        /// Where the journals or the topics are.
        path: PathBuf,
    },
    /// A directory.
    #[error("recovering {path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl RecoverError {
    /// Whether it is only that the disk is full: with space the same may be tried again.
    pub fn is_full(&self) -> bool {
        match self {
            RecoverError::Superblock(SuperblockError::Io(error))
            | RecoverError::Checkpoint(CheckpointError::Io { error, .. })
            | RecoverError::Io { error, .. } => is_full(error),
            RecoverError::Replay(error) => error.is_full(),
            _ => false,
        }
    }
}

/// Whether a broker has kept data in this directory: a start writes the superblock when the
/// metadata is durable and before it serves anybody.
pub async fn has_served(runtime: &Runtime, dir: &Path) -> Result<bool, RecoverError> {
    let superblock = superblock_path(dir);
    let entries = runtime.disk().list_dir(dir).await.map_err(at(dir))?;
    let has_superblock = entries.iter().any(|entry| superblock.ends_with(&entry.name));
    Ok(has_superblock || !topics(runtime, dir).await?.is_empty())
}

/// Recovers a data directory into a new start epoch; on a full disk in the space that its slots have
/// set aside for that.
///
/// # Errors
/// When something that was acknowledged cannot be read, or the disk is full and nothing was set
/// aside; the next start tries the same again.
pub async fn recover(
    runtime: &Runtime,
    options: &RecoverOptions,
) -> Result<Recovered, RecoverError> {
    let dir = &options.dir;
    match recover_once(runtime, options).await {
        Err(error)
            if error.is_full()
                && reserve::release(runtime, dir).await.map_err(at(&journal_dir(dir)))? =>
        {
            warn!(
                "the disk of {} is full: what the journal holds is written into the space that was set aside for it; free space there, until then producers are refused",
                dir.display()
            );
            recover_once(runtime, options).await
        }
        done => done,
    }
}

async fn recover_once(
    runtime: &Runtime,
    options: &RecoverOptions,
) -> Result<Recovered, RecoverError> {
    let RecoverOptions { dir, directory, slot_count, known, tails_max, removed } = options;
    let (directory, slot_count) = (*directory, *slot_count);
    let Some(last) = Superblock::read(runtime, dir, directory).await? else {
        return first_start(runtime, dir, directory).await;
    };
    let epoch = last.epoch;
    let names = checkpoint::list(runtime, dir).await.map_err(at(&checkpoint_dir(dir)))?;
    let base = checkpoint::read(runtime, dir, CheckpointName::base(epoch)).await?;
    let newest = newest_of_slots(runtime, dir, &names, epoch).await?;
    let clean = last.clean && newest.iter().all(|slot| slot.clean);
    let from: Vec<(u16, Sequence)> =
        newest.iter().map(|slot| (slot.name.slot, slot.sequence)).collect();
    let mut states = checkpoint::merge(base.states, newest);
    let moved = match removed {
        Some(_) => lost::moved(runtime, dir).await.map_err(at(&lost_topics_dir(dir)))?,
        None => FxHashSet::default(),
    };
    states.retain(|state| !moved.contains(&state.id));
    let mut replay = Replay::new(states, runtime.wall_clock_ms());
    let mut read = ScanReport::default();
    if !clean {
        read = scan_journals(runtime, dir, directory, epoch, &from, &moved, &mut replay).await?;
    }
    let mut tails_left = *tails_max;
    let keeps_tail = |log: &LogId| {
        // Files of unknown logs are set aside as they are.
        let keeps = tails_left > 0 && known.contains(log);
        tails_left -= usize::from(keeps);
        keeps
    };
    let (mut logs, report) = replay.bring_up_to_date(runtime, dir, keeps_tail).await?;
    let unknown: Vec<LogState> = logs.extract_if(.., |log| !known.contains(&log.id)).collect();
    if let Some(removed) = removed {
        let is_lost = |log: &LogState| !removed.contains(&log.id.topic);
        let lost: Vec<LogState> = unknown.into_iter().filter(is_lost).collect();
        lost::set_aside(runtime, dir, &lost).await.map_err(at(&lost_topics_dir(dir)))?;
    }
    if !clean {
        for some in logs.chunks(DIRECTORIES_IN_FLIGHT_MAX) {
            let cuts = some.iter().map(|log| cut_surplus(runtime, dir, log));
            for cut in join_all(cuts).await {
                cut.map_err(at(&topics_dir(dir)))?;
            }
        }
    }
    let topics = orphans(runtime, dir, known).await?;
    let leftovers = Leftovers { topics, logs: Leftovers::first_segments(&logs) };
    let next = last.next(epoch + 1, false);
    let base = CheckpointName::base(next.epoch);
    let written = checkpoint::write(runtime, dir, base, false, &logs).await;
    written.map_err(at(&checkpoint_dir(dir)))?;
    next.write(runtime, dir).await?;
    remove_dead_files(runtime, dir, next.epoch, slot_count, &names).await?;
    Ok(Recovered { logs, epoch: next.epoch, clean, report, scan: read, leftovers })
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
    let journals = journal_dir(dir);
    if !slots(runtime, &journals).await.map_err(at(&journals))?.is_empty() {
        return Err(RecoverError::SuperblockMissing { path: journals });
    }
    if !topics(runtime, dir).await?.is_empty() {
        return Err(RecoverError::SuperblockMissing { path: topics_dir(dir) });
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
        scan: ScanReport::default(),
        leftovers: Leftovers::default(),
    })
}

/// The newest checkpoint of each slot. It was written whole or not at all, so one that is damaged
/// is corruption: the journal that it covers may be gone.
async fn newest_of_slots(
    runtime: &Runtime,
    dir: &Path,
    names: &[CheckpointName],
    epoch: u64,
) -> Result<Vec<Checkpoint>, RecoverError> {
    let mut newest: Vec<Checkpoint> = Vec::new();
    let of_epoch = names.iter().filter(|name| name.epoch == epoch && name.slot != BASE_SLOT);
    for &name in of_epoch.rev() {
        if newest.last().is_none_or(|found| found.name.slot != name.slot) {
            newest.push(checkpoint::read(runtime, dir, name).await?);
        }
    }
    Ok(newest)
}

/// Feeds the entries of all slots to `replay`, but for those of logs that were moved away.
async fn scan_journals(
    runtime: &Runtime,
    dir: &Path,
    directory: DirectoryId,
    epoch: u64,
    covered: &[(u16, Sequence)],
    moved: &FxHashSet<LogId>,
    replay: &mut Replay,
) -> Result<ScanReport, RecoverError> {
    let path = journal_dir(dir);
    let mut total = ScanReport::default();
    for slot in slots(runtime, &path).await.map_err(at(&path))? {
        let through = covered.iter().find(|(covered, _)| *covered == slot);
        let from = through.map_or(Sequence::FIRST, |(_, sequence)| sequence.next());
        let identity = JournalIdentity { directory, slot, epoch };
        let report = scan(runtime, &path, identity, from, |sequence, entry| {
            if !moved.contains(&entry.log) {
                replay.feed(slot, sequence, entry);
            }
            Ok(())
        })
        .await?;
        replay.note_durable(slot, report.durable);
        info!(slot, from = %from, through = %report.last, torn = report.torn, "journal read");
        total.add(&report);
    }
    Ok(total)
}

/// Cuts off what a log's files have behind its end: a power failure may take accepted entries out
/// of the journal and leave what the write-behind had made of them. Behind a tail that is not in the file it is
/// written over, and cut when the file is.
async fn cut_surplus(runtime: &Runtime, dir: &Path, log: &LogState) -> io::Result<()> {
    let Some(active) = log.segments.last() else { return Ok(()) };
    let disk = runtime.disk();
    let own = partition_dir(dir, log.id);
    let entries = match disk.list_dir(&own).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = own.join(&entry.name);
        match parse_segment_name(&entry.name) {
            Some(base) if base > active.base => disk.remove_file(&path).await?,
            Some(base)
                if base == active.base
                    && log.tail.is_empty()
                    && entry.len > u64::from(active.bytes) =>
            {
                let file = disk.open(&path, OpenMode::WRITE_DIRECT).await?;
                file.set_len(u64::from(active.bytes)).await?;
                file.sync_data().await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes what the new epoch has made useless: the checkpoints before it, those that were never finished, and
/// the journals and reserves of slots that nobody writes any more. What stays is removed at the next start.
async fn remove_dead_files(
    runtime: &Runtime,
    dir: &Path,
    epoch: u64,
    slot_count: u16,
    names: &[CheckpointName],
) -> Result<(), RecoverError> {
    let journals = journal_dir(dir);
    let files = runtime.disk().list_dir(&journals).await.map_err(at(&journals))?;
    let surplus = files
        .iter()
        .filter(|file| slot_of(&file.name).is_some_and(|slot| slot >= slot_count))
        .map(|file| journals.join(&file.name));
    // An earlier try of this start may have left its base checkpoint among the names.
    let old = names.iter().filter(|name| name.epoch != epoch).map(|name| name.path(dir));
    let unfinished = checkpoint::unfinished(runtime, dir).await;
    let unfinished = unfinished.map_err(at(&checkpoint_dir(dir)))?;
    for path in surplus.chain(old).chain(unfinished) {
        if let Err(error) = runtime.disk().remove_file(&path).await {
            warn!(path = %path.display(), %error, "a file of an earlier start could not be removed: the next start tries again");
        }
    }
    Ok(())
}

/// The slot that a file among the journals belongs to.
fn slot_of(name: &str) -> Option<u16> {
    parse_file_name(name)
        .map(|(slot, _)| slot)
        .or_else(|| parse_mirror_name(name))
        .or_else(|| reserve::slot_of(name))
}

/// The directories of topics that the metadata does not know: their deletion was under way when the
/// last process ended.
async fn orphans(
    runtime: &Runtime,
    dir: &Path,
    known: &FxHashSet<LogId>,
) -> Result<Vec<TopicId>, RecoverError> {
    let known: FxHashSet<TopicId> = known.iter().map(|log| log.topic).collect();
    let mut topics = topics(runtime, dir).await?;
    topics.retain(|topic| !known.contains(topic));
    Ok(topics)
}

/// The topics that have a directory.
async fn topics(runtime: &Runtime, dir: &Path) -> Result<Vec<TopicId>, RecoverError> {
    let path = topics_dir(dir);
    let entries = match runtime.disk().list_dir(&path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(&path))?,
    };
    Ok(entries.iter().filter_map(|entry| TopicId::parse(&entry.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offset, OwnerEpoch, PartitionIndex};
    use crate::runtime::sim::{SimOptions, World};
    use crate::storage::directory::{lost_partition_dir, segment_path};

    const DIR: &str = "/data";

    fn options() -> RecoverOptions {
        RecoverOptions {
            dir: DIR.into(),
            directory: DirectoryId([3; 16]),
            slot_count: 1,
            known: FxHashSet::default(),
            tails_max: 0,
            removed: None,
        }
    }

    #[test]
    fn what_an_earlier_start_has_left_is_known_by_either_sign() {
        let world = World::new(1, SimOptions::default());
        let dir = Path::new(DIR);
        let log = LogId { topic: TopicId([9; 16]), partition: PartitionIndex(0) };
        let check = |make_topic: bool, start: bool, served: bool| {
            let runtime = world.host().runtime();
            world.run_until(async {
                let disk = runtime.disk();
                disk.create_dir_all(&by_name_dir(dir)).await.expect("made");
                assert!(!has_served(&runtime, dir).await.expect("listed"));
                if start {
                    recover(&runtime, &options()).await.expect("a first start");
                }
                if make_topic {
                    disk.create_dir_all(&partition_dir(dir, log)).await.expect("made");
                }
                assert_eq!(has_served(&runtime, dir).await.expect("listed"), served);
            });
        };
        check(false, false, false);
        check(false, true, true);
        check(true, false, true);
        check(true, true, true);
    }

    #[test]
    fn a_checkpoint_that_was_not_finished_is_removed() {
        let world = World::new(1, SimOptions::default());
        let (runtime, dir) = (world.host().runtime(), Path::new(DIR));
        world.run_until(async {
            recover(&runtime, &options()).await.expect("a first start");
            let name = CheckpointName { epoch: 1, slot: 0, number: 7 };
            drop(checkpoint::create(&runtime, dir, name).await.expect("made"));
            assert_eq!(checkpoint::unfinished(&runtime, dir).await.expect("listed").len(), 1);
            recover(&runtime, &options()).await.expect("a later start");
            assert!(checkpoint::unfinished(&runtime, dir).await.expect("listed").is_empty());
        });
    }

    #[test]
    fn what_the_metadata_neither_knows_nor_has_seen_removed_is_kept() {
        let log = LogId { topic: TopicId([9; 16]), partition: PartitionIndex(0) };
        let check = |removed: Option<FxHashSet<TopicId>>, tried_before: bool, is_kept: bool| {
            let world = World::new(1, SimOptions::default());
            let runtime = world.host().runtime();
            let dir = Path::new(DIR);
            let options = RecoverOptions { removed, ..options() };
            let kept = world.run_until(async {
                recover(&runtime, &options).await.expect("a first start");
                let disk = runtime.disk();
                let state =
                    LogState { end: Offset(3), ..LogState::new(log, OwnerEpoch(1), "orders") };
                disk.create_dir_all(&partition_dir(dir, log)).await.expect("made");
                let segment = segment_path(dir, log, Offset(0));
                disk.write_whole(&segment, b"records").await.expect("written");
                let states = [state];
                let base = CheckpointName::base(1);
                checkpoint::write(&runtime, dir, base, true, &states).await.expect("written");
                if tried_before {
                    lost::set_aside(&runtime, dir, &states).await.expect("moved");
                }
                for _ in 0..2 {
                    let recovered = recover(&runtime, &options).await.expect("a later start");
                    assert!(recovered.logs.is_empty());
                    recovered.leftovers.remove(&runtime, dir).await;
                }
                assert!(topics(&runtime, dir).await.expect("listed").is_empty());
                let name = segment.file_name().expect("a file");
                disk.read_whole(&lost_partition_dir(dir, log).join(name), 100).await
            });
            assert_eq!(kept.ok(), is_kept.then(|| b"records".to_vec()), "{options:?}");
        };
        check(Some(FxHashSet::default()), false, true);
        check(Some(FxHashSet::default()), true, true);
        check(Some([log.topic].into_iter().collect()), false, false);
        check(None, false, false);
    }

    #[test]
    fn what_a_slot_that_is_gone_has_set_aside_is_given_back() {
        let world = World::new(1, SimOptions::default());
        let runtime = world.host().runtime();
        let dir = Path::new(DIR);
        let left = world.run_until(async {
            recover(&runtime, &options()).await.expect("a first start");
            for slot in 0..3 {
                reserve::keep(&runtime, dir, slot, 4096).await.expect("kept");
            }
            recover(&runtime, &options()).await.expect("a second start");
            runtime.disk().list_dir(&journal_dir(dir)).await.expect("listed")
        });
        let left: Vec<&str> = left.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(left, ["0.reserve"]);
    }

    #[test]
    fn topics_without_a_superblock_are_not_written_over() {
        let world = World::new(1, SimOptions::default());
        let runtime = world.host().runtime();
        let log = LogId { topic: TopicId([9; 16]), partition: PartitionIndex(0) };
        let segment = segment_path(Path::new(DIR), log, Offset(0));
        let said = world.run_until(async {
            let disk = runtime.disk();
            let own = partition_dir(Path::new(DIR), log);
            disk.create_dir_all(&own).await.expect("made");
            disk.write_whole(&segment, b"records").await.expect("written");
            recover(&runtime, &options()).await.expect_err("the superblock is gone").to_string()
        });
        assert!(said.starts_with("/data/topics is not empty"), "{said}");
        let kept = world.run_until(runtime.disk().read_whole(&segment, 100));
        assert_eq!(kept.expect("read"), b"records");
    }
}
