//! Static members that come back without their member id, and take their own place (KIP-345).

use tracing::debug;

use crate::coordinator::message::{Answer, Join, Ticket};
use crate::model::ErrorCode;

use super::member::{MemberId, Terms};
use super::{Group, PersistId, State, Turn};

/// A static member whose new id is being written, and what it was before.
#[derive(Debug)]
pub(super) struct Replacement {
    persist: PersistId,
    /// Its new id.
    id: MemberId,
    id_before: MemberId,
    terms_before: Terms,
    /// The leader before, which an old client must not find to be itself: it would assign again.
    leader_before: String,
    supports_skipping_assignment: bool,
}

impl Replacement {
    /// Whether this is about another member.
    pub(super) fn is_not_by(&self, id: &str) -> bool {
        self.id.as_ref() != id
    }
}

impl Group {
    /// A static member comes back as a new client: it gets a new id, and whoever has the old one is
    /// fenced. A stable group goes on without a rebalance if its protocol stays.
    pub(super) fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        join: Join,
        replaced: &str,
    ) {
        debug!(
            group = self.id,
            instance = join.instance_id.as_deref(),
            replaced,
            member = join.fresh_member_id,
            reason = join.reason.as_deref().unwrap_or("not specified"),
            "a static member comes back"
        );
        let leader_before = self.leader.as_deref().unwrap_or_default().to_owned();
        let id = MemberId::from(join.fresh_member_id);
        // A place that is taken twice before the first is written goes back to who had it first.
        let unwritten = self.replacing.iter().position(|one| one.id.as_ref() == replaced);
        let unwritten = unwritten.map(|index| self.replacing.swap_remove(index));
        self.change_id(turn, replaced, &id);
        let terms = Terms {
            protocols: join.protocols,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
        };
        let Some(terms_before) = self.roster.update(&id, terms) else { return };
        self.roster.park_join(&id, ticket);
        if self.state != State::Stable {
            self.rejoin_in_place(turn);
            return;
        }
        if self.roster.vote() != self.protocol {
            self.prepare_rebalance(turn, "a static member came back with other protocols");
            return;
        }
        let metadata = self.metadata(|member| member.assignment.clone());
        let persist = self.persist(turn, metadata);
        let (id_before, terms_before) = match unwritten {
            Some(unwritten) => (unwritten.id_before, unwritten.terms_before),
            None => (MemberId::from(replaced), terms_before),
        };
        self.replacing.push(Replacement {
            persist,
            id,
            id_before,
            terms_before,
            leader_before,
            supports_skipping_assignment: join.supports_skipping_assignment,
        });
    }

    /// In the middle of a rebalance: the leader may have been told the old id, and could not assign
    /// to the new one.
    fn rejoin_in_place(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::CompletingRebalance {
            self.prepare_rebalance(turn, "a static member came back");
        } else {
            self.complete_join_if_all_joined(turn);
        }
    }

    /// Gives a static member another id; requests under the old one are fenced.
    fn change_id(&mut self, turn: &mut Turn<'_>, from: &str, to: &MemberId) {
        if let Some(fenced) = self.roster.take_join(from) {
            turn.refuse_join(fenced, from, ErrorCode::FencedInstanceId);
        }
        if let Some(fenced) = self.roster.take_sync(from) {
            turn.refuse_sync(fenced, ErrorCode::FencedInstanceId);
        }
        let was_leader = self.is_leader(from);
        if let Some(mut member) = self.roster.remove(from) {
            member.id = to.clone();
            member.is_new = false;
            member.joining = None;
            member.syncing = None;
            member.alarm = None;
            self.roster.add(member);
            self.roster.hear(turn.now, to);
        }
        if was_leader {
            self.leader = Some(to.clone());
        }
    }

    /// The new id of a static member is durable, or was not written: then it has its old one again.
    pub(super) fn replacement_stored(
        &mut self,
        turn: &mut Turn<'_>,
        persist: PersistId,
        result: Result<(), ErrorCode>,
    ) {
        let Some(index) = self.replacing.iter().position(|one| one.persist == persist) else {
            return;
        };
        let replacement = self.replacing.swap_remove(index);
        let id = replacement.id;
        // If a rebalance has begun, the JoinGroup belongs to it.
        if self.state != State::Stable {
            return;
        }
        if let Err(code) = result {
            if let Some(ticket) = self.roster.take_join(&id) {
                turn.refuse_join(ticket, "", code);
            }
            let id_before = replacement.id_before;
            self.change_id(turn, &id, &id_before);
            self.roster.update(&id_before, replacement.terms_before);
            self.roster.hear(turn.now, &id_before);
            return;
        }
        let ticket = self.roster.take_join(&id);
        self.roster.hear(turn.now, &id);
        let Some(ticket) = ticket else { return };
        let leads = self.is_leader(&id);
        let mut joined = self.joined(&id, leads && replacement.supports_skipping_assignment);
        if replacement.supports_skipping_assignment {
            joined.skip_assignment = leads;
        } else {
            joined.leader = replacement.leader_before;
        }
        turn.reply(ticket, Answer::Join(joined));
    }
}
