//! When to look after which member: a heap of alarms that may ring early, never late.
//!
//! A heartbeat only moves the end of a session, which it does in the member. The alarm that is set
//! stays where it is; when it rings it is set again for the session's end, so that a member costs
//! one turn of the heap a session and not one a heartbeat.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::runtime::Monotonic;

use super::member::MemberId;

/// Alarms by time.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    heap: BinaryHeap<Reverse<(Monotonic, MemberId)>>,
}

impl Alarms {
    /// Sets an alarm for a member, beside those that it has.
    pub(super) fn set(&mut self, at: Monotonic, member: MemberId) {
        self.heap.push(Reverse((at, member)));
    }

    /// When the next one rings.
    pub(super) fn next(&self) -> Option<Monotonic> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one that has rung.
    pub(super) fn take(&mut self, now: Monotonic) -> Option<(Monotonic, MemberId)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(alarm)| alarm)
    }

    /// Drops the alarms that `keep` does not want, where they have become many more than `wanted`:
    /// a shortened session and a member that has left both leave one behind.
    pub(super) fn tidy(&mut self, wanted: usize, keep: impl Fn(Monotonic, &MemberId) -> bool) {
        const SPARE: usize = 64;
        if self.heap.len() > 2 * wanted + SPARE {
            self.heap.retain(|Reverse((at, member))| keep(*at, member));
        }
    }

    /// Drops all alarms.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
    }

    /// How many are set.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
