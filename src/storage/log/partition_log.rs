//! The log of one partition on its shard: appends, its durable end and its epochs.
//!
//! Every change is an entry of the journal before anything else happens, and bytes become readable
//! only when they are as durable as the topic promises. Reads are in `read`, the start in `start`,
//! what becomes of the bytes behind the journal is in the store.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::config::LogConfig;
use super::engine::Engine;
use super::entries::{Place, encode_epoch, encode_roll};
use super::epochs::EpochHistory;
use super::failure::{BatchRefused, LogAppendError, StorageFailed};
use super::idempotence::{producer_clock_ms, producer_of};
use super::index::SparseIndex;
use super::producers::ProducerTable;
use super::segment::{RollReason, RollTerms, Segment};
use super::state::{LogState, SegmentState, StateHead, encode_segments};
use super::window::{Eviction, Window};
use crate::model::units::BLOCK;
use crate::model::{LeaderEpoch, LogId, Offset, OwnerEpoch};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, batch};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{Event, select2};
use crate::runtime::{Monotonic, mixed};
use crate::storage::journal::entry::ENTRY_HEADER_BYTES;
use crate::storage::journal::{EntryKind, Sequence};

/// What of a place in the log a reader asks for next, most likely.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    pub offset: Offset,
    pub base: Offset,
    pub position: u32,
}

/// What changes of a log.
pub struct LogCore {
    pub config: LogConfig,
    pub owner_epoch: OwnerEpoch,
    /// The first offset by the journal, which need not be durable yet.
    pub start: Offset,
    /// The first offset that readers are told of: durable.
    pub readable_start: Offset,
    pub end: Offset,
    pub readable_end: Offset,
    pub segments: VecDeque<Segment>,
    pub epochs: EpochHistory,
    pub producers: Option<Box<ProducerTable>>,
    /// The last entry of this log in the journal.
    pub covered: Sequence,
    pub deleted: bool,
    pub last_append: Monotonic,
    /// Records since the last forced durable commit.
    unflushed: u64,
    pub cursors: [Option<Cursor>; 2],
    /// Its partition directory is known to exist durably.
    pub has_directory: bool,
    /// The entry with the last partial block that was read back from a cut file.
    pub tail_logged: Sequence,
}

/// One log, shared by its handles, its store and those who wait.
pub struct LogShared {
    pub id: LogId,
    pub topic: Box<str>,
    pub engine: Rc<Engine>,
    pub core: RefCell<LogCore>,
    pub readable: Event,
    /// One task at a time reads the tail back.
    pub(super) loading: Cell<bool>,
    pub(super) loaded: Event,
    /// In the engine's list of logs that hold chunks.
    pub awake: Cell<bool>,
}

/// A handle on a log; clones are the same log.
#[derive(Clone)]
pub struct Log(pub(in crate::storage) Rc<LogShared>);

/// How a batch is appended.
#[derive(Clone, Copy, Debug)]
pub struct AppendMode {
    /// The term of the leader that appends it.
    pub leader_epoch: LeaderEpoch,
    /// The broker's time, if the topic stamps it.
    pub log_append_time: Option<i64>,
    /// Wall-clock time.
    pub now_ms: i64,
}

/// A batch that is in the log, or was there before.
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Its largest timestamp.
    pub timestamp: i64,
    /// It is a retry of a batch that was in the log.
    pub duplicate: bool,
    /// Waits until it is as durable as its topic promises.
    pub ticket: Ticket,
}

/// A promise that is kept when the journal has reached a sequence.
pub struct Ticket {
    engine: Rc<Engine>,
    sequence: Sequence,
    is_durable: bool,
}

impl Ticket {
    /// Waits until the batch is as durable as its topic promises.
    ///
    /// # Errors
    /// Once the directory has failed: the batch may be on disk or not, and is not to be acknowledged.
    pub async fn wait(self) -> Result<(), StorageFailed> {
        let journal = &self.engine.journal;
        if self.is_durable {
            journal.wait_durable(self.sequence).await?;
        } else {
            journal.wait_accepted(self.sequence).await?;
        }
        self.engine.settle();
        Ok(())
    }
}

impl LogShared {
    /// Opens a log that is as its state says; its files are exact but for a tail, which is brought to memory by
    /// [`LogShared::take_tail`].
    pub fn open(engine: Rc<Engine>, state: LogState, config: LogConfig) -> Rc<LogShared> {
        let last = state.segments.len() - 1;
        let has_sealed = state.segments[..last].iter().any(|segment| segment.bytes > 0);
        let has_directory = has_sealed || state.written > 0;
        let segments = state.segments.iter().enumerate();
        let segments =
            segments.map(|(index, segment)| Segment::on_disk(*segment, index < last)).collect();
        let mut producers = (state.producers.count() > 0).then(|| Box::new(state.producers));
        if let Some(producers) = &mut producers {
            producers.see_all(producer_clock_ms(&engine));
        }
        let core = LogCore {
            config,
            owner_epoch: state.owner_epoch,
            start: state.start,
            readable_start: state.start,
            end: state.end,
            readable_end: state.end,
            segments,
            epochs: state.epochs,
            producers,
            covered: state.covered,
            deleted: false,
            last_append: engine.runtime.now(),
            unflushed: 0,
            cursors: [None; 2],
            has_directory,
            tail_logged: Sequence::NONE,
        };
        let remembers = core.producers.is_some();
        let log = Rc::new(LogShared {
            id: state.id,
            topic: state.topic.into(),
            engine,
            core: RefCell::new(core),
            readable: Event::new(),
            loading: Cell::new(false),
            loaded: Event::new(),
            awake: Cell::new(false),
        });
        if remembers {
            log.engine.remembers(&log);
        }
        log
    }

    pub fn core(&self) -> Ref<'_, LogCore> {
        self.core.borrow()
    }

    pub fn core_mut(&self) -> RefMut<'_, LogCore> {
        self.core.borrow_mut()
    }

    /// When a batch was last appended.
    pub fn idle_since(&self) -> Monotonic {
        self.core().last_append
    }

    /// Whether the log still holds chunks; once it does not, the next one awakens it again.
    pub fn stays_awake(&self) -> bool {
        let awake = self.core().segments.iter().rev().any(|segment| !segment.window.is_empty());
        self.awake.set(awake);
        awake
    }

    /// The log is gone for everybody; its memory is given back.
    pub fn delete(&self) {
        let mut core = self.core_mut();
        core.deleted = true;
        for segment in &mut core.segments {
            segment.window.clear();
            self.engine.index_shrank(segment.index.entry_count());
            segment.index = SparseIndex::default();
        }
        drop(core);
        self.readable.notify_all();
        self.engine.relieved.notify_all();
    }

    /// Moves the readable end forward and tells those who wait.
    pub(super) fn set_readable(&self, end: Offset) {
        let mut core = self.core_mut();
        if end > core.readable_end {
            core.readable_end = end;
            drop(core);
            self.readable.notify_all();
        }
    }

    /// Whether that segment is still there; yes, where that cannot be told now.
    pub(super) fn has_segment(&self, base: Offset) -> bool {
        let core = self.core.try_borrow();
        core.map_or(true, |core| !core.deleted && core.segment_index(base).is_some())
    }

    /// Gives back the first chunk of a segment if its file has it.
    pub(super) fn evict(&self, base: Offset, evicted: u64) -> Eviction {
        self.core.try_borrow_mut().map_or(Eviction::Spared, |mut core| core.evict(base, evicted))
    }

    /// Forgets the index of a segment and says how many entries it had; `None` while it is in use.
    pub(super) fn drop_index(&self, base: Offset) -> Option<usize> {
        let mut core = self.core.try_borrow_mut().ok()?;
        let Some(index) = core.segment_index(base) else { return Some(0) };
        let segment = &mut core.segments[index];
        let entries = segment.index.entry_count();
        segment.index = SparseIndex::starting_at(segment.state.bytes, segment.state.max_timestamp);
        Some(entries)
    }

    /// Writes the state as a checkpoint stores it: the active segment's file is taken to be
    /// written up to `written`.
    pub fn encode_state(&self, core: &LogCore, written: u32, out: &mut Vec<u8>) {
        let head = StateHead {
            id: self.id,
            owner_epoch: core.owner_epoch,
            covered: core.covered,
            topic: &self.topic,
            start: core.start,
            end: core.end,
            written,
        };
        head.encode(out);
        let active = core.active();
        let mut tail = [0; BLOCK];
        let tail = &mut tail[..(active.state.bytes - written) as usize];
        active.window.copy_out(written, tail);
        out.extend_from_slice(&(tail.len() as u32).to_le_bytes());
        out.extend_from_slice(tail);
        encode_segments(core.segments.iter().map(|segment| &segment.state), out);
        let mut advanced = core.epochs.clone();
        advanced.advance_start(core.start);
        advanced.encode(out);
        #[cfg(test)]
        if is_planted(Planted::ForgetProducers) {
            return ProducerTable::default().encode(out);
        }
        match &core.producers {
            Some(producers) => producers.encode(out),
            None => ProducerTable::default().encode(out),
        }
    }
}

impl LogCore {
    /// Gives back the first chunk of a segment if its file has it; `evicted` is what the store has evicted
    /// so far.
    pub(super) fn evict(&mut self, base: Offset, evicted: u64) -> Eviction {
        let Some(index) = self.segment_index(base) else { return Eviction::Needed };
        let segment = &mut self.segments[index];
        let outcome = segment.window.evict_front(segment.written, segment.sealed);
        if let Eviction::Done { bytes } = outcome {
            segment.evicted_at = Some(evicted + bytes as u64);
        }
        outcome
    }

    /// The bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.state.bytes)).sum()
    }

    pub fn active(&self) -> &Segment {
        self.segments.back().expect("a log always has an active segment")
    }

    pub fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log always has an active segment")
    }

    /// The index of the segment with exactly that base.
    pub fn segment_index(&self, base: Offset) -> Option<usize> {
        self.segments.binary_search_by_key(&base, |segment| segment.state.base).ok()
    }

    fn rolls_by_size(&self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.active().is_full_for(bytes, self.config.segment_bytes_max())
    }
}

impl Log {
    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.0.id
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.0.core().end
    }

    /// The offset below which records are as durable as the topic promises: with one replica the
    /// high watermark.
    pub fn readable_end(&self) -> Offset {
        self.0.core().readable_end
    }

    /// Fires when the readable end moves.
    pub fn readable(&self) -> &Event {
        &self.0.readable
    }

    /// The bytes of all its segments.
    pub fn bytes(&self) -> u64 {
        self.0.core().bytes()
    }

    /// How many segments it has.
    pub fn segment_count(&self) -> usize {
        self.0.core().segments.len()
    }

    /// The settings.
    pub fn config(&self) -> LogConfig {
        self.0.core().config
    }

    /// Takes changed settings. What was only accepted is demanded durable when the topic becomes
    /// durable; a ticket of any later append is kept after that.
    pub fn set_config(&self, config: LogConfig) {
        let mut core = self.0.core_mut();
        let becomes_durable = config.is_durable() && !core.config.is_durable();
        core.config = config;
        if becomes_durable && core.covered > Sequence::NONE {
            self.0.engine.journal.demand_durable(core.covered);
        }
    }

    /// The largest leader epoch not above `epoch`, and where it ended (KIP-101).
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        let core = self.0.core();
        core.epochs.end_of(epoch, core.end)
    }

    /// The leader epoch in which the record at `offset` was written.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.0.core().epochs.at(offset)
    }

    /// Notes that a leader's term begins at the log's end; does nothing unless it is newer.
    pub fn begin_epoch(&self, epoch: LeaderEpoch) {
        let mut core = self.0.core_mut();
        let end = core.end;
        if !core.deleted && core.epochs.begin(epoch, end) {
            self.0.log_change(&mut core, EntryKind::Epoch, &encode_epoch(epoch, end), &[]);
        }
    }

    /// Whether a batch of so many bytes can be appended at once.
    pub fn can_append(&self, bytes: usize) -> bool {
        let core = self.0.core();
        let active = core.active();
        self.0.engine.full_until().is_none()
            && !active.is_cut()
            && !core.rolls_by_size(bytes)
            && active.window.room() >= bytes
            && self.0.bypass_takes(&core, bytes)
            && self.0.engine.journal_takes(bytes + APPEND_OVERHEAD)
    }

    /// Waits until a batch of so many bytes can be appended: for memory, for room in the journal,
    /// and for the last block of a log that nobody has written to for long.
    ///
    /// # Errors
    /// Once the directory has failed or the log is deleted, while the disk is full, and for a batch that fits no segment
    /// or no journal.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before each await; the lint does not follow drops in branches"
    )]
    pub async fn prepare_append(&self, bytes: usize) -> Result<(), LogAppendError> {
        let engine = &self.0.engine;
        let began = engine.runtime.now();
        loop {
            let relieved = engine.relieved.listen();
            if let Some(failed) = engine.failure() {
                return Err(failed.into());
            }
            if engine.full_until().is_some() {
                return Err(LogAppendError::DiskFull);
            }
            let mut core = self.0.core_mut();
            if core.deleted {
                return Err(LogAppendError::Deleted);
            }
            let segment_bytes = core.config.segment_bytes_max();
            if bytes > segment_bytes as usize {
                return Err(BatchRefused::LargerThanSegment { bytes, segment_bytes }.into());
            }
            if core.rolls_by_size(bytes) {
                self.0.roll(&mut core, Window::default());
            }
            if core.active().is_cut() {
                drop(core);
                // On its own, as below: this future is part of each connection's, and of what is rare it has no room.
                Box::pin(self.0.load_tail()).await?;
                continue;
            }
            let grown = self.0.grow(&mut core, bytes);
            let is_taken = self.0.bypass_takes(&core, bytes);
            drop(core);
            if !grown {
                engine.want_memory(began);
            }
            if !grown || !is_taken {
                engine.wait_relief(relieved).await;
                continue;
            }
            if engine.journal_takes(bytes + APPEND_OVERHEAD) {
                return Ok(());
            }
            engine.wanted.notify_all();
            let room = engine.journal.reserve(bytes + APPEND_OVERHEAD);
            // A full disk ends the wait, too: no checkpoint makes room then.
            if let Some(room) = select2(room, engine.relieved.listen()).await.left() {
                room?;
            }
            if !engine.journal_takes(bytes + APPEND_OVERHEAD) {
                engine.wait_relief(relieved).await;
            }
        }
    }

    /// Appends one whole batch, which the caller has validated and for which `can_append` is true.
    ///
    /// # Errors
    /// As [`Log::prepare_append`]; where the batch is not one, or its producer's sequence is wrong; and where a segment was
    /// due and there was no memory for it. Nothing is appended then.
    pub fn append(&self, batch: &[u8], mode: AppendMode) -> Result<Appended, LogAppendError> {
        if let Some(failed) = self.0.engine.failure() {
            return Err(failed.into());
        }
        match mode.log_append_time {
            None => self.append_stamped(batch, &mode),
            Some(time_ms) => {
                let mut stamped = batch.to_vec();
                checked_header(&stamped)?;
                batch::set_log_append_time(&mut stamped, time_ms);
                self.append_stamped(&stamped, &mode)
            }
        }
    }

    fn append_stamped(&self, batch: &[u8], mode: &AppendMode) -> Result<Appended, LogAppendError> {
        let header = checked_header(batch)?;
        let mut core = self.0.core_mut();
        if core.deleted {
            return Err(LogAppendError::Deleted);
        }
        let producer = header.has_producer_id().then(|| producer_of(&header));
        if let Some(appended) = self.0.judge(&core, producer.as_ref())? {
            return Ok(appended);
        }
        let segment_bytes = core.config.segment_bytes_max();
        if batch.len() > segment_bytes as usize {
            return Err(
                BatchRefused::LargerThanSegment { bytes: batch.len(), segment_bytes }.into()
            );
        }
        let base_offset = core.end;
        let last_offset = Offset(base_offset.0 + i64::from(header.last_offset_delta));
        self.0.roll_if_due(&mut core, &header, last_offset, mode.now_ms)?;
        assert!(!core.active().is_cut(), "prepare_append reads the tail back first");
        if !self.0.grow(&mut core, batch.len()) {
            return Err(LogAppendError::NoMemory);
        }
        self.0.put(&mut core, batch, &header, mode);
        if let Some(producer) = producer {
            self.0.note_producer(&mut core, &producer, base_offset, header.max_timestamp);
        }
        let records = i64::from(header.last_offset_delta) + 1;
        let is_durable = self.0.promise(&mut core, records as u64);
        Ok(Appended {
            base_offset,
            last_offset,
            timestamp: header.max_timestamp,
            duplicate: false,
            ticket: self.0.ticket(&core, is_durable),
        })
    }
}

/// Bytes of an append in the journal besides the batch, and of the roll that may come with it.
const APPEND_OVERHEAD: usize = 4 * ENTRY_HEADER_BYTES + 64;

fn checked_header(batch: &[u8]) -> Result<BatchHeader, BatchRefused> {
    let header = BatchHeader::parse(batch)?;
    if header.size_bytes != batch.len() {
        return Err(BatchRefused::Length { declared: header.size_bytes, found: batch.len() });
    }
    Ok(header)
}

impl LogShared {
    /// Writes an entry of this log to the journal.
    pub fn log_change(&self, core: &mut LogCore, kind: EntryKind, header: &[u8], body: &[u8]) {
        core.covered = self.engine.journal.append(kind, self.id, core.owner_epoch, header, body);
    }

    pub(super) fn ticket(&self, core: &LogCore, is_durable: bool) -> Ticket {
        Ticket { engine: self.engine.clone(), sequence: core.covered, is_durable }
    }

    /// Takes memory for `bytes` more in the active segment, evicting caches where it has to.
    fn grow(&self, core: &mut LogCore, bytes: usize) -> bool {
        let arena = self.engine.runtime.arena();
        self.engine.evict_until(self, core, |core| {
            let active = core.active_mut();
            active.window.grow(arena, bytes, active.state.bytes)
        })
    }

    fn roll_if_due(
        &self,
        core: &mut LogCore,
        header: &BatchHeader,
        last_offset: Offset,
        now_ms: i64,
    ) -> Result<(), LogAppendError> {
        let terms = RollTerms {
            bytes: header.size_bytes as u32,
            timestamp: header.max_timestamp,
            last_offset,
            now_ms,
            segment_bytes: core.config.segment_bytes_max(),
            roll_after_ms: core.config.roll_after_ms(|| self.roll_seed(core.active().state.base)),
        };
        let Some(reason) = core.active().should_roll(&terms) else { return Ok(()) };
        let arena = self.engine.runtime.arena();
        let mut window = Window::default();
        let fits = |_: &mut LogCore| window.grow(arena, header.size_bytes, 0);
        if self.engine.evict_until(self, core, fits) {
            self.roll(core, window);
        } else if reason == RollReason::Offset {
            self.engine.want_memory(self.engine.runtime.now());
            return Err(LogAppendError::NoMemory);
        }
        // A roll by age or size waits for the next append when there is no memory.
        Ok(())
    }

    /// The same number for a segment whenever it is asked for, and another for each.
    fn roll_seed(&self, base: Offset) -> u64 {
        let LogId { topic, partition } = self.id;
        topic.0.chunks_exact(8).fold(base.0 as u64, |seed, word| {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
            mixed(seed ^ word ^ partition.0 as u64)
        })
    }

    /// Seals the active segment and begins a new one at the log's end.
    pub(super) fn roll(&self, core: &mut LogCore, window: Window) {
        let base = core.end;
        let active = core.active_mut();
        active.sealed = true;
        active.window.drop_reserved();
        let header = encode_roll(active.state.base, active.state.bytes, base);
        self.log_change(core, EntryKind::Roll, &header, &[]);
        let mut next = Segment::on_disk(SegmentState::empty(base), false);
        next.window = window;
        core.segments.push_back(next);
    }

    /// Puts a batch into the journal and into memory.
    fn put(
        self: &Rc<Self>,
        core: &mut LogCore,
        batch: &[u8],
        header: &BatchHeader,
        mode: &AppendMode,
    ) {
        let base_offset = core.end;
        let place = Place { base: core.active().state.base, position: core.active().state.bytes };
        let (head, records) = batch.split_at(BATCH_HEADER_BYTES);
        let mut placed = [0; PLACED_BYTES];
        let (first, patched) = placed.split_at_mut(PLACED_BYTES - BATCH_HEADER_BYTES);
        first.copy_from_slice(&place.encode());
        patched.copy_from_slice(head);
        batch::set_base_offset(patched, base_offset);
        batch::set_leader_epoch(patched, mode.leader_epoch);
        let patched: [u8; BATCH_HEADER_BYTES] = *patched.first_chunk().expect("a whole header");
        let bypassed_to = self.bypasses(core, batch.len());
        match bypassed_to {
            None => self.log_change(core, EntryKind::Append, &placed, records),
            Some(to) => {
                let rest = &batch[(to - place.position) as usize..];
                self.log_change(core, EntryKind::Bypass, &placed, rest);
                self.hold(core.covered);
            }
        }
        core.epochs.begin(mode.leader_epoch, base_offset);
        core.end = Offset(base_offset.0 + i64::from(header.last_offset_delta) + 1);
        core.last_append = self.engine.runtime.now();
        let active = core.active_mut();
        active.window.append(&patched);
        active.window.append(records);
        let bytes = batch.len() as u32;
        let base = active.state.base;
        let named = active.index.note(base, base_offset, bytes, header.max_timestamp);
        active.state.note(base_offset, bytes, header.max_timestamp, mode.now_ms);
        if named {
            self.engine.index_grew(self, base, active.index.entry_count());
        }
        match bypassed_to {
            None => self.engine.appended.set(self.engine.appended.get() + u64::from(bytes)),
            Some(to) => self.bypass(core, to, core.covered),
        }
        if !self.awake.replace(true) {
            self.engine.awaken(self);
        }
    }

    /// Queues the log's end to become readable, and demands what the settings ask for.
    fn promise(self: &Rc<Self>, core: &mut LogCore, records: u64) -> bool {
        let is_durable = core.config.is_durable();
        self.engine.readable_at(self, core.end, core.covered, is_durable);
        core.unflushed += records;
        if is_durable || core.unflushed >= core.config.flush_messages {
            core.unflushed = 0;
            self.engine.journal.demand_durable(core.covered);
        } else if core.config.flush_ms != u64::MAX {
            self.engine.flush_within(Duration::from_millis(core.config.flush_ms));
        }
        is_durable
    }
}

/// An Append's header with the batch's patched header behind it.
const PLACED_BYTES: usize = super::entries::PLACE_BYTES + BATCH_HEADER_BYTES;
