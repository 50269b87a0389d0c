//! Where the quorum's log is durable: a journal of its own and one checkpoint file.
//!
//! `data/metadata/checkpoint` holds everything up to a position of the journal in
//! `data/metadata/journal`. Each start reads both, writes a checkpoint of the next start epoch that
//! holds all of it, and only then opens the journal anew: a crash in between repeats the same.
//! `data/metadata/reserve` is space for the next checkpoint: a full disk stops records, not metadata.

use std::io;
use std::path::{Path, PathBuf};

use raft::eraftpb::{Entry, EntryType, HardState};
use rustc_hash::FxHashSet;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::quorum_log::{LogGap, QuorumLog};
use super::raft_codec::{decode_entry, put_entry_header, put_hard_state, read_hard_state};
use crate::metadata::codec::{DecodeError, Reader};
use crate::metadata::record::decode_batch;
use crate::metadata::{Image, Record, ReplayError, replay, snapshot};
use crate::model::limits::{METADATA_CHECKPOINT_BYTES_MAX, METADATA_JOURNAL_BYTES};
use crate::model::units::KIB;
use crate::model::{LogId, OwnerEpoch, PartitionIndex, TopicId};
use crate::runtime::Runtime;
use crate::runtime::disk::{OpenMode, is_full};
use crate::storage::directory::{DirectoryId, journal_dir};
use crate::storage::journal::{
    self, EntryKind, Journal, JournalIdentity, JournalOptions, OpenError, Poisoned, ReserveError,
    ScanError, Sequence,
};
use crate::storage::reserve;

/// The log whose entries the journal carries.
const LOG: LogId = LogId { topic: TopicId::METADATA, partition: PartitionIndex(0) };
/// The quorum's journal never changes hands.
const OWNER_EPOCH: OwnerEpoch = OwnerEpoch(0);
/// The only slot of this journal.
const SLOT: u16 = 0;
/// Fewer files than a shard's journal has are opened faster, and a checkpoint is a single file.
const FILE_COUNT: u16 = 4;
/// Zeroed before the broker is ready: enough for what a start writes, the rest comes behind it.
const ZEROED_AT_START_BYTES: u64 = 256 * KIB as u64;
/// How much larger than the last checkpoint the next one may be: it has all that the journal held.
const CHECKPOINT_GROWTH_BYTES_MAX: u64 = METADATA_JOURNAL_BYTES as u64;
/// Journal bytes of an entry besides its data, rounded up.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// Why the metadata cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The disk failed.
    #[error("{path}: {source}; check the disk and its permissions")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The disk's own error.
        source: io::Error,
    },
    /// The checkpoint is damaged: nothing is cut silently.
    #[error("{path} is damaged: {source}; restore the data directory from a copy")]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// The journal is there and its checkpoint is not.
    #[error("{0} is missing, but its journal is there; restore the data directory from a copy")]
    CheckpointMissing(PathBuf),
    /// The broker has served from this directory, and its metadata is gone.
    #[error(
        "{0} is missing although a broker has served from this data directory, and without it \
         every topic would be deleted: restore it from a copy, or set log.dirs to an empty directory"
    )]
    Lost(PathBuf),
    /// The journal is damaged in its middle, or unreadable.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal failed: what was not acknowledged never is.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The journal has no room and gets none.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// A stored entry does not fit what is before it.
    #[error("the metadata log does not fit its image: {0}; restore the data directory from a copy")]
    Replay(#[from] ReplayError),
    /// A committed entry is not a batch of records.
    #[error(
        "a committed metadata entry cannot be read: {0}; restore the data directory from a copy"
    )]
    Entry(#[from] EntryError),
}

/// Why a stored entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Its bytes make no sense.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It leaves a gap.
    #[error(transparent)]
    Gap(#[from] LogGap),
    /// It changes the voters, which no build does yet.
    #[error("entry {0} changes the voters: a newer build wrote it")]
    VotersChange(u64),
    /// The quorum's journal holds no such kind.
    #[error("the journal holds an entry of kind {0:?}")]
    Kind(EntryKind),
}

/// What a start found: an image, and the log behind it.
#[derive(Debug, Default)]
pub struct Recovered {
    /// What is known to be committed, replayed up to the log's base.
    pub image: Image,
    /// The log behind it.
    pub log: QuorumLog,
    /// Topics that were removed since the last checkpoint.
    pub removed: FxHashSet<TopicId>,
}

/// The durable side of the quorum's log.
pub struct LogStore {
    runtime: Runtime,
    dir: PathBuf,
    epoch: u64,
    journal: Journal,
    last: Sequence,
}

impl LogStore {
    /// Recovers what `dir` holds (nothing: a fresh cluster of `voters`, unless the data directory
    /// has `served_before`) and opens its journal.
    pub async fn open(
        runtime: &Runtime,
        dir: &Path,
        directory: DirectoryId,
        voters: Vec<u64>,
        served_before: bool,
    ) -> Result<(LogStore, Recovered), LogStoreError> {
        let disk = runtime.disk();
        let (epoch, recovered) = match read_checkpoint(runtime, dir).await? {
            None if served_before => return Err(LogStoreError::Lost(checkpoint_path(dir))),
            None => {
                disk.create_dir_all(dir).await.map_err(at(dir))?;
                // The directory's own name has to survive a power failure too.
                if let Some(parent) = dir.parent() {
                    disk.sync_dir(parent).await.map_err(at(parent))?;
                }
                (0, Recovered { log: QuorumLog::fresh(voters), ..Recovered::default() })
            }
            Some(checkpoint) => {
                let epoch = checkpoint.epoch;
                (epoch, recover(runtime, dir, directory, checkpoint).await?)
            }
        };
        let epoch = epoch + 1;
        let checkpoint = Checkpoint {
            epoch,
            covered: Sequence::NONE,
            image: snapshot(&recovered.image),
            log: recovered.log.clone(),
        };
        write_checkpoint(runtime, dir, &checkpoint).await?;
        let identity = JournalIdentity { directory, slot: SLOT, epoch };
        let options = JournalOptions {
            zeroed_at_start_bytes: ZEROED_AT_START_BYTES,
            ..JournalOptions::new(dir, identity, METADATA_JOURNAL_BYTES as u64)
                .with_files(METADATA_JOURNAL_BYTES as u64 / u64::from(FILE_COUNT), FILE_COUNT)
        };
        let journal = Journal::open(runtime, options).await?;
        keep_reserve(runtime, dir).await;
        let (runtime, dir) = (runtime.clone(), dir.to_owned());
        Ok((LogStore { runtime, dir, epoch, journal, last: Sequence::NONE }, recovered))
    }

    /// Waits for room for entries with `bytes` of data in all; then [`LogStore::append`] in the
    /// same tick.
    pub async fn reserve(&self, entry_count: usize, bytes: usize) -> Result<(), LogStoreError> {
        let overhead = (entry_count + 1) * ENTRY_OVERHEAD_BYTES;
        Ok(self.journal.reserve(bytes + overhead).await?)
    }

    /// Hands entries and Raft's state to the journal; [`LogStore::wait_durable`] waits for them.
    pub fn append(&mut self, entries: &[Entry], hard_state: Option<&HardState>) {
        let mut header = Vec::new();
        if let Some(state) = hard_state {
            put_hard_state(&mut header, state);
            self.last = self.journal.append(EntryKind::RaftState, LOG, OWNER_EPOCH, &header, &[]);
        }
        for entry in entries {
            header.clear();
            put_entry_header(&mut header, entry);
            let kind = EntryKind::RaftEntry;
            self.last = self.journal.append(kind, LOG, OWNER_EPOCH, &header, &entry.data);
        }
        self.journal.demand_durable(self.last);
    }

    /// Waits until everything appended is durable.
    pub async fn wait_durable(&self) -> Result<(), LogStoreError> {
        Ok(self.journal.wait_durable(self.last).await?)
    }

    /// Whether the journal has grown enough for a checkpoint.
    pub fn checkpoint_is_due(&self) -> bool {
        self.journal.pressure() >= 0.5
    }

    /// A checkpoint of an image that holds the log through `applied`, at this moment.
    pub fn checkpoint(&self, image: &Image, log: &QuorumLog, applied: u64) -> Checkpoint {
        let mut log = log.clone();
        log.forget_through(applied);
        Checkpoint { epoch: self.epoch, covered: self.last, image: snapshot(image), log }
    }

    /// Writes a checkpoint and releases the journal that it covers, all of which is durable.
    pub async fn write(&self, checkpoint: &Checkpoint) -> Result<(), LogStoreError> {
        write_checkpoint(&self.runtime, &self.dir, checkpoint).await?;
        self.journal.release_before(checkpoint.covered.next());
        keep_reserve(&self.runtime, &self.dir).await;
        Ok(())
    }

    /// Ends the journal's tasks.
    pub async fn close(&self) -> Result<(), LogStoreError> {
        Ok(self.journal.close().await?)
    }
}

/// The records of a committed entry; none for the one that begins a term.
pub fn records_of(entry: &Entry) -> Result<Vec<Record>, EntryError> {
    if entry.entry_type != EntryType::EntryNormal {
        return Err(EntryError::VotersChange(entry.index));
    }
    if entry.data.is_empty() {
        return Ok(Vec::new());
    }
    Ok(decode_batch(&entry.data)?)
}

fn checkpoint_path(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> LogStoreError {
    let path = path.to_owned();
    move |source| LogStoreError::Io { path, source }
}

async fn read_checkpoint(
    runtime: &Runtime,
    dir: &Path,
) -> Result<Option<Checkpoint>, LogStoreError> {
    let path = checkpoint_path(dir);
    let bytes = match runtime.disk().read_whole(&path, METADATA_CHECKPOINT_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The first checkpoint is durable before the first journal file is made.
            let journal = journal_dir(dir);
            return match runtime.disk().list_dir(&journal).await {
                Ok(files) if !files.is_empty() => Err(LogStoreError::CheckpointMissing(path)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&journal)(error)),
                _ => Ok(None),
            };
        }
        Err(error) => return Err(at(&path)(error)),
    };
    match Checkpoint::decode(&bytes) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(source) => Err(LogStoreError::Checkpoint { path, source }),
    }
}

/// Writes the checkpoint, on a full disk into the space of the reserve.
async fn write_checkpoint(
    runtime: &Runtime,
    dir: &Path,
    checkpoint: &Checkpoint,
) -> Result<(), LogStoreError> {
    let (path, bytes) = (checkpoint_path(dir), checkpoint.encode());
    let disk = runtime.disk();
    let result = match disk.write_whole(&path, &bytes).await {
        Err(error) if is_full(&error) => {
            tracing::warn!(
                "the disk of {} is full: the metadata is written into its reserve; free space",
                dir.display()
            );
            match disk.remove_file(&reserve_path(dir)).await {
                // A file that was never whole is begun anew: no sync is tried again.
                Ok(()) => disk.write_whole(&path, &bytes).await,
                Err(_) => Err(error),
            }
        }
        result => result,
    };
    result.map_err(at(&path))
}

fn reserve_path(dir: &Path) -> PathBuf {
    dir.join("reserve")
}

/// Sets space aside for the next checkpoint, as much as there is: the disk may be full when it is due.
async fn keep_reserve(runtime: &Runtime, dir: &Path) {
    let kept = async {
        let checkpoint = runtime.disk().open(&checkpoint_path(dir), OpenMode::READ).await?;
        let bytes = checkpoint.len().await? + CHECKPOINT_GROWTH_BYTES_MAX;
        reserve::set_aside(runtime, &reserve_path(dir), bytes).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "too little space can be set aside for the metadata's next checkpoint: free space on the disk of {}", dir.display());
    }
}

/// Adds the journal of the checkpoint's epoch to it, and replays what is committed.
async fn recover(
    runtime: &Runtime,
    dir: &Path,
    directory: DirectoryId,
    checkpoint: Checkpoint,
) -> Result<Recovered, LogStoreError> {
    let Checkpoint { epoch, covered, image: records, mut log } = checkpoint;
    let mut image = Image::default();
    for record in &records {
        replay(&mut image, record)?;
    }
    let journal = journal_dir(dir);
    match runtime.disk().list_dir(&journal).await {
        // The last start ended between its checkpoint and its journal.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&journal)(error)),
        Ok(_) => {
            let identity = JournalIdentity { directory, slot: SLOT, epoch };
            let visit = |_: Sequence, entry: &journal::Entry<'_>| Ok(put(&mut log, entry)?);
            journal::scan(runtime, &journal, identity, covered.next(), visit).await?;
        }
    }
    // What the only voter has on its disk is committed, whatever it has come to know of that.
    let is_alone = log.conf_state.voters.len() == 1;
    let told = if is_alone { log.last_index() } else { log.hard_state.commit };
    let commit = told.min(log.last_index()).max(log.base_index);
    let known = (commit - log.base_index) as usize;
    let mut removed = FxHashSet::default();
    for entry in &log.entries[..known] {
        for record in records_of(entry)? {
            replay(&mut image, &record)?;
            if let Record::RemoveTopic { id } = record {
                removed.insert(id);
            }
        }
    }
    log.forget_through(commit);
    log.hard_state.commit = commit;
    Ok(Recovered { image, log, removed })
}

fn put(log: &mut QuorumLog, entry: &journal::Entry<'_>) -> Result<(), EntryError> {
    match entry.kind {
        EntryKind::RaftEntry => log.put(decode_entry(entry.payload)?)?,
        EntryKind::RaftState => {
            let mut reader = Reader::new(entry.payload);
            log.hard_state = read_hard_state(&mut reader)?;
            reader.finish()?;
        }
        other => return Err(EntryError::Kind(other)),
    }
    Ok(())
}
