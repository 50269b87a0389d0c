//! Files of segments that are on their way out of a directory: dropped, renamed, removed.
//!
//! A segment that its log has forgotten is renamed to `….log.deleted`, as Kafka does, and removed
//! when `file.delete.delay.ms` is over. Whoever reads it meanwhile has it open: the descriptor
//! stays good until it is closed. Nothing here is durable; what a process leaves lying is found by
//! its name at the next start ([`crate::storage::leftovers`]).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::{LogId, Offset};
use crate::runtime::Monotonic;
use crate::runtime::sync::Event;

/// A segment that its log has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Whose it was.
    pub log: LogId,
    /// Its base offset.
    pub base: Offset,
    /// Its bytes, whether its file has them or not.
    pub bytes: u32,
    /// How long its file stays after the renaming.
    pub delay: Duration,
}

/// The segments of one store that are on their way out.
#[derive(Default)]
pub struct Removals {
    dropped: RefCell<VecDeque<Doomed>>,
    renamed: RefCell<BTreeMap<(Monotonic, u64), Doomed>>,
    number: Cell<u64>,
    dropped_bytes: Cell<u64>,
    /// Fires when a segment is dropped.
    pub woken: Event,
}

impl Removals {
    /// Adds a segment that was dropped.
    pub fn push(&self, doomed: Doomed) {
        self.number.set(self.number.get() + 1);
        self.dropped_bytes.set(self.dropped_bytes.get() + u64::from(doomed.bytes));
        self.dropped.borrow_mut().push_back(doomed);
        self.woken.notify_all();
    }

    /// Takes some of the segments that have not been renamed yet.
    pub fn take_dropped(&self, count_max: usize) -> Vec<Doomed> {
        let mut dropped = self.dropped.borrow_mut();
        let count = dropped.len().min(count_max);
        dropped.drain(..count).collect()
    }

    /// Notes that a segment's file has been renamed; it is removed when its delay is over.
    pub fn renamed(&self, doomed: Doomed, now: Monotonic) {
        let number = self.number.get();
        self.number.set(number + 1);
        self.renamed.borrow_mut().insert((now + doomed.delay, number), doomed);
    }

    /// When the next file is to be removed.
    pub fn next_due(&self) -> Option<Monotonic> {
        self.renamed.borrow().first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes a segment whose file is to be removed by now.
    pub fn take_due(&self, now: Monotonic) -> Option<Doomed> {
        self.next_due().filter(|due| *due <= now)?;
        self.renamed.borrow_mut().pop_first().map(|(_, doomed)| doomed)
    }

    /// Forgets the segments of a log whose whole directory goes.
    pub fn forget(&self, log: LogId) {
        self.dropped.borrow_mut().retain(|doomed| doomed.log != log);
        self.renamed.borrow_mut().retain(|_, doomed| doomed.log != log);
    }

    /// Segments whose files are still there, as far as they have any.
    pub fn pending(&self) -> usize {
        self.dropped.borrow().len() + self.renamed.borrow().len()
    }

    /// Bytes of all segments that were ever dropped.
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    fn doomed(partition: i32, base: i64, seconds: u64) -> Doomed {
        let log = LogId { topic: TopicId([1; 16]), partition: PartitionIndex(partition) };
        Doomed { log, base: Offset(base), bytes: 10, delay: Duration::from_secs(seconds) }
    }

    #[test]
    fn each_file_goes_when_its_own_delay_is_over() {
        let removals = Removals::default();
        let all = [doomed(0, 0, 60), doomed(0, 5, 0), doomed(1, 0, 10), doomed(1, 7, 10)];
        all.into_iter().for_each(|one| removals.push(one));
        assert_eq!(removals.take_dropped(3), all[..3]);
        let began = Monotonic(7);
        all[..3].iter().for_each(|one| removals.renamed(*one, began));
        assert_eq!((removals.pending(), removals.dropped_bytes()), (4, 40));
        assert_eq!(removals.take_due(began), Some(all[1]));
        assert_eq!(removals.take_due(began), None);
        let later = began + Duration::from_secs(10);
        assert_eq!(removals.next_due(), Some(later));
        assert_eq!(removals.take_due(later), Some(all[2]));
        assert_eq!(removals.take_due(later), None);
        removals.forget(all[0].log);
        assert_eq!((removals.pending(), removals.next_due()), (1, None));
        removals.forget(all[3].log);
        assert_eq!(removals.pending(), 0);
    }
}
