//! Recovery of partition logs: states of a checkpoint, brought up to date by the journals' entries.
//!
//! Entries of a log are taken in the order of (owner epoch, sequence), whatever journal they come
//! from; those that its state covers are skipped. What the segments lack is then written to them
//! and synced, and their files are cut to their exact length, so that the next epoch begins with
//! exact files. Doing so twice gives the same bytes, so a crash in between harms nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::decode::DecodeError;
use super::directories;
use super::entries::{Change, Place};
use super::idempotence::producer_of;
use super::state::{LogState, SegmentState};
use crate::model::units::{BLOCK, MIB, block_ceil};
use crate::model::{LogId, Offset, OwnerEpoch};
use crate::record::BatchHeader;
use crate::runtime::disk::{File, OpenMode, is_full};
use crate::runtime::memory::Piece;
use crate::runtime::sync::join_all;
use crate::runtime::{AlignedBuf, Runtime};
use crate::storage::directory::segment_path;
use crate::storage::journal::{Entry, EntryKind, Sequence};

/// Segments that are written at the same time.
const WRITES_IN_FLIGHT_MAX: usize = 8;
/// From here on one `syncfs` is cheaper than a sync for each file.
const FILES_SYNCED_ALONE_MAX: usize = 16;
/// One write carries at most so much.
const WRITE_BYTES_MAX: usize = MIB;

/// Why logs cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An entry is none that this build writes.
    #[error("an entry of the journal for {log} cannot be read: {error}")]
    Entry {
        /// Whose entry.
        log: LogId,
        /// What is wrong.
        error: DecodeError,
    },
    /// Entries and states contradict each other.
    #[error(
        "the journal contradicts the log {log} at sequence {sequence}: {reason}; restore the directory from a copy"
    )]
    Contradiction {
        /// Whose entry.
        log: LogId,
        /// Which entry.
        sequence: Sequence,
        /// What does not fit.
        reason: &'static str,
    },
    /// The disk refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl ReplayError {
    /// Whether it is only that the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self, ReplayError::Io { error, .. } if is_full(error))
    }
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Entries that changed a log.
    pub applied: u64,
    /// Entries that the log's state covered.
    pub covered: u64,
    /// Entries of logs that were being deleted.
    pub ownerless: u64,
    /// Segments that were written or cut.
    pub segments: u64,
    /// Bytes written to them.
    pub bytes: u64,
    /// Logs whose deletion was completed.
    pub deleted: u64,
}

struct Fed {
    owner_epoch: OwnerEpoch,
    sequence: Sequence,
    kind: EntryKind,
    payload: Vec<u8>,
}

/// Gathers states and entries.
pub struct Replay {
    states: FxHashMap<LogId, LogState>,
    entries: FxHashMap<LogId, Vec<Fed>>,
    now_ms: i64,
}

/// Bytes that a segment's file lacks.
struct Pending {
    base: Offset,
    from: u32,
    bytes: Vec<u8>,
}

/// One log on its way up to date.
struct Rebuild {
    state: LogState,
    pending: Vec<Pending>,
    deleted: bool,
}

impl Replay {
    /// Starts from the states of a checkpoint. Producers are taken to have been seen now.
    pub fn new(states: Vec<LogState>, now_ms: i64) -> Replay {
        let states = states.into_iter().map(|state| (state.id, state)).collect();
        Replay { states, entries: FxHashMap::default(), now_ms }
    }

    /// Takes an entry of any slot's journal.
    pub fn feed(&mut self, sequence: Sequence, entry: &Entry<'_>) {
        self.entries.entry(entry.log).or_default().push(Fed {
            owner_epoch: entry.owner_epoch,
            sequence,
            kind: entry.kind,
            payload: entry.payload.to_vec(),
        });
    }

    /// Applies the entries, writes what the segments lack, and gives the states that then hold.
    pub async fn bring_up_to_date(
        mut self,
        runtime: &Runtime,
        dir: &Path,
    ) -> Result<(Vec<LogState>, ReplayReport), ReplayError> {
        let mut report = ReplayReport::default();
        let mut ids: BTreeSet<LogId> = self.states.keys().copied().collect();
        ids.extend(self.entries.keys());
        let mut rebuilt = Vec::with_capacity(ids.len());
        for id in ids {
            let state = self.states.remove(&id);
            let entries = self.entries.remove(&id).unwrap_or_default();
            rebuilt.extend(rebuild(id, state, entries, self.now_ms, &mut report)?);
        }
        write_all(runtime, dir, &mut rebuilt, &mut report).await?;
        let states = rebuilt.into_iter().filter(|log| !log.deleted).map(|log| log.state);
        Ok((states.collect(), report))
    }
}

fn rebuild(
    id: LogId,
    state: Option<LogState>,
    mut entries: Vec<Fed>,
    now_ms: i64,
    report: &mut ReplayReport,
) -> Result<Option<Rebuild>, ReplayError> {
    entries.sort_by_key(|entry| (entry.owner_epoch, entry.sequence));
    let mut log = state.map(Rebuild::new);
    // Nothing before a deletion matters, and a checkpoint need not have the state for it.
    if let Some(end) = entries.iter().find(|entry| entry.kind == EntryKind::Delete) {
        let nameless = || Rebuild::new(LogState::new(id, end.owner_epoch, ""));
        let mut log = log.unwrap_or_else(nameless);
        log.deleted = true;
        report.ownerless += entries.len() as u64 - 1;
        return Ok(Some(log));
    }
    for entry in entries {
        let seen = Entry {
            kind: entry.kind,
            log: id,
            owner_epoch: entry.owner_epoch,
            payload: &entry.payload,
        };
        let change =
            Change::decode(&seen).map_err(|error| ReplayError::Entry { log: id, error })?;
        if log.is_none()
            && let Change::Create { topic } = change
        {
            log = Some(Rebuild::new(LogState::new(id, entry.owner_epoch, topic)));
        }
        let Some(log) = &mut log else {
            report.ownerless += 1;
            continue;
        };
        let at = (entry.owner_epoch, entry.sequence);
        if at <= (log.state.owner_epoch, log.state.covered) {
            report.covered += 1;
            continue;
        }
        log.apply(change, now_ms).map_err(|reason| ReplayError::Contradiction {
            log: id,
            sequence: entry.sequence,
            reason,
        })?;
        (log.state.owner_epoch, log.state.covered) = at;
        report.applied += 1;
    }
    Ok(log)
}

impl Rebuild {
    fn new(mut state: LogState) -> Rebuild {
        let tail = std::mem::take(&mut state.tail);
        let active = state.segments.last().expect("a decoded state has a segment");
        let pending = Pending { base: active.base, from: state.written, bytes: tail };
        Rebuild { state, pending: vec![pending], deleted: false }
    }

    fn active(&mut self) -> &mut SegmentState {
        self.state.segments.last_mut().expect("a log keeps its active segment")
    }

    fn apply(&mut self, change: Change<'_>, now_ms: i64) -> Result<(), &'static str> {
        match change {
            Change::Create { .. } => Ok(()),
            Change::Append { place, batch } => self.append(place, batch, now_ms),
            Change::Tail { place, bytes } => self.tail(place, bytes),
            Change::Roll { sealed, sealed_bytes, base } => {
                let active = *self.active();
                if (active.base, active.bytes) != (sealed, sealed_bytes) || base != self.state.end {
                    return Err("a roll of another segment");
                }
                self.state.segments.push(SegmentState::empty(base));
                self.pending.push(Pending { base, from: 0, bytes: Vec::new() });
                Ok(())
            }
            Change::LogStart(start) => {
                self.state.start = self.state.start.max(start.min(self.state.end));
                self.state.epochs.advance_start(self.state.start);
                Ok(())
            }
            Change::Epoch(epoch, start) => {
                self.state.epochs.begin(epoch, start);
                Ok(())
            }
            Change::Delete => Err("a deletion that was not looked for"),
        }
    }

    fn append(&mut self, place: Place, batch: &[u8], now_ms: i64) -> Result<(), &'static str> {
        let header = BatchHeader::parse(batch).map_err(|_| "an append without a batch")?;
        let active = *self.active();
        let fits = (active.base, active.bytes) == (place.base, place.position)
            && header.size_bytes == batch.len()
            && header.base_offset == self.state.end;
        let pending = self.pending.last_mut().expect("the active segment is pending");
        if !fits || pending.from as usize + pending.bytes.len() != place.position as usize {
            return Err("an append that does not continue the log");
        }
        pending.bytes.extend_from_slice(batch);
        self.state.epochs.begin(header.leader_epoch, header.base_offset);
        self.state.end = header.next_offset();
        let bytes = batch.len() as u32;
        self.active().note(header.base_offset, bytes, header.max_timestamp, now_ms);
        if header.has_producer_id() {
            let producer = producer_of(&header);
            let producers = &mut self.state.producers;
            producers.note(&producer, header.base_offset, header.max_timestamp, now_ms);
        }
        Ok(())
    }

    /// The end of a file that was cut: needed unless it is already among what is pending.
    fn tail(&mut self, place: Place, bytes: &[u8]) -> Result<(), &'static str> {
        let active = *self.active();
        if active.base != place.base
            || place.position as usize + bytes.len() != active.bytes as usize
        {
            return Err("a tail of another segment");
        }
        let pending = self.pending.last_mut().expect("the active segment is pending");
        if pending.bytes.is_empty() {
            pending.from = place.position;
            pending.bytes = bytes.to_vec();
        }
        Ok(())
    }

    /// Forgets segments wholly below the log's start; their files are leftovers.
    fn drop_below_start(&mut self) {
        let state = &mut self.state;
        let kept = state.segments.partition_point(|segment| segment.base <= state.start);
        state.segments.drain(..kept.saturating_sub(1));
        let first = state.segments.first().map_or(state.end, |segment| segment.base);
        self.pending.retain(|pending| pending.base >= first);
    }
}

/// What writers share.
struct Writing<'a> {
    logs: std::slice::IterMut<'a, Rebuild>,
    /// Files that are written; none of them stays open when there are many.
    files: Vec<File>,
    syncs_all: bool,
    directories: BTreeSet<PathBuf>,
    segments: u64,
    bytes: u64,
    deleted: u64,
}

async fn write_all(
    runtime: &Runtime,
    dir: &Path,
    logs: &mut [Rebuild],
    report: &mut ReplayReport,
) -> Result<(), ReplayError> {
    let writing = RefCell::new(Writing {
        logs: logs.iter_mut(),
        files: Vec::new(),
        syncs_all: false,
        directories: BTreeSet::new(),
        segments: 0,
        bytes: 0,
        deleted: 0,
    });
    let writers = (0..WRITES_IN_FLIGHT_MAX).map(|_| write_logs(runtime, dir, &writing));
    let results = join_all(writers).await;
    let writing = writing.into_inner();
    for result in results {
        result?;
    }
    let disk = runtime.disk();
    if writing.syncs_all {
        disk.sync_filesystem(dir).await.map_err(failed(dir))?;
    } else {
        for file in &writing.files {
            file.sync_data().await.map_err(failed(dir))?;
        }
        for directory in &writing.directories {
            // The directory of a deleted log is itself gone.
            directories::gone(disk.sync_dir(directory).await).map_err(failed(directory))?;
        }
    }
    report.segments = writing.segments;
    report.bytes = writing.bytes;
    report.deleted = writing.deleted;
    Ok(())
}

async fn write_logs(
    runtime: &Runtime,
    dir: &Path,
    writing: &RefCell<Writing<'_>>,
) -> Result<(), ReplayError> {
    loop {
        let Some(log) = writing.borrow_mut().logs.next() else { return Ok(()) };
        let id = log.state.id;
        if log.deleted {
            let removed = directories::remove(runtime, dir, id, &log.state.topic).await;
            removed.map_err(failed(dir))?;
            let mut writing = writing.borrow_mut();
            writing.deleted += 1;
            writing.directories.extend(directories::holders(dir, id));
            continue;
        }
        log.drop_below_start();
        let pending = std::mem::take(&mut log.pending);
        if pending.iter().any(|segment| !segment.bytes.is_empty()) {
            let made = directories::make(runtime, dir, id, &log.state.topic).await;
            made.map_err(failed(dir))?;
            writing.borrow_mut().directories.extend(directories::holders(dir, id));
        }
        for segment in pending.into_iter().filter(|segment| !segment.bytes.is_empty()) {
            let path = segment_path(dir, id, segment.base);
            let file = write_segment(runtime, &path, &segment).await.map_err(failed(&path))?;
            let mut writing = writing.borrow_mut();
            writing.segments += 1;
            writing.bytes += segment.bytes.len() as u64;
            writing.files.push(file);
            if writing.syncs_all || writing.files.len() > FILES_SYNCED_ALONE_MAX {
                writing.syncs_all = true;
                writing.files.clear();
            }
        }
        log.state.written = log.active().bytes;
        log.state.covered = Sequence::NONE;
    }
}

/// Writes what is pending in whole blocks, the last one filled with zeros, and cuts the file.
async fn write_segment(runtime: &Runtime, path: &Path, pending: &Pending) -> io::Result<File> {
    if !(pending.from as usize).is_multiple_of(BLOCK) {
        let message = "the journal lacks the beginning of a block that is to be written again";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let file = runtime.disk().open(path, OpenMode::CREATE_DIRECT).await?;
    let mut offset = u64::from(pending.from);
    for part in pending.bytes.chunks(WRITE_BYTES_MAX) {
        let mut buffer = AlignedBuf::zeroed(block_ceil(part.len() as u64) as usize);
        buffer[..part.len()].copy_from_slice(part);
        let blocks = 0..buffer.len();
        file.write_at(vec![Piece::Aligned(buffer, blocks)], offset).await?;
        offset += part.len() as u64;
    }
    file.set_len(offset).await?;
    Ok(file)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ReplayError + '_ {
    |error| ReplayError::Io { path: path.to_owned(), error }
}
