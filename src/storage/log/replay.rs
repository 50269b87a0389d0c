//! Recovery of partition logs: states of a checkpoint, brought up to date by the journals' entries.
//!
//! Entries of a log are taken in the order of (owner epoch, sequence), whatever journal they come
//! from; those that its state covers are skipped. Batches that went past the journal are taken for granted
//! where a later frame proves them durable; others are read back, and end the log where they are not there.
//! What the segments lack is then written to them and synced, and their files are cut to their exact length.
//! Where a log's last partial block may stay in its state, only whole blocks are written and nothing is cut:
//! the next epoch's base checkpoint has the rest, as a running store's checkpoints have. Doing so twice gives
//! the same bytes, so a crash in between harms nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::decode::DecodeError;
use super::directories;
use super::entries::{Change, Place};
use super::idempotence::producer_of;
use super::read_back::read_back;
use super::state::{LogState, SegmentState};
use crate::model::units::{BLOCK, MIB, block_ceil, block_floor};
use crate::model::{LogId, Offset, OwnerEpoch};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader};
use crate::runtime::disk::{File, OpenMode, is_full};
use crate::runtime::memory::Piece;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::join_all;
use crate::runtime::{AlignedBuf, Runtime};
use crate::storage::directory::segment_path;
use crate::storage::journal::{Entry, EntryKind, Sequence};

/// Segments that are written and synced at the same time: the file system commits their syncs together.
const WRITES_IN_FLIGHT_MAX: usize = 16;
/// From here on one `syncfs` is cheaper than a sync for each file, although it also writes back what others have
/// left in the page cache of the same file system.
const FILES_SYNCED_ALONE_MAX: usize = 1024;
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
    /// Logs whose last partial block stays in their states.
    pub tails: u64,
    /// Logs whose deletion was completed.
    pub deleted: u64,
    /// Batches that had gone past the journal and were in their segments.
    pub bypassed: u64,
    /// Those among them that were read back.
    pub read_back: u64,
    /// Such batches that had not arrived, and what came after them in their logs: none was acknowledged.
    pub not_arrived: u64,
}

struct Fed {
    slot: u16,
    owner_epoch: OwnerEpoch,
    sequence: Sequence,
    kind: EntryKind,
    payload: Vec<u8>,
    /// The whole of a batch that was read back.
    batch: Option<Vec<u8>>,
}

/// Gathers states and entries.
pub struct Replay {
    states: FxHashMap<LogId, LogState>,
    entries: FxHashMap<LogId, Vec<Fed>>,
    /// How far the journal of each slot proves that it was durable.
    durable: FxHashMap<u16, Sequence>,
    now_ms: i64,
}

/// Bytes that a segment's file lacks.
struct Pending {
    base: Offset,
    from: u32,
    bytes: Vec<u8>,
    /// It comes behind a batch that went past the journal, so that the file is cut even if it lacks nothing.
    is_behind: bool,
    /// The rest of its last block stays in the log's state, so that the file is not cut.
    goes_on: bool,
}

/// One log on its way up to date.
struct Rebuild {
    state: LogState,
    pending: Vec<Pending>,
    /// A batch of it was read back: until it is synced, its blocks are nowhere else.
    has_read_back: bool,
    deleted: bool,
}

impl Replay {
    /// Starts from the states of a checkpoint. Producers are taken to have been seen now.
    pub fn new(states: Vec<LogState>, now_ms: i64) -> Replay {
        let states = states.into_iter().map(|state| (state.id, state)).collect();
        let (entries, durable) = Default::default();
        Replay { states, entries, durable, now_ms }
    }

    /// Takes an entry of a slot's journal.
    pub fn feed(&mut self, slot: u16, sequence: Sequence, entry: &Entry<'_>) {
        self.entries.entry(entry.log).or_default().push(Fed {
            slot,
            owner_epoch: entry.owner_epoch,
            sequence,
            kind: entry.kind,
            payload: entry.payload.to_vec(),
            batch: None,
        });
    }

    /// Notes how far a slot's journal proves that it was durable.
    pub fn note_durable(&mut self, slot: u16, sequence: Sequence) {
        self.durable.insert(slot, sequence);
    }

    /// Applies the entries, writes what the segments lack, and gives the states that then hold. The last partial
    /// block of a log for which `keeps_tail` is true stays in its state.
    ///
    /// # Errors
    /// Where an entry is none of this build's or contradicts its log, and what the disk says. The same may be tried again.
    pub async fn bring_up_to_date(
        mut self,
        runtime: &Runtime,
        dir: &Path,
        mut keeps_tail: impl FnMut(&LogId) -> bool,
    ) -> Result<(Vec<LogState>, ReplayReport), ReplayError> {
        let mut report = ReplayReport::default();
        let mut ids: BTreeSet<LogId> = self.states.keys().copied().collect();
        ids.extend(self.entries.keys());
        let mut rebuilt = Vec::with_capacity(ids.len());
        for id in ids {
            let state = self.states.remove(&id);
            let mut entries = self.entries.remove(&id).unwrap_or_default();
            entries.sort_by_key(Fed::at);
            let covered = state.as_ref().map(|state| (state.owner_epoch, state.covered));
            self.read_back(runtime, dir, id, covered, &mut entries, &mut report).await?;
            rebuilt.extend(rebuild(id, state, entries, self.now_ms, &mut report)?);
        }
        for log in &mut rebuilt {
            let id = log.state.id;
            if log.has_tail() && keeps_tail(&id) {
                log.keep_tail();
                report.tails += 1;
            }
        }
        write_all(runtime, dir, &mut rebuilt, &mut report).await?;
        let states = rebuilt.into_iter().filter(|log| !log.deleted).map(|log| log.state);
        Ok((states.collect(), report))
    }

    /// Reads the batches back that went past the journal without proof that they arrived, and ends the entries of the
    /// log with the first that did not.
    async fn read_back(
        &self,
        runtime: &Runtime,
        dir: &Path,
        id: LogId,
        covered: Option<(OwnerEpoch, Sequence)>,
        entries: &mut Vec<Fed>,
        report: &mut ReplayReport,
    ) -> Result<(), ReplayError> {
        if entries.iter().any(|entry| entry.kind == EntryKind::Delete) {
            return Ok(());
        }
        let mut start = Offset(0);
        for entry in entries.iter() {
            if entry.kind == EntryKind::LogStart
                && let Change::LogStart(moved) = entry.change(id)?
            {
                start = start.max(moved);
            }
        }
        for index in 0..entries.len() {
            let entry = &mut entries[index];
            let proved = self.durable.get(&entry.slot).copied().unwrap_or_default();
            let is_open = entry.sequence > proved && Some(entry.at()) > covered;
            if entry.kind != EntryKind::Bypass || !is_open {
                continue;
            }
            let Change::Bypass { place, header, rest } = entry.change(id)? else { continue };
            // Its segment may be gone: a start is written where all before it is durable.
            if BatchHeader::parse(header).is_ok_and(|header| header.next_offset() <= start) {
                continue;
            }
            let path = segment_path(dir, id, place.base);
            let batch = read_back(runtime, dir, id, place, header, rest).await;
            #[cfg(test)]
            if is_planted(Planted::TrustBypass) {
                continue;
            }
            entry.batch = batch.map_err(failed(&path))?;
            if entry.batch.is_none() {
                report.not_arrived += (entries.len() - index) as u64;
                entries.truncate(index);
                return Ok(());
            }
            report.read_back += 1;
        }
        Ok(())
    }
}

impl Fed {
    /// Its place in the order of a log's entries.
    fn at(&self) -> (OwnerEpoch, Sequence) {
        (self.owner_epoch, self.sequence)
    }

    fn change(&self, id: LogId) -> Result<Change<'_>, ReplayError> {
        let Fed { kind, owner_epoch, payload, .. } = self;
        let entry = Entry { kind: *kind, log: id, owner_epoch: *owner_epoch, payload };
        Change::decode(&entry).map_err(|error| ReplayError::Entry { log: id, error })
    }
}

fn rebuild(
    id: LogId,
    state: Option<LogState>,
    entries: Vec<Fed>,
    now_ms: i64,
    report: &mut ReplayReport,
) -> Result<Option<Rebuild>, ReplayError> {
    let mut log = state.map(Rebuild::new);
    // Nothing before a deletion matters, and a checkpoint need not have the state for it.
    if let Some(end) = entries.iter().find(|entry| entry.kind == EntryKind::Delete) {
        let nameless = || Rebuild::new(LogState::new(id, end.owner_epoch, ""));
        let mut log = log.unwrap_or_else(nameless);
        log.deleted = true;
        report.ownerless += entries.len() as u64 - 1;
        return Ok(Some(log));
    }
    for entry in &entries {
        let change = match (entry.change(id)?, &entry.batch) {
            // It is written again: a sync that failed for it may have left it to the disk's cache, for good.
            (Change::Bypass { place, .. }, Some(batch)) => Change::Append { place, batch },
            (change, _) => change,
        };
        if log.is_none()
            && let Change::Create { topic } = change
        {
            log = Some(Rebuild::new(LogState::new(id, entry.owner_epoch, topic)));
        }
        let Some(log) = &mut log else {
            report.ownerless += 1;
            continue;
        };
        let at = entry.at();
        if at <= (log.state.owner_epoch, log.state.covered) {
            report.covered += 1;
            continue;
        }
        log.apply(change, now_ms).map_err(|reason| ReplayError::Contradiction {
            log: id,
            sequence: entry.sequence,
            reason,
        })?;
        log.has_read_back |= entry.batch.is_some();
        (log.state.owner_epoch, log.state.covered) = at;
        report.applied += 1;
        report.bypassed += u64::from(entry.kind == EntryKind::Bypass);
    }
    Ok(log)
}

impl Rebuild {
    fn new(mut state: LogState) -> Rebuild {
        let tail = std::mem::take(&mut state.tail);
        let active = state.segments.last().expect("a decoded state has a segment");
        let (base, from) = (active.base, state.written);
        let pending = vec![Pending::at(base, from, tail)];
        Rebuild { state, pending, has_read_back: false, deleted: false }
    }

    fn active(&mut self) -> &mut SegmentState {
        self.state.segments.last_mut().expect("a log keeps its active segment")
    }

    fn apply(&mut self, change: Change<'_>, now_ms: i64) -> Result<(), &'static str> {
        match change {
            Change::Create { .. } => Ok(()),
            Change::Append { place, batch } => {
                self.append(place, batch, now_ms)?.bytes.extend_from_slice(batch);
                Ok(())
            }
            Change::Bypass { place, header, rest } => self.bypass(place, header, rest, now_ms),
            Change::Tail { place, bytes } => self.tail(place, bytes),
            Change::Roll { sealed, sealed_bytes, base } => {
                let active = *self.active();
                if (active.base, active.bytes) != (sealed, sealed_bytes) || base != self.state.end {
                    return Err("a roll of another segment");
                }
                self.state.segments.push(SegmentState::empty(base));
                self.pending.push(Pending::at(base, 0, Vec::new()));
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

    fn append(
        &mut self,
        place: Place,
        batch: &[u8],
        now_ms: i64,
    ) -> Result<&mut Pending, &'static str> {
        let header = BatchHeader::parse(batch).map_err(|_| "an append without a batch")?;
        if header.size_bytes != batch.len() {
            return Err("an append of another length than its batch");
        }
        self.note(place, &header, now_ms)
    }

    /// A batch that went past the journal and is proved durable: the file has its blocks, from that which it begins
    /// in to the last whole one. Those before them were written first or with it, so that this proves them, too.
    fn bypass(
        &mut self,
        place: Place,
        header: &[u8; BATCH_HEADER_BYTES],
        rest: &[u8],
        now_ms: i64,
    ) -> Result<(), &'static str> {
        let header = BatchHeader::parse(header).map_err(|_| "a bypass without a batch")?;
        let end = u64::from(place.position) + header.size_bytes as u64;
        let whole = block_floor(end);
        if whole < place.position.into() || rest.len() as u64 != end - whole {
            return Err("a bypass with another end than its batch");
        }
        let whole = u32::try_from(whole).map_err(|_| "a bypass beyond a segment")?;
        let pending = self.note(place, &header, now_ms)?;
        *pending = Pending { is_behind: true, ..Pending::at(place.base, whole, rest.to_vec()) };
        Ok(())
    }

    /// Whether its last block is a partial one that may stay in the state. Behind a batch that was read back the
    /// last block is written with it: what a power failure leaves of a write's end is then not of that batch.
    fn has_tail(&mut self) -> bool {
        let pending = self.pending();
        let is_aligned = (pending.from as usize).is_multiple_of(BLOCK);
        let is_whole = pending.bytes.len().is_multiple_of(BLOCK);
        !self.deleted && !self.has_read_back && is_aligned && !is_whole
    }

    /// Leaves the last partial block in the state, and whole blocks to be written.
    fn keep_tail(&mut self) {
        let pending = self.pending();
        let whole = block_floor(pending.bytes.len() as u64) as usize;
        let tail = pending.bytes.split_off(whole);
        (pending.is_behind, pending.goes_on) = (false, true);
        self.state.tail = tail;
    }

    /// What is pending at the end of the active segment.
    fn pending(&mut self) -> &mut Pending {
        self.pending.last_mut().expect("the active segment is pending")
    }

    /// Takes the batch at the end of the log into its state; gives what is pending of the active segment.
    fn note(
        &mut self,
        place: Place,
        header: &BatchHeader,
        now_ms: i64,
    ) -> Result<&mut Pending, &'static str> {
        let active = *self.active();
        let pending = self.pending();
        let (from, bytes) = (pending.from as usize, pending.bytes.len());
        let fits = (active.base, active.bytes) == (place.base, place.position)
            && header.base_offset == self.state.end
            && from + bytes == place.position as usize;
        if !fits {
            return Err("an append that does not continue the log");
        }
        self.state.epochs.begin(header.leader_epoch, header.base_offset);
        self.state.end = header.next_offset();
        let bytes = u32::try_from(header.size_bytes).map_err(|_| "a batch beyond a segment")?;
        self.active().note(header.base_offset, bytes, header.max_timestamp, now_ms);
        if header.has_producer_id() {
            let producer = producer_of(header);
            let producers = &mut self.state.producers;
            producers.note(&producer, header.base_offset, header.max_timestamp, now_ms);
        }
        Ok(self.pending())
    }

    /// The end of a file that was cut: needed unless it is already among what is pending.
    fn tail(&mut self, place: Place, bytes: &[u8]) -> Result<(), &'static str> {
        let active = *self.active();
        if active.base != place.base
            || place.position as usize + bytes.len() != active.bytes as usize
        {
            return Err("a tail of another segment");
        }
        let pending = self.pending();
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

impl Pending {
    fn at(base: Offset, from: u32, bytes: Vec<u8>) -> Pending {
        Pending { base, from, bytes, is_behind: false, goes_on: false }
    }

    fn is_due(&self) -> bool {
        self.is_behind || !self.bytes.is_empty()
    }
}

/// What writers share.
struct Writing<'a> {
    logs: std::slice::IterMut<'a, Rebuild>,
    /// The file system is synced at the end, and no file by itself.
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
    let due = logs.iter().flat_map(|log| &log.pending).filter(|pending| pending.is_due());
    let syncs_all = due.count() > FILES_SYNCED_ALONE_MAX;
    let writing = RefCell::new(Writing {
        logs: logs.iter_mut(),
        syncs_all,
        directories: BTreeSet::new(),
        segments: 0,
        bytes: 0,
        deleted: 0,
    });
    let maker = directories::Maker::default();
    let writers = (0..WRITES_IN_FLIGHT_MAX).map(|_| write_logs(runtime, dir, &writing, &maker));
    let results = join_all(writers).await;
    let writing = writing.into_inner();
    for result in results {
        result?;
    }
    let disk = runtime.disk();
    if writing.syncs_all {
        disk.sync_filesystem(dir).await.map_err(failed(dir))?;
    } else {
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
    maker: &directories::Maker,
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
        if pending.iter().any(Pending::is_due) {
            maker.make(runtime, dir, id, &log.state.topic).await.map_err(failed(dir))?;
            writing.borrow_mut().directories.extend(directories::holders(dir, id));
        }
        for segment in pending.into_iter().filter(Pending::is_due) {
            let path = segment_path(dir, id, segment.base);
            let file = write_segment(runtime, &path, &segment).await.map_err(failed(&path))?;
            if !writing.borrow().syncs_all {
                file.sync_data().await.map_err(failed(&path))?;
            }
            let mut writing = writing.borrow_mut();
            writing.segments += 1;
            writing.bytes += segment.bytes.len() as u64;
        }
        log.state.written = log.active().bytes - log.state.tail.len() as u32;
        log.state.covered = Sequence::NONE;
    }
}

/// Writes what is pending in whole blocks, the last one filled with zeros, and cuts the file unless it goes on.
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
    if !pending.goes_on && file.len().await? != offset {
        file.set_len(offset).await?;
    }
    Ok(file)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ReplayError + '_ {
    |error| ReplayError::Io { path: path.to_owned(), error }
}
