//! JoinGroup: new members, members that come back, and who is not let in.

use rustc_hash::FxHashSet;
use tracing::debug;

use crate::coordinator::message::{Answer, Join, Ticket};
use crate::model::ErrorCode;
use crate::model::limits::{GROUP_MEMBERS_MAX, GROUP_SUBSCRIPTION_BYTES_MAX};

use super::member::{Member, Terms, bytes_as_member};
use super::roster::millis;
use super::{Group, State, Turn};

/// How long a new member may wait for its first generation, in milliseconds. It cannot send
/// heartbeats, because it may not know its id, and one that has given up is not noticed otherwise.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

impl Group {
    /// Takes a JoinGroup.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, ticket: Ticket, mut join: Join) {
        let settings = turn.settings;
        let sessions = settings.session_timeout_ms_min..=settings.session_timeout_ms_max;
        if !sessions.contains(&join.session_timeout_ms) {
            turn.refuse_join(ticket, &join.member_id, ErrorCode::InvalidSessionTimeout);
            return;
        }
        keep_first_of_each_name(&mut join.protocols);
        if !self.has_room_for(turn, &join) {
            self.refuse_for_size(turn, ticket, &join.member_id);
        } else if let Err(code) = self.check_protocols(&join) {
            turn.refuse_join(ticket, &join.member_id, code);
        } else if join.member_id.is_empty() {
            self.join_new(turn, ticket, join);
        } else if self.roster.is_pending(&join.member_id) {
            self.join_pending(turn, ticket, join);
        } else {
            self.join_again(turn, ticket, join);
        }
    }

    /// The group has no room for whoever asks, and lets go of them if they are in it.
    fn refuse_for_size(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: &str) {
        turn.refuse_join(ticket, "", ErrorCode::GroupMaxSizeReached);
        if self.roster.forget(id) {
            self.complete_join_without_pending(turn);
        } else if self.roster.get(id).is_some() {
            self.remove_member(turn, id);
            self.rebalance(turn, "a member has no room in the group");
        }
    }

    /// Whether the group is alive and this client's protocols go with those of its members.
    fn check_protocols(&self, join: &Join) -> Result<(), ErrorCode> {
        let matching = match self.state {
            State::Dead => return Err(ErrorCode::CoordinatorNotAvailable),
            State::Empty => !join.protocol_type.is_empty() && !join.protocols.is_empty(),
            _ => {
                self.protocol_type.as_deref() == Some(&join.protocol_type)
                    && self.roster.all_support(&join.protocols)
            }
        };
        if matching { Ok(()) } else { Err(ErrorCode::InconsistentGroupProtocol) }
    }

    /// Whether the group may have this member, by `group.max.size` and by what it takes.
    ///
    /// While a rebalance is prepared those count who have joined: a group that was larger before
    /// loses its last members.
    fn has_room_for(&self, turn: &Turn<'_>, join: &Join) -> bool {
        let members_max = self.members_max(turn);
        let member = self.roster.get(&join.member_id);
        let room = match self.state {
            State::Dead => return true,
            State::Empty => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some())
                    || self.roster.joining() < members_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.roster.len() < members_max
            }
        };
        let bytes_before = self.roster.get_for(join).map_or(0, Member::bytes);
        let bytes = self.roster.bytes() - bytes_before + bytes_as_member(join);
        room && bytes <= GROUP_SUBSCRIPTION_BYTES_MAX
    }

    /// A client without a member id.
    fn join_new(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: Join) {
        let id = join.fresh_member_id.clone();
        let taken = self.roster.get(&id).is_some() || self.roster.is_pending(&id);
        if taken || id.is_empty() {
            turn.refuse_join(ticket, "", ErrorCode::UnknownServerError);
            return;
        }
        let replaced =
            join.instance_id.as_deref().and_then(|instance_id| self.roster.static_id(instance_id));
        if let Some(replaced) = replaced.cloned() {
            self.replace_static(turn, ticket, join, &replaced);
        } else if join.instance_id.is_none() && join.requires_known_member_id {
            self.give_id(turn, ticket, &join);
        } else {
            self.add_member(turn, ticket, &id, join);
        }
    }

    /// A new member is told its id, and is to come back with it (KIP-394).
    fn give_id(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &Join) {
        if self.roster.pending_len() >= GROUP_MEMBERS_MAX {
            turn.refuse_join(ticket, "", ErrorCode::GroupMaxSizeReached);
            return;
        }
        let until = turn.now + millis(join.session_timeout_ms);
        self.roster.expect(&join.fresh_member_id, until);
        turn.refuse_join(ticket, &join.fresh_member_id, ErrorCode::MemberIdRequired);
    }

    /// A new member comes back with the id that it was given.
    fn join_pending(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: Join) {
        if join.instance_id.is_some() {
            // Ids are only given out so to members without an instance id.
            turn.refuse_join(ticket, &join.member_id, ErrorCode::UnknownServerError);
            return;
        }
        let id = join.member_id.clone();
        self.add_member(turn, ticket, &id, join);
    }

    /// Adds a member and rebalances.
    fn add_member(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: &str, join: Join) {
        debug!(
            group = self.id,
            member = id,
            instance = join.instance_id.as_deref(),
            reason = join.reason.as_deref().unwrap_or("not specified"),
            "a new member joins"
        );
        if self.roster.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if self.state == State::PreparingRebalance && self.initial {
            self.newcomers = true;
        }
        let member = Member::new(id, join, turn.now);
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.roster.add(member);
        self.roster.park_join(id, ticket);
        self.roster.expect_until(id, turn.now + millis(NEW_MEMBER_JOIN_TIMEOUT_MS));
        self.rebalance(turn, "a new member joins");
    }

    /// A client that says that it is a member.
    fn join_again(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: Join) {
        let id = join.member_id.as_str();
        if let Err(code) = self.roster.check(id, join.instance_id.as_deref()) {
            turn.refuse_join(ticket, id, code);
            return;
        }
        let leads = self.is_leader(id);
        let unchanged =
            self.roster.get(id).is_some_and(|member| member.terms.protocols == join.protocols);
        let reason = match self.state {
            State::PreparingRebalance => "a member joins again",
            // It may have missed the answer to its last JoinGroup.
            State::CompletingRebalance if unchanged => {
                turn.reply(ticket, Answer::Join(self.joined(id, leads)));
                return;
            }
            // It may have missed that its JoinGroup was for nothing.
            State::Stable if unchanged && !leads => {
                turn.reply(ticket, Answer::Join(self.joined(id, false)));
                return;
            }
            // The leader knows of changes that its subscription does not show.
            State::Stable if leads => "the leader joins again",
            State::CompletingRebalance | State::Stable => "a member has other protocols",
            State::Empty | State::Dead => {
                turn.refuse_join(ticket, id, ErrorCode::UnknownMemberId);
                return;
            }
        };
        debug!(
            group = self.id,
            member = id,
            reason = join.reason.as_deref().unwrap_or("not specified"),
            "{reason}"
        );
        let id = join.member_id.clone();
        self.update_member(turn, ticket, &id, join);
        self.rebalance(turn, reason);
    }

    /// Takes what a member says of itself, and parks its JoinGroup.
    fn update_member(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: &str, join: Join) {
        let terms = Terms {
            protocols: join.protocols,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
        };
        self.roster.update(id, terms);
        if let Some(superseded) = self.roster.park_join(id, ticket) {
            turn.refuse_join(superseded, id, ErrorCode::RebalanceInProgress);
        }
    }
}

/// A name that stands twice would count twice.
fn keep_first_of_each_name(protocols: &mut Vec<(String, Vec<u8>)>) {
    let mut seen = FxHashSet::default();
    protocols.retain(|(name, _)| seen.insert(name.clone()));
}
