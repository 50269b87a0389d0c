//! What is durable of one partition's log besides its segments' bytes: the unit of a checkpoint.
//!
//! Little endian: log id (16 + 4), owner epoch u32, covered sequence u64, topic name (u16 and
//! bytes), start offset, end offset, written u32, tail (u32 and bytes), segments (count, each 44
//! bytes), leader epochs, producers.

use super::decode::{DecodeError, Decoder};
use super::epochs::EpochHistory;
use super::producers::ProducerTable;
use crate::model::units::BLOCK;
use crate::model::{LogId, Offset, OwnerEpoch, PartitionIndex, TopicId};
use crate::storage::journal::Sequence;

const SEGMENT_STATE_BYTES: usize = 44;

/// What a log knows of one segment without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentState {
    /// The offset that its name says.
    pub base: Offset,
    /// Its length, the bytes that are only in memory included.
    pub bytes: u32,
    /// Wall-clock time of its first append.
    pub created_ms: i64,
    /// The largest timestamp of its first batch, -1 for none.
    pub first_timestamp: i64,
    /// The largest timestamp, -1 for none.
    pub max_timestamp: i64,
    /// The base offset of the first batch that has it.
    pub max_timestamp_base: Offset,
}

impl SegmentState {
    /// A segment without bytes.
    pub fn empty(base: Offset) -> SegmentState {
        SegmentState {
            base,
            bytes: 0,
            created_ms: 0,
            first_timestamp: -1,
            max_timestamp: -1,
            max_timestamp_base: base,
        }
    }

    /// Notes a batch at its end.
    pub fn note(&mut self, base_offset: Offset, bytes: u32, timestamp: i64, now_ms: i64) {
        if self.bytes == 0 {
            self.created_ms = now_ms;
            self.first_timestamp = timestamp;
        }
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_base = base_offset;
        }
        self.bytes += bytes;
    }
}

/// The state of one log at one sequence of its slot's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Which log.
    pub id: LogId,
    /// The term of the slot as its owner.
    pub owner_epoch: OwnerEpoch,
    /// Entries of the owner's journal up to this one are part of this state.
    pub covered: Sequence,
    /// The readable name of its topic.
    pub topic: String,
    /// The first offset that may be read.
    pub start: Offset,
    /// The offset that the next record gets.
    pub end: Offset,
    /// Up to where the last segment's file has its bytes durably.
    pub written: u32,
    /// The last segment's bytes behind `written`, less than a block.
    pub tail: Vec<u8>,
    /// All segments by base offset; the last one is the active one.
    pub segments: Vec<SegmentState>,
    /// The leader-epoch history.
    pub epochs: EpochHistory,
    /// The idempotent producers.
    pub producers: ProducerTable,
}

impl LogState {
    /// A log without records.
    pub fn new(id: LogId, owner_epoch: OwnerEpoch, topic: &str) -> LogState {
        LogState {
            id,
            owner_epoch,
            covered: Sequence::NONE,
            topic: topic.to_owned(),
            start: Offset(0),
            end: Offset(0),
            written: 0,
            tail: Vec::new(),
            segments: vec![SegmentState::empty(Offset(0))],
            epochs: EpochHistory::default(),
            producers: ProducerTable::default(),
        }
    }

    /// Writes the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let head = StateHead {
            id: self.id,
            owner_epoch: self.owner_epoch,
            covered: self.covered,
            topic: &self.topic,
            start: self.start,
            end: self.end,
            written: self.written,
        };
        head.encode(out);
        out.extend_from_slice(&(self.tail.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.tail);
        encode_segments(self.segments.iter(), out);
        self.epochs.encode(out);
        self.producers.encode(out);
    }

    /// Reads what `encode` wrote.
    pub fn decode(bytes: &mut Decoder<'_>) -> Result<LogState, DecodeError> {
        let id = LogId { topic: TopicId(bytes.id()?), partition: PartitionIndex(bytes.i32()?) };
        let owner_epoch = OwnerEpoch(bytes.u32()?);
        let covered = Sequence(bytes.u64()?);
        let name_bytes = usize::from(bytes.u16()?);
        let topic = std::str::from_utf8(bytes.bytes(name_bytes)?)
            .map_err(|_| DecodeError::Invalid("topic name"))?
            .to_owned();
        let (start, end) = (Offset(bytes.i64()?), Offset(bytes.i64()?));
        let written = bytes.u32()?;
        let tail_bytes = bytes.u32()? as usize;
        let tail = bytes.bytes(tail_bytes)?.to_vec();
        let segments = decode_segments(bytes)?;
        let state = LogState {
            id,
            owner_epoch,
            covered,
            topic,
            start,
            end,
            written,
            tail,
            segments,
            epochs: EpochHistory::decode(bytes)?,
            producers: ProducerTable::decode(bytes)?,
        };
        let Some(active) = state.segments.last() else {
            return Err(DecodeError::Invalid("log without a segment"));
        };
        let reach = u64::from(written) + state.tail.len() as u64;
        let ordered = start.0 >= 0 && start <= end && active.base <= end;
        if !ordered || state.tail.len() >= BLOCK || reach != u64::from(active.bytes) {
            return Err(DecodeError::Invalid("log state"));
        }
        Ok(state)
    }
}

/// The fixed part of a state, so that a log can encode itself without building a `LogState`.
pub struct StateHead<'a> {
    /// See [`LogState`].
    pub id: LogId,
    /// See [`LogState`].
    pub owner_epoch: OwnerEpoch,
    /// See [`LogState`].
    pub covered: Sequence,
    /// See [`LogState`].
    pub topic: &'a str,
    /// See [`LogState`].
    pub start: Offset,
    /// See [`LogState`].
    pub end: Offset,
    /// See [`LogState`].
    pub written: u32,
}

impl StateHead<'_> {
    /// Writes the fields in their order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.topic.0);
        out.extend_from_slice(&self.id.partition.0.to_le_bytes());
        out.extend_from_slice(&self.owner_epoch.0.to_le_bytes());
        out.extend_from_slice(&self.covered.0.to_le_bytes());
        out.extend_from_slice(&(self.topic.len() as u16).to_le_bytes());
        out.extend_from_slice(self.topic.as_bytes());
        out.extend_from_slice(&self.start.0.to_le_bytes());
        out.extend_from_slice(&self.end.0.to_le_bytes());
        out.extend_from_slice(&self.written.to_le_bytes());
    }
}

/// Writes a count and each segment.
pub fn encode_segments<'a>(
    segments: impl ExactSizeIterator<Item = &'a SegmentState>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&(segments.len() as u32).to_le_bytes());
    for segment in segments {
        out.extend_from_slice(&segment.base.0.to_le_bytes());
        out.extend_from_slice(&segment.bytes.to_le_bytes());
        out.extend_from_slice(&segment.created_ms.to_le_bytes());
        out.extend_from_slice(&segment.first_timestamp.to_le_bytes());
        out.extend_from_slice(&segment.max_timestamp.to_le_bytes());
        out.extend_from_slice(&segment.max_timestamp_base.0.to_le_bytes());
    }
}

fn decode_segments(bytes: &mut Decoder<'_>) -> Result<Vec<SegmentState>, DecodeError> {
    let count = bytes.count(SEGMENT_STATE_BYTES)?;
    let mut segments = Vec::<SegmentState>::with_capacity(count);
    for _ in 0..count {
        let segment = SegmentState {
            base: Offset(bytes.i64()?),
            bytes: bytes.u32()?,
            created_ms: bytes.i64()?,
            first_timestamp: bytes.i64()?,
            max_timestamp: bytes.i64()?,
            max_timestamp_base: Offset(bytes.i64()?),
        };
        if segments.last().is_some_and(|last| last.base >= segment.base) {
            return Err(DecodeError::Invalid("order of segments"));
        }
        segments.push(segment);
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeaderEpoch, ProducerEpoch, ProducerId};
    use crate::storage::log::producers::ProducerBatch;

    fn sample() -> LogState {
        let id = LogId { topic: TopicId([9; 16]), partition: PartitionIndex(3) };
        let mut state = LogState::new(id, OwnerEpoch(2), "orders");
        state.segments[0].note(Offset(0), 5000, 77, 1);
        state.segments.push(SegmentState { bytes: 4099, ..SegmentState::empty(Offset(50)) });
        state.end = Offset(90);
        state.start = Offset(7);
        state.written = 4096;
        state.tail = b"abc".to_vec();
        state.covered = Sequence(12);
        state.epochs.begin(LeaderEpoch(0), Offset(0));
        let batch = ProducerBatch {
            id: ProducerId(4),
            epoch: ProducerEpoch(0),
            first_sequence: 0,
            last_offset_delta: 0,
        };
        state.producers.note(&batch, Offset(1), 5, 6);
        state
    }

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        let state = sample();
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(LogState::decode(&mut decoder), Ok(state));
        assert!(decoder.rest().is_empty());
        for cut in 0..bytes.len() {
            assert!(LogState::decode(&mut Decoder::new(&bytes[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn states_that_contradict_themselves_are_refused() {
        let check = |change: fn(&mut LogState)| {
            let mut state = sample();
            change(&mut state);
            let mut bytes = Vec::new();
            state.encode(&mut bytes);
            assert!(LogState::decode(&mut Decoder::new(&bytes)).is_err(), "{state:?}");
        };
        check(|state| state.segments.clear());
        check(|state| state.segments.swap(0, 1));
        check(|state| state.written = 4095);
        check(|state| state.start = Offset(91));
        check(|state| state.end = Offset(49));
        check(|state| {
            state.tail = vec![0; BLOCK];
            state.segments[1].bytes = 2 * BLOCK as u32;
        });
    }
}
