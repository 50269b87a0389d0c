//! What clients were promised and what they have seen: each answer is checked when it comes.
//!
//! Every batch has a number, which is the timestamp and the value of its records, so whatever is
//! read says which batch it is. A place in a partition belongs to one batch for ever; only a cut
//! of records that were never promised to survive frees it again.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{LogId, ProducerId, TopicId};
use crate::record::{BatchHeader, batch};
use crate::runtime::Monotonic;

/// What a batch's answer has promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Nothing yet.
    None,
    /// It survives the end of the process.
    Accepted,
    /// It survives everything.
    Durable,
}

/// An idempotent producer's place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequenced {
    pub producer: ProducerId,
    pub epoch: i16,
    pub first: i32,
}

/// One batch that a client has sent.
pub struct Batch {
    pub log: LogId,
    pub client: usize,
    pub records: i32,
    pub bytes: Bytes,
    pub sequenced: Option<Sequenced>,
    pub base: Option<i64>,
    pub promise: Promise,
}

/// One partition as its clients know it.
pub struct Partition {
    /// `flush.messages` is 1.
    pub durable: bool,
    /// Clients have asked for its deletion.
    pub deleted: bool,
    /// Its creation was acknowledged, or a start has found it: every shard knows it.
    pub settled: bool,
    /// The batches whose places are known.
    pub places: BTreeMap<i64, usize>,
    /// The end of what was acknowledged.
    pub acknowledged: i64,
    /// The highest high watermark that was seen, and whether it was seen as durable.
    pub seen: i64,
    /// The end of what the last start has found, and so made durable.
    pub hardened: i64,
    /// The log start that was promised, and the furthest that was asked for.
    pub start: (i64, i64),
    /// What its topic's retention lets go of its own accord.
    pub retention: Retention,
    /// Deletions up to the high watermark that are under way, or of unknown outcome.
    pub cutting: u32,
    /// The leader epochs with their first offsets.
    pub epochs: Vec<(i32, i64)>,
    /// When places became readable for certain: the end of each with its time.
    pub readable: VecDeque<(i64, Monotonic)>,
}

impl Partition {
    fn new(durable: bool, epoch: i32) -> Partition {
        Partition {
            durable,
            deleted: false,
            settled: false,
            places: BTreeMap::new(),
            acknowledged: 0,
            seen: 0,
            hardened: 0,
            start: (0, 0),
            retention: Retention::default(),
            cutting: 0,
            epochs: vec![(epoch, 0)],
            readable: VecDeque::new(),
        }
    }

    /// When everything below `end` was certainly readable, if that was noted.
    pub fn readable_since(&self, end: i64) -> Option<Monotonic> {
        self.readable.iter().find(|(to, _)| *to >= end).map(|(_, at)| *at)
    }

    /// Whether the start may move without its place being known before.
    pub fn may_lose(&self) -> bool {
        self.retention != Retention::default() || self.cutting > 0
    }

    pub fn epoch(&self) -> i32 {
        self.epochs.last().expect("a partition has an epoch").0
    }
}

/// What the retention of a topic lets go without anybody asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `retention.bytes`: so many stay.
    pub bytes_max: Option<u64>,
    /// `retention.ms`: what is younger stays.
    pub age_ms_max: Option<i64>,
}

/// How the last process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Clean,
    /// Killed while its disk was well.
    Killed,
    /// The power was lost, or the disk had failed.
    Cut,
}

/// What a client knew of a partition when it asked for records.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub log: LogId,
    /// From where it wants to read.
    pub offset: i64,
    pub acknowledged: i64,
    pub seen: i64,
    pub start: i64,
}

/// A question for the end of a leader epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochAsked {
    pub log: LogId,
    pub epoch: i32,
    /// Where it ends, unless it is the last.
    pub end: Option<i64>,
    acknowledged: i64,
}

/// A question for the first record from a time on.
#[derive(Clone, Copy, Debug)]
pub struct TimeAsked {
    pub log: LogId,
    pub time: i64,
    first: Option<i64>,
}

/// What happened that a test wants to have happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub acknowledged: u64,
    pub duplicates: u64,
    pub batches_read: u64,
    pub cut_batches: u64,
    pub cut_readable: u64,
    pub epochs_raised: u64,
    pub starts_moved: u64,
    pub starts_expired: u64,
}

/// Everything that clients know.
#[derive(Default)]
pub struct Model {
    pub batches: Vec<Batch>,
    pub partitions: BTreeMap<LogId, Partition>,
    /// Topics whose deletion is certain, in order: they never come back.
    pub gone: Vec<TopicId>,
    pub operations: u64,
    /// The latest time by which a record may have been old.
    pub latest_ms: i64,
    pub seen: Seen,
}

impl Model {
    /// Takes a partition that a client was told of.
    pub fn learn(&mut self, log: LogId, durable: bool, epoch: i32) {
        if !self.gone.contains(&log.topic) {
            self.partitions.entry(log).or_insert_with(|| Partition::new(durable, epoch));
        }
    }

    /// After a start: these partitions are there and no others.
    pub fn settle(&mut self, there: impl Fn(LogId) -> bool) {
        let missing: Vec<LogId> =
            self.partitions.keys().copied().filter(|log| !there(*log)).collect();
        for log in missing {
            let partition = self.partitions.remove(&log).expect("it was just there");
            assert!(partition.deleted, "{log} is gone");
            if !self.gone.contains(&log.topic) {
                self.gone.push(log.topic);
            }
        }
        for partition in self.partitions.values_mut() {
            partition.deleted = false;
            partition.settled = true;
            partition.readable.clear();
        }
    }

    /// A topic's deletion was acknowledged.
    pub fn forget_topic(&mut self, topic: TopicId) {
        self.partitions.retain(|log, _| log.topic != topic);
        self.gone.push(topic);
    }

    /// A topic's creation was acknowledged.
    pub fn set_settled(&mut self, topic: TopicId) {
        for (log, partition) in &mut self.partitions {
            partition.settled |= log.topic == topic;
        }
    }

    /// A topic's deletion was asked for.
    pub fn set_deleted(&mut self, topic: TopicId) {
        for (log, partition) in &mut self.partitions {
            partition.deleted |= log.topic == topic;
        }
    }

    /// A batch was acknowledged at a place.
    pub fn acknowledge(&mut self, number: usize, base: i64, now: Monotonic) {
        let batch = &mut self.batches[number];
        let (log, end) = (batch.log, base + i64::from(batch.records));
        let Some(partition) = self.partitions.get_mut(&log).filter(|found| !found.deleted) else {
            return;
        };
        let promise = if partition.durable { Promise::Durable } else { Promise::Accepted };
        if batch.promise != Promise::None {
            self.seen.duplicates += 1;
        }
        batch.promise = batch.promise.max(promise);
        self.seen.acknowledged += 1;
        if end > partition.acknowledged {
            partition.acknowledged = end;
            partition.readable.push_back((end, now));
            if partition.readable.len() > 512 {
                partition.readable.pop_front();
            }
        }
        self.place(number, base);
    }

    /// A batch is known to stand at `base`: nothing else does, and it stands nowhere else.
    pub fn place(&mut self, number: usize, base: i64) {
        let batch = &mut self.batches[number];
        let known = *batch.base.get_or_insert(base);
        assert_eq!(known, base, "batch {number} of {} stands twice", batch.log);
        let (log, end) = (batch.log, base + i64::from(batch.records));
        let Some(partition) = self.partitions.get_mut(&log) else { return };
        if let Some(&there) = partition.places.get(&base) {
            assert_eq!(there, number, "two batches at {base} of {log}");
            return;
        }
        if let Some((&before, &other)) = partition.places.range(..base).next_back() {
            let until = before + i64::from(self.batches[other].records);
            assert!(
                until <= base,
                "batch {number} at {base} of {log} overlaps {other} at {before}"
            );
        }
        if let Some((&after, other)) = partition.places.range(base..).next() {
            assert!(end <= after, "batch {number} at {base} of {log} overlaps {other} at {after}");
        }
        partition.places.insert(base, number);
    }

    /// Whole batches were read from `from` on; gives the offset behind them.
    pub fn read(&mut self, log: LogId, from: i64, high_watermark: i64, bytes: &[u8]) -> i64 {
        let mut next = None;
        for view in batch::split(bytes) {
            let view = view.expect("what is served is whole batches");
            let header = view.header();
            let base = header.base_offset.0;
            let first = next.unwrap_or(base);
            assert_eq!(base, first, "{log} has a gap");
            assert!(next.is_some() || (base <= from && from < header.next_offset().0), "{log}");
            self.check_batch(log, header, view.bytes());
            next = Some(header.next_offset().0);
            self.seen.batches_read += 1;
        }
        let next = next.unwrap_or(from);
        assert!(next <= high_watermark.max(from), "{log}: {next} is not readable yet");
        next
    }

    /// What a client has seen of a partition when it asks; `None` if it is not there.
    pub fn asked(&self, log: LogId) -> Option<Asked> {
        let partition = self.partitions.get(&log)?;
        Some(Asked {
            log,
            offset: partition.start.1,
            acknowledged: partition.acknowledged,
            seen: partition.seen,
            start: partition.start.0,
        })
    }

    /// A fetch was answered with records and a place; gives the offset behind them.
    pub fn fetched(&mut self, asked: &Asked, end: i64, start: i64, bytes: &[u8]) -> Option<i64> {
        let log = asked.log;
        let partition = self.partitions.get_mut(&log).filter(|partition| !partition.deleted)?;
        assert!(end >= asked.acknowledged, "{log}: {end} is before an acknowledged batch");
        assert!(
            end >= asked.seen,
            "{log}: the readable end went back to {end} from {}",
            asked.seen
        );
        assert!(start >= asked.start, "{log}: the start went back");
        partition.seen = partition.seen.max(end);
        self.start_seen(log, start);
        Some(self.read(log, asked.offset, end, bytes))
    }

    /// Somebody was told of a log's start, so it never goes back; where it is further than anybody
    /// asked for, retention has let go what is before it.
    fn start_seen(&mut self, log: LogId, start: i64) {
        let partition = &self.partitions[&log];
        let asked = partition.start.1;
        if start > asked && partition.cutting == 0 {
            let Retention { bytes_max, age_ms_max } = partition.retention;
            let is_old = |number: usize| {
                age_ms_max.is_some_and(|most| self.latest_ms - number as i64 > most)
            };
            let young = partition.places.range(asked..start).rfind(|(_, number)| !is_old(**number));
            // What was not old went by size, so enough is there behind it; some of that may not be
            // answered yet, or be old and gone by now.
            let by_size = |last: i64| {
                let size = |number: usize| self.batches[number].bytes.len() as u64;
                let behind = partition.places.range(last + 1..).map(|(_, number)| size(*number));
                let open = self.batches.iter().filter(|one| one.log == log && one.base.is_none());
                let bytes =
                    behind.sum::<u64>() + open.map(|one| one.bytes.len() as u64).sum::<u64>();
                bytes_max.is_some_and(|most| bytes >= most)
            };
            let is_right = young.is_none_or(|(base, _)| by_size(*base));
            assert!(
                partition.retention != Retention::default() && is_right,
                "{log} starts at {start}, which nobody asked for: {asked} was, {young:?} is young at {}, of {:?}",
                self.latest_ms,
                partition.retention
            );
            self.seen.starts_expired += 1;
        }
        let partition = self.partitions.get_mut(&log).expect("it was just there");
        partition.start = (partition.start.0.max(start), asked.max(start));
    }

    /// Nobody was left waiting for what had long been readable.
    pub fn check_wait(&self, asked: &Asked, began: Monotonic, now: Monotonic, most: Duration) {
        let Some(partition) = self.partitions.get(&asked.log) else { return };
        let readable = partition.readable_since(asked.offset + 1);
        let Some(readable) = readable.filter(|_| !partition.deleted) else { return };
        let waited = now.saturating_since(readable.max(began));
        assert!(
            waited < most,
            "{} from {}: asked at {began:?} and waited {waited:?} until {now:?} for what was readable at {readable:?}",
            asked.log,
            asked.offset
        );
    }

    /// One of a partition's leader epochs to ask about, and what the answer must say.
    pub fn epoch_question(&self, log: LogId, choice: &dyn Fn(u64) -> u64) -> Option<EpochAsked> {
        let partition = self.partitions.get(&log)?;
        let epochs = &partition.epochs;
        let at = choice(epochs.len() as u64) as usize;
        (epochs[at].1 >= partition.start.1).then(|| EpochAsked {
            log,
            epoch: epochs[at].0,
            end: epochs.get(at + 1).map(|next| next.1),
            acknowledged: partition.acknowledged,
        })
    }

    /// Checks the end of an epoch.
    pub fn check_epoch_end(&self, asked: &EpochAsked, end: i64) {
        let moved = self
            .partitions
            .get(&asked.log)
            .is_none_or(|p| p.deleted || p.start.1 > 0 || p.may_lose());
        let right = match asked.end {
            Some(expected) => end == expected,
            None => end >= asked.acknowledged,
        };
        let (log, epoch) = (asked.log, asked.epoch);
        assert!(moved || right, "{log}: epoch {epoch} ends at {end}, not {:?}", asked.end);
    }

    /// A time to ask for, and the first batch from then on that is certainly there.
    pub fn time_question(&self, log: LogId, choice: &dyn Fn(u64) -> u64) -> Option<TimeAsked> {
        let time = choice(self.batches.len() as u64 + 1) as i64;
        let partition = self.partitions.get(&log)?;
        let mut readable = partition.places.range(..partition.acknowledged);
        let first = readable.find(|(_, number)| **number as i64 >= time).map(|(base, _)| *base);
        Some(TimeAsked { log, time, first })
    }

    /// Checks the offset and the time that were found for a time.
    pub fn check_time(&self, asked: &TimeAsked, offset: i64, timestamp: i64) {
        let (log, time) = (asked.log, asked.time);
        let Some(partition) = self.partitions.get(&log).filter(|p| !p.deleted) else { return };
        if offset >= 0 {
            assert!(timestamp >= time, "{log}: {timestamp} at {offset} for {time}");
            if let Some(number) = partition.places.get(&offset) {
                assert_eq!(timestamp, *number as i64, "{log}: at {offset}");
            }
        }
        let stays = |base: &i64| *base >= partition.start.1 && !partition.may_lose();
        if let Some(base) = asked.first.filter(stays) {
            let right = (0..=base).contains(&offset);
            assert!(right, "{log}: {offset} for {time}, which is at {base}");
        }
    }

    fn check_batch(&mut self, log: LogId, header: &BatchHeader, stored: &[u8]) {
        let number = usize::try_from(header.base_timestamp).expect("a batch's number");
        let sent = self.batches.get(number).expect("only batches that were sent are there");
        assert_eq!(sent.log, log, "batch {number} is in another partition");
        assert_eq!(sent.bytes[8..12], stored[8..12], "batch {number} of {log}: length");
        assert!(sent.bytes[16..] == stored[16..], "batch {number} of {log}: other bytes");
        self.place(number, header.base_offset.0);
    }

    /// Checks a whole log as a start has found it: `batches` from its start to its end, in order.
    pub fn survived(&mut self, log: LogId, start: i64, end: i64, epoch: i32, ending: Ending) {
        let promised = self.partitions[&log].start.0;
        assert!(start >= promised, "{log}: the start went back to {start} from {promised}");
        self.start_seen(log, start);
        let partition = &self.partitions[&log];
        let kept = if ending == Ending::Cut { Promise::Durable } else { Promise::Accepted };
        let whole = partition.durable || ending != Ending::Cut;
        assert!(end >= partition.hardened, "{log}: lost {end} of {}", partition.hardened);
        assert!(!whole || end >= partition.seen, "{log}: readable {} of {}", end, partition.seen);
        assert!(
            !whole || end >= partition.acknowledged,
            "{log}: lost {end} {}",
            partition.acknowledged
        );
        self.check_order(log, start, end);
        let partition = self.partitions.get_mut(&log).expect("it was just there");
        let lost = partition.places.split_off(&end);
        let raised = epoch > partition.epoch();
        let cut = partition.seen > end || partition.acknowledged > end;
        assert!(
            !cut || raised,
            "{log}: records that were seen are gone, the epoch is still {epoch}"
        );
        self.seen.epochs_raised += u64::from(raised);
        self.seen.cut_readable += u64::from(cut);
        partition.seen = end;
        partition.hardened = end;
        partition.acknowledged = end;
        partition.start = (start, start);
        partition.cutting = 0;
        if raised {
            while partition.epochs.last().is_some_and(|(_, first)| *first >= end) {
                partition.epochs.pop();
            }
            partition.epochs.push((epoch, end));
        }
        // What a start has found it has made durable.
        for number in partition.places.values() {
            self.batches[*number].promise = Promise::Durable;
        }
        for (_, number) in lost {
            let batch = &mut self.batches[number];
            assert!(batch.promise < kept, "batch {number} of {log} was promised and is gone");
            batch.base = None;
            self.seen.cut_batches += 1;
        }
    }

    /// Everything between start and end is known by now, without a gap and in its senders' order.
    fn check_order(&self, log: LogId, start: i64, end: i64) {
        let partition = &self.partitions[&log];
        let mut next = None;
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        let mut sequences: BTreeMap<(i64, i16), i32> = BTreeMap::new();
        for (&base, &number) in partition.places.range(..end) {
            let batch = &self.batches[number];
            if base + i64::from(batch.records) <= start {
                continue;
            }
            assert_eq!(base, next.unwrap_or(base), "{log} has a hole before {number}");
            next = Some(base + i64::from(batch.records));
            if let Some(before) = last.insert(batch.client, number) {
                assert!(
                    before < number,
                    "{log}: {number} of client {} after {before}",
                    batch.client
                );
            }
            if let Some(own) = batch.sequenced {
                let key = (own.producer.0, own.epoch);
                // What is below the start may have been the producer's first.
                let first = if start == 0 { 0 } else { own.first };
                let expected = sequences.insert(key, own.first + batch.records).unwrap_or(first);
                assert_eq!(own.first, expected, "{log}: batch {number} of {own:?}");
            }
        }
        assert!(next.unwrap_or(start) == end || start == end, "{log} ends at {next:?}, not {end}");
    }
}
