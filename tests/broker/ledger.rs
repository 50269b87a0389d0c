//! What producers were told, and its judgement over what a consumer reads afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rdkafka::types::RDKafkaErrorCode;

use crate::kafka::Read;
use crate::wire::now_ms;

/// The records' first timestamp, so near that retention keeps them; each has its own.
static FIRST_TIMESTAMP_MS: LazyLock<i64> = LazyLock::new(|| now_ms() - 3_600_000);
/// The payload of most records is shorter.
const SMALL_BYTES_MAX: u64 = 900;
/// That of the others is longer than the largest piece of a journal's entry.
const LARGE_BYTES_MAX: u64 = 400_000;

/// A record, by who sent it and as its how manyeth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    pub producer: usize,
    pub number: usize,
}

impl Sent {
    pub fn partition(self, partitions: i32) -> i32 {
        (self.number % partitions as usize) as i32
    }

    pub fn timestamp_ms(self) -> i64 {
        *FIRST_TIMESTAMP_MS + self.number as i64
    }

    pub fn key(self) -> String {
        format!("{}/{}", self.producer, self.number)
    }

    fn of_key(key: &str) -> Sent {
        let (producer, number) = key.split_once('/').expect("a key of these tests");
        let parse = |text: &str| text.parse().expect("a key of these tests");
        Sent { producer: parse(producer), number: parse(number) }
    }

    /// Bytes that no other record has; one in `large_every` is large.
    pub fn payload(self, large_every: usize) -> Vec<u8> {
        let mut state = (self.producer as u64 + 1) << 40 | (self.number as u64 + 1);
        let mut next = || {
            // Knuth's MMIX generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 32
        };
        let large = self.number % large_every == large_every - 1;
        let length = next() % if large { LARGE_BYTES_MAX } else { SMALL_BYTES_MAX };
        (0..length.div_ceil(4)).flat_map(|_| (next() as u32).to_le_bytes()).collect()
    }
}

/// What a producer was told of a record: its offset, if the answer had one.
pub type Told = Result<Option<i64>, RDKafkaErrorCode>;

/// Everything that producers were told.
pub struct Ledger {
    partitions: i32,
    large_every: usize,
    told: BTreeMap<Sent, Told>,
    acknowledged: usize,
}

impl Ledger {
    pub fn new(partitions: i32, large_every: usize) -> Ledger {
        Ledger { partitions, large_every, told: BTreeMap::new(), acknowledged: 0 }
    }

    /// Takes what a producer was told.
    pub fn note(&mut self, sent: Sent, told: Told) {
        self.acknowledged += usize::from(told.is_ok());
        assert_eq!(self.told.insert(sent, told), None, "{sent:?} was reported twice");
    }

    /// Records that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Records that were refused or given up.
    pub fn failed(&self) -> usize {
        self.told.len() - self.acknowledged
    }

    /// Judges what is in the topic. No producer resends what failed, and the idempotent ones fail
    /// never: so each record is there once at most, in the order of sending, and once if it was
    /// acknowledged, where the producer was told that it is.
    pub fn check(&self, read: &[Vec<Read>]) {
        let mut found = BTreeMap::new();
        for (partition, records) in read.iter().enumerate() {
            let mut last: BTreeMap<usize, usize> = BTreeMap::new();
            for (index, record) in records.iter().enumerate() {
                assert_eq!(record.offset, index as i64, "partition {partition}: a gap");
                let sent = Sent::of_key(&record.key);
                assert_eq!(sent.partition(self.partitions), partition as i32, "{sent:?}");
                assert_eq!(record.timestamp_ms, sent.timestamp_ms(), "{sent:?}");
                assert!(record.payload == sent.payload(self.large_every), "{sent:?}: other bytes");
                let before = last.insert(sent.producer, sent.number);
                assert!(
                    before.is_none_or(|before| before < sent.number),
                    "partition {partition}, offset {index}: {sent:?} comes after {before:?}"
                );
                found.insert(sent, record.offset);
            }
        }
        for (sent, told) in &self.told {
            let Ok(offset) = told else { continue };
            let Some(at) = found.get(sent) else {
                panic!("{sent:?} was acknowledged at {offset:?} and is gone");
            };
            assert!(offset.is_none_or(|offset| offset == *at), "{sent:?}: {offset:?} and {at}");
        }
        let ours: BTreeSet<usize> = self.told.keys().map(|sent| sent.producer).collect();
        for sent in found.keys().filter(|sent| ours.contains(&sent.producer)) {
            assert!(self.told.contains_key(sent), "{sent:?} is there and nobody was told of it");
        }
        println!(
            "{} acknowledged, {} failed, {} read",
            self.acknowledged(),
            self.failed(),
            found.len()
        );
    }
}
