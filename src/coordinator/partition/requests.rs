//! Requests about offsets and whole groups: what they write, what they answer.

use std::rc::Rc;

use super::held::Held;
use super::writes::{Change, Draft, Then};
use super::{GroupPartition, Moment, PartitionAction};
use crate::coordinator::group::{Event, Group};
use crate::coordinator::message::{
    Answer, Commit, CommitPart, DeleteOffsets, Description, FetchOffsets, FetchedTopic, ListFilter,
    Listed, Request, Ticket,
};
use crate::coordinator::offsets::{Committed, GroupOffsets};
use crate::coordinator::records::{group_key, offset_key};
use crate::model::limits::COORDINATOR_GROUPS_MAX;
use crate::model::{ErrorCode, LeaderEpoch, PartitionIndex, TopicId};

impl GroupPartition {
    /// Takes a request to a loaded partition.
    pub(super) fn request(
        &mut self,
        at: Moment,
        ticket: Ticket,
        request: Request,
        out: &mut Vec<PartitionAction>,
    ) {
        let answer = match request {
            Request::Join(join) => return self.join(at, ticket, join, out),
            Request::Sync(_) | Request::Heartbeat(_) | Request::Leave(_) => {
                return self.member_request(at, ticket, request, out);
            }
            Request::Commit(commit) => match self.commit(at, ticket, commit, out) {
                Ok(()) => return,
                Err(codes) => Answer::Commit(codes),
            },
            Request::FetchOffsets(fetch) => match self.fetch(ticket, fetch) {
                Some(offsets) => Answer::FetchOffsets(Ok(offsets)),
                None => return,
            },
            Request::DeleteOffsets(delete) => match self.delete_offsets(at, ticket, delete, out) {
                Some(result) => Answer::DeleteOffsets(result),
                None => return,
            },
            Request::Describe(group) => Answer::Describe(self.describe(&group)),
            Request::Delete(group) => match self.delete(at, ticket, &group, out) {
                Ok(()) => return,
                Err(code) => Answer::Delete(code),
            },
            Request::List(filter) => Answer::List(Ok(self.list(&filter))),
        };
        out.push(PartitionAction::Reply(ticket, answer));
    }

    /// Writes the offsets of a commit, or says why none of them can be written.
    fn commit(
        &mut self,
        at: Moment,
        ticket: Ticket,
        commit: Commit,
        out: &mut Vec<PartitionAction>,
    ) -> Result<(), Vec<ErrorCode>> {
        let part_count = commit.offsets.len();
        let all = |code| vec![code; part_count];
        let id = self.committing(at, &commit).map_err(all)?;
        self.schedule(&id);
        let expires_ms = commit.retention_ms.map(|span| at.now_ms.saturating_add(span));
        let mut draft = Draft::new(at.now_ms);
        let mut codes = Vec::with_capacity(part_count);
        for part in commit.offsets {
            if self.is_too_long(&part.metadata) {
                codes.push(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
            let (topic, partition) = (part.topic.clone().into_boxed_str(), part.partition);
            let value = committed(part, at.now_ms, expires_ms);
            let records = offset_key(&id, &topic, partition)
                .and_then(|key| Ok((key, value.value().encode()?)))
                .map_err(|_| all(ErrorCode::UnknownServerError))?;
            if !self.fits(&draft, records.0.len() + records.1.len()) {
                // Kafka writes a commit in one batch or not at all.
                return Err(all(ErrorCode::UnknownServerError));
            }
            draft.append(&records.0, Some(&records.1));
            draft.change(&id, Change::Offset { topic, partition, value: Some(value) });
            codes.push(ErrorCode::None);
        }
        if draft.is_empty() {
            return Err(codes);
        }
        self.submit(draft, Then::Commit(ticket, codes), out);
        Ok(())
    }

    /// The group that a commit is for, where its sender may commit.
    fn committing(&mut self, at: Moment, commit: &Commit) -> Result<Rc<str>, ErrorCode> {
        let member = &commit.member;
        let known = self.groups.get_key_value(&*member.group).filter(|(_, held)| held.exists());
        let grows = |part: &CommitPart| {
            known.is_none_or(|(_, held)| !held.offsets.contains(&part.topic, part.partition))
        };
        if self.bytes >= self.bytes_max_for(known.is_some()) && commit.offsets.iter().any(grows)
            || known.is_none() && self.groups.len() >= COORDINATOR_GROUPS_MAX
        {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let exists = known.is_some();
        let held = self.groups.get_mut(&*member.group);
        match held.and_then(|held| held.membership.as_mut()) {
            Some(group) => group.check_commit(at.now, member)?,
            // Who is in no group may commit for one that has no members, and so makes it one.
            None if member.generation < 0 => {}
            None if exists => return Err(ErrorCode::UnknownMemberId),
            None => return Err(ErrorCode::GroupIdNotFound),
        }
        if self.is_congested() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let known = self.groups.get_key_value(&*member.group).map(|(known, _)| Rc::clone(known));
        Ok(known.unwrap_or_else(|| Rc::from(&*member.group)))
    }

    /// Kafka counts the UTF-16 units of a client's metadata.
    fn is_too_long(&self, metadata: &str) -> bool {
        let max = self.settings.offset_metadata_bytes_max;
        metadata.len() > max && metadata.encode_utf16().count() > max
    }

    /// The answer to a fetch, unless it waits for writes.
    fn fetch(&mut self, ticket: Ticket, fetch: FetchOffsets) -> Option<Vec<FetchedTopic>> {
        let held = self.groups.get(&*fetch.group);
        if fetch.require_stable && held.is_some_and(|held| held.changes_in_flight > 0) {
            self.fetch_after_writes(ticket, fetch);
            return None;
        }
        Some(self.fetched(fetch))
    }

    /// What a fetch sees now.
    pub(super) fn fetched(&self, fetch: FetchOffsets) -> Vec<FetchedTopic> {
        match self.groups.get(&*fetch.group) {
            Some(held) => held.offsets.fetch(fetch.topics),
            None => GroupOffsets::default().fetch(fetch.topics),
        }
    }

    /// Deletes offsets of topics that the group does not read; the answer, unless it waits.
    fn delete_offsets(
        &mut self,
        at: Moment,
        ticket: Ticket,
        delete: DeleteOffsets,
        out: &mut Vec<PartitionAction>,
    ) -> Option<Result<Vec<ErrorCode>, ErrorCode>> {
        if delete.group.is_empty() {
            return Some(Err(ErrorCode::InvalidGroupId));
        }
        let known = self.groups.get_key_value(&*delete.group);
        let Some((id, held)) = known.filter(|(_, held)| held.exists()) else {
            return Some(Err(ErrorCode::GroupIdNotFound));
        };
        if let Err(code) = held.can_lose_offsets() {
            return Some(Err(code));
        }
        if self.is_congested() {
            return Some(Err(ErrorCode::CoordinatorLoadInProgress));
        }
        let id = Rc::clone(id);
        let mut codes = Vec::with_capacity(delete.partitions.len());
        let mut gone = Vec::new();
        for (topic, partition) in delete.partitions {
            if held.reads(&topic) {
                codes.push(ErrorCode::GroupSubscribedToTopic);
                continue;
            }
            codes.push(ErrorCode::None);
            if held.offsets.contains(&topic, partition) {
                gone.push((topic.into_boxed_str(), partition));
            }
        }
        let mut draft = Draft::new(at.now_ms);
        self.bury_offsets(&mut draft, &id, gone, Then::Part(ticket), out);
        if draft.is_empty() {
            return Some(Ok(codes));
        }
        self.submit(draft, Then::DeleteOffsets(ticket, codes), out);
        None
    }

    /// Deletes a group and its offsets, or says why it stays.
    fn delete(
        &mut self,
        at: Moment,
        ticket: Ticket,
        group: &str,
        out: &mut Vec<PartitionAction>,
    ) -> Result<(), ErrorCode> {
        let known = self.groups.get_key_value(group).filter(|(_, held)| held.exists());
        let (id, held) = known.ok_or(ErrorCode::GroupIdNotFound)?;
        held.can_be_deleted()?;
        if self.is_congested() {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let id = Rc::clone(id);
        let all = held.offsets.partitions();
        let all = all.map(|(topic, partition)| (Box::from(topic), partition)).collect();
        let mut draft = Draft::new(at.now_ms);
        self.bury_offsets(&mut draft, &id, all, Then::Part(ticket), out);
        self.bury_group(at, &mut draft, &id, Then::Part(ticket), out);
        self.submit(draft, Then::Delete(ticket), out);
        Ok(())
    }

    /// Appends tombstones of offsets; what does not fit is written before, and then `part` follows.
    pub(super) fn bury_offsets(
        &mut self,
        draft: &mut Draft,
        id: &Rc<str>,
        partitions: Vec<(Box<str>, PartitionIndex)>,
        part: Then,
        out: &mut Vec<PartitionAction>,
    ) {
        for (topic, partition) in partitions {
            let key = offset_key(id, &topic, partition).expect("it was read or written before");
            self.make_room(draft, key.len(), &part, out);
            draft.append(&key, None);
            draft.change(id, Change::Offset { topic, partition, value: None });
        }
    }

    /// Appends a group's tombstone; its state machine ends now.
    pub(super) fn bury_group(
        &mut self,
        at: Moment,
        draft: &mut Draft,
        id: &Rc<str>,
        part: Then,
        out: &mut Vec<PartitionAction>,
    ) {
        self.keep_leaving(id);
        self.step_group(at, id, Event::Unloaded, out);
        self.change(id, |held| held.membership = None);
        let key = group_key(id).expect("it was read or written before");
        self.make_room(draft, key.len(), &part, out);
        draft.append(&key, None);
        draft.change(id, Change::Generation(None));
    }

    fn make_room(
        &mut self,
        draft: &mut Draft,
        record_bytes: usize,
        part: &Then,
        out: &mut Vec<PartitionAction>,
    ) {
        if !draft.is_empty() && !self.fits(draft, record_bytes) {
            let fresh = draft.fresh();
            self.submit(std::mem::replace(draft, fresh), part.clone(), out);
        }
    }

    fn describe(&self, group: &str) -> Result<Description, ErrorCode> {
        let held = self.groups.get(group).filter(|held| held.visible);
        let held = held.ok_or(ErrorCode::GroupIdNotFound)?;
        Ok(with_group(group, held, Group::description))
    }

    /// The groups that a filter lets through, in the order of their ids.
    fn list(&self, filter: &ListFilter) -> Vec<Listed> {
        let matches = |wanted: &[String], name: &str| {
            wanted.is_empty() || wanted.iter().any(|it| it.trim().eq_ignore_ascii_case(name))
        };
        let visible = self.groups.iter().filter(|(_, held)| held.visible);
        let mut listed: Vec<Listed> = visible
            .map(|(id, held)| with_group(id, held, Group::listed))
            .filter(|it| matches(&filter.states, it.state) && matches(&filter.types, it.group_type))
            .collect();
        listed.sort_unstable_by(|a, b| a.group.cmp(&b.group));
        listed
    }
}

/// Looks at a group; one that only keeps offsets looks like one that nobody has joined.
fn with_group<R>(id: &str, held: &Held, look: impl FnOnce(&Group) -> R) -> R {
    match &held.membership {
        Some(group) => look(group),
        None => look(&Group::new(id)),
    }
}

/// The offset as it will be read again: one that expires keeps neither epoch nor topic id.
fn committed(part: CommitPart, now_ms: i64, expires_ms: Option<i64>) -> Committed {
    let expires = expires_ms.is_some();
    Committed {
        offset: part.offset,
        leader_epoch: if expires { LeaderEpoch(-1) } else { part.leader_epoch },
        topic_id: if expires { TopicId::ZERO } else { part.topic_id },
        committed_ms: now_ms,
        expires_ms,
        metadata: part.metadata.into_boxed_str(),
    }
}
