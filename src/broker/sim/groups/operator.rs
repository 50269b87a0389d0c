//! An operator: lists and describes groups, resets, deletes offsets, and deletes whole groups.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::member::NO_GENERATION;
use super::offsets::{self, Committer};
use super::plan::GROUPS;
use super::trouble;
use crate::broker::sim::link::{Link, Lost};
use crate::broker::sim::site::Site;
use crate::broker::sim::topics::{self, Place};
use crate::model::{ErrorCode, LogId};
use crate::protocol::delete_groups_request::DeleteGroupsRequest;
use crate::protocol::describe_groups_request::DescribeGroupsRequest;
use crate::protocol::list_groups_request::ListGroupsRequest;
use crate::protocol::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::runtime::Runtime;

/// The states of a group, by Kafka's names.
const STATES: [&str; 5] = ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"];

/// The only operator of all groups.
pub struct Operator {
    site: Rc<Site>,
    runtime: Runtime,
}

impl Operator {
    /// An operator who has done nothing.
    pub fn new(site: &Rc<Site>, runtime: Runtime) -> Rc<Operator> {
        Rc::new(Operator { site: site.clone(), runtime })
    }

    /// Works until the site is over.
    pub async fn run(self: Rc<Self>) {
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.connect_and_work().await {
                self.site.tell(|| format!("operator: {reason}"));
            }
            self.rest(5_000).await;
        }
    }

    async fn rest(&self, us: u64) {
        let time = std::time::Duration::from_micros(self.site.choice(us));
        self.runtime.sleep(time).await;
    }

    async fn connect_and_work(&self) -> Result<(), Lost> {
        let mut link = Link::open(&self.site, &self.runtime, "operator".into()).await?;
        while !self.site.over.get() {
            if !self.site.coordinates.get() {
                // Nobody has looked for a coordinator yet, or not for long.
                self.rest(3_000).await;
                topics::look(&self.site, &mut link).await?;
                continue;
            }
            // The last one has nobody in it most often.
            let place = [0, 1, 2, 2, 2][self.site.choice(5) as usize];
            let group = GROUPS[place].name;
            match self.site.choice(8) {
                _ if self.site.calm.get() => self.list(&mut link).await?,
                0..2 => self.reset(&mut link, group).await?,
                2 => self.delete_group(&mut link, group).await?,
                3..5 => self.delete_offsets(&mut link, group).await?,
                5 => self.describe(&mut link, group).await?,
                _ => self.list(&mut link).await?,
            }
            self.rest(4_000).await;
        }
        Ok(())
    }

    fn told(&self, what: &str, group: &str, code: ErrorCode) {
        self.site.tell(|| format!("operator: {what} {group}: {code}"));
        self.site.operated();
    }

    /// Some of the partitions whose topics stand fast.
    async fn some_places(&self, link: &mut Link) -> Result<Vec<Place>, Lost> {
        let mut places = topics::places(&topics::look(&self.site, link).await?);
        let model = self.site.model.borrow();
        places.retain(|place| {
            let stands = model.partitions.get(&place.log);
            stands.is_some_and(|it| it.settled && !it.deleted) && self.site.one_in(3)
        });
        Ok(places)
    }

    /// Moves the offsets of a group, which only goes while nobody is in it.
    async fn reset(&self, link: &mut Link, group: &'static str) -> Result<(), Lost> {
        let places = self.some_places(link).await?;
        if places.is_empty() {
            return Ok(());
        }
        let (offsets, since, numbers) = {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            let end = |log: &LogId| model.partitions.get(log).map_or(0, |it| it.acknowledged);
            let offset = |log: LogId| (log, self.site.choice(end(&log) as u64 + 1) as i64);
            let offsets: Vec<_> = places.iter().map(|place| offset(place.log)).collect();
            let numbers = groups.begin_commit(group, NO_GENERATION, &offsets, &model);
            (offsets, groups.since(group), numbers)
        };
        let by = Committer { group, generation: NO_GENERATION, member_id: "", instance: None };
        let request = offsets::commit_request(&by, &offsets, &numbers);
        let codes = offsets::send_commit(link, &request).await?;
        self.told("reset", group, codes[0]);
        let mut gone = None;
        for (((log, _), number), code) in offsets.into_iter().zip(numbers).zip(codes) {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            match code {
                ErrorCode::None => {
                    let of = (log, number);
                    let result = groups.acknowledged(group, since, NO_GENERATION, of, &model);
                    result.expect("no generation is too old");
                    self.site.count("offsets reset");
                }
                ErrorCode::NotCoordinator => gone = Some(code),
                ErrorCode::UnknownMemberId => groups.refused(group, log, number),
                ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition => {
                    groups.refused(group, log, number);
                    drop((groups, model));
                    self.site.check_error(log, code, || "reset".into());
                }
                code => {
                    groups.refused(group, log, number);
                    gone = Some(code);
                }
            }
        }
        gone.map_or(Ok(()), |code| trouble::check(&self.site, code, || format!("reset {group}")))
    }

    /// Deletes a group with all of its offsets, which only goes while nobody is in it.
    async fn delete_group(&self, link: &mut Link, group: &'static str) -> Result<(), Lost> {
        let (logs, numbers, since) = {
            let mut groups = self.site.groups.borrow_mut();
            let logs = groups.committed_logs(group);
            let numbers = groups.begin_deletion(group, &logs);
            groups.begin_end(group);
            (logs, numbers, groups.since(group))
        };
        let request = DeleteGroupsRequest {
            groups_names: vec![group.into()],
            ..DeleteGroupsRequest::default()
        };
        let answer = link.call(&request).await?;
        let code = ErrorCode::from_code(answer.decode().results[0].error_code);
        self.told("delete", group, code);
        {
            let mut groups = self.site.groups.borrow_mut();
            groups.end(group, code.is_none());
            if code.is_none() {
                // Offsets that were committed for the first time while this was under way may be gone with it.
                let mut late = groups.committed_logs(group);
                late.retain(|log| !logs.contains(log));
                groups.begin_deletion(group, &late);
            }
        }
        self.deleted(group, since, logs.into_iter().zip(numbers), code);
        match code {
            ErrorCode::None => self.site.count("groups deleted"),
            ErrorCode::NonEmptyGroup | ErrorCode::GroupIdNotFound => {}
            code => trouble::check(&self.site, code, || format!("delete {group}"))?,
        }
        Ok(())
    }

    /// Takes in what became of a deletion.
    fn deleted(
        &self,
        group: &'static str,
        since: super::model::Since,
        offsets: impl Iterator<Item = (LogId, u64)>,
        code: ErrorCode,
    ) {
        let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
        for (log, number) in offsets {
            match code {
                ErrorCode::None => groups
                    .acknowledged(group, since, NO_GENERATION, (log, number), &model)
                    .expect("no generation is too old"),
                ErrorCode::NotCoordinator => {}
                _ => groups.refused(group, log, number),
            }
        }
    }

    /// Deletes offsets of topics that nobody in the group reads.
    async fn delete_offsets(&self, link: &mut Link, group: &'static str) -> Result<(), Lost> {
        // The request names topics by name: none of them may become another's meanwhile. Where no
        // answer comes, it may still be done later.
        let places = self.some_places(link).await?;
        let stands = |place: &Place| {
            let model = self.site.model.borrow();
            model.partitions.get(&place.log).is_some_and(|it| !it.deleted)
        };
        if places.is_empty() || !places.iter().all(stands) {
            return Ok(());
        }
        self.site.names_in_use.set(true);
        let logs: Vec<LogId> = places.iter().map(|place| place.log).collect();
        let (numbers, since) = {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            let numbers = groups.begin_deletion(group, &logs);
            groups.note_bare(&model);
            (numbers, groups.since(group))
        };
        let topics = places.iter().map(|place| OffsetDeleteRequestTopic {
            name: place.name.to_string().into(),
            partitions: vec![OffsetDeleteRequestPartition {
                partition_index: place.log.partition.0,
                ..OffsetDeleteRequestPartition::default()
            }],
            ..OffsetDeleteRequestTopic::default()
        });
        let request = OffsetDeleteRequest {
            group_id: group.into(),
            topics: topics.collect(),
            ..OffsetDeleteRequest::default()
        };
        let answer = link.call(&request).await?;
        self.site.names_in_use.set(false);
        let answer = answer.decode();
        let code = ErrorCode::from_code(answer.error_code);
        self.told("delete offsets of", group, code);
        if code.is_none() {
            let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let parts: Vec<_> = parts.map(|part| ErrorCode::from_code(part.error_code)).collect();
            assert_eq!(parts.len(), logs.len(), "each partition is answered");
            for ((log, number), code) in logs.into_iter().zip(numbers).zip(parts) {
                self.deleted(group, since, [(log, number)].into_iter(), code);
                match code {
                    ErrorCode::None => self.site.count("offsets deleted"),
                    ErrorCode::GroupSubscribedToTopic => self.site.count("offsets in use"),
                    code => self.site.check_error(log, code, || "delete its offset".into()),
                }
            }
            return Ok(());
        }
        self.deleted(group, since, logs.into_iter().zip(numbers), code);
        match code {
            ErrorCode::GroupIdNotFound => Ok(()),
            code => trouble::check(&self.site, code, || format!("delete offsets of {group}")),
        }
    }

    /// Describes a group: its members are as many as there can be, each under one id.
    async fn describe(&self, link: &mut Link, group: &'static str) -> Result<(), Lost> {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            ..DescribeGroupsRequest::default()
        };
        let answer = link.call(&request).await?;
        let answer = answer.decode();
        let found = &answer.groups[0];
        let code = ErrorCode::from_code(found.error_code);
        self.told("describe", group, code);
        match code {
            ErrorCode::None => {}
            ErrorCode::GroupIdNotFound => return Ok(()),
            code => return trouble::check(&self.site, code, || format!("describe {group}")),
        }
        assert!(STATES.contains(&&*found.group_state), "{found:?}");
        let ids: BTreeSet<&str> = found.members.iter().map(|member| &*member.member_id).collect();
        assert_eq!(ids.len(), found.members.len(), "a member stands twice: {found:?}");
        let instances: Vec<&str> =
            found.members.iter().filter_map(|it| it.group_instance_id.as_deref()).collect();
        let distinct: BTreeSet<&str> = instances.iter().copied().collect();
        assert_eq!(distinct.len(), instances.len(), "an instance stands twice: {found:?}");
        self.site.count("groups described");
        Ok(())
    }

    /// Lists all groups: those that have offsets are there.
    async fn list(&self, link: &mut Link) -> Result<(), Lost> {
        let before = self.with_offsets();
        let answer = link.call(&ListGroupsRequest::default()).await?;
        let answer = answer.decode();
        let code = ErrorCode::from_code(answer.error_code);
        self.told("list", "all", code);
        if !code.is_none() {
            return trouble::check(&self.site, code, || "list".into());
        }
        let after = self.with_offsets();
        for group in before.into_iter().filter(|group| after.contains(group)) {
            let listed = answer.groups.iter().any(|listed| *listed.group_id == *group);
            assert!(listed, "{group} has offsets and is not listed");
        }
        self.site.count("groups listed");
        Ok(())
    }

    /// The groups that certainly have an offset.
    fn with_offsets(&self) -> Vec<&'static str> {
        let (groups, model) = (self.site.groups.borrow(), self.site.model.borrow());
        GROUPS.iter().map(|plan| plan.name).filter(|name| !groups.is_bare(name, &model)).collect()
    }
}
