//! What all logs of one store share: the journal, memory, open files, and who waits for what.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::bypass::Bypass;
use super::directories;
use super::failure::StorageFailed;
use super::index::ENTRY_BYTES;
use super::open_segments::OpenSegments;
use super::partition_log::{LogCore, LogShared};
use super::removals::Removals;
use super::segment_queue::SegmentQueue;
use super::window::Eviction;
use crate::model::Offset;
use crate::model::units::MIB;
use crate::runtime::disk::is_shortage;
use crate::runtime::sync::{Event, Listener, Semaphore, timeout};
use crate::runtime::{Monotonic, Runtime};
use crate::storage::journal::{Journal, Sequence};

/// Reads of segments that are in flight at once; hot work must not wait behind them.
const COLD_READS_IN_FLIGHT_MAX: usize = 4;

/// Appends stop here; rolls, epochs, creations and deletions go on.
const JOURNAL_SHARE_FOR_APPENDS: f64 = 0.9;
/// How often producers that wait for memory look whether there is some.
const RELIEF_LOOKED_FOR_EVERY: Duration = Duration::from_millis(10);
/// An append that has waited for memory for so long is not helped by writing alone: a pass takes a
/// few seconds at most, and a client waits for half a minute.
pub const STARVED_AFTER: Duration = Duration::from_secs(10);
/// How often a full disk is tried again.
pub const FULL_TRIED_EVERY: Duration = Duration::from_secs(1);
/// So many chunks are given back for one that does not fit into them, which are then too small, before it
/// gets fresh memory.
const EVICTIONS_BEFORE_FRESH: usize = 16;
/// The memory of all indexes of a store is bounded: beyond this they are read or built again.
const INDEX_ENTRIES_MAX: usize = 8 * MIB / ENTRY_BYTES;

/// An end or a start of a log that counts for readers when the journal has reached a sequence.
struct Waiting {
    sequence: Sequence,
    log: Weak<LogShared>,
    offset: Offset,
}

/// Shared by the logs of one store; lives on one shard.
pub struct Engine {
    /// The shard's machine.
    pub runtime: Runtime,
    /// The slot's journal.
    pub journal: Journal,
    /// The data directory.
    pub dir: PathBuf,
    /// Segment files.
    pub files: OpenSegments,
    /// Fires when the write-behind has something to do at once.
    pub wanted: Event,
    /// Memory is short: the write-behind is to give back all that it can.
    pub short_of_memory: Cell<bool>,
    /// When an append was last found to have waited for memory for long.
    pub starved_at: Cell<Option<Monotonic>>,
    /// Fires when one is.
    pub starved: Event,
    /// Fires when chunks have become caches or are free.
    pub relieved: Event,
    /// Bytes appended since the last checkpoint began.
    pub appended: Cell<u64>,
    /// Permits of cold reads.
    pub cold_reads: Semaphore,
    /// Segments whose files are to go.
    pub removals: Removals,
    /// When what was only accepted must be made durable.
    pub flush_at: Cell<Option<Monotonic>>,
    /// Fires when `flush_at` is set.
    pub flush_armed: Event,
    /// Logs that hold chunks, each once.
    pub awake: RefCell<Vec<Weak<LogShared>>>,
    /// Fires when a log joins them.
    pub awoken: Event,
    /// Logs that remember producers, each once.
    pub remembering: RefCell<Vec<Weak<LogShared>>>,
    /// Fires when a log joins them.
    pub remembered: Event,
    /// Indexes that have entries, oldest first.
    indexes: RefCell<SegmentQueue>,
    /// Entries of all indexes.
    index_entries: Cell<usize>,
    failed: RefCell<Option<StorageFailed>>,
    /// The disk was full when it was last tried, which is then tried again at this time.
    full_until: Cell<Option<Monotonic>>,
    starts: RefCell<VecDeque<Waiting>>,
    durable: RefCell<VecDeque<Waiting>>,
    accepted: RefCell<VecDeque<Waiting>>,
    caches: RefCell<SegmentQueue>,
    /// Bytes of caches that were evicted since the start.
    evicted: Cell<u64>,
    directories: directories::Maker,
    /// Batches that go past the journal.
    pub bypass: Bypass,
}

impl Engine {
    /// Shares `journal` and the runtime's memory.
    pub fn new(
        runtime: Runtime,
        journal: Journal,
        dir: PathBuf,
        open_segments_max: usize,
        bypass_bytes_min: usize,
    ) -> Engine {
        Engine {
            runtime,
            journal,
            dir,
            files: OpenSegments::new(open_segments_max),
            wanted: Event::new(),
            short_of_memory: Cell::new(false),
            starved_at: Cell::new(None),
            starved: Event::new(),
            relieved: Event::new(),
            appended: Cell::new(0),
            cold_reads: Semaphore::new(COLD_READS_IN_FLIGHT_MAX),
            removals: Removals::default(),
            flush_at: Cell::new(None),
            flush_armed: Event::new(),
            awake: RefCell::default(),
            awoken: Event::new(),
            remembering: RefCell::default(),
            remembered: Event::new(),
            indexes: RefCell::default(),
            index_entries: Cell::new(0),
            failed: RefCell::default(),
            full_until: Cell::new(None),
            starts: RefCell::default(),
            durable: RefCell::default(),
            accepted: RefCell::default(),
            caches: RefCell::default(),
            evicted: Cell::new(0),
            directories: directories::Maker::default(),
            bypass: Bypass::new(bypass_bytes_min),
        }
    }

    /// Why the directory has failed, if it has.
    pub fn failure(&self) -> Option<StorageFailed> {
        if let Some(failed) = &*self.failed.borrow() {
            return Some(failed.clone());
        }
        self.journal.poisoned().map(StorageFailed::from)
    }

    /// Fails the directory after an error of a write or a sync; nothing is retried.
    pub fn fail(&self, doing: &str, error: &std::io::Error) {
        let reason = format!("{doing}: {error}");
        self.journal.poison(&reason);
        self.failed.borrow_mut().get_or_insert(StorageFailed(reason.into()));
        self.relieved.notify_all();
        self.wanted.notify_all();
        self.awoken.notify_all();
        self.remembered.notify_all();
        self.flush_armed.notify_all();
        self.removals.woken.notify_all();
        self.bypass.write_wanted.notify_all();
        self.bypass.ready_wanted.notify_all();
    }

    /// Notes that what is behind the journal finds no space, or no descriptor: appends are refused until
    /// a later try succeeds. Nothing is lost by that: it is in the journal, and stays in memory.
    pub fn note_full(&self, error: &std::io::Error) {
        let until = self.runtime.now() + FULL_TRIED_EVERY;
        if self.full_until.replace(Some(until)).is_none() {
            let dir = self.dir.display();
            if is_shortage(error) {
                tracing::error!(
                    %error,
                    "no file of {dir} can be opened: producers are refused with KAFKA_STORAGE_ERROR and readers go on, and writing goes on by itself when it can; raise the limit of open files (ulimit -n, LimitNOFILE, fs.file-max)"
                );
            } else {
                tracing::error!(
                    %error,
                    "the disk of {dir} is full: producers are refused with KAFKA_STORAGE_ERROR and readers go on; free space there, and writing goes on by itself"
                );
            }
        }
        self.relieved.notify_all();
        // Whoever writes behind looks again from now on.
        self.wanted.notify_all();
    }

    /// Notes that the disk has taken everything that was to be written.
    pub fn note_space(&self) {
        if self.full_until.take().is_some() {
            tracing::info!("the disk of {} has space again: writing goes on", self.dir.display());
        }
    }

    /// When a full disk is tried again; `None` while it is not full.
    pub fn full_until(&self) -> Option<Monotonic> {
        self.full_until.get()
    }

    /// Makes `end` readable when the journal has reached `sequence`.
    pub fn readable_at(
        &self,
        log: &Rc<LogShared>,
        end: Offset,
        sequence: Sequence,
        is_durable: bool,
    ) {
        let queue = if is_durable { &self.durable } else { &self.accepted };
        queue.borrow_mut().push_back(Waiting { sequence, log: Rc::downgrade(log), offset: end });
    }

    /// Tells readers of a log's new start when the journal has reached `sequence`.
    pub fn starts_at(&self, log: &Rc<LogShared>, start: Offset, sequence: Sequence) {
        let waiting = Waiting { sequence, log: Rc::downgrade(log), offset: start };
        self.starts.borrow_mut().push_back(waiting);
    }

    /// Moves the readable ends and starts that the journal's progress allows.
    pub fn settle(&self) {
        let durable = self.journal.durable_through();
        let accepted = self.journal.accepted_through().max(durable);
        let end: fn(&Rc<LogShared>, Offset) = |log, offset| log.set_readable(offset);
        let start: fn(&Rc<LogShared>, Offset) = |log, offset| log.set_start(offset);
        for (queue, through, tell) in [
            (&self.durable, durable, end),
            (&self.accepted, accepted, end),
            (&self.starts, durable, start),
        ] {
            loop {
                let mut queue = queue.borrow_mut();
                let Some(front) = queue.pop_front_if(|front| front.sequence <= through) else {
                    break;
                };
                drop(queue);
                if let Some(log) = front.log.upgrade() {
                    tell(&log, front.offset);
                }
            }
        }
    }

    /// Demands a durable commit no later than `within` from now.
    pub fn flush_within(&self, within: Duration) {
        let at = self.runtime.now() + within;
        if self.flush_at.get().is_none_or(|before| before > at) {
            self.flush_at.set(Some(at));
            self.flush_armed.notify_all();
        }
    }

    /// Notes that a log holds chunks.
    pub fn awaken(&self, log: &Rc<LogShared>) {
        self.awake.borrow_mut().push(Rc::downgrade(log));
        self.awoken.notify_all();
    }

    /// Notes that a log remembers producers, of which it knew none before.
    pub fn remembers(&self, log: &Rc<LogShared>) {
        self.remembering.borrow_mut().push(Rc::downgrade(log));
        self.remembered.notify_all();
    }

    /// Notes that a segment has chunks that are only a cache.
    pub fn cached(&self, log: &Rc<LogShared>, base: Offset) {
        self.caches.borrow_mut().push(&Rc::downgrade(log), base);
        self.relieved.notify_all();
    }

    /// Evicts caches, longest unused first, until `fits`, and takes fresh memory only where that does not help;
    /// `false` if there is no more.
    ///
    /// `log` is the one that wants the memory, and `core` its own: what it has cached itself goes as well.
    pub fn evict_until(
        &self,
        log: &LogShared,
        core: &mut LogCore,
        mut fits: impl FnMut(&mut LogCore) -> bool,
    ) -> bool {
        let arena = self.runtime.arena();
        let (mut spared, mut evictions) = (0, 0);
        loop {
            if fits(core) {
                return true;
            }
            let all_spared = spared > 2 * self.caches.borrow().count();
            let is_in_pieces = evictions == EVICTIONS_BEFORE_FRESH;
            if (all_spared || is_in_pieces) && arena.extend_once() {
                evictions = 0;
                continue;
            }
            if all_spared {
                return false;
            }
            let Some((weak, base)) = self.caches.borrow_mut().pop() else {
                if arena.extend_once() {
                    continue;
                }
                return false;
            };
            let evicted = self.evicted.get();
            let outcome = if std::ptr::eq(weak.as_ptr(), log) {
                core.evict(base, evicted)
            } else {
                let Some(other) = weak.upgrade() else { continue };
                other.evict(base, evicted)
            };
            match outcome {
                Eviction::Needed => {}
                Eviction::Done { bytes } => {
                    evictions += 1;
                    self.evicted.set(evicted + bytes as u64);
                    self.caches.borrow_mut().push_front(weak, base);
                }
                Eviction::Spared => {
                    spared += 1;
                    self.caches.borrow_mut().push(&weak, base);
                }
            }
        }
    }

    /// Notes that a reader gets `bytes` from the disk; `missed_by` is `Segment::missed_by`. If more memory
    /// would have kept them, the caches may grow by as much.
    pub fn note_miss(&self, missed_by: Option<u64>, bytes: usize) {
        let arena = self.runtime.arena();
        let more = (arena.bytes_max() - arena.bytes_touched()) as u64;
        if missed_by.is_some_and(|missed_by| missed_by <= more) {
            arena.extend(bytes);
        }
    }

    /// What of caches was evicted since the start, in bytes.
    pub fn evicted(&self) -> u64 {
        self.evicted.get()
    }

    /// Notes that an index got an entry; the oldest others go when there are too many.
    pub fn index_grew(&self, log: &Rc<LogShared>, base: Offset, entries_now: usize) {
        if entries_now == 1 {
            self.indexes.borrow_mut().push(&Rc::downgrade(log), base);
        }
        self.index_entries.set(self.index_entries.get() + 1);
        self.trim_indexes();
    }

    /// Notes that an index was loaded.
    pub fn index_loaded(&self, log: &Rc<LogShared>, base: Offset, entries: usize) {
        self.indexes.borrow_mut().push(&Rc::downgrade(log), base);
        self.index_entries.set(self.index_entries.get() + entries);
        self.trim_indexes();
    }

    /// Entries of all indexes, and the lengths of the queues of indexes and caches.
    #[cfg(test)]
    pub fn held(&self) -> (usize, usize, usize) {
        let (indexes, caches) = (self.indexes.borrow().count(), self.caches.borrow().count());
        (self.index_entries.get(), indexes, caches)
    }

    /// Memory of all indexes.
    pub fn index_bytes(&self) -> usize {
        self.index_entries.get() * ENTRY_BYTES
    }

    /// Notes that entries of indexes are gone, with their segments or alone.
    pub fn index_shrank(&self, entries: usize) {
        self.index_entries.set(self.index_entries.get().saturating_sub(entries));
    }

    fn trim_indexes(&self) {
        let mut turns = self.indexes.borrow().count();
        while self.index_entries.get() > INDEX_ENTRIES_MAX && turns > 0 {
            turns -= 1;
            let Some((weak, base)) = self.indexes.borrow_mut().pop() else { return };
            let Some(log) = weak.upgrade() else { continue };
            match log.drop_index(base) {
                Some(entries) => self.index_shrank(entries),
                None => self.indexes.borrow_mut().push(&weak, base),
            }
        }
    }

    /// Says what could not be removed; what was not there needs no word.
    pub fn report_removal(&self, result: std::io::Result<()>, path: &Path) {
        if let Err(error) = result
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a deleted file could not be removed: remove it by hand");
        }
    }

    /// Whether the journal takes so many bytes now; a part of it is kept for changes that cannot
    /// wait, so that a checkpoint is never held up by a full journal.
    pub fn journal_takes(&self, bytes: usize) -> bool {
        self.journal.pressure() < JOURNAL_SHARE_FOR_APPENDS && self.journal.has_room(bytes)
    }

    /// Makes a log's directory and what leads to it. Nothing of that is durable yet.
    pub async fn make_directory(&self, log: &LogShared) -> std::io::Result<()> {
        self.directories.make(&self.runtime, &self.dir, log.id, &log.topic).await
    }

    /// Waits for relief, or long enough to look again: leases that are given back tell nobody.
    pub async fn wait_relief(&self, relieved: Listener) {
        Box::pin(timeout(&self.runtime, RELIEF_LOOKED_FOR_EVERY, relieved)).await;
    }

    /// Tells the write-behind that a producer waits for memory, since then.
    pub fn want_memory(&self, since: Monotonic) {
        let now = self.runtime.now();
        if now.saturating_since(since) >= STARVED_AFTER {
            self.starved_at.set(Some(now));
            self.starved.notify_all();
        }
        self.short_of_memory.set(true);
        self.wanted.notify_all();
    }
}
