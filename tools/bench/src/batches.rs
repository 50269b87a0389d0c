//! Records on their way into requests, as Kafka's producer collects them: one open batch a partition, closed
//! when it is full (`batch.size`) or old (`linger.ms`), and at most one batch a partition in a request.

use std::collections::VecDeque;

use klamm::record::{BatchBuilder, BatchOptions, Compression};

use crate::clock::Nanos;

/// Bytes that a record adds to its key and value, at most.
const RECORD_OVERHEAD_BYTES: usize = 21;

/// How batches are made.
#[derive(Clone, Copy, Debug)]
pub struct BatchRules {
    /// Whether each record travels by itself and as it is, without a batch around it.
    pub is_plain: bool,
    /// `batch.size`.
    pub size_bytes: usize,
    /// `linger.ms`.
    pub linger: Nanos,
    /// `max.request.size`.
    pub request_bytes_max: usize,
    /// `compression.type`.
    pub compression: Compression,
    /// `compression.*.level`.
    pub compression_level: Option<i32>,
}

/// A batch that can be sent.
#[derive(Debug)]
pub struct Batch {
    /// Which of the producer's partitions.
    pub place: usize,
    /// As on the wire.
    pub bytes: Vec<u8>,
    /// How many records.
    pub count: u64,
    /// The sequence of the first one.
    pub first_sequence: u64,
    /// Bytes of keys and values.
    pub payload_bytes: u64,
    /// Of each record in an open loop, of the first in a closed one.
    pub intended: Vec<Nanos>,
    /// When it could have been sent at the earliest.
    pub ready_at: Nanos,
}

struct Open {
    builder: BatchBuilder,
    number: u64,
    first_sequence: u64,
    payload_bytes: u64,
    intended: Vec<Nanos>,
}

/// One producer's batches.
pub struct Batches {
    rules: BatchRules,
    open: Vec<Option<Open>>,
    /// Open batches in the order in which they were opened, by number; those that are closed are skipped.
    ageing: VecDeque<(u64, usize, Nanos)>,
    next_number: u64,
    ready: VecDeque<Batch>,
    ready_bytes: usize,
    spare: Vec<(Vec<u8>, Vec<Nanos>)>,
}

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Which of the producer's partitions.
    pub place: usize,
    /// Its sequence there.
    pub sequence: u64,
    /// When it is due.
    pub intended: Nanos,
    /// The wall clock's milliseconds.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
}

impl Batches {
    /// For so many partitions.
    pub fn new(rules: BatchRules, places: usize) -> Batches {
        Batches {
            rules,
            open: (0..places).map(|_| None).collect(),
            ageing: VecDeque::new(),
            next_number: 0,
            ready: VecDeque::new(),
            ready_bytes: 0,
            spare: Vec::new(),
        }
    }

    /// Adds a record; true if a batch of its partition was filled by it or had no room for it.
    pub fn add(&mut self, record: NewRecord<'_>, keep_each_time: bool) -> bool {
        if self.rules.is_plain {
            self.add_plain(&record);
            return true;
        }
        let payload_bytes = record.value.len() + record.key.map_or(0, <[u8]>::len);
        let has_room = self.open[record.place].as_ref().is_none_or(|open| {
            open.builder.size_bytes() + payload_bytes + RECORD_OVERHEAD_BYTES
                <= self.rules.size_bytes
        });
        if !has_room {
            self.close(record.place, record.intended);
        }
        if self.open[record.place].is_none() {
            self.begin(&record);
        }
        let open = self.open[record.place].as_mut().expect("it was just opened");
        open.builder.append(record.timestamp, record.key, Some(record.value), &[]);
        open.payload_bytes += payload_bytes as u64;
        if keep_each_time || open.intended.is_empty() {
            open.intended.push(record.intended);
        }
        // One more byte of value would not fit: nobody's next record will.
        let least = open.builder.size_bytes() + RECORD_OVERHEAD_BYTES;
        let is_full = least >= self.rules.size_bytes;
        if is_full {
            self.close(record.place, record.intended);
        }
        is_full || !has_room
    }

    /// A message of its own; its key has chosen the partition and does not travel.
    fn add_plain(&mut self, record: &NewRecord<'_>) {
        let (mut bytes, mut intended) = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(record.value);
        intended.clear();
        intended.push(record.intended);
        self.ready_bytes += bytes.len();
        self.ready.push_back(Batch {
            place: record.place,
            bytes,
            count: 1,
            first_sequence: record.sequence,
            payload_bytes: record.value.len() as u64,
            intended,
            ready_at: record.intended,
        });
    }

    fn begin(&mut self, record: &NewRecord<'_>) {
        let options = BatchOptions {
            compression: self.rules.compression,
            compression_level: self.rules.compression_level,
            ..BatchOptions::default()
        };
        let (buffer, mut intended) = self.spare.pop().unwrap_or_default();
        intended.clear();
        self.next_number += 1;
        self.open[record.place] = Some(Open {
            builder: BatchBuilder::with_buffer(options, buffer),
            number: self.next_number,
            first_sequence: record.sequence,
            payload_bytes: 0,
            intended,
        });
        self.ageing.push_back((self.next_number, record.place, record.intended));
    }

    fn close(&mut self, place: usize, ready_at: Nanos) {
        let Some(open) = self.open[place].take() else { return };
        let count = open.builder.record_count() as u64;
        let bytes = open.builder.finish();
        self.ready_bytes += bytes.len();
        self.ready.push_back(Batch {
            place,
            bytes,
            count,
            first_sequence: open.first_sequence,
            payload_bytes: open.payload_bytes,
            intended: open.intended,
            ready_at,
        });
    }

    /// Closes the batches that have waited for `linger.ms`, or all of them; true if there was one.
    pub fn close_old(&mut self, now: Nanos, all: bool) -> bool {
        let before = self.ready.len();
        while let Some((number, place, opened)) = self.ageing.front().copied() {
            let is_open = self.open[place].as_ref().is_some_and(|open| open.number == number);
            let expires = opened + self.rules.linger;
            if is_open && now < expires && !all {
                break;
            }
            self.ageing.pop_front();
            if is_open {
                self.close(place, expires.min(now));
            }
        }
        self.ready.len() > before
    }

    /// When the oldest open batch has waited long enough.
    pub fn next_expiry(&self) -> Option<Nanos> {
        self.ageing.front().map(|(_, _, opened)| opened + self.rules.linger)
    }

    /// True where a request could be sent.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// True where no more records should be added before something was sent.
    pub fn is_full(&self) -> bool {
        self.ready_bytes >= self.rules.request_bytes_max
    }

    /// True where nothing is left.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.open.iter().all(Option::is_none)
    }

    /// The batches of the next request, in order, one a partition; one message where there are no batches.
    pub fn take_request(&mut self) -> Vec<Batch> {
        let mut taken: Vec<Batch> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.ready.front() {
            let is_first = taken.is_empty();
            let doubled = taken.iter().any(|batch| batch.place == next.place);
            let alone = doubled || self.rules.is_plain;
            if !is_first && (alone || bytes + next.bytes.len() > self.rules.request_bytes_max) {
                break;
            }
            bytes += next.bytes.len();
            taken.extend(self.ready.pop_front());
        }
        self.ready_bytes -= bytes;
        taken
    }

    /// Gives a batch's memory back.
    pub fn recycle(&mut self, batch: Batch) {
        if self.spare.len() < 64 {
            self.spare.push((batch.bytes, batch.intended));
        }
    }

    /// Takes everything that was not sent: a connection broke or time is up.
    pub fn abandon(&mut self) -> Vec<Batch> {
        self.close_old(Nanos::MAX, true);
        self.ready_bytes = 0;
        self.ready.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(size_bytes: usize, linger: Nanos) -> BatchRules {
        BatchRules {
            is_plain: false,
            size_bytes,
            linger,
            request_bytes_max: 1000,
            compression: Compression::None,
            compression_level: None,
        }
    }

    fn add(batches: &mut Batches, place: usize, sequence: u64, intended: Nanos) -> bool {
        let (timestamp, key, value) = (0, None, &[0; 100][..]);
        let record = NewRecord { place, sequence, intended, timestamp, key, value };
        batches.add(record, true)
    }

    fn taken(batches: &mut Batches) -> Vec<(usize, u64, u64)> {
        let taken = batches.take_request();
        taken.iter().map(|batch| (batch.place, batch.first_sequence, batch.count)).collect()
    }

    #[test]
    fn a_batch_of_one_byte_holds_one_record() {
        let mut batches = Batches::new(rules(1, 0), 2);
        assert!(add(&mut batches, 0, 0, 5));
        assert!(add(&mut batches, 0, 1, 6));
        assert!(add(&mut batches, 1, 0, 7));
        assert_eq!(taken(&mut batches), [(0, 0, 1)], "one batch a partition in a request");
        assert_eq!(taken(&mut batches), [(0, 1, 1), (1, 0, 1)]);
        assert!(batches.is_empty());
    }

    #[test]
    fn full_batches_close_and_old_ones_after_the_linger() {
        let mut batches = Batches::new(rules(310, 10), 2);
        assert!(!add(&mut batches, 0, 0, 5));
        assert!(!add(&mut batches, 1, 0, 7));
        assert!(!add(&mut batches, 0, 1, 8));
        assert!(!batches.has_ready());
        assert!(add(&mut batches, 0, 2, 9), "the third has no room");
        assert_eq!(batches.next_expiry(), Some(15));
        batches.close_old(16, false);
        assert_eq!(taken(&mut batches), [(0, 0, 2)]);
        assert_eq!(batches.next_expiry(), Some(17));
        batches.close_old(17, false);
        assert_eq!(taken(&mut batches), [(1, 0, 1)]);
        batches.close_old(17, true);
        assert_eq!(taken(&mut batches), [(0, 2, 1)]);
        assert!(batches.is_empty());
    }

    #[test]
    fn plain_records_travel_one_by_one_as_they_are() {
        let mut batches = Batches::new(BatchRules { is_plain: true, ..rules(16_384, 10) }, 2);
        for (place, sequence) in [(0, 0), (0, 1), (1, 0)] {
            assert!(add(&mut batches, place, sequence, 5));
        }
        assert_eq!(batches.next_expiry(), None, "nothing lingers");
        assert_eq!(batches.ready[0].bytes, [0; 100]);
        for expected in [(0, 0, 1), (0, 1, 1), (1, 0, 1)] {
            assert_eq!(taken(&mut batches), [expected]);
        }
        assert!(batches.is_empty());
    }

    #[test]
    fn a_request_has_a_bound_and_what_is_abandoned_is_given_back() {
        let mut batches = Batches::new(rules(1, 0), 20);
        for place in 0..10 {
            add(&mut batches, place, 0, 0);
        }
        assert!(batches.is_full());
        let first = taken(&mut batches).len();
        assert!((5..=6).contains(&first), "{first}");
        assert_eq!(batches.abandon().len(), 10 - first);
        assert!(batches.is_empty());
    }
}
