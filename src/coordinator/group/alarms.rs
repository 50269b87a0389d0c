//! When to look after which member: a heap of alarms that may ring early, never late.
//!
//! A heartbeat only moves the end of a session, which it does in the member. The alarm that is set
//! stays where it is; when it rings it is set again for the session's end, so that a member costs
//! one turn of the heap a session and not one a heartbeat.
//!
//! An alarm keeps the id of a member that has left meanwhile, so what it takes counts as the group's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::runtime::Monotonic;

use super::member::MemberId;

/// What an alarm takes beside the id: its place in the heap, the id's counts.
const ALARM_BYTES: usize = 48;

/// Alarms by time.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    heap: BinaryHeap<Reverse<(Monotonic, MemberId)>>,
    bytes: usize,
}

fn bytes_of(member: &MemberId) -> usize {
    ALARM_BYTES + member.len()
}

impl Alarms {
    /// Sets an alarm for a member, beside those that it has.
    pub(super) fn set(&mut self, at: Monotonic, member: MemberId) {
        self.bytes += bytes_of(&member);
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
        let Reverse(alarm) = self.heap.pop()?;
        self.bytes -= bytes_of(&alarm.1);
        Some(alarm)
    }

    /// Drops the alarms that `keep` does not want, where they have become many more than `wanted`:
    /// a shortened session and a member that has left both leave one behind.
    pub(super) fn tidy(&mut self, wanted: usize, keep: impl Fn(Monotonic, &MemberId) -> bool) {
        const SPARE: usize = 64;
        if self.heap.len() > 2 * wanted + SPARE {
            self.heap.retain(|Reverse((at, member))| keep(*at, member));
            self.bytes = self.heap.iter().map(|Reverse((_, member))| bytes_of(member)).sum();
        }
    }

    /// What they take, with the ids of those whom they are for. It costs nothing.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops all alarms.
    pub(super) fn clear(&mut self) {
        // A group that many have left keeps no room for them.
        self.heap = BinaryHeap::new();
        self.bytes = 0;
    }

    /// Recounts what is counted.
    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        let sizes = self.heap.iter().map(|Reverse((_, member))| bytes_of(member));
        assert_eq!(self.bytes, sizes.sum::<usize>());
    }

    /// How many are set.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
