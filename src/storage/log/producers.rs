//! What a partition remembers of its idempotent producers: their last five batches (KIP-98).
//!
//! The rules are those of Kafka's `ProducerAppendInfo` and `ProducerStateEntry`. A retry of a
//! remembered batch is a duplicate; any other batch continues the last one's sequence, starts a
//! newer epoch at 0, or comes from a producer of which nothing is known. Producers are forgotten
//! after `producer.id.expiration.ms`, or when too many of them are remembered, longest idle first.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::decode::{DecodeError, Decoder};
use crate::model::limits::{PRODUCER_BATCHES_RETAINED, PRODUCERS_PER_PARTITION_MAX};
use crate::model::{Offset, ProducerEpoch, ProducerId};

/// What a batch says of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// The producer.
    pub id: ProducerId,
    /// Its fencing epoch.
    pub epoch: ProducerEpoch,
    /// The sequence of the batch's first record.
    pub first_sequence: i32,
    /// Its records less one.
    pub last_offset_delta: i32,
}

/// A batch that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedBatch {
    first_sequence: i32,
    last_offset_delta: i32,
    /// The offset that its first record got.
    pub base_offset: Offset,
    /// Its largest timestamp.
    pub timestamp: i64,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is new.
    Append,
    /// It is a retry of a batch in the log.
    Duplicate(RememberedBatch),
}

/// Why a batch is refused; the client's fault or a fenced client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// Its sequence does not follow the last one (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("sequence {found} of the producer does not follow {last}")]
    OutOfOrder {
        /// The batch's first sequence.
        found: i32,
        /// The last sequence in the log, -1 for none.
        last: i32,
    },
    /// A newer instance of the producer has written (INVALID_PRODUCER_EPOCH).
    #[error("producer epoch {found} is older than {current}")]
    StaleEpoch {
        /// The batch's epoch.
        found: i16,
        /// The newest epoch.
        current: i16,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Producer {
    epoch: ProducerEpoch,
    /// Oldest first; only the first `count` are there.
    batches: [RememberedBatch; PRODUCER_BATCHES_RETAINED],
    count: u8,
    seen_ms: i64,
    /// The key of `ProducerTable::by_use`.
    used: u64,
}

/// The producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerTable {
    producers: FxHashMap<ProducerId, Producer>,
    by_use: BTreeMap<u64, ProducerId>,
    uses: u64,
}

const NOTHING: RememberedBatch = RememberedBatch {
    first_sequence: -1,
    last_offset_delta: 0,
    base_offset: Offset(-1),
    timestamp: -1,
};

/// A sequence `delta` further on: after the largest comes 0.
fn sequence_plus(sequence: i32, delta: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(delta);
    (sum % (i64::from(i32::MAX) + 1)) as i32
}

impl RememberedBatch {
    fn last_sequence(&self) -> i32 {
        sequence_plus(self.first_sequence, self.last_offset_delta)
    }

    /// The offset that its last record got.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0 + i64::from(self.last_offset_delta))
    }
}

impl Producer {
    fn batches(&self) -> &[RememberedBatch] {
        &self.batches[..usize::from(self.count)]
    }

    fn push(&mut self, batch: RememberedBatch) {
        if usize::from(self.count) == PRODUCER_BATCHES_RETAINED {
            self.batches.rotate_left(1);
            self.batches[PRODUCER_BATCHES_RETAINED - 1] = batch;
        } else {
            self.batches[usize::from(self.count)] = batch;
            self.count += 1;
        }
    }
}

impl ProducerTable {
    /// Producers that are remembered.
    pub fn count(&self) -> usize {
        self.producers.len()
    }

    /// Judges a batch that a client sends; changes nothing.
    pub fn judge(
        &self,
        batch: &ProducerBatch,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<Verdict, SequenceError> {
        let known = self.producers.get(&batch.id);
        let Some(known) = known.filter(|known| !known.is_expired(now_ms, expiration_ms)) else {
            return Ok(Verdict::Append);
        };
        if batch.epoch < known.epoch {
            return Err(SequenceError::StaleEpoch { found: batch.epoch.0, current: known.epoch.0 });
        }
        let last = known.batches().last().map_or(-1, RememberedBatch::last_sequence);
        let out_of_order = SequenceError::OutOfOrder { found: batch.first_sequence, last };
        if batch.epoch > known.epoch {
            return if batch.first_sequence == 0 { Ok(Verdict::Append) } else { Err(out_of_order) };
        }
        let duplicate = known.batches().iter().find(|remembered| {
            remembered.first_sequence == batch.first_sequence
                && remembered.last_offset_delta == batch.last_offset_delta
        });
        match duplicate {
            Some(remembered) => Ok(Verdict::Duplicate(*remembered)),
            None if batch.first_sequence == sequence_plus(last, 1) => Ok(Verdict::Append),
            None => Err(out_of_order),
        }
    }

    /// Notes a batch that is now in the log.
    pub fn note(
        &mut self,
        batch: &ProducerBatch,
        base_offset: Offset,
        timestamp: i64,
        now_ms: i64,
    ) {
        let remembered = RememberedBatch {
            first_sequence: batch.first_sequence,
            last_offset_delta: batch.last_offset_delta,
            base_offset,
            timestamp,
        };
        let used = self.uses;
        self.uses += 1;
        let fresh = Producer {
            epoch: batch.epoch,
            batches: [NOTHING; PRODUCER_BATCHES_RETAINED],
            count: 0,
            seen_ms: now_ms,
            used,
        };
        let producer = self.producers.entry(batch.id).or_insert_with(|| fresh.clone());
        self.by_use.remove(&producer.used);
        if producer.epoch != batch.epoch {
            *producer = fresh;
        }
        producer.push(remembered);
        producer.seen_ms = now_ms;
        producer.used = used;
        self.by_use.insert(used, batch.id);
        if self.producers.len() > PRODUCERS_PER_PARTITION_MAX
            && let Some((_, id)) = self.by_use.pop_first()
        {
            self.producers.remove(&id);
        }
    }

    /// Takes every producer to have been seen now: the clock of an earlier process says nothing.
    pub fn see_all(&mut self, now_ms: i64) {
        self.producers.values_mut().for_each(|producer| producer.seen_ms = now_ms);
    }

    /// Forgets the producers that have been idle for too long.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        while let Some((&used, id)) = self.by_use.first_key_value() {
            let id = *id;
            let idle =
                self.producers.get(&id).is_none_or(|known| known.is_expired(now_ms, expiration_ms));
            if !idle {
                break;
            }
            self.by_use.remove(&used);
            self.producers.remove(&id);
        }
        if self.producers.is_empty() {
            *self = ProducerTable { uses: self.uses, ..ProducerTable::default() };
        }
    }

    /// Writes the producers, longest idle first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.producers.len() as u32).to_le_bytes());
        for id in self.by_use.values() {
            let producer = &self.producers[id];
            out.extend_from_slice(&id.0.to_le_bytes());
            out.extend_from_slice(&producer.epoch.0.to_le_bytes());
            out.extend_from_slice(&producer.seen_ms.to_le_bytes());
            out.push(producer.count);
            for batch in producer.batches() {
                out.extend_from_slice(&batch.first_sequence.to_le_bytes());
                out.extend_from_slice(&batch.last_offset_delta.to_le_bytes());
                out.extend_from_slice(&batch.base_offset.0.to_le_bytes());
                out.extend_from_slice(&batch.timestamp.to_le_bytes());
            }
        }
    }

    /// Reads what `encode` wrote.
    pub fn decode(bytes: &mut Decoder<'_>) -> Result<ProducerTable, DecodeError> {
        let mut table = ProducerTable::default();
        for used in 0..bytes.count(19)? as u64 {
            let id = ProducerId(bytes.i64()?);
            let mut producer = Producer {
                epoch: ProducerEpoch(bytes.i16()?),
                seen_ms: bytes.i64()?,
                batches: [NOTHING; PRODUCER_BATCHES_RETAINED],
                count: 0,
                used,
            };
            let count = bytes.u8()?;
            if usize::from(count) > PRODUCER_BATCHES_RETAINED {
                return Err(DecodeError::Invalid("count of a producer's batches"));
            }
            for _ in 0..count {
                producer.push(RememberedBatch {
                    first_sequence: bytes.i32()?,
                    last_offset_delta: bytes.i32()?,
                    base_offset: Offset(bytes.i64()?),
                    timestamp: bytes.i64()?,
                });
            }
            if table.producers.insert(id, producer).is_some() {
                return Err(DecodeError::Invalid("producer"));
            }
            table.by_use.insert(used, id);
            table.uses = used + 1;
        }
        Ok(table)
    }
}

impl Producer {
    fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        now_ms.saturating_sub(self.seen_ms) >= expiration_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn batch(id: i64, epoch: i16, first_sequence: i32, records: i32) -> ProducerBatch {
        ProducerBatch {
            id: ProducerId(id),
            epoch: ProducerEpoch(epoch),
            first_sequence,
            last_offset_delta: records - 1,
        }
    }

    /// Batches of producer 1 as (epoch, first sequence, records), appended one after the other.
    fn table(batches: &[(i16, i32, i32)]) -> ProducerTable {
        let mut table = ProducerTable::default();
        let mut offset = 100;
        for &(epoch, first, records) in batches {
            table.note(&batch(1, epoch, first, records), Offset(offset), 5, 0);
            offset += i64::from(records);
        }
        table
    }

    #[derive(Debug, PartialEq)]
    enum Expected {
        Append,
        Duplicate(i64, i64),
        OutOfOrder,
        Stale,
    }

    fn check(past: &[(i16, i32, i32)], next: (i16, i32, i32), expected: Expected) {
        let answer = match table(past).judge(&batch(1, next.0, next.1, next.2), 0, HOUR_MS) {
            Ok(Verdict::Append) => Expected::Append,
            Ok(Verdict::Duplicate(was)) => {
                Expected::Duplicate(was.base_offset.0, was.last_offset().0)
            }
            Err(SequenceError::OutOfOrder { .. }) => Expected::OutOfOrder,
            Err(SequenceError::StaleEpoch { .. }) => Expected::Stale,
        };
        assert_eq!(answer, expected, "{past:?} {next:?}");
    }

    #[test]
    fn sequences_follow_each_other() {
        use Expected::{Append, Duplicate, OutOfOrder, Stale};
        check(&[], (0, 0, 1), Append);
        check(&[], (3, 77, 1), Append);
        check(&[(0, 0, 3)], (0, 3, 1), Append);
        check(&[(0, 0, 3)], (0, 4, 1), OutOfOrder);
        check(&[(0, 0, 3)], (0, 2, 1), OutOfOrder);
        check(&[(0, 0, 3)], (0, 0, 3), Duplicate(100, 102));
        check(&[(0, 0, 3)], (0, 0, 2), OutOfOrder);
        check(&[(1, 0, 3)], (0, 3, 1), Stale);
        check(&[(1, 0, 3)], (2, 0, 1), Append);
        check(&[(1, 0, 3)], (2, 3, 1), OutOfOrder);
        check(&[(1, 0, 3), (2, 0, 1)], (1, 0, 3), Stale);
        check(&[(1, 0, 3), (2, 0, 3)], (2, 0, 3), Duplicate(103, 105));
    }

    #[test]
    fn five_batches_are_remembered() {
        let past: Vec<_> = (0..6).map(|first| (0, first, 1)).collect();
        check(&past, (0, 0, 1), Expected::OutOfOrder);
        for first in 1..6 {
            let offset = 100 + i64::from(first);
            check(&past, (0, first, 1), Expected::Duplicate(offset, offset));
        }
        check(&past, (0, 6, 1), Expected::Append);
    }

    #[test]
    fn sequences_wrap_after_the_largest() {
        const MAX: i32 = i32::MAX;
        check(&[(0, MAX, 1)], (0, 0, 1), Expected::Append);
        check(&[(0, MAX - 1, 1)], (0, MAX, 1), Expected::Append);
        check(&[(0, MAX - 1, 3)], (0, 1, 1), Expected::Append);
        check(&[(0, MAX - 1, 3)], (0, 0, 1), Expected::OutOfOrder);
        check(&[(0, MAX - 1, 3)], (0, MAX - 1, 3), Expected::Duplicate(100, 102));
    }

    #[test]
    fn idle_producers_are_forgotten() {
        let mut table = table(&[(5, 0, 1)]);
        let stale = batch(1, 0, 9, 1);
        assert!(table.judge(&stale, HOUR_MS - 1, HOUR_MS).is_err());
        assert_eq!(table.judge(&stale, HOUR_MS, HOUR_MS), Ok(Verdict::Append));
        table.note(&batch(2, 0, 0, 1), Offset(0), 0, 10);
        table.expire(HOUR_MS, HOUR_MS);
        assert_eq!(table.count(), 1);
        table.expire(HOUR_MS + 10, HOUR_MS);
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let mut table = ProducerTable::default();
        for id in 0..PRODUCERS_PER_PARTITION_MAX as i64 {
            table.note(&batch(id, 0, 0, 1), Offset(id), 0, 0);
        }
        table.note(&batch(0, 0, 1, 1), Offset(0), 0, 0);
        table.note(&batch(-5, 0, 0, 1), Offset(0), 0, 0);
        assert_eq!(table.count(), PRODUCERS_PER_PARTITION_MAX);
        assert!(!table.producers.contains_key(&ProducerId(1)), "1 was idle for longest");
        assert!(table.producers.contains_key(&ProducerId(0)), "0 was used again");
    }

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        let mut table = table(&[(0, 0, 3), (0, 3, 1)]);
        table.note(&batch(9, 2, 0, 1), Offset(7), 8, 9);
        table.note(&batch(1, 0, 4, 1), Offset(8), 8, 9);
        let mut bytes = Vec::new();
        table.encode(&mut bytes);
        let again = ProducerTable::decode(&mut Decoder::new(&bytes)).expect("whole");
        let mut second = Vec::new();
        again.encode(&mut second);
        assert_eq!(bytes, second);
        assert_eq!(
            again.judge(&batch(1, 0, 3, 1), 0, HOUR_MS),
            table.judge(&batch(1, 0, 3, 1), 0, HOUR_MS)
        );
        for cut in 0..bytes.len() {
            assert!(ProducerTable::decode(&mut Decoder::new(&bytes[..cut])).is_err(), "{cut}");
        }
    }
}
