//! One segment of a partition: what is known of it, its window in memory, and when it is full.
//!
//! The file holds whole blocks only while the segment is live; the ragged rest is in the window
//! and in the journal. A sealed segment's file is cut to its exact length, and so is a live one's
//! that nobody has written to for long: its window is then empty, and its last partial block is
//! read back and logged before the next append.

use super::index::SparseIndex;
use super::state::SegmentState;
use super::window::Window;
use crate::model::Offset;
use crate::model::limits::INDEX_INTERVAL_BYTES;
use crate::model::units::block_floor;

/// A segment of a log that is open.
pub struct Segment {
    /// What is known without its file.
    pub state: SegmentState,
    /// Up to where its file has its bytes durably.
    pub written: u32,
    /// Up to where disk space was set aside for it.
    pub allocated: u32,
    /// Up to where batches may go past the journal: the file is there durably, with its space.
    pub ready: u32,
    /// It is being made ready for more.
    pub is_readied: bool,
    /// Up to where blocks are written past the journal, or will be.
    pub bypassed: u32,
    /// A pass of the write-behind is at its file: batches do not go past the journal meanwhile, because a block that
    /// is acknowledged must not be under way a second time.
    pub is_being_written: bool,
    /// Nothing is appended to it any more.
    pub sealed: bool,
    /// Its part in memory.
    pub window: Window,
    /// Where its batches are, as far as that is loaded.
    pub index: SparseIndex,
    /// What the store had evicted in all when the last of its chunks was, in bytes.
    pub evicted_at: Option<u64>,
}

/// What an append asks of a segment.
#[derive(Clone, Copy, Debug)]
pub struct RollTerms {
    /// The batch's bytes.
    pub bytes: u32,
    /// Its largest timestamp, -1 for none.
    pub timestamp: i64,
    /// The offset that its last record will get.
    pub last_offset: Offset,
    /// Wall-clock time.
    pub now_ms: i64,
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// How long after its first record it is rolled: `segment.ms` less its share of `segment.jitter.ms`.
    pub roll_after_ms: i64,
}

/// Why an append needs a new segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollReason {
    /// It would grow too large.
    Size,
    /// Its first batch is too old.
    Age,
    /// Kafka's indexes could not name the offset relative to the segment's base.
    Offset,
}

impl Segment {
    /// A segment whose bytes are all in its file.
    pub fn on_disk(state: SegmentState, sealed: bool) -> Segment {
        Segment {
            state,
            written: state.bytes,
            allocated: 0,
            ready: 0,
            is_readied: false,
            bypassed: 0,
            is_being_written: false,
            sealed,
            window: Window::default(),
            index: SparseIndex::starting_at(state.bytes, state.max_timestamp),
            evicted_at: None,
        }
    }

    /// Whether a batch of so many bytes can stand at `position`: within the segment, and not across the
    /// beginning of another that the index names.
    pub fn may_hold(&self, position: u32, bytes: usize) -> bool {
        if bytes > (self.state.bytes - position) as usize {
            return false;
        }
        // A small one that lies about its size is followed by bytes that are no batch.
        bytes <= INDEX_INTERVAL_BYTES
            || self
                .index
                .border_above(position)
                .is_none_or(|border| bytes <= (border - position) as usize)
    }

    /// The offset that the batch at `position` begins with, if that is known without reading it.
    pub fn offset_at(&self, position: u32) -> Option<Offset> {
        let base = self.state.base;
        if position == 0 {
            return Some(base);
        }
        let entry = self.index.border_below(position)?;
        (entry.position == position).then(|| SparseIndex::base_offset(base, &entry))
    }

    /// How much more memory would have kept the byte at `position`, which was evicted, until now; `None` if
    /// it has not been in memory since the start. `evicted` is what the store has evicted by now, all in bytes.
    pub fn missed_by(&self, position: u32, evicted: u64) -> Option<u64> {
        let behind = self.window.start().unwrap_or(self.written).saturating_sub(position);
        Some(evicted - self.evicted_at? + u64::from(behind))
    }

    /// Whether its last partial block is in the file and not in memory.
    pub fn is_cut(&self) -> bool {
        self.window.is_empty()
            && u64::from(self.state.bytes) != block_floor(self.state.bytes.into())
    }

    /// Up to where its file has its blocks durably as soon as the journal's entries so far are durable.
    pub fn written_or_bypassed(&self) -> u32 {
        self.written.max(self.bypassed)
    }

    /// Whether others than the write-behind are at its file.
    pub fn is_written_past_the_journal(&self) -> bool {
        self.is_readied || self.bypassed > self.written
    }

    /// Memory that could be given back at any time, because its bytes are in the file too.
    pub fn cached_bytes(&self) -> usize {
        self.window.memory_before(self.written)
    }

    /// Up to where its file is to be written: to its end if it is to be exact, else its whole blocks.
    pub fn write_target(&self, exact: bool) -> u32 {
        if exact || self.sealed {
            self.state.bytes
        } else {
            self.written_or_bypassed().max(block_floor(self.state.bytes.into()) as u32)
        }
    }

    /// Whether the batch would make it larger than it may be.
    pub fn is_full_for(&self, bytes: u32, segment_bytes: u32) -> bool {
        self.state.bytes > 0 && self.state.bytes > segment_bytes.saturating_sub(bytes)
    }

    /// Whether a batch belongs into a new segment (Kafka's `LogSegment.shouldRoll`).
    pub fn should_roll(&self, terms: &RollTerms) -> Option<RollReason> {
        if terms.last_offset.0 - self.state.base.0 > i64::from(i32::MAX) {
            return Some(RollReason::Offset);
        }
        if self.is_full_for(terms.bytes, terms.segment_bytes) {
            return Some(RollReason::Size);
        }
        let waited_ms = if self.state.first_timestamp >= 0 {
            terms.timestamp.saturating_sub(self.state.first_timestamp)
        } else {
            terms.now_ms.saturating_sub(self.state.created_ms)
        };
        let aged = self.state.bytes > 0 && waited_ms > terms.roll_after_ms;
        aged.then_some(RollReason::Age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(segment: (u32, i64, i64), batch: (u32, i64, i64, i64), expected: Option<RollReason>) {
        let (bytes, first_timestamp, created_ms) = segment;
        let state =
            SegmentState { bytes, first_timestamp, created_ms, ..SegmentState::empty(Offset(100)) };
        let (bytes, timestamp, last_offset, now_ms) = batch;
        let terms = RollTerms {
            bytes,
            timestamp,
            last_offset: Offset(last_offset),
            now_ms,
            segment_bytes: 1000,
            roll_after_ms: 60,
        };
        let roll = Segment::on_disk(state, false).should_roll(&terms);
        assert_eq!(roll, expected, "{segment:?} {batch:?}");
    }

    #[test]
    fn segments_roll_as_kafkas_do() {
        const FAR: i64 = 100 + i32::MAX as i64;
        check((0, -1, 0), (1000, 5, 100, 0), None);
        check((1, 5, 0), (999, 5, 100, 0), None);
        check((1, 5, 0), (1000, 5, 100, 0), Some(RollReason::Size));
        check((1, 5, 0), (9, 65, 100, 0), None);
        check((1, 5, 0), (9, 66, 100, 0), Some(RollReason::Age));
        check((0, 5, 0), (9, 66, 100, 0), None);
        check((1, 5, 0), (9, -1, 100, 900), None);
        check((1, -1, 40), (9, -1, 100, 100), None);
        check((1, -1, 40), (9, -1, 100, 101), Some(RollReason::Age));
        check((1, 5, 0), (9, 5, FAR, 0), None);
        check((1, 5, 0), (9, 5, FAR + 1, 0), Some(RollReason::Offset));
    }
}
