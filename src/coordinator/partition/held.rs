//! What a partition holds of one group.

use crate::coordinator::group::{Group, State};
use crate::coordinator::offsets::{Expiry, GroupOffsets};
use crate::model::ErrorCode;
use crate::runtime::Monotonic;

/// What a group takes besides what it holds: its slots in the map and the heap, its id twice.
const GROUP_BYTES: usize = 320;

/// One group: its members' state machine, its offsets, and what is on its way to the log.
#[derive(Default)]
pub(super) struct Held {
    /// The classic group; none for a group that only keeps offsets.
    pub(super) membership: Option<Box<Group>>,
    /// The value of the generation that the log holds last, as it stands there.
    pub(super) generation: Option<Box<[u8]>>,
    pub(super) offsets: GroupOffsets,
    /// Whether anybody has been told of the group: it has, or had, something durable or a member.
    pub(super) visible: bool,
    /// Changes of this group that are being written.
    pub(super) changes_in_flight: u32,
    /// Those of them that delete it.
    pub(super) deletions_in_flight: u32,
    /// The number of the state machine in `membership`: reports of writes find the one that asked.
    pub(super) incarnation: u32,
    /// The earliest time at which the partition's timers name this group.
    pub(super) scheduled: Option<Monotonic>,
}

impl Held {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self, id: &str) -> usize {
        let members = self.membership.as_ref().map_or(0, |group| group.held_bytes());
        let generation = self.generation.as_ref().map_or(0, |value| value.len());
        GROUP_BYTES + 2 * id.len() + members + generation + self.offsets.bytes()
    }

    /// Whether requests that change the group find it.
    pub(super) fn exists(&self) -> bool {
        self.membership.is_some() || self.deletions_in_flight == 0
    }

    /// Whether dropping it loses nothing.
    pub(super) fn is_hollow(&self) -> bool {
        self.generation.is_none()
            && self.offsets.is_empty()
            && self.changes_in_flight == 0
            && self.is_unattended()
    }

    /// Whether nobody is a member of the group, or about to become one.
    pub(super) fn is_unattended(&self) -> bool {
        self.membership.as_ref().is_none_or(|group| group.is_empty() && group.deadline().is_none())
    }

    /// From when on the retention of the group's offsets counts.
    pub(super) fn expiry(&self) -> Expiry {
        let Some(group) = &self.membership else { return Expiry::SinceCommit };
        if group.protocol_type().is_none() {
            return Expiry::SinceCommit;
        }
        match group.state() {
            State::Empty if group.state_since_ms() == -1 => Expiry::SinceCommit,
            State::Empty => Expiry::SinceEmpty(group.state_since_ms()),
            State::Stable if group.knows_its_topics() => Expiry::SinceCommit,
            _ => Expiry::Never,
        }
    }

    /// Whether members of the group read the topic.
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.membership.as_ref().is_some_and(|group| group.subscribes_to(topic))
    }

    /// Whether the group may be deleted now.
    pub(super) fn can_be_deleted(&self) -> Result<(), ErrorCode> {
        self.membership.as_ref().map_or(Ok(()), |group| group.can_be_deleted())
    }

    /// Whether offsets of topics that it does not read may be deleted now.
    pub(super) fn can_lose_offsets(&self) -> Result<(), ErrorCode> {
        self.membership.as_ref().map_or(Ok(()), |group| group.can_lose_offsets())
    }
}
