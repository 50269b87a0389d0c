//! The start of a log: how it moves forward, by request or by retention, and what goes with it.
//!
//! A move is an entry of the journal first. It counts for readers when that entry is durable, so a
//! start that anybody was told of never goes back. Segments wholly below it then leave memory at
//! once; their files follow when `file.delete.delay.ms` is over (see `removals`).

use std::rc::Rc;

use super::failure::{LogStartError, StorageFailed};
use super::partition_log::{Log, LogCore, LogShared};
use super::removals::Doomed;
use super::window::Window;
use crate::model::Offset;
use crate::runtime::Monotonic;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::storage::journal::entry::ENTRY_HEADER_BYTES;
use crate::storage::journal::{EntryKind, ReserveError};

/// A start's entry in the journal, and the roll that may come with it.
const START_BYTES: usize = 2 * ENTRY_HEADER_BYTES + 28;

/// What retention asks of a log at one moment (`retention.ms`, `retention.bytes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionTerms {
    /// Wall-clock time, Unix milliseconds.
    pub now_ms: i64,
    /// Segments whose largest timestamp is further back go; `None` keeps them.
    pub age_ms_max: Option<u64>,
    /// The oldest segments go as long as so many bytes stay; `None` keeps them.
    pub bytes_max: Option<u64>,
}

/// What retention took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The log's new start.
    pub start: Offset,
    /// Whole segments.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Log {
    /// The first offset that may be read. It never goes back, whatever happens to the process.
    pub fn start_offset(&self) -> Offset {
        self.0.core().readable_start
    }

    /// Moves the log's start forward to `start`, or leaves it where it is already further; gives
    /// where it is. The move is durable when this returns, and happens also if nobody waits.
    ///
    /// # Errors
    /// For an offset that is not readable yet, a deleted log and a failed directory.
    pub async fn advance_start(&self, start: Offset) -> Result<Offset, LogStartError> {
        self.0.core().check_start(start)?;
        self.0.reserve_start().await?;
        let ticket = {
            let mut core = self.0.core_mut();
            core.check_start(start)?;
            self.0.move_start(&mut core, start);
            self.0.ticket(&core, true)
        };
        ticket.wait().await?;
        Ok(self.start_offset())
    }

    /// Lets the segments go that are too old or too many, as Kafka's `deleteOldSegments` does; the
    /// active one is rolled first if it has to go, too. `None` if there are none.
    ///
    /// # Errors
    /// For a deleted log and a failed directory.
    pub async fn expire(&self, terms: &RetentionTerms) -> Result<Option<Expired>, LogStartError> {
        if self.0.expired(&self.0.core(), terms).is_none() {
            return Ok(None);
        }
        self.0.reserve_start().await?;
        let (expired, ticket) = {
            let mut core = self.0.core_mut();
            if core.deleted {
                return Err(LogStartError::Deleted);
            }
            let Some(expired) = self.0.expired(&core, terms) else { return Ok(None) };
            if expired.start == core.end && core.active().state.bytes > 0 {
                self.0.roll(&mut core, Window::default());
            }
            self.0.move_start(&mut core, expired.start);
            (expired, self.0.ticket(&core, true))
        };
        ticket.wait().await?;
        Ok(Some(expired))
    }
}

impl LogShared {
    /// Waits until the journal takes a start: what a checkpoint frees must not be taken by
    /// whoever deletes without end.
    async fn reserve_start(&self) -> Result<(), LogStartError> {
        let engine = &self.engine;
        if let Some(failed) = engine.failure() {
            return Err(failed.into());
        }
        if engine.journal.has_room(START_BYTES) {
            return Ok(());
        }
        engine.wanted.notify_all();
        let reserved = engine.journal.reserve(START_BYTES).await;
        reserved.map_err(|error| match error {
            ReserveError::Poisoned(poisoned) => StorageFailed::from(poisoned).into(),
            ReserveError::TooLarge { .. } => StorageFailed(error.to_string().into()).into(),
        })
    }

    /// Writes a start to the journal, after which it is told to readers.
    fn move_start(self: &Rc<Self>, core: &mut LogCore, start: Offset) {
        if start <= core.start {
            return;
        }
        core.start = start;
        self.log_change(core, EntryKind::LogStart, &start.0.to_le_bytes(), &[]);
        self.engine.journal.demand_durable(core.covered);
        self.engine.starts_at(self, start, core.covered);
        #[cfg(test)]
        if is_planted(Planted::TellStartEarly) {
            core.readable_start = start;
        }
    }

    /// A start is durable: readers hear of it, and segments wholly below it are forgotten.
    pub(super) fn set_start(self: &Rc<Self>, start: Offset) {
        let mut core = self.core_mut();
        if core.deleted || start < core.readable_start {
            return;
        }
        core.readable_start = start;
        core.epochs.advance_start(start);
        let delay = core.config.file_delete_delay;
        let mut gone = false;
        while core.segments.len() > 1 && core.segments[1].state.base <= start {
            let Some(segment) = core.segments.pop_front() else { break };
            self.engine.index_shrank(segment.index.entry_count());
            let (base, bytes) = (segment.state.base, segment.state.bytes);
            self.engine.removals.push(Doomed { log: self.id, base, bytes, delay });
            gone = true;
        }
        drop(core);
        if gone {
            self.engine.relieved.notify_all();
        }
    }

    /// What `terms` let go of: whole segments from the oldest on, none of which is beyond what is
    /// readable.
    fn expired(&self, core: &LogCore, terms: &RetentionTerms) -> Option<Expired> {
        let now = self.engine.runtime.now();
        let bytes = |index: usize| u64::from(core.segments[index].state.bytes);
        // Those below a start that is on its way to the disk are gone already.
        let first = core.segment_of(core.start);
        let count = core.segments.len();
        let size: u64 = (first..count).map(bytes).sum();
        let mut surplus = terms.bytes_max.map_or(0, |most| size.saturating_sub(most));
        let mut index = first;
        let mut by_size = terms.bytes_max.is_some_and(|most| size >= most);
        while index < count && bytes(index) > 0 && core.end_offset_of(index) <= core.readable_end {
            by_size &= bytes(index) <= surplus;
            let by_age = || {
                let newest_ms = core.newest_ms(index, terms.now_ms, now);
                let age_ms = u64::try_from(terms.now_ms.saturating_sub(newest_ms)).unwrap_or(0);
                terms.age_ms_max.is_some_and(|most| age_ms > most)
            };
            if !by_size && !by_age() {
                break;
            }
            surplus = surplus.saturating_sub(bytes(index));
            index += 1;
        }
        (index > first).then(|| Expired {
            start: core.end_offset_of(index - 1),
            segments: index - first,
            bytes: (first..index).map(bytes).sum(),
        })
    }
}

impl LogCore {
    fn check_start(&self, start: Offset) -> Result<(), LogStartError> {
        if self.deleted {
            return Err(LogStartError::Deleted);
        }
        if start > self.readable_end {
            return Err(LogStartError::OutOfRange { start, end: self.readable_end });
        }
        Ok(())
    }

    /// How new a segment is: its largest timestamp, or where its records have none, when it was
    /// last written to, as far as that is known. Kafka takes the file's time then.
    fn newest_ms(&self, index: usize, now_ms: i64, now: Monotonic) -> i64 {
        let state = &self.segments[index].state;
        if state.max_timestamp >= 0 {
            return state.max_timestamp;
        }
        match self.segments.get(index + 1) {
            Some(next) if next.state.bytes > 0 => next.state.created_ms,
            _ => {
                let idle_ms = now.saturating_since(self.last_append).as_millis();
                now_ms.saturating_sub(i64::try_from(idle_ms).unwrap_or(i64::MAX))
            }
        }
    }
}
