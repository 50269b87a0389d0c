//! One member of a group: what it has told, what it was given, and what it waits for.

use std::rc::Rc;

use crate::coordinator::message::{DescribedMember, Join, JoinedMember, Ticket};
use crate::runtime::Monotonic;

use super::metadata::MemberMetadata;

/// A member's id, shared between the roster's indexes and its alarms.
pub(super) type MemberId = Rc<str>;

/// A member's request whose answer is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parked {
    /// Its answer is awaited.
    For(Ticket),
    /// The request counts as made, but nobody waits for its answer any more.
    Gone,
}

/// What a member may say anew each time it joins.
#[derive(Debug)]
pub(super) struct Terms {
    /// The protocols that it supports, the best first, each with its subscription.
    pub(super) protocols: Vec<(String, Vec<u8>)>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
}

/// A member (Kafka's `ClassicGroupMember`).
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) instance_id: Option<Rc<str>>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) terms: Terms,
    pub(super) assignment: Vec<u8>,
    /// Its JoinGroup, from its arrival to the beginning of the next generation.
    pub(super) joining: Option<Parked>,
    /// Its SyncGroup, from its arrival to the leader's assignment.
    pub(super) syncing: Option<Parked>,
    /// Whether it still has to ask for the assignment of this generation.
    pub(super) owes_sync: bool,
    /// Whether it has never been told a generation, so that it may not know its own id.
    pub(super) is_new: bool,
    /// When its session ends, unless it is heard of before.
    pub(super) session_end: Monotonic,
    /// The one alarm that counts of those that are set for it, never later than `session_end`.
    pub(super) alarm: Option<Monotonic>,
}

impl Member {
    /// A new member, with the id that it was given.
    pub(super) fn new(id: &str, join: Join, now: Monotonic) -> Member {
        Member {
            id: Rc::from(id),
            instance_id: join.instance_id.map(Rc::from),
            client_id: join.client_id,
            client_host: join.client_host,
            terms: Terms {
                protocols: join.protocols,
                rebalance_timeout_ms: join.rebalance_timeout_ms,
                session_timeout_ms: join.session_timeout_ms,
            },
            assignment: Vec::new(),
            joining: None,
            syncing: None,
            owes_sync: false,
            is_new: true,
            session_end: now,
            alarm: None,
        }
    }

    /// A member of a durable generation of this protocol.
    pub(super) fn restore(metadata: MemberMetadata, protocol: &str, now: Monotonic) -> Member {
        let rebalance_timeout_ms = match metadata.rebalance_timeout_ms {
            -1 => metadata.session_timeout_ms,
            timeout_ms => timeout_ms,
        };
        Member {
            id: Rc::from(metadata.member_id),
            instance_id: metadata.instance_id.map(Rc::from),
            client_id: metadata.client_id,
            client_host: metadata.client_host,
            terms: Terms {
                protocols: vec![(protocol.to_owned(), metadata.subscription)],
                rebalance_timeout_ms,
                session_timeout_ms: metadata.session_timeout_ms,
            },
            assignment: metadata.assignment,
            joining: None,
            syncing: None,
            owes_sync: false,
            is_new: false,
            session_end: now,
            alarm: None,
        }
    }

    /// Whether the member shows by a waiting request that it lives. A new member does not: it may
    /// have gone unnoticed, and come back under another id.
    pub(super) fn waits(&self) -> bool {
        let waiting = |parked| matches!(parked, Some(Parked::For(_)));
        !self.is_new && (waiting(self.joining) || waiting(self.syncing))
    }

    /// Its subscription under a protocol, empty if it does not support that.
    pub(super) fn subscription(&self, protocol: &str) -> &[u8] {
        self.terms
            .protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map_or(&[], |(_, subscription)| subscription)
    }

    /// What it takes of [`GROUP_SUBSCRIPTION_BYTES_MAX`](crate::model::limits::GROUP_SUBSCRIPTION_BYTES_MAX).
    pub(super) fn bytes(&self) -> usize {
        let instance_bytes = self.instance_id.as_ref().map_or(0, |instance| instance.len());
        let names = self.id.len() + instance_bytes + self.client_id.len() + self.client_host.len();
        MEMBER_BYTES + names + protocol_bytes(&self.terms.protocols)
    }

    /// The member as the leader sees it.
    pub(super) fn joined(&self, protocol: &str) -> JoinedMember {
        JoinedMember {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.as_deref().map(str::to_owned),
            metadata: self.subscription(protocol).to_vec(),
        }
    }

    /// The member as an administrator sees it, with its subscription under this protocol.
    pub(super) fn described(&self, protocol: Option<&str>) -> DescribedMember {
        DescribedMember {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.as_deref().map(str::to_owned),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            metadata: protocol.map_or_else(Vec::new, |name| self.subscription(name).to_vec()),
            assignment: self.assignment.clone(),
        }
    }

    /// What becomes durable of the member, with the assignment that it is to have.
    pub(super) fn metadata(&self, protocol: &str, assignment: Vec<u8>) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.as_deref().map(str::to_owned),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.terms.rebalance_timeout_ms,
            session_timeout_ms: self.terms.session_timeout_ms,
            subscription: self.subscription(protocol).to_vec(),
            assignment,
        }
    }
}

/// What whoever joins will take as a member, in bytes, whatever id it is to have.
pub fn bytes_as_member(join: &Join) -> usize {
    let instance_bytes = join.instance_id.as_ref().map_or(0, String::len);
    let id_bytes = join.fresh_member_id.len().max(join.member_id.len());
    let names = id_bytes + instance_bytes + join.client_id.len() + join.client_host.len();
    MEMBER_BYTES + names + protocol_bytes(&join.protocols)
}

/// What a member takes beside its words, in bytes: its fields, its places in the indexes, its alarm.
const MEMBER_BYTES: usize = 512;

/// What a list of protocols takes, in bytes.
pub(super) fn protocol_bytes(protocols: &[(String, Vec<u8>)]) -> usize {
    const ENTRY_BYTES: usize = 64;
    let sizes = protocols.iter().map(|(name, bytes)| ENTRY_BYTES + name.len() + bytes.len());
    sizes.sum()
}
