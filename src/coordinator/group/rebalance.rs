//! From one generation to the next: prepare it, and begin it when everyone has joined.

use std::collections::BTreeSet;

use tracing::{debug, info};

use crate::coordinator::message::{Answer, Joined};
use crate::model::ErrorCode;
use crate::model::limits::GROUP_MEMBERS_MAX;

use super::topics::add_topics;
use super::{Group, PersistId, State, Turn};

impl Group {
    /// A rebalance, or a step towards the end of the one that is prepared. A write that this leads to
    /// is returned.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>, reason: &str) -> Option<PersistId> {
        match self.state {
            State::PreparingRebalance => self.complete_join_if_all_joined(turn),
            State::Dead => None,
            State::Empty | State::CompletingRebalance | State::Stable => {
                self.prepare_rebalance(turn, reason)
            }
        }
    }

    /// Asks all members to join again, and waits for them.
    pub(super) fn prepare_rebalance(
        &mut self,
        turn: &mut Turn<'_>,
        reason: &str,
    ) -> Option<PersistId> {
        if self.state == State::CompletingRebalance {
            self.take_assignments_back(turn, ErrorCode::RebalanceInProgress);
        }
        self.storing = None;
        self.roster.forgive_syncs();
        self.sync_end = None;
        self.initial = self.state == State::Empty;
        self.turn_to(turn, State::PreparingRebalance);
        debug!(group = self.id, generation = self.generation, reason, "rebalancing");
        if self.initial {
            self.start_initial_delay(turn);
            None
        } else if self.roster.all_joined() {
            self.complete_join(turn)
        } else {
            self.start_join_timer(turn);
            None
        }
    }

    /// Begins the generation if nobody is missing. The first one of an empty group begins by its
    /// timer alone: others may be about to come.
    pub(super) fn complete_join_if_all_joined(&mut self, turn: &mut Turn<'_>) -> Option<PersistId> {
        let complete =
            self.state == State::PreparingRebalance && !self.initial && self.roster.all_joined();
        if complete { self.complete_join(turn) } else { None }
    }

    /// Begins the next generation with those who have joined; static members stay although they have
    /// not.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) -> Option<PersistId> {
        self.join_timer = None;
        let absent =
            self.roster.ids(|member| member.joining.is_none() && member.instance_id.is_none());
        if !absent.is_empty() {
            debug!(group = self.id, members = ?absent, "members did not join again in time");
        }
        for id in absent {
            self.remove_member(turn, &id);
        }
        if !self.roster.is_empty() && !self.elect_leader() {
            debug!(group = self.id, "no member has joined: waiting for sessions to end");
            self.restart_join_timer(turn);
            return None;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol = self.roster.vote();
        self.read_topics();
        self.roster.forgive_syncs();
        if self.roster.is_empty() {
            self.leader = None;
            self.turn_to(turn, State::Empty);
            info!(group = self.id, generation = self.generation, "the group is empty");
            let metadata = self.metadata(|_| Vec::new());
            return Some(self.persist(turn, metadata));
        }
        self.turn_to(turn, State::CompletingRebalance);
        self.announce_generation(turn);
        self.sync_end = Some(turn.now + self.roster.rebalance_timeout());
        None
    }

    /// Whether there is a leader that has joined; one that has not is replaced.
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &str| self.roster.get(id).is_some_and(|leader| leader.joining.is_some());
        if self.leader.as_deref().is_some_and(joined) {
            return true;
        }
        match self.roster.iter().find(|member| member.joining.is_some()) {
            Some(member) => {
                debug!(group = self.id, leader = %member.id, "the leader did not join again");
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Tells everyone the new generation.
    fn announce_generation(&mut self, turn: &mut Turn<'_>) {
        info!(
            group = self.id,
            generation = self.generation,
            members = self.roster.len(),
            "a generation begins"
        );
        for id in self.roster.ids(|_| true) {
            if let Some(ticket) = self.roster.take_join(&id) {
                let joined = self.joined(&id, self.is_leader(&id));
                turn.reply(ticket, Answer::Join(joined));
            }
            self.roster.begin_generation(&id);
            self.roster.hear(turn.now, &id);
        }
    }

    /// What a member is told of the generation, with all members if it is to assign.
    pub(super) fn joined(&self, id: &str, with_members: bool) -> Joined {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = if with_members {
            self.roster.iter().map(|member| member.joined(protocol)).collect()
        } else {
            Vec::new()
        };
        Joined {
            code: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            member_id: id.to_owned(),
            members,
            skip_assignment: false,
        }
    }

    /// Learns from the members' subscriptions which topics the group reads.
    pub(super) fn read_topics(&mut self) {
        self.topics = None;
        if !self.is_of_consumers() {
            return;
        }
        let mut topics = BTreeSet::new();
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let readable =
            self.roster.iter().all(|member| add_topics(member.subscription(protocol), &mut topics));
        if readable {
            self.topics = Some(topics);
        } else {
            debug!(group = self.id, protocol, "the subscriptions of the group cannot be read");
        }
    }

    /// The members that the group may have.
    pub(super) fn members_max(&self, turn: &Turn<'_>) -> usize {
        usize::try_from(turn.settings.members_max).unwrap_or(0).min(GROUP_MEMBERS_MAX)
    }

    /// A restored group that is larger than it may now be is rebalanced, which the last to join
    /// again do not survive.
    pub(super) fn check_size(&mut self, turn: &mut Turn<'_>) {
        if self.size_unchecked.take().is_some() && self.roster.len() > self.members_max(turn) {
            self.rebalance(turn, "the group is larger than group.max.size");
        }
    }
}
