//! SyncGroup: members ask for their assignments, the leader brings them, and they are written.

use std::collections::BTreeMap;

use tracing::{debug, info, warn};

use crate::coordinator::message::{Answer, Sync, Synced, Ticket};
use crate::model::ErrorCode;
use crate::model::limits::GROUP_ASSIGNMENT_BYTES_MAX;

use super::{Group, PersistId, State, Turn};

/// Assignments that are being written; nobody is told of them before that is done.
#[derive(Debug)]
pub(super) struct Storing {
    persist: PersistId,
    assignments: BTreeMap<String, Vec<u8>>,
}

impl Group {
    /// Takes a SyncGroup.
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, ticket: Ticket, sync: Sync) {
        if let Err(code) = self.check_sync(&sync) {
            turn.refuse_sync(ticket, code);
            return;
        }
        let id = sync.member.member_id.as_str();
        match self.state {
            State::Stable => {
                self.has_synced(id);
                let synced = self.synced(id);
                turn.reply(ticket, Answer::Sync(synced));
            }
            State::CompletingRebalance => {
                if let Some(superseded) = self.roster.park_sync(id, ticket) {
                    turn.refuse_sync(superseded, ErrorCode::RebalanceInProgress);
                }
                self.has_synced(id);
                // A leader that asks again finds its first assignment on the way to the disk.
                if self.is_leader(id) && self.storing.is_none() {
                    self.store_assignments(turn, sync.assignments);
                }
            }
            State::PreparingRebalance | State::Empty | State::Dead => {
                turn.refuse_sync(ticket, ErrorCode::RebalanceInProgress);
            }
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_generation(&sync.member)?;
        let differs = |told: &Option<String>, ours: &Option<String>| {
            told.is_some() && ours.is_some() && told != ours
        };
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// A member has asked for its assignment; when all have, nobody is waited for.
    fn has_synced(&mut self, id: &str) {
        self.roster.has_synced(id);
        if self.roster.all_synced() {
            self.sync_end = None;
        }
    }

    /// What a member is told of its assignment.
    fn synced(&self, id: &str) -> Synced {
        Synced {
            code: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.roster.get(id).map_or_else(Vec::new, |m| m.assignment.clone()),
        }
    }

    /// Has the leader's assignments written. Members that it forgot get empty ones, and what it
    /// assigns to strangers is dropped.
    fn store_assignments(&mut self, turn: &mut Turn<'_>, assignments: Vec<(String, Vec<u8>)>) {
        let mut known = BTreeMap::new();
        let mut bytes = 0;
        for (id, assignment) in assignments {
            if self.roster.get(&id).is_some() {
                bytes += assignment.len();
                known.insert(id, assignment);
            }
        }
        if known.len() < self.roster.len() {
            debug!(group = self.id, generation = self.generation, "the leader forgot members");
        }
        if bytes > GROUP_ASSIGNMENT_BYTES_MAX {
            warn!(
                group = self.id,
                bytes,
                "the assignments of the group exceed {GROUP_ASSIGNMENT_BYTES_MAX} bytes and were refused: use fewer members or partitions in a group, or an assignor with smaller assignments"
            );
            self.assignments_failed(turn, ErrorCode::UnknownServerError);
            return;
        }
        let metadata =
            self.metadata(|member| known.get(member.id.as_ref()).cloned().unwrap_or_default());
        let persist = self.persist(turn, metadata);
        self.storing = Some(Storing { persist, assignments: known });
    }

    /// The assignments are durable, and everyone who waits is told; or they were not written, and
    /// everyone is to join again.
    pub(super) fn assignments_stored(
        &mut self,
        turn: &mut Turn<'_>,
        persist: PersistId,
        result: Result<(), ErrorCode>,
    ) {
        let Some(mut storing) = self.storing.take_if(|storing| storing.persist == persist) else {
            return;
        };
        if let Err(code) = result {
            self.assignments_failed(turn, code);
            return;
        }
        self.turn_to(turn, State::Stable);
        info!(group = self.id, generation = self.generation, "the group is stable");
        for id in self.roster.ids(|_| true) {
            let assignment = storing.assignments.remove(id.as_ref()).unwrap_or_default();
            self.roster.assign(&id, assignment);
            let ticket = self.roster.take_sync(&id);
            if let Some(ticket) = ticket {
                let synced = self.synced(&id);
                turn.reply(ticket, Answer::Sync(synced));
                self.roster.hear(turn.now, &id);
            }
        }
    }

    fn assignments_failed(&mut self, turn: &mut Turn<'_>, code: ErrorCode) {
        self.take_assignments_back(turn, code);
        self.prepare_rebalance(turn, "the assignments were not written");
    }

    /// Takes all assignments back, and tells those who wait for one why.
    pub(super) fn take_assignments_back(&mut self, turn: &mut Turn<'_>, code: ErrorCode) {
        self.roster.unassign();
        for id in self.roster.ids(|member| member.syncing.is_some()) {
            if let Some(ticket) = self.roster.take_sync(&id) {
                turn.refuse_sync(ticket, code);
                self.roster.hear(turn.now, &id);
            }
        }
    }
}
