//! Who is in a group, with the counts that spare a walk over everybody.
//!
//! Invariants: `supporters`, `joining`, `owing_sync` and the sums of bytes follow `members`; a ticket
//! is in `parked` exactly while its member holds it back; a pending id is not a member's.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::coordinator::message::{Join, Ticket};
use crate::model::ErrorCode;
use crate::runtime::Monotonic;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};

use super::alarms::Alarms;
use super::member::{Member, MemberId, Parked, Terms, protocol_bytes};

/// The members of a group, and the ids that were given to members still to come.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<MemberId, Member>,
    /// The members that have a `group.instance.id`, by it.
    statics: FxHashMap<Rc<str>, MemberId>,
    /// Ids given to new members that have not come back with them (KIP-394), and until when they may.
    pending: BTreeMap<MemberId, Monotonic>,
    /// How many members support each protocol.
    supporters: FxHashMap<String, usize>,
    /// The members with a parked JoinGroup.
    joining: usize,
    /// The members that still have to ask for their assignment.
    owing_sync: usize,
    /// What the members take, in bytes.
    bytes: usize,
    /// What their assignments take, in bytes.
    assignment_bytes: usize,
    /// What the ids given to members still to come take, in bytes.
    pending_bytes: usize,
    /// Whose the parked requests are.
    parked: FxHashMap<Ticket, MemberId>,
    alarms: Alarms,
}

/// Somebody whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// A member's session.
    Member(MemberId),
    /// An id that nobody came back with.
    Pending(MemberId),
}

impl Roster {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The members with a parked JoinGroup.
    pub(super) fn joining(&self) -> usize {
        self.joining
    }

    /// What the members' ids and subscriptions take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything that is held, in bytes: members, assignments, ids given out, and alarms.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.assignment_bytes + self.pending_bytes + self.alarms.bytes()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// The members in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The ids of the members that `chosen` takes.
    pub(super) fn ids(&self, chosen: impl Fn(&Member) -> bool) -> Vec<MemberId> {
        self.members
            .values()
            .filter(|member| chosen(member))
            .map(|member| member.id.clone())
            .collect()
    }

    /// The id of the static member with this instance id.
    pub(super) fn static_id(&self, instance_id: &str) -> Option<&MemberId> {
        self.statics.get(instance_id)
    }

    /// The member that joins again: the one of this id, or the static one whose place it takes.
    pub(super) fn get_for(&self, join: &Join) -> Option<&Member> {
        let instance_id = join.instance_id.as_deref();
        let replaced = || self.get(self.static_id(instance_id?)?);
        self.get(&join.member_id).or_else(replaced)
    }

    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending.contains_key(id)
    }

    /// Whether everyone has joined and nobody is expected.
    pub(super) fn all_joined(&self) -> bool {
        self.joining == self.members.len() && self.pending.is_empty()
    }

    pub(super) fn all_synced(&self) -> bool {
        self.owing_sync == 0
    }

    /// The longest that a rebalance waits for any of the members.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        let longest_ms =
            self.members.values().map(|member| member.terms.rebalance_timeout_ms).max();
        millis(longest_ms.unwrap_or(0))
    }

    /// Whether a member with this instance id and member id is known and not fenced.
    pub(super) fn check(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                #[cfg(test)]
                Some(_) if is_planted(Planted::KeepReplaced) => return Ok(()),
                Some(current) if current.as_ref() != id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether all members support one of these protocols.
    pub(super) fn all_support(&self, protocols: &[(String, Vec<u8>)]) -> bool {
        protocols
            .iter()
            .any(|(name, _)| self.supporters.get(name).copied().unwrap_or(0) == self.members.len())
    }

    /// The protocol that all members support and most prefer; of equals the first by name.
    pub(super) fn vote(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let candidate = member
                .terms
                .protocols
                .iter()
                .find(|(name, _)| self.supporters.get(name) == Some(&self.members.len()));
            if let Some((name, _)) = candidate {
                *votes.entry(name).or_default() += 1;
            }
        }
        let best = votes.iter().rev().max_by_key(|(_, count)| **count);
        best.map(|(name, _)| (*name).to_owned())
    }

    /// Adds a member, whose id and instance id are not in use.
    pub(super) fn add(&mut self, member: Member) {
        debug_assert!(!self.members.contains_key(&member.id), "a member's id is its own");
        self.take_pending(&member.id);
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(instance_id.clone(), member.id.clone());
        }
        for (name, _) in &member.terms.protocols {
            *self.supporters.entry(name.clone()).or_default() += 1;
        }
        self.joining += usize::from(member.joining.is_some());
        self.owing_sync += usize::from(member.owes_sync);
        self.bytes += member.bytes();
        self.assignment_bytes += member.assignment.len();
        for parked in [member.joining, member.syncing].into_iter().flatten() {
            if let Parked::For(ticket) = parked {
                self.parked.insert(ticket, member.id.clone());
            }
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; its parked requests are the caller's to answer.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance_id) = &member.instance_id {
            self.statics.remove(instance_id);
        }
        self.withdraw(&member.terms.protocols);
        self.joining -= usize::from(member.joining.is_some());
        self.owing_sync -= usize::from(member.owes_sync);
        self.bytes -= member.bytes();
        self.assignment_bytes -= member.assignment.len();
        for parked in [member.joining, member.syncing].into_iter().flatten() {
            if let Parked::For(ticket) = parked {
                self.parked.remove(&ticket);
            }
        }
        self.rest_if_alone();
        Some(member)
    }

    /// Without members and expectations there is nothing to wake up for.
    fn rest_if_alone(&mut self) {
        if self.members.is_empty() && self.pending.is_empty() {
            self.alarms.clear();
        } else {
            self.tidy();
        }
    }

    fn withdraw(&mut self, protocols: &[(String, Vec<u8>)]) {
        for (name, _) in protocols {
            if let Some(count) = self.supporters.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.supporters.remove(name);
                }
            }
        }
    }

    /// Expects a member to come back with this id.
    pub(super) fn expect(&mut self, id: &str, until: Monotonic) {
        let id = MemberId::from(id);
        self.alarms.set(until, id.clone());
        self.pending_bytes += pending_bytes(&id);
        if self.pending.insert(id.clone(), until).is_some() {
            self.pending_bytes -= pending_bytes(&id);
        }
        self.tidy();
    }

    fn take_pending(&mut self, id: &str) -> bool {
        let taken = self.pending.remove(id).is_some();
        self.pending_bytes -= if taken { pending_bytes(id) } else { 0 };
        taken
    }

    /// No longer expects a member with this id; false if none was expected.
    pub(super) fn forget(&mut self, id: &str) -> bool {
        let forgotten = self.take_pending(id);
        self.rest_if_alone();
        forgotten
    }

    /// Gives a member other protocols and timeouts; those that it had are returned.
    pub(super) fn update(&mut self, id: &str, terms: Terms) -> Option<Terms> {
        let member = self.members.get_mut(id)?;
        self.bytes += protocol_bytes(&terms.protocols);
        self.bytes -= protocol_bytes(&member.terms.protocols);
        for (name, _) in &terms.protocols {
            *self.supporters.entry(name.clone()).or_default() += 1;
        }
        let before = std::mem::replace(&mut member.terms, terms);
        self.withdraw(&before.protocols);
        Some(before)
    }

    /// Gives a member an assignment.
    pub(super) fn assign(&mut self, id: &str, assignment: Vec<u8>) {
        if let Some(member) = self.members.get_mut(id) {
            self.assignment_bytes += assignment.len();
            self.assignment_bytes -= member.assignment.len();
            member.assignment = assignment;
        }
    }

    /// Takes everybody's assignment away.
    pub(super) fn unassign(&mut self) {
        for member in self.members.values_mut() {
            member.assignment = Vec::new();
        }
        self.assignment_bytes = 0;
    }

    /// Parks a member's JoinGroup; the one that was parked before is returned.
    pub(super) fn park_join(&mut self, id: &str, ticket: Ticket) -> Option<Ticket> {
        let member = self.members.get_mut(id)?;
        let before = member.joining.replace(Parked::For(ticket));
        self.joining += usize::from(before.is_none());
        self.parked.insert(ticket, member.id.clone());
        self.unpark(before)
    }

    /// Parks a member's SyncGroup; the one that was parked before is returned.
    pub(super) fn park_sync(&mut self, id: &str, ticket: Ticket) -> Option<Ticket> {
        let member = self.members.get_mut(id)?;
        let before = member.syncing.replace(Parked::For(ticket));
        self.parked.insert(ticket, member.id.clone());
        self.unpark(before)
    }

    /// Takes a member's JoinGroup back, to answer it.
    pub(super) fn take_join(&mut self, id: &str) -> Option<Ticket> {
        let parked = self.members.get_mut(id)?.joining.take();
        self.joining -= usize::from(parked.is_some());
        self.unpark(parked)
    }

    /// Takes a member's SyncGroup back, to answer it.
    pub(super) fn take_sync(&mut self, id: &str) -> Option<Ticket> {
        let parked = self.members.get_mut(id)?.syncing.take();
        self.unpark(parked)
    }

    fn unpark(&mut self, parked: Option<Parked>) -> Option<Ticket> {
        match parked {
            Some(Parked::For(ticket)) => {
                self.parked.remove(&ticket);
                Some(ticket)
            }
            Some(Parked::Gone) | None => None,
        }
    }

    /// Nobody waits for this request any more. It still counts as made, but the session of its
    /// member goes on from now.
    pub(super) fn abandon(&mut self, now: Monotonic, ticket: Ticket) {
        let Some(id) = self.parked.remove(&ticket) else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        for parked in [&mut member.joining, &mut member.syncing].into_iter().flatten() {
            if *parked == Parked::For(ticket) {
                *parked = Parked::Gone;
            }
        }
        self.hear(now, &id);
    }

    /// A new generation: this member knows it now, and has to ask for its assignment.
    pub(super) fn begin_generation(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            self.owing_sync += usize::from(!member.owes_sync);
            member.owes_sync = true;
            member.is_new = false;
        }
    }

    /// The member has asked for its assignment.
    pub(super) fn has_synced(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            self.owing_sync -= usize::from(member.owes_sync);
            member.owes_sync = false;
        }
    }

    /// Nobody has to ask for an assignment any more.
    pub(super) fn forgive_syncs(&mut self) {
        for member in self.members.values_mut() {
            member.owes_sync = false;
        }
        self.owing_sync = 0;
    }

    /// A member was heard of: its session begins anew.
    pub(super) fn hear(&mut self, now: Monotonic, id: &str) {
        if let Some(member) = self.members.get(id) {
            let session_end = now + millis(member.terms.session_timeout_ms);
            self.expect_until(id, session_end);
        }
    }

    /// A member's session ends then, unless it is heard of before.
    pub(super) fn expect_until(&mut self, id: &str, session_end: Monotonic) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.session_end = session_end;
        if member.alarm.is_none_or(|alarm| session_end < alarm) {
            member.alarm = Some(session_end);
            self.alarms.set(session_end, member.id.clone());
            self.tidy();
        }
    }

    /// When to look for somebody whose time is over; it may be early.
    pub(super) fn next_alarm(&self) -> Option<Monotonic> {
        self.alarms.next()
    }

    /// Somebody whose time is over; the caller takes them out.
    pub(super) fn take_expired(&mut self, now: Monotonic) -> Option<Expired> {
        while let Some((at, id)) = self.alarms.take(now) {
            if let Some(&until) = self.pending.get(&id) {
                if until <= now {
                    return Some(Expired::Pending(id));
                }
                continue;
            }
            let Some(member) = self.members.get_mut(&id) else { continue };
            if member.alarm != Some(at) {
                continue;
            }
            // Whoever waits for an answer gets a new session with it.
            member.alarm = None;
            if member.waits() {
                continue;
            }
            if member.session_end <= now {
                return Some(Expired::Member(id));
            }
            member.alarm = Some(member.session_end);
            self.alarms.set(member.session_end, id);
        }
        None
    }

    fn tidy(&mut self) {
        let (members, pending) = (&self.members, &self.pending);
        self.alarms.tidy(members.len() + pending.len(), |at, id| {
            pending.get(id) == Some(&at)
                || members.get(id).is_some_and(|member| member.alarm == Some(at))
        });
    }

    /// How many alarms are set, and how many requests are parked.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.alarms.len(), self.parked.len())
    }

    /// Recounts what is counted.
    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        let count = |chosen: fn(&Member) -> bool| self.iter().filter(|m| chosen(m)).count();
        assert_eq!(self.joining, count(|member| member.joining.is_some()));
        assert_eq!(self.owing_sync, count(|member| member.owes_sync));
        assert_eq!(self.bytes, self.iter().map(Member::bytes).sum::<usize>());
        let pending = self.pending.keys().map(|id| pending_bytes(id));
        assert_eq!(self.pending_bytes, pending.sum::<usize>());
        self.alarms.assert_consistent();
        let assigned = self.iter().map(|member| member.assignment.len());
        assert_eq!(self.assignment_bytes, assigned.sum::<usize>());
        assert_eq!(self.statics.len(), count(|member| member.instance_id.is_some()));
        let mut tickets = 0;
        for member in self.iter() {
            assert!(!self.is_pending(&member.id), "{} is pending", member.id);
            for parked in [member.joining, member.syncing].into_iter().flatten() {
                if let Parked::For(ticket) = parked {
                    assert_eq!(self.parked.get(&ticket), Some(&member.id));
                    tickets += 1;
                }
            }
            for (name, _) in &member.terms.protocols {
                let supporters = self
                    .iter()
                    .filter(|m| m.terms.protocols.iter().any(|(other, _)| other == name));
                assert_eq!(self.supporters.get(name), Some(&supporters.count()));
            }
            assert!(member.waits() || member.alarm.is_some(), "{} never expires", member.id);
            assert!(member.alarm.is_none_or(|alarm| alarm <= member.session_end));
            assert!(member.alarm.is_none() || self.next_alarm() <= member.alarm);
        }
        for until in self.pending.values() {
            assert!(self.next_alarm().is_some_and(|alarm| alarm <= *until));
        }
        assert_eq!(self.parked.len(), tickets);
    }
}

/// What an id takes that was given to a member still to come, in bytes: its place in the index, and
/// itself.
fn pending_bytes(id: &str) -> usize {
    const PENDING_BYTES: usize = 80;
    PENDING_BYTES + id.len()
}

/// A client's milliseconds; negative ones are none.
pub(super) fn millis(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
