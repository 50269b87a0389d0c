//! What a partition of the coordinator holds, for the operator.

use super::GroupPartition;
use crate::coordinator::group::State;

/// How many groups there are, by state, and what they take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// By `State as usize`; a group that only keeps offsets is an empty one.
    pub groups: [u64; State::ALL.len()],
    /// Memory of groups and offsets in bytes, about.
    pub bytes: usize,
}

impl GroupFigures {
    /// Adds another partition's.
    pub fn add(&mut self, other: &GroupFigures) {
        for (sum, count) in self.groups.iter_mut().zip(other.groups) {
            *sum += count;
        }
        self.bytes += other.bytes;
    }
}

impl GroupPartition {
    /// Counts the groups that anybody knows of.
    pub fn figures(&self) -> GroupFigures {
        let mut figures = GroupFigures { bytes: self.bytes, ..GroupFigures::default() };
        for held in self.groups.values().filter(|held| held.visible) {
            let state = held.membership.as_ref().map_or(State::Empty, |group| group.state());
            figures.groups[state as usize] += 1;
        }
        figures
    }
}
