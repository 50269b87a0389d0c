//! What was sent, what was read, and what that says: lost, doubled, out of order, damaged.

use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::payload::{Stamp, Unstamped};

/// Records of one producer for one partition, by sequence.
pub type StreamId = (u16, u32);

/// What a producer sent to one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Sequences 0 to below this were sent.
    pub count: u64,
    /// Those of them that the broker did not acknowledge: they may be there or not.
    pub unacknowledged: Vec<Range<u64>>,
}

/// What a reader found of one stream.
#[derive(Clone, Debug, Default)]
struct Stream {
    next: u64,
    missing: Vec<Range<u64>>,
}

/// Reads stamps and keeps account; one for each reader.
#[derive(Debug)]
pub struct Checker {
    run: Option<u32>,
    streams: FxHashMap<StreamId, Stream>,
    /// How it went.
    pub tally: Tally,
}

/// Counts of a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records of this run, repeated ones included.
    pub read: u64,
    /// Read again.
    pub duplicates: u64,
    /// Read after one with a larger sequence.
    pub reordered: u64,
    /// With the wrong bytes, or of another partition.
    pub corrupt: u64,
    /// Not of this run.
    pub foreign: u64,
}

impl Tally {
    /// Adds another reader's.
    pub fn add(&mut self, other: &Tally) {
        self.read += other.read;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
        self.foreign += other.foreign;
    }
}

impl Checker {
    /// For the records of `run`; for those of any run, from wherever each stream begins, if `None`.
    pub fn new(run: Option<u32>) -> Checker {
        Checker { run, streams: FxHashMap::default(), tally: Tally::default() }
    }

    /// Judges one record of `partition` and gives its stamp if it is one of the run.
    #[inline]
    pub fn observe(&mut self, partition: i32, value: Option<&[u8]>) -> Option<Stamp> {
        let stamp = match Stamp::read(value.unwrap_or_default()) {
            Ok(stamp) => stamp,
            Err(Unstamped::Foreign) => {
                self.tally.foreign += 1;
                return None;
            }
            Err(Unstamped::Corrupt) => {
                self.tally.corrupt += 1;
                return None;
            }
        };
        let run = self.run.unwrap_or(stamp.run);
        if run != stamp.run {
            self.tally.foreign += 1;
            return None;
        }
        if stamp.partition != partition as u32 {
            self.tally.corrupt += 1;
            return None;
        }
        self.tally.read += 1;
        let from_anywhere = self.run.is_none();
        let stream = self.streams.entry((stamp.producer, stamp.partition)).or_insert_with(|| {
            let next = if from_anywhere { stamp.sequence } else { 0 };
            Stream { next, missing: Vec::new() }
        });
        stream.observe(stamp.sequence, &mut self.tally);
        Some(stamp)
    }

    /// Whose records count.
    pub fn run(&self) -> Option<u32> {
        self.run
    }

    /// Adds the account of a reader of other partitions.
    pub fn absorb(&mut self, other: &Checker) {
        self.tally.add(&other.tally);
        for (id, stream) in &other.streams {
            self.streams.insert(*id, stream.clone());
        }
    }

    /// How many acknowledged records of `sent` were not read, and the first of them.
    pub fn lost(&self, sent: &FxHashMap<StreamId, Sent>) -> Lost {
        let mut lost = Lost::default();
        for (id, sent) in sent {
            let stream = self.streams.get(id);
            let next = stream.map_or(0, |stream| stream.next);
            let missing = stream.map_or(&[][..], |stream| &stream.missing);
            let tail = (next < sent.count).then_some(next..sent.count);
            for gap in missing.iter().cloned().chain(tail) {
                for range in without(gap, &sent.unacknowledged) {
                    lost.count += range.end - range.start;
                    let example = (id.1, id.0, range.start);
                    lost.first = Some(lost.first.map_or(example, |first| first.min(example)));
                }
            }
        }
        lost
    }

    /// Sequences that were skipped and never came: for readers who do not know what was sent.
    pub fn gaps(&self) -> u64 {
        let gaps = self.streams.values().flat_map(|stream| &stream.missing);
        gaps.map(|range| range.end - range.start).sum()
    }
}

/// What a reader never saw although it was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many records.
    pub count: u64,
    /// Partition, producer and sequence of the first.
    pub first: Option<(u32, u16, u64)>,
}

impl Stream {
    #[inline]
    fn observe(&mut self, sequence: u64, tally: &mut Tally) {
        if sequence == self.next {
            self.next += 1;
        } else if sequence > self.next {
            self.missing.push(self.next..sequence);
            self.next = sequence + 1;
        } else if let Some(at) = self.missing.iter().position(|gap| gap.contains(&sequence)) {
            let gap = self.missing.swap_remove(at);
            let parts = [gap.start..sequence, sequence + 1..gap.end];
            self.missing.extend(parts.into_iter().filter(|part| !part.is_empty()));
            tally.reordered += 1;
        } else {
            tally.duplicates += 1;
        }
    }
}

/// The parts of `range` outside all of `holes`.
fn without(range: Range<u64>, holes: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = vec![range];
    for hole in holes {
        parts = parts
            .into_iter()
            .flat_map(|part| {
                let before = part.start..part.end.min(hole.start);
                let after = part.start.max(hole.end)..part.end;
                if hole.start >= part.end || hole.end <= part.start {
                    [part, 0..0]
                } else {
                    [before, after]
                }
            })
            .filter(|part| part.start < part.end)
            .collect();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    const RUN: u32 = 9;

    struct Case {
        sent: u64,
        unacknowledged: Vec<Range<u64>>,
        read: Vec<u64>,
        lost: u64,
        duplicates: u64,
        reordered: u64,
    }

    fn check(case: Case) {
        let mut payload = Payload::new(1, 0.0);
        let mut checker = Checker::new(Some(RUN));
        for sequence in &case.read {
            let stamp =
                Stamp { run: RUN, producer: 3, partition: 5, sequence: *sequence, intended: 0 };
            let value = payload.value(&stamp, 50);
            assert_eq!(checker.observe(5, Some(value)), Some(stamp));
        }
        let sent = Sent { count: case.sent, unacknowledged: case.unacknowledged };
        let lost = checker.lost(&FxHashMap::from_iter([((3, 5), sent)]));
        let tally = checker.tally;
        let found = (lost.count, tally.duplicates, tally.reordered);
        assert_eq!(found, (case.lost, case.duplicates, case.reordered), "{:?}", case.read);
        assert_eq!(lost.first.is_some(), case.lost > 0);
    }

    fn case(sent: u64, read: &[u64], (lost, duplicates, reordered): (u64, u64, u64)) -> Case {
        let (unacknowledged, read) = (Vec::new(), read.to_vec());
        Case { sent, unacknowledged, read, lost, duplicates, reordered }
    }

    #[test]
    fn planted_losses_duplicates_and_swaps_are_found() {
        check(case(5, &[0, 1, 2, 3, 4], (0, 0, 0)));
        check(case(0, &[], (0, 0, 0)));
        check(case(5, &[], (5, 0, 0)));
        check(case(5, &[0, 1, 2, 3], (1, 0, 0)));
        check(case(5, &[1, 2, 3, 4], (1, 0, 0)));
        check(case(5, &[0, 4], (3, 0, 0)));
        check(case(5, &[0, 1, 1, 2, 3, 4], (0, 1, 0)));
        check(case(5, &[0, 1, 2, 3, 4, 0, 1, 2, 3, 4], (0, 5, 0)));
        check(case(5, &[0, 2, 1, 3, 4], (0, 0, 1)));
        check(case(5, &[4, 3, 2, 1, 0], (0, 0, 4)));
        check(case(6, &[0, 3, 1, 3, 5], (2, 1, 1)));
    }

    #[test]
    fn what_was_not_acknowledged_may_be_missing() {
        let with = |unacknowledged: &[(u64, u64)], read: &[u64], lost| {
            let unacknowledged = unacknowledged.iter().map(|(from, to)| *from..*to).collect();
            check(Case { unacknowledged, ..case(10, read, (lost, 0, 0)) });
        };
        with(&[(5, 10)], &[0, 1, 2, 3, 4], 0);
        with(&[(5, 10)], &[0, 1, 2, 3, 4, 5, 6], 0);
        with(&[(2, 3), (8, 10)], &[0, 1, 3, 4, 5, 6, 7], 0);
        with(&[(2, 3)], &[0, 1, 3, 4, 5, 6, 7], 2);
        with(&[(0, 4), (6, 7)], &[], 5);
    }

    #[test]
    fn damaged_and_foreign_records_are_told_apart() {
        let mut payload = Payload::new(1, 0.0);
        let stamp = Stamp { run: RUN, producer: 0, partition: 0, sequence: 0, intended: 0 };
        let good = payload.value(&stamp, 50).to_vec();
        let other = payload.value(&Stamp { run: RUN + 1, ..stamp }, 50).to_vec();
        let mut damaged = good.clone();
        damaged[40] ^= 1;
        let mut checker = Checker::new(Some(RUN));
        for (partition, value) in [
            (0, Some(&damaged[..])),
            (1, Some(&good)),
            (0, Some(&other)),
            (0, None),
            (0, Some(&good)),
        ] {
            checker.observe(partition, value);
        }
        let expected = Tally { read: 1, corrupt: 2, foreign: 2, ..Tally::default() };
        assert_eq!(checker.tally, expected);
    }

    #[test]
    fn a_reader_of_any_run_begins_anywhere() {
        let mut payload = Payload::new(1, 0.0);
        let mut checker = Checker::new(None);
        for sequence in [7, 8, 11] {
            let stamp = Stamp { run: 1, producer: 0, partition: 0, sequence, intended: 0 };
            checker.observe(0, Some(payload.value(&stamp, 40)));
        }
        assert_eq!(checker.gaps(), 2);
        assert_eq!(checker.tally.read, 3);
    }
}
