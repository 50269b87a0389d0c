//! Groups as an administrator sees and changes them: listed by every broker, all else by their coordinator.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::address::Address;
use super::admin::{Admin, check};
use super::cluster::Retry;
use super::connection::Answer;
use super::consumer_protocol::{Partition, assigned_partitions};
use super::error::ClientError;
use super::request::Request;
use crate::model::ErrorCode;
use crate::model::ids::BrokerId;
use crate::protocol::delete_groups_request::DeleteGroupsRequest;
use crate::protocol::describe_groups_request::DescribeGroupsRequest;
use crate::protocol::describe_groups_response::DescribedGroupMember;
use crate::protocol::find_coordinator_request::FindCoordinatorRequest;
use crate::protocol::list_groups_request::ListGroupsRequest;
use crate::protocol::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::protocol::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::protocol::offset_fetch_request::OffsetFetchRequest;

/// What consumers call their kind of group.
const CONSUMER_PROTOCOL: &str = "consumer";

/// A group, as ListGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub id: String,
    /// What kind of members it has; empty where it only has offsets.
    pub protocol_type: String,
    /// `Stable`, `Empty` and so on; empty where the broker does not say.
    pub state: String,
    /// `classic`, `consumer` and so on; empty where the broker does not say.
    pub kind: String,
}

/// A group, as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// `Stable`, `Empty` and so on.
    pub state: String,
    /// What kind of members it has; empty where it only has offsets.
    pub protocol_type: String,
    /// The assignor that the members agreed on.
    pub protocol: String,
    /// In the coordinator's order.
    pub members: Vec<MemberDescription>,
    /// The broker that coordinates it.
    pub coordinator: BrokerId,
    /// Where that broker listens.
    pub address: Address,
}

/// A member, as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// Its partitions; empty where the members are no consumers.
    pub partitions: Vec<Partition>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
    /// That of the last record read; `None` where the consumer did not say.
    pub leader_epoch: Option<i32>,
}

/// A topic's partitions in the order of their indexes, each with its leader if it has one.
pub type Leaders = Vec<Option<BrokerId>>;

impl Admin {
    /// The groups of all brokers, of these states and types; empty lists are all. A broker that is too old
    /// to filter says all of its groups.
    pub async fn groups(
        &mut self,
        states: &[&str],
        types: &[&str],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let owned = |texts: &[&str]| {
            texts.iter().map(|text| Cow::Owned((*text).to_owned())).collect::<Vec<_>>()
        };
        let request = ListGroupsRequest {
            states_filter: owned(states),
            types_filter: owned(types),
            ..ListGroupsRequest::default()
        };
        self.cluster.refresh(Some(&[]), false).await?;
        let brokers: Vec<Address> = self.cluster.brokers().values().cloned().collect();
        let mut found = Vec::new();
        for address in brokers {
            let answer = self.ask_until_settled(&address, &request, |response| response.error_code);
            let answer = answer.await?;
            let response = answer.decode()?;
            check(response.error_code, None)?;
            found.extend(response.groups.iter().map(|group| GroupListing {
                id: group.group_id.to_string(),
                protocol_type: group.protocol_type.to_string(),
                state: group.group_state.to_string(),
                kind: group.group_type.to_string(),
            }));
        }
        Ok(found)
    }

    /// Describes a group; a broker of before KIP-1043 gives one that does not exist the state `Dead`.
    pub async fn describe_group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![Cow::Borrowed(group)],
            ..DescribeGroupsRequest::default()
        };
        let (answer, coordinator, address) = self
            .ask_coordinator(group, &request, |response| {
                response.groups.first().map_or(0, |group| group.error_code)
            })
            .await?;
        let response = answer.decode()?;
        let described = response.groups.first();
        let described =
            described.ok_or_else(|| ClientError::refused(ErrorCode::UnknownServerError, None))?;
        check(described.error_code, described.error_message.as_deref())?;
        let are_consumers = described.protocol_type == CONSUMER_PROTOCOL;
        let members = described.members.iter().map(|member| member_of(member, are_consumers));
        Ok(GroupDescription {
            state: described.group_state.to_string(),
            protocol_type: described.protocol_type.to_string(),
            protocol: described.protocol_data.to_string(),
            members: members.collect::<Result<_, _>>()?,
            coordinator,
            address,
        })
    }

    /// Everything that a group has committed, in the coordinator's order.
    pub async fn committed_offsets(
        &mut self,
        group: &str,
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        let request = OffsetFetchRequest {
            group_id: Cow::Borrowed(group),
            topics: None,
            ..OffsetFetchRequest::default()
        };
        let (answer, ..) =
            self.ask_coordinator(group, &request, |response| response.error_code).await?;
        let response = answer.decode()?;
        check(response.error_code, None)?;
        let mut found = Vec::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                check(partition.error_code, None)?;
                if partition.committed_offset < 0 {
                    continue;
                }
                let epoch = partition.committed_leader_epoch;
                found.push(CommittedOffset {
                    topic: topic.name.to_string(),
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: (epoch >= 0).then_some(epoch),
                });
            }
        }
        Ok(found)
    }

    /// Commits offsets for a group that has no members; the first refusal is returned.
    pub async fn commit_offsets(
        &mut self,
        group: &str,
        offsets: &[(Partition, i64)],
    ) -> Result<(), ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition<'_>>> = BTreeMap::new();
        for ((topic, partition), offset) in offsets {
            topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_leader_epoch: -1,
                committed_metadata: Some(Cow::Borrowed("")),
                ..OffsetCommitRequestPartition::default()
            });
        }
        let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
            name: Cow::Borrowed(name),
            partitions,
            ..OffsetCommitRequestTopic::default()
        });
        let request = OffsetCommitRequest {
            group_id: Cow::Borrowed(group),
            // Nobody's: neither a generation nor a member.
            generation_id_or_member_epoch: -1,
            retention_time_ms: -1,
            topics: topics.collect(),
            ..OffsetCommitRequest::default()
        };
        let (answer, ..) = self
            .ask_coordinator(group, &request, |response| {
                let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                let mut codes = partitions.map(|partition| partition.error_code);
                codes.find(|code| *code != 0).unwrap_or(0)
            })
            .await?;
        for topic in answer.decode()?.topics {
            for partition in topic.partitions {
                check(partition.error_code, None)?;
            }
        }
        Ok(())
    }

    /// Deletes a group with its offsets.
    pub async fn delete_group(&mut self, group: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest {
            groups_names: vec![Cow::Borrowed(group)],
            ..DeleteGroupsRequest::default()
        };
        let (answer, ..) = self
            .ask_coordinator(group, &request, |response| {
                response.results.first().map_or(0, |result| result.error_code)
            })
            .await?;
        for result in answer.decode()?.results {
            check(result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Deletes committed offsets; a refusal of all of them is an error, one of a partition stands beside it.
    pub async fn delete_offsets(
        &mut self,
        group: &str,
        partitions: &[Partition],
    ) -> Result<Vec<(Partition, ErrorCode)>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition<'_>>> = BTreeMap::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(OffsetDeleteRequestPartition {
                partition_index: *partition,
                ..OffsetDeleteRequestPartition::default()
            });
        }
        let topics = topics.into_iter().map(|(name, partitions)| OffsetDeleteRequestTopic {
            name: Cow::Borrowed(name),
            partitions,
            ..OffsetDeleteRequestTopic::default()
        });
        let request = OffsetDeleteRequest {
            group_id: Cow::Borrowed(group),
            topics: topics.collect(),
            ..OffsetDeleteRequest::default()
        };
        let (answer, ..) =
            self.ask_coordinator(group, &request, |response| response.error_code).await?;
        let response = answer.decode()?;
        check(response.error_code, None)?;
        let outcomes = response.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |partition| {
                let place = (topic.name.to_string(), partition.partition_index);
                (place, ErrorCode::from_code(partition.error_code))
            })
        });
        Ok(outcomes.collect())
    }

    /// The partitions of each topic, or why there are none, in the order of `names`.
    pub async fn leaders(
        &mut self,
        names: &[String],
    ) -> Result<Vec<(String, Result<Leaders, ErrorCode>)>, ClientError> {
        let mut asked: Vec<&str> = names.iter().map(String::as_str).collect();
        asked.sort_unstable();
        asked.dedup();
        self.cluster.refresh(Some(&asked), false).await?;
        let leaders = |name: &String| match self.cluster.topic(name) {
            Some(view) if view.error.is_none() => {
                Ok(view.partitions.iter().map(|partition| partition.leader).collect())
            }
            Some(view) => Err(view.error),
            None => Err(ErrorCode::UnknownTopicOrPartition),
        };
        Ok(names.iter().map(|name| (name.clone(), leaders(name))).collect())
    }

    /// Asks a group's coordinator, again where another one has to be found or it is not ready yet.
    async fn ask_coordinator<R: Request>(
        &mut self,
        group: &str,
        request: &R,
        code: impl for<'a> Fn(&R::Response<'a>) -> i16,
    ) -> Result<(Answer<R>, BrokerId, Address), ClientError> {
        let options = self.cluster.options();
        let mut retry = Retry::new(options, options.api_timeout);
        loop {
            let failure = match self.find_coordinator(group).await {
                Ok((id, address)) => match self.ask_once(&address, request, &code).await {
                    Ok(answer) => return Ok((answer, id, address)),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            retry.after(failure).await?;
        }
    }

    /// Asks one broker, again where that may help.
    async fn ask_until_settled<R: Request>(
        &mut self,
        address: &Address,
        request: &R,
        code: impl for<'a> Fn(&R::Response<'a>) -> i16,
    ) -> Result<Answer<R>, ClientError> {
        let options = self.cluster.options();
        let mut retry = Retry::new(options, options.api_timeout);
        loop {
            match self.ask_once(address, request, &code).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    /// Asks once; a code after which Kafka's clients ask again is an error, any other one is the caller's.
    async fn ask_once<R: Request>(
        &mut self,
        address: &Address,
        request: &R,
        code: &impl for<'a> Fn(&R::Response<'a>) -> i16,
    ) -> Result<Answer<R>, ClientError> {
        let patience = self.cluster.options().request_timeout;
        let mut connection = self.cluster.take(address).await?;
        let answer = connection.call(request, patience).await;
        let answer = self.cluster.settle(connection, answer)?;
        let code = ErrorCode::from_code(code(&answer.decode()?));
        let is_passing = matches!(
            code,
            ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
        );
        if is_passing { Err(ClientError::refused(code, None)) } else { Ok(answer) }
    }

    async fn find_coordinator(&mut self, group: &str) -> Result<(BrokerId, Address), ClientError> {
        let request = FindCoordinatorRequest {
            key: Cow::Borrowed(group),
            ..FindCoordinatorRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        let found = answer.decode()?;
        check(found.error_code, found.error_message.as_deref())?;
        let port = u16::try_from(found.port).unwrap_or(0);
        Ok((BrokerId(found.node_id), Address { host: found.host.to_string(), port }))
    }
}

fn member_of(
    member: &DescribedGroupMember<'_>,
    is_consumer: bool,
) -> Result<MemberDescription, ClientError> {
    let partitions = match is_consumer {
        true => assigned_partitions(&member.member_assignment)?,
        false => Vec::new(),
    };
    Ok(MemberDescription {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        partitions,
    })
}
