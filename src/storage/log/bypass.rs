//! Large batches go past the journal: their blocks straight to the segment, once instead of twice.
//!
//! The journal gets an entry with the batch's place, its header and its bytes in the segment's last, partial block.
//! That entry is held: it becomes durable, and the batch acknowledged, only when the blocks are durable in the
//! segment. So the sequence of the journal stays the one order of all changes.
//!
//! A segment takes part once it is *ready*: its file is there durably and has space set aside, so that a disk that
//! fills up is met before anything is promised. Until then, and in relaxed topics, batches take the usual way.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::partition_log::{LogCore, LogShared};
use super::segment::Segment;
use crate::model::units::{MIB, block_floor};
use crate::model::{LogId, Offset};
use crate::record::BATCH_HEADER_BYTES;
use crate::runtime::Monotonic;
use crate::runtime::memory::Lease;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::Event;
use crate::storage::journal::Sequence;

/// Bytes that wait for the disk or are on their way before appends have to wait. With twice as many bulk is a tenth
/// quicker, and whoever is behind it waits for several times as long at worst.
const BYTES_WAITING_MAX: usize = 4 * MIB;
/// What one write takes of a segment at most, unless one batch is larger.
const WRITE_BYTES_MAX: usize = MIB;
/// Space is set aside in steps that double with the segment, between these.
const READY_BYTES_MIN: u32 = MIB as u32;
const READY_BYTES_MAX: u32 = 64 * MIB as u32;

/// Whole blocks of one segment that are to be written.
pub struct BypassWrite {
    /// Whose segment; the log itself may be gone by then.
    pub id: LogId,
    /// Where it is told that they are written.
    pub log: Weak<LogShared>,
    /// The segment's base offset.
    pub base: Offset,
    /// The blocks from this position on.
    pub from: u32,
    /// Up to this one.
    pub to: u32,
    /// Their bytes, which no eviction and no deletion takes away.
    pub leases: Vec<Lease>,
    /// The entries that are durable with them.
    pub sequences: Vec<Sequence>,
}

impl BypassWrite {
    fn bytes(&self) -> usize {
        (self.to - self.from) as usize
    }
}

/// The batches of one store that go past its journal.
pub struct Bypass {
    /// Batches of so many bytes do.
    bytes_min: usize,
    waiting: RefCell<VecDeque<BypassWrite>>,
    /// Logs that are being written; one write at a time keeps a file in order.
    writing: RefCell<Vec<LogId>>,
    /// Bytes that are not durable yet.
    bytes: Cell<usize>,
    /// Bytes that are, since the start.
    bytes_total: Cell<u64>,
    /// Logs whose active segment is to be made ready.
    unready: RefCell<VecDeque<Weak<LogShared>>>,
    /// None is made ready before.
    put_off_until: Cell<Option<Monotonic>>,
    /// Fires when there is something to write.
    pub write_wanted: Event,
    /// Fires when there is a segment to be made ready.
    pub ready_wanted: Event,
}

impl Bypass {
    /// For batches of at least `bytes_min`.
    pub fn new(bytes_min: usize) -> Bypass {
        Bypass {
            bytes_min,
            waiting: RefCell::default(),
            writing: RefCell::default(),
            bytes: Cell::new(0),
            bytes_total: Cell::new(0),
            unready: RefCell::default(),
            put_off_until: Cell::new(None),
            write_wanted: Event::new(),
            ready_wanted: Event::new(),
        }
    }

    /// Bytes that went past the journal since the start.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total.get()
    }

    /// Whether a batch of so many bytes of that log is one for it; where it is not ready, the journal takes them.
    fn is_for(&self, core: &LogCore, bytes: usize) -> bool {
        bytes >= self.bytes_min && core.config.is_durable()
    }

    /// Queues a write, which follows those that were queued for the same log.
    fn push(&self, write: BypassWrite) {
        self.bytes.set(self.bytes.get() + write.bytes());
        self.waiting.borrow_mut().push_back(write);
        self.write_wanted.notify_one();
    }

    /// Takes what is to be written next: the oldest batch whose log is not being written, with those that follow it
    /// in the same segment.
    pub fn take(&self) -> Option<BypassWrite> {
        let mut waiting = self.waiting.borrow_mut();
        let mut writing = self.writing.borrow_mut();
        let first = waiting.iter().position(|next| !writing.contains(&next.id))?;
        let mut write = waiting.remove(first)?;
        let mut is_whole = false;
        waiting.retain_mut(|next| {
            if next.id != write.id {
                return true;
            }
            is_whole |= next.base != write.base || write.bytes() + next.bytes() > WRITE_BYTES_MAX;
            if !is_whole {
                write.to = next.to;
                write.leases.append(&mut next.leases);
                write.sequences.append(&mut next.sequences);
            }
            is_whole
        });
        writing.push(write.id);
        Some(write)
    }

    /// Notes that a write has ended.
    pub fn done(&self, write: &BypassWrite) {
        self.writing.borrow_mut().retain(|busy| *busy != write.id);
        self.bytes.set(self.bytes.get() - write.bytes());
        self.bytes_total.set(self.bytes_total.get() + write.bytes() as u64);
        // The next batches of that log may wait.
        self.write_wanted.notify_all();
    }

    /// Asks for a log's active segment to be made ready for more.
    fn want_ready(&self, log: &Rc<LogShared>, core: &mut LogCore) {
        let now = log.engine.runtime.now();
        let is_put_off = self.put_off_until.get().is_some_and(|until| now < until);
        let active = core.active_mut();
        if !active.is_readied && !active.is_being_written && !is_put_off {
            active.is_readied = true;
            self.unready.borrow_mut().push_back(Rc::downgrade(log));
            self.ready_wanted.notify_all();
        }
    }

    /// Takes the next log whose active segment is to be made ready.
    pub fn take_unready(&self) -> Option<Rc<LogShared>> {
        loop {
            let log = self.unready.borrow_mut().pop_front()?;
            if let Some(log) = log.upgrade() {
                return Some(log);
            }
        }
    }

    /// Makes no segment ready before: there is no space for it.
    pub fn put_off(&self, until: Monotonic) {
        self.put_off_until.set(Some(until));
    }
}

impl LogShared {
    /// Whether a batch of so many bytes may be appended now, as far as those before it are concerned.
    pub(super) fn bypass_takes(&self, core: &LogCore, bytes: usize) -> bool {
        let bypass = &self.engine.bypass;
        let waiting = bypass.bytes.get();
        !bypass.is_for(core, bytes) || waiting == 0 || waiting + bytes <= BYTES_WAITING_MAX
    }

    /// The position up to which the segment's file has its blocks when a batch goes past the journal; `None` if this
    /// one does not.
    pub(super) fn bypasses(self: &Rc<Self>, core: &mut LogCore, bytes: usize) -> Option<u32> {
        let bypass = &self.engine.bypass;
        if !bypass.is_for(core, bytes) {
            return None;
        }
        let segment_bytes = core.config.segment_bytes_max();
        let active = core.active();
        let position = active.state.bytes;
        let to = block_floor(u64::from(position) + bytes as u64) as u32;
        let gets_short = active.ready < to.saturating_add(active.ready_step() / 2);
        if gets_short && active.ready < block_floor(segment_bytes.into()) as u32 {
            bypass.want_ready(self, core);
        }
        let active = core.active();
        // What the file's last block has is not written again before the journal has it durably.
        let tail_is_durable = self.engine.journal.durable_through() >= core.tail_logged;
        // Where much waits for the write-behind, it would all have to be written before this is acknowledged.
        let before = position.saturating_sub(active.written_or_bypassed()) as usize;
        let fits = active.takes_blocks_to(to) && tail_is_durable && before <= BYTES_WAITING_MAX;
        (fits && to >= position + BATCH_HEADER_BYTES as u32).then_some(to)
    }

    /// Holds the entry of a batch that goes past the journal, which was appended last.
    pub(super) fn hold(&self, sequence: Sequence) {
        #[cfg(test)]
        if is_planted(Planted::AcknowledgeBypassed) {
            return;
        }
        self.engine.journal.hold(sequence);
    }

    /// Queues what the active segment's file lacks up to `to`, for a batch that was just put there and whose entry
    /// has `sequence`.
    pub(super) fn bypass(self: &Rc<Self>, core: &mut LogCore, to: u32, sequence: Sequence) {
        let active = core.active_mut();
        let from = active.written_or_bypassed();
        active.bypassed = to;
        self.engine.bypass.push(BypassWrite {
            id: self.id,
            log: Rc::downgrade(self),
            base: active.state.base,
            from,
            to,
            leases: active.window.leases_to_write(from, (to - from) as usize),
            sequences: vec![sequence],
        });
    }
}

impl Segment {
    /// Whether the file takes whole blocks up to there straight away.
    fn takes_blocks_to(&self, to: u32) -> bool {
        to <= self.ready && !self.is_being_written
    }

    /// By how much it is made ready at a time, in bytes.
    fn ready_step(&self) -> u32 {
        (block_floor(self.state.bytes.into()) as u32).clamp(READY_BYTES_MIN, READY_BYTES_MAX)
    }

    /// From where to where it is to be made ready next, in bytes of its file: from where the next write past the
    /// journal begins, which is at what the file lacks.
    pub fn ready_next(&self, segment_bytes_max: u32) -> (u32, u32) {
        let from = self.ready.max(block_floor(self.written_or_bypassed().into()) as u32);
        let end = self.ready.max(block_floor(self.state.bytes.into()) as u32);
        let to = end.saturating_add(self.ready_step()).min(segment_bytes_max);
        (from, from.max(block_floor(to.into()) as u32))
    }
}
