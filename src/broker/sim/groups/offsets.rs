//! OffsetCommit and OffsetFetch of a simulated member, and of the one that it was before.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::member::{Member, Session};
use super::model::Since;
use super::trouble;
use crate::broker::sim::link::{Link, Lost};
use crate::broker::sim::site::Site;
use crate::model::{ErrorCode, LogId, PartitionIndex, TopicId};
use crate::protocol::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::protocol::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::protocol::offset_fetch_response::OffsetFetchResponsePartitions;

/// The first version of OffsetFetch that names topics by id.
const VERSION_BY_ID: i16 = 10;

/// Who commits.
pub struct Committer<'a> {
    pub group: &'static str,
    pub generation: i32,
    pub member_id: &'a str,
    pub instance: Option<&'static str>,
}

/// A commit of these offsets; each carries the number by which it is known again.
pub fn commit_request(
    by: &Committer<'_>,
    offsets: &[(LogId, i64)],
    numbers: &[u64],
) -> OffsetCommitRequest<'static> {
    let parts = offsets.iter().zip(numbers);
    let topics = parts.map(|((log, offset), number)| OffsetCommitRequestTopic {
        topic_id: log.topic,
        partitions: vec![OffsetCommitRequestPartition {
            partition_index: log.partition.0,
            committed_offset: *offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(number.to_string().into()),
            ..OffsetCommitRequestPartition::default()
        }],
        ..OffsetCommitRequestTopic::default()
    });
    OffsetCommitRequest {
        group_id: by.group.into(),
        generation_id_or_member_epoch: by.generation,
        member_id: by.member_id.to_owned().into(),
        group_instance_id: by.instance.map(Into::into),
        topics: topics.collect(),
        ..OffsetCommitRequest::default()
    }
}

/// Sends a commit; gives the code of each partition, in order.
pub async fn send_commit(
    link: &mut Link,
    request: &OffsetCommitRequest<'_>,
) -> Result<Vec<ErrorCode>, Lost> {
    let answer = link.call(request).await?;
    let answer = answer.decode();
    let parts: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
    assert_eq!(parts.len(), request.topics.len(), "each partition of a commit is answered");
    let asked = request.topics.iter().map(|topic| topic.partitions[0].partition_index);
    assert!(asked.eq(parts.iter().map(|part| part.partition_index)), "in their order");
    Ok(parts.iter().map(|part| ErrorCode::from_code(part.error_code)).collect())
}

/// Asks for a group's offsets: for these partitions, or for all that there are.
pub fn fetch_request(
    link: &Link,
    group: &'static str,
    logs: Option<&[(LogId, Rc<str>)]>,
    require_stable: bool,
) -> OffsetFetchRequest<'static> {
    let by_id = link.version::<OffsetFetchRequest<'_>>() >= VERSION_BY_ID;
    let topics = logs.map(|logs| {
        let topics = logs.iter().map(|(log, name)| OffsetFetchRequestTopics {
            name: if by_id { "".into() } else { name.to_string().into() },
            topic_id: if by_id { log.topic } else { TopicId::ZERO },
            partition_indexes: vec![log.partition.0],
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    let group = OffsetFetchRequestGroup {
        group_id: group.into(),
        topics,
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: vec![group], require_stable, ..OffsetFetchRequest::default() }
}

/// What stands in an answer: the number of the commit and its offset.
pub fn found(part: &OffsetFetchResponsePartitions<'_>) -> Option<(u64, i64)> {
    if part.committed_offset < 0 {
        assert_eq!(part.metadata.as_deref().unwrap_or(""), "", "nothing has no metadata");
        return None;
    }
    let number = part.metadata.as_deref().and_then(|text| text.parse().ok());
    Some((number.expect("a commit's number comes back"), part.committed_offset))
}

/// Asks for these partitions' offsets and checks them; nothing if the coordinator has them not yet.
pub async fn fetch(
    site: &Site,
    link: &mut Link,
    group: &'static str,
    logs: &[(LogId, Rc<str>)],
) -> Result<Option<BTreeMap<LogId, i64>>, Lost> {
    let since: Since = site.groups.borrow_mut().since(group);
    let request = fetch_request(link, group, Some(logs), site.one_in(2));
    let answer = link.call(&request).await?;
    let answer = answer.decode();
    let [told] = answer.groups.as_slice() else { panic!("one group is asked for") };
    site.count("offsets asked for");
    site.operated();
    match ErrorCode::from_code(told.error_code) {
        ErrorCode::None => {}
        code => {
            trouble::check(site, code, || format!("offsets of {group}"))?;
            return Ok(None);
        }
    }
    let by_id = link.version::<OffsetFetchRequest<'_>>() >= VERSION_BY_ID;
    let mut offsets = BTreeMap::new();
    for topic in &told.topics {
        for part in &topic.partitions {
            let asked = logs.iter().find(|(log, name)| {
                let named = if by_id { log.topic == topic.topic_id } else { **name == *topic.name };
                named && log.partition == PartitionIndex(part.partition_index)
            });
            let log = asked.expect("only what was asked for is answered").0;
            match ErrorCode::from_code(part.error_code) {
                ErrorCode::None => {}
                code => {
                    site.check_error(log, code, || format!("its offset in {group}"));
                    continue;
                }
            }
            let found = found(part);
            site.groups.borrow_mut().read(group, since, log, found, &site.model.borrow());
            if let Some((_, offset)) = found {
                offsets.insert(log, offset);
            }
        }
    }
    Ok(Some(offsets))
}

impl Member {
    /// The committed offsets of these partitions, for who begins to read them; nothing if they are not
    /// to be had now.
    pub async fn fetch_offsets(
        &self,
        session: &mut Session,
        logs: &[(LogId, Rc<str>)],
    ) -> Result<Option<BTreeMap<LogId, i64>>, Lost> {
        if logs.is_empty() {
            return Ok(Some(BTreeMap::new()));
        }
        fetch(&self.site, &mut session.link, self.group(), logs).await
    }

    /// Commits how far the member has come, where that is not committed already.
    pub async fn commit(&self, session: &mut Session) -> Result<(), Lost> {
        let offsets: Vec<(LogId, i64)> = {
            let (owned, model) = (self.owned.borrow(), self.site.model.borrow());
            let there = owned.iter().filter(|(log, _)| model.partitions.contains_key(log));
            let moved = there.filter(|(_, owned)| owned.committed != Some(owned.position));
            moved.map(|(log, owned)| (*log, owned.position)).collect()
        };
        if offsets.is_empty() {
            return Ok(());
        }
        let (group, generation, since) = (self.group(), self.generation.get(), self.since());
        let numbers = {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            groups.begin_commit(group, generation, &offsets, &model)
        };
        let request = {
            let id = self.id.borrow();
            let instance = self.plan.instance;
            let by = Committer { group, generation, member_id: &id, instance };
            commit_request(&by, &offsets, &numbers)
        };
        self.tell(|| {
            let told = offsets.iter().zip(&numbers);
            let told = told.map(|((log, offset), number)| format!("{number}: {log} to {offset}"));
            format!("commits {}", told.collect::<Vec<_>>().join(", "))
        });
        let codes = send_commit(&mut session.link, &request).await?;
        self.done("commits");
        let mut refused = None;
        for (((log, offset), number), code) in offsets.into_iter().zip(numbers).zip(codes) {
            match code {
                ErrorCode::None => {
                    self.acknowledged(since, log, number);
                    if let Some(owned) = self.owned.borrow_mut().get_mut(&log) {
                        owned.committed = Some(offset);
                    }
                }
                ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition => {
                    self.site.groups.borrow_mut().refused(group, log, number);
                    self.site.check_error(log, code, || format!("commit of {offset}"));
                    self.owned.borrow_mut().remove(&log);
                    session.stale = true;
                }
                // Nobody knows whether it was written before the coordinator went away.
                ErrorCode::NotCoordinator => refused = Some(code),
                code => {
                    self.site.groups.borrow_mut().refused(group, log, number);
                    refused = Some(code);
                }
            }
        }
        refused.map_or(Ok(()), |code| {
            self.site.count("commits refused");
            // The group was deleted while nobody was in it.
            let gone = code == ErrorCode::GroupIdNotFound;
            self.is_refused("commit", if gone { ErrorCode::UnknownMemberId } else { code })
        })
    }

    fn acknowledged(&self, since: Since, log: LogId, number: u64) {
        let result = {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            let of = (log, number);
            groups.acknowledged(self.group(), since, self.generation.get(), of, &model)
        };
        self.check(result);
    }

    /// What a static member was before it came back may do nothing any more.
    pub async fn haunt(&self, session: &mut Session) -> Result<(), Lost> {
        let Some(instance) = self.plan.instance else { return Ok(()) };
        let (group, generation) = (self.group(), self.generation.get());
        let ghost = self.ghost.borrow().clone();
        let fenced = ghost.filter(|id| self.site.groups.borrow().is_fenced(group, instance, id));
        let first =
            self.owned.borrow().first_key_value().map(|(log, owned)| (*log, owned.position));
        let (Some(member_id), Some((log, position))) = (fenced, first) else { return Ok(()) };
        let offsets = [(log, position)];
        let numbers = [self.site.groups.borrow_mut().number()];
        let by = Committer { group, generation, member_id: &member_id, instance: Some(instance) };
        let request = commit_request(&by, &offsets, &numbers);
        let codes = send_commit(&mut session.link, &request).await?;
        self.done("commits of fenced members");
        match codes[0] {
            ErrorCode::FencedInstanceId => self.site.count("fenced members"),
            // Its topic is gone, which is noticed first.
            ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition => {}
            // The whole group was deleted meanwhile, or this member was taken out of it.
            ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound => {}
            ErrorCode::None => panic!("group {group}: {member_id} is fenced and commits"),
            code => trouble::check(&self.site, code, || "commit of a ghost".into())?,
        }
        Ok(())
    }
}
