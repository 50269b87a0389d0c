//! The members of groups: requests go to the group's state machine, what it wants goes out.

use std::rc::Rc;

use super::writes::{Change, Draft, Then};
use super::{GroupPartition, Held, Moment, PartitionAction};
use crate::coordinator::group::{Action, Event, Group, GroupMetadata, PersistId, bytes_as_member};
use crate::coordinator::message::{Answer, Join, Leave, Left, Request, Ticket};
use crate::coordinator::records::{group_key, group_value};
use crate::model::ErrorCode;
use crate::model::limits::COORDINATOR_GROUPS_MAX;

/// Groups whose timers fire in one step; the others' follow in the next.
const TIMERS_PER_STEP: usize = 1_000;

impl GroupPartition {
    /// A new or known member joins; a group that nobody has joined begins.
    pub(super) fn join(
        &mut self,
        at: Moment,
        ticket: Ticket,
        join: Join,
        out: &mut Vec<PartitionAction>,
    ) {
        let id = match self.joinable(&join) {
            Ok(id) => id,
            Err(code) => {
                let answer = Request::Join(join).refused(code);
                return out.push(PartitionAction::Reply(ticket, answer));
            }
        };
        self.step_group(at, &id, Event::Join(ticket, join), out);
    }

    /// The group that a join goes to, which has a state machine from now on.
    fn joinable(&mut self, join: &Join) -> Result<Rc<str>, ErrorCode> {
        if join.group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let known = self.groups.get_key_value(&*join.group);
        let id = known.map_or_else(|| Rc::from(&*join.group), |(id, _)| Rc::clone(id));
        let has_members = known.is_some_and(|(_, held)| held.membership.is_some());
        if !has_members && !join.member_id.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        // A generation with this subscription could never be written.
        let subscriptions = join.protocols.iter().map(|(name, bytes)| name.len() + bytes.len());
        if subscriptions.max() > Some(self.settings.batch_bytes_max) {
            return Err(ErrorCode::UnknownServerError);
        }
        let membership = known.and_then(|(_, held)| held.membership.as_ref());
        // Who is in a group comes back to it, however much others have taken meanwhile.
        let growth = membership.map_or_else(|| bytes_as_member(join), |group| group.growth(join));
        let has_room = self.bytes.saturating_add(growth) <= self.bytes_max_for(known.is_some());
        if (growth > 0 && !has_room)
            || (known.is_none() && self.groups.len() >= COORDINATOR_GROUPS_MAX)
        {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if !has_members {
            self.change(&id, |held| {
                held.membership = Some(Box::new(Group::new(&join.group)));
                held.incarnation += 1;
                held.visible = true;
            });
        }
        Ok(id)
    }

    /// What all groups may take before a group that is known, or one that is not, is not let grow.
    pub(super) fn bytes_max_for(&self, is_known: bool) -> usize {
        if is_known { self.bytes_max } else { self.newcomers_bytes_max }
    }

    /// A request that only a member can make.
    pub(super) fn member_request(
        &mut self,
        at: Moment,
        ticket: Ticket,
        request: Request,
        out: &mut Vec<PartitionAction>,
    ) {
        let group = match &request {
            Request::Sync(sync) => &sync.member.group,
            Request::Heartbeat(member) => &member.group,
            Request::Leave(leave) => &leave.group,
            _ => unreachable!("only these three come from members alone"),
        };
        let known = self.groups.get_key_value(&**group);
        let known = known.filter(|(_, held)| held.membership.is_some());
        let answer = match (known, &request) {
            _ if group.is_empty() => request.refused(ErrorCode::InvalidGroupId),
            (None, Request::Leave(leave)) => Answer::Leave(nobody_left(leave)),
            (None, _) => request.refused(ErrorCode::UnknownMemberId),
            (Some((id, _)), _) => {
                let id = Rc::clone(id);
                let event = match request {
                    Request::Sync(sync) => Event::Sync(ticket, sync),
                    Request::Heartbeat(member) => Event::Heartbeat(ticket, member),
                    Request::Leave(leave) => Event::Leave(ticket, leave),
                    _ => unreachable!("only these three come from members alone"),
                };
                return self.step_group(at, &id, event, out);
            }
        };
        out.push(PartitionAction::Reply(ticket, answer));
    }

    /// Gives a group's state machine an event and does what it wants done.
    pub(super) fn step_group(
        &mut self,
        at: Moment,
        id: &Rc<str>,
        event: Event,
        out: &mut Vec<PartitionAction>,
    ) {
        if let Event::Join(ticket, _) | Event::Sync(ticket, _) | Event::Leave(ticket, _) = &event {
            self.parked.insert(*ticket, Rc::clone(id));
        }
        let Some(held) = self.groups.get_mut(id) else { return };
        let before = held.bytes(id);
        let Some(group) = &mut held.membership else { return };
        let incarnation = held.incarnation;
        let mut actions = Vec::new();
        group.step(at.now, at.now_ms, &self.settings.group, event, &mut actions);
        self.bytes = self.bytes - before + held.bytes(id);
        for action in actions {
            match action {
                Action::Reply(ticket, answer) => {
                    self.parked.remove(&ticket);
                    out.push(PartitionAction::Reply(ticket, answer));
                }
                Action::Persist(persist, metadata) => {
                    self.persist(at, id, (incarnation, persist), &metadata, out);
                }
            }
        }
        self.schedule(id);
        self.drop_if_hollow(id);
    }

    /// Writes a group's generation. One that cannot be written fails in its turn.
    fn persist(
        &mut self,
        at: Moment,
        id: &Rc<str>,
        (incarnation, persist): (u32, PersistId),
        metadata: &GroupMetadata,
        out: &mut Vec<PartitionAction>,
    ) {
        let then = Then::Persisted { group: Rc::clone(id), incarnation, persist };
        let mut draft = Draft::new(at.now_ms);
        match (group_key(id), group_value(metadata)) {
            (Ok(key), Ok(value)) if self.fits(&draft, key.len() + value.len()) => {
                draft.append(&key, Some(&value));
                draft.change(id, Change::Generation(Some(value.into())));
                self.submit(draft, then, out);
            }
            _ => self.refuse(ErrorCode::UnknownServerError, then),
        }
    }

    /// Sees to it that the timers name a group no later than its deadline.
    pub(super) fn schedule(&mut self, id: &Rc<str>) {
        let Some(held) = self.groups.get_mut(id) else { return };
        let Some(due) = held.membership.as_ref().and_then(|group| group.deadline()) else { return };
        if held.scheduled.is_none_or(|scheduled| due < scheduled) {
            held.scheduled = Some(due);
            self.timers.set(due, id);
        }
        let groups = &self.groups;
        self.timers.tidy(self.bytes, |time, id| {
            groups.get(id).is_some_and(|held| held.scheduled == Some(time))
        });
    }

    /// Lets groups act whose time has come.
    pub(super) fn fire_timers(&mut self, at: Moment, out: &mut Vec<PartitionAction>) {
        for _ in 0..TIMERS_PER_STEP {
            let Some((time, id)) = self.timers.take(at.now) else { return };
            let Some(held) = self.groups.get_mut(&id) else { continue };
            if held.scheduled != Some(time) {
                continue;
            }
            held.scheduled = None;
            let due = held.membership.as_ref().and_then(|group| group.deadline());
            if due.is_some_and(|due| due <= at.now) {
                self.step_group(at, &id, Event::Timeout, out);
            } else {
                self.schedule(&id);
            }
        }
    }

    /// Changes what is held of a group, which is added where it lacks, and keeps the sum of bytes.
    pub(super) fn change<R>(&mut self, id: &Rc<str>, change: impl FnOnce(&mut Held) -> R) -> R {
        let held = self.groups.entry(Rc::clone(id)).or_insert_with(|| {
            let held = Held::default();
            self.bytes += held.bytes(id);
            held
        });
        let before = held.bytes(id);
        let result = change(held);
        self.bytes = self.bytes - before + held.bytes(id);
        result
    }

    /// Forgets a group of which nothing is left.
    pub(super) fn drop_if_hollow(&mut self, id: &str) {
        if self.groups.get(id).is_some_and(Held::is_hollow) {
            let held = self.groups.remove(id).expect("it was there a line ago");
            self.bytes -= held.bytes(id);
        }
    }
}

/// What LeaveGroup answers where there is no such group.
fn nobody_left(leave: &Leave) -> Left {
    let members = vec![ErrorCode::UnknownMemberId; leave.members.len()];
    Left { code: ErrorCode::None, members }
}
