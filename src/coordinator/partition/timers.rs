//! When to look at which group: a heap of times that may come early, never late.
//!
//! A time that moved to a later one is put back when its turn has come, so that a heartbeat costs
//! nothing here. What is left of groups that are gone, or had to act earlier, is dropped where it has
//! become more than what the groups themselves take.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use crate::runtime::Monotonic;

/// What a timer takes beside the group's id, in bytes.
const TIMER_BYTES: usize = 48;
/// Timers of no use that are put up with beside those of the groups, in bytes.
const STALE_BYTES_MAX: usize = 256 * 1024;

/// Groups by the times at which they are to be looked at.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Monotonic, Rc<str>)>>,
    bytes: usize,
}

fn bytes_of(group: &Rc<str>) -> usize {
    TIMER_BYTES + group.len()
}

impl Timers {
    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Monotonic> {
        self.heap.peek().map(|Reverse((time, _))| *time)
    }

    /// Adds one, beside those that the group has.
    pub(super) fn set(&mut self, time: Monotonic, group: &Rc<str>) {
        self.bytes += bytes_of(group);
        self.heap.push(Reverse((time, Rc::clone(group))));
    }

    /// Takes one that is due.
    pub(super) fn take(&mut self, now: Monotonic) -> Option<(Monotonic, Rc<str>)> {
        if self.next()? > now {
            return None;
        }
        let Reverse(timer) = self.heap.pop()?;
        self.bytes -= bytes_of(&timer.1);
        Some(timer)
    }

    /// Drops the timers that `keep` does not want, where there may be many more than those of groups
    /// that take `groups_bytes`, each more than its timer.
    pub(super) fn tidy(&mut self, groups_bytes: usize, keep: impl Fn(Monotonic, &str) -> bool) {
        if self.bytes > groups_bytes + STALE_BYTES_MAX {
            self.heap.retain(|Reverse((time, group))| keep(*time, group));
            self.bytes = self.heap.iter().map(|Reverse((_, group))| bytes_of(group)).sum();
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
