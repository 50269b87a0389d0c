//! The leader-epoch history of a partition: which term began at which offset (KIP-101).

use super::decode::{DecodeError, Decoder};
use crate::model::{LeaderEpoch, Offset};

/// Terms and where they began, both strictly rising (Kafka's `LeaderEpochFileCache`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochHistory(Vec<(LeaderEpoch, Offset)>);

impl EpochHistory {
    /// What Kafka answers where it knows no epoch.
    pub const UNDEFINED: (LeaderEpoch, Offset) = (LeaderEpoch(-1), Offset(-1));

    /// The newest term that has begun.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.0.last().map(|entry| entry.0)
    }

    /// Notes that `epoch` begins at `start`; `false` if it is not newer than all others.
    ///
    /// A term in which nothing was written leaves no trace once a newer one begins at its start.
    pub fn begin(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        while self.0.last().is_some_and(|entry| entry.1 >= start) {
            self.0.pop();
        }
        self.0.push((epoch, start));
        true
    }

    /// The term in which the record at `offset` was written.
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.0.partition_point(|entry| entry.1 <= offset);
        after.checked_sub(1).map(|index| self.0[index].0)
    }

    /// The largest epoch not above `epoch`, and the offset at which it ended
    /// (OffsetForLeaderEpoch; Kafka's `LeaderEpochFileCache.endOffsetFor`).
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> (LeaderEpoch, Offset) {
        let Some(latest) = self.latest().filter(|_| epoch.0 >= 0) else {
            return EpochHistory::UNDEFINED;
        };
        if epoch == latest {
            return (epoch, log_end);
        }
        let after = self.0.partition_point(|entry| entry.0 <= epoch);
        match (after.checked_sub(1), self.0.get(after)) {
            // Newer than every term that this log knows.
            (_, None) => EpochHistory::UNDEFINED,
            // Older than every term: it ended where the first known one began.
            (None, Some(first)) => (epoch, first.1),
            (Some(index), Some(next)) => (self.0[index].0, next.1),
        }
    }

    /// Forgets terms that ended at or before the log's new start.
    pub fn advance_start(&mut self, start: Offset) {
        let kept = self.0.partition_point(|entry| entry.1 <= start).saturating_sub(1);
        self.0.drain(..kept);
        if let Some(first) = self.0.first_mut() {
            first.1 = first.1.max(start);
        }
    }

    /// Writes a count and then each term with its start.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        for (epoch, start) in &self.0 {
            out.extend_from_slice(&epoch.0.to_le_bytes());
            out.extend_from_slice(&start.0.to_le_bytes());
        }
    }

    /// Reads what `encode` wrote.
    pub fn decode(bytes: &mut Decoder<'_>) -> Result<EpochHistory, DecodeError> {
        let count = bytes.count(12)?;
        let mut history = EpochHistory(Vec::with_capacity(count));
        for _ in 0..count {
            let entry = (LeaderEpoch(bytes.i32()?), Offset(bytes.i64()?));
            if history.0.last().is_some_and(|last| last.0 >= entry.0 || last.1 >= entry.1) {
                return Err(DecodeError::Invalid("leader epoch"));
            }
            history.0.push(entry);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(entries: &[(i32, i64)]) -> EpochHistory {
        let mut history = EpochHistory::default();
        for &(epoch, start) in entries {
            history.begin(LeaderEpoch(epoch), Offset(start));
        }
        history
    }

    #[test]
    fn end_of_follows_kafka() {
        let check = |entries: &[(i32, i64)], epoch, expected: (i32, i64)| {
            let answer = history(entries).end_of(LeaderEpoch(epoch), Offset(100));
            assert_eq!((answer.0.0, answer.1.0), expected, "{entries:?} {epoch}");
        };
        check(&[], 0, (-1, -1));
        check(&[(2, 0)], -1, (-1, -1));
        check(&[(2, 0)], 2, (2, 100));
        check(&[(2, 0)], 3, (-1, -1));
        check(&[(2, 10)], 1, (1, 10));
        check(&[(2, 0), (4, 30), (7, 60)], 2, (2, 30));
        check(&[(2, 0), (4, 30), (7, 60)], 3, (2, 30));
        check(&[(2, 0), (4, 30), (7, 60)], 6, (4, 60));
        check(&[(2, 0), (4, 30), (7, 60)], 7, (7, 100));
    }

    #[test]
    fn terms_rise_and_empty_terms_leave_no_trace() {
        let check = |entries: &[(i32, i64)], expected: &[(i32, i64)]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|&(epoch, start)| (LeaderEpoch(epoch), Offset(start)))
                .collect();
            assert_eq!(history(entries).0, expected, "{entries:?}");
        };
        check(&[(1, 0), (1, 5), (0, 9)], &[(1, 0)]);
        check(&[(1, 0), (2, 0), (3, 7), (5, 7)], &[(2, 0), (5, 7)]);
        check(&[(-1, 0)], &[]);
    }

    #[test]
    fn the_term_of_an_offset_survives_an_advanced_start() {
        let mut history = history(&[(1, 0), (4, 30), (7, 60)]);
        let check = |history: &EpochHistory, offset, epoch: Option<i32>| {
            assert_eq!(history.at(Offset(offset)), epoch.map(LeaderEpoch), "{offset}");
        };
        check(&history, 29, Some(1));
        check(&history, 30, Some(4));
        history.advance_start(Offset(45));
        check(&history, 44, None);
        check(&history, 45, Some(4));
        check(&history, 99, Some(7));
    }

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        let history = history(&[(1, 0), (4, 30)]);
        let mut bytes = Vec::new();
        history.encode(&mut bytes);
        assert_eq!(EpochHistory::decode(&mut Decoder::new(&bytes)), Ok(history));
        for cut in 0..bytes.len() {
            assert!(EpochHistory::decode(&mut Decoder::new(&bytes[..cut])).is_err(), "{cut}");
        }
        bytes[16] = 1;
        assert!(EpochHistory::decode(&mut Decoder::new(&bytes)).is_err(), "epochs rise");
    }
}
