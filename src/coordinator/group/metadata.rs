//! What is durable of a group: its last generation, with the members' subscriptions and assignments.

use crate::runtime::Monotonic;

use super::member::Member;
use super::{Group, State};

/// A group's generation as its partition remembers it (Kafka's `GroupMetadataValue`, as plain data).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group's id.
    pub group: String,
    /// `consumer`, `connect`, …; empty for a group that only keeps offsets.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The protocol that the generation has chosen, none for an empty one.
    pub protocol: Option<String>,
    /// The member that assigned, none for an empty generation.
    pub leader: Option<String>,
    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    pub state_since_ms: i64,
    /// The members, in the order of their ids.
    pub members: Vec<MemberMetadata>,
}

/// A member of a durable generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// The client's address, with Kafka's leading slash.
    pub client_host: String,
    /// How long a rebalance waits for it, in milliseconds; -1 stands for the session timeout.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// Its subscription under the chosen protocol.
    pub subscription: Vec<u8>,
    /// Its assignment.
    pub assignment: Vec<u8>,
}

impl Group {
    /// The group as it was written last; the sessions of its members begin now.
    pub fn restore(metadata: GroupMetadata, now: Monotonic) -> Group {
        let mut group = Group::new(&metadata.group);
        group.state = if metadata.members.is_empty() { State::Empty } else { State::Stable };
        group.state_since_ms = metadata.state_since_ms;
        group.generation = metadata.generation;
        group.protocol_type = Some(metadata.protocol_type).filter(|name| !name.is_empty());
        let protocol = metadata.protocol.clone().unwrap_or_default();
        for member in metadata.members {
            let member = Member::restore(member, &protocol, now);
            let id = member.id.clone();
            let fenced = member
                .instance_id
                .as_deref()
                .is_some_and(|instance_id| group.roster.static_id(instance_id).is_some());
            // A group that names a member twice was not written by a coordinator.
            if fenced || group.roster.get(&id).is_some() {
                continue;
            }
            group.roster.add(member);
            group.roster.hear(now, &id);
        }
        let leader = metadata.leader.as_deref().and_then(|id| group.roster.get(id));
        let leader = leader.or_else(|| group.roster.iter().next());
        group.leader = leader.map(|member| member.id.clone());
        group.protocol = metadata.protocol;
        group.read_topics();
        group.size_unchecked = (!group.roster.is_empty()).then_some(now);
        group
    }

    /// What is to be written, with the assignment that each member is to have.
    pub(super) fn metadata(&self, assignment: impl Fn(&Member) -> Vec<u8>) -> GroupMetadata {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        GroupMetadata {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().map(str::to_owned),
            state_since_ms: self.state_since_ms,
            members: self
                .roster
                .iter()
                .map(|member| member.metadata(protocol, assignment(member)))
                .collect(),
        }
    }
}
