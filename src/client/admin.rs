//! Administration: topics, their partitions and configs, and the brokers of the cluster.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::error::ClientError;
use crate::model::ErrorCode;
use crate::model::ids::{BrokerId, TopicId};
use crate::protocol::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use crate::protocol::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use crate::protocol::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use crate::protocol::describe_cluster_request::DescribeClusterRequest;
use crate::protocol::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use crate::protocol::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use crate::protocol::metadata_request::{MetadataRequest, MetadataRequestTopic};

/// `ConfigResource.Type.TOPIC`.
const TOPIC_RESOURCE: i8 = 2;
/// `DescribeConfigsResponse.ConfigSource.DEFAULT_CONFIG`.
const DEFAULT_SOURCE: i8 = 5;

/// A topic to create.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// `None` is the cluster's default.
    pub partitions: Option<i32>,
    /// `None` is the cluster's default.
    pub replication_factor: Option<i16>,
    /// The brokers of each partition, in place of the two numbers; empty lets the cluster choose.
    pub assignment: Vec<Vec<i32>>,
    /// Its own configs.
    pub configs: Vec<(String, String)>,
}

/// A topic, as DescribeTopicPartitions shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Zero where the broker does not say.
    pub id: TopicId,
    /// In the order of their indexes.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition, as DescribeTopicPartitions shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its index.
    pub index: i32,
    /// `None` where it has none.
    pub leader: Option<i32>,
    /// In the order of preference.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub isr: Vec<i32>,
    /// The eligible leader replicas; `None` where the broker does not say.
    pub elr: Option<Vec<i32>>,
    /// The last known ones; `None` where the broker does not say.
    pub last_known_elr: Option<Vec<i32>>,
}

/// One config of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfigEntry {
    /// Its name.
    pub name: String,
    /// `None` where it is secret.
    pub value: Option<String>,
    /// True where nobody has set it, neither for the topic nor for the brokers.
    pub is_default: bool,
}

/// A partition on its way to other brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// All replicas while it lasts.
    pub replicas: Vec<i32>,
    /// Those that come.
    pub adding: Vec<i32>,
    /// Those that go.
    pub removing: Vec<i32>,
}

/// Administrative calls, each to any broker: a Kafka broker forwards what is the controller's.
pub struct Admin {
    pub(super) cluster: Cluster,
}

pub(super) fn check(code: i16, message: Option<&str>) -> Result<(), ClientError> {
    let error = ErrorCode::from_code(code);
    if error.is_none() { Ok(()) } else { Err(ClientError::refused(error, message)) }
}

impl Admin {
    /// Calls over `cluster`'s connections.
    pub fn new(cluster: Cluster) -> Admin {
        Admin { cluster }
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.options().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }

    /// Every topic's name and id, in the order of names.
    pub async fn topics(
        &mut self,
        with_internal: bool,
    ) -> Result<Vec<(String, TopicId)>, ClientError> {
        self.cluster.refresh(None, false).await?;
        let listed =
            self.cluster.topics().iter().filter(|(_, view)| with_internal || !view.is_internal);
        let mut topics: Vec<(String, TopicId)> =
            listed.map(|(name, view)| (name.clone(), view.id)).collect();
        topics.sort();
        Ok(topics)
    }

    /// Every topic's name with the number of its partitions, in the order of names.
    pub async fn partition_counts(
        &mut self,
        with_internal: bool,
    ) -> Result<Vec<(String, i32)>, ClientError> {
        self.cluster.refresh(None, false).await?;
        let listed =
            self.cluster.topics().iter().filter(|(_, view)| with_internal || !view.is_internal);
        let mut counts: Vec<(String, i32)> =
            listed.map(|(name, view)| (name.clone(), view.partitions.len() as i32)).collect();
        counts.sort();
        Ok(counts)
    }

    /// Creates a topic.
    pub async fn create_topic(&mut self, topic: &NewTopic) -> Result<(), ClientError> {
        let assignments = topic.assignment.iter().zip(0..).map(|(brokers, partition_index)| {
            let broker_ids = brokers.clone();
            CreatableReplicaAssignment { partition_index, broker_ids, ..Default::default() }
        });
        let configs = topic.configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: Cow::Borrowed(name),
            value: Some(Cow::Borrowed(value)),
            ..CreatableTopicConfig::default()
        });
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: Cow::Borrowed(&topic.name),
                num_partitions: topic.partitions.unwrap_or(-1),
                replication_factor: topic.replication_factor.unwrap_or(-1),
                assignments: assignments.collect(),
                configs: configs.collect(),
                ..CreatableTopic::default()
            }],
            timeout_ms: self.timeout_ms(),
            ..CreateTopicsRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        for result in answer.decode()?.topics {
            check(result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Deletes topics; the first refusal is returned, the others are deleted all the same.
    pub async fn delete_topics(&mut self, names: &[String]) -> Result<(), ClientError> {
        let state = |name: &String| DeleteTopicState {
            name: Some(Cow::Owned(name.clone())),
            ..DeleteTopicState::default()
        };
        // Before version 6 the names stand in a field of their own.
        let mut request =
            DeleteTopicsRequest { timeout_ms: self.timeout_ms(), ..Default::default() };
        request.topics = names.iter().map(state).collect();
        let answer = match self.cluster.call(&request).await {
            Err(ClientError::Request(_)) => {
                request.topics.clear();
                request.topic_names =
                    names.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
                self.cluster.call(&request).await?
            }
            answer => answer?,
        };
        for result in answer.decode()?.responses {
            check(result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Gives each topic `count` partitions in all; `assignments` are the brokers of the new ones, or empty.
    pub async fn create_partitions(
        &mut self,
        topics: &[(String, Vec<Vec<i32>>)],
        count: i32,
    ) -> Result<(), ClientError> {
        let topic = |(name, brokers): &(String, Vec<Vec<i32>>)| {
            let assignments = brokers.iter().map(|brokers| CreatePartitionsAssignment {
                broker_ids: brokers.clone(),
                ..CreatePartitionsAssignment::default()
            });
            CreatePartitionsTopic {
                name: Cow::Owned(name.clone()),
                count,
                assignments: (!brokers.is_empty()).then(|| assignments.collect()),
                ..CreatePartitionsTopic::default()
            }
        };
        let request = CreatePartitionsRequest {
            topics: topics.iter().map(topic).collect(),
            timeout_ms: self.timeout_ms(),
            ..CreatePartitionsRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        for result in answer.decode()?.results {
            check(result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Describes topics, at most `page` partitions an answer; an older broker is asked for metadata instead.
    pub async fn describe_topics(
        &mut self,
        names: &[String],
        page: i32,
    ) -> Result<Vec<TopicDescription>, ClientError> {
        let mut found: Vec<TopicDescription> = Vec::new();
        let mut cursor: Option<(String, i32)> = None;
        loop {
            let topic = |name: &String| TopicRequest {
                name: Cow::Owned(name.clone()),
                ..TopicRequest::default()
            };
            let mut sorted: Vec<&String> = names.iter().collect();
            sorted.sort();
            let from = cursor.as_ref().map_or("", |(name, _)| name.as_str());
            let left = sorted.into_iter().filter(|name| name.as_str() >= from);
            let request = DescribeTopicPartitionsRequest {
                topics: left.map(topic).collect(),
                response_partition_limit: page,
                cursor: cursor.as_ref().map(|(name, index)| Cursor {
                    topic_name: Cow::Borrowed(name),
                    partition_index: *index,
                    ..Cursor::default()
                }),
                ..DescribeTopicPartitionsRequest::default()
            };
            let answer = match self.cluster.call(&request).await {
                Err(ClientError::Unsupported { .. }) => {
                    return self.describe_by_metadata(names).await;
                }
                answer => answer?,
            };
            let response = answer.decode()?;
            for topic in &response.topics {
                add_page(&mut found, topic)?;
            }
            let next = response
                .next_cursor
                .map(|next| (next.topic_name.into_owned(), next.partition_index));
            if next.is_none() {
                return Ok(found);
            }
            if next == cursor {
                // A broker that does not move on would be asked for ever.
                return Err(ClientError::refused(ErrorCode::UnknownServerError, None));
            }
            cursor = next;
        }
    }

    async fn describe_by_metadata(
        &mut self,
        names: &[String],
    ) -> Result<Vec<TopicDescription>, ClientError> {
        let topic = |name: &String| MetadataRequestTopic {
            name: Some(Cow::Owned(name.clone())),
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: Some(names.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        let mut found = Vec::new();
        for topic in answer.decode()?.topics {
            check(topic.error_code, None)?;
            let mut partitions: Vec<PartitionDescription> = topic
                .partitions
                .into_iter()
                .map(|partition| PartitionDescription {
                    index: partition.partition_index,
                    leader: (partition.leader_id >= 0).then_some(partition.leader_id),
                    replicas: partition.replica_nodes,
                    isr: partition.isr_nodes,
                    elr: None,
                    last_known_elr: None,
                })
                .collect();
            partitions.sort_by_key(|partition| partition.index);
            let name = topic.name.map_or(String::new(), Cow::into_owned);
            found.push(TopicDescription { name, id: topic.topic_id, partitions });
        }
        Ok(found)
    }

    /// The configs of each topic, in the order of `names`.
    pub async fn topic_configs(
        &mut self,
        names: &[String],
    ) -> Result<Vec<Vec<TopicConfigEntry>>, ClientError> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: Cow::Owned(name.clone()),
            configuration_keys: None,
            ..DescribeConfigsResource::default()
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            ..DescribeConfigsRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        let response = answer.decode()?;
        let mut configs = Vec::with_capacity(names.len());
        for name in names {
            let result = response.results.iter().find(|result| result.resource_name == *name);
            let result = result
                .ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition, None))?;
            check(result.error_code, result.error_message.as_deref())?;
            let entries = result.configs.iter().map(|entry| TopicConfigEntry {
                name: entry.name.to_string(),
                value: entry.value.as_deref().map(str::to_owned),
                is_default: entry.config_source == DEFAULT_SOURCE,
            });
            configs.push(entries.collect());
        }
        Ok(configs)
    }

    /// The brokers that are there.
    pub async fn live_brokers(&mut self) -> Result<BTreeSet<BrokerId>, ClientError> {
        // Endpoint type 1 is brokers, 2 controllers.
        let request =
            DescribeClusterRequest { endpoint_type: 1, ..DescribeClusterRequest::default() };
        match self.cluster.call(&request).await {
            Err(ClientError::Unsupported { .. }) => {
                self.cluster.refresh(Some(&[]), false).await?;
                Ok(self.cluster.brokers().keys().copied().collect())
            }
            answer => {
                let answer = answer?;
                let response = answer.decode()?;
                check(response.error_code, response.error_message.as_deref())?;
                let live = response.brokers.iter().filter(|broker| !broker.is_fenced);
                Ok(live.map(|broker| BrokerId(broker.broker_id)).collect())
            }
        }
    }

    /// The reassignments of these topics; none where the broker does not have the API.
    pub async fn reassignments(
        &mut self,
        topics: &[TopicDescription],
    ) -> Result<Vec<Reassignment>, ClientError> {
        let topic = |topic: &TopicDescription| ListPartitionReassignmentsTopics {
            name: Cow::Owned(topic.name.clone()),
            partition_indexes: topic.partitions.iter().map(|partition| partition.index).collect(),
            ..ListPartitionReassignmentsTopics::default()
        };
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: self.timeout_ms(),
            topics: Some(topics.iter().map(topic).collect()),
            ..ListPartitionReassignmentsRequest::default()
        };
        let answer = match self.cluster.call(&request).await {
            Err(ClientError::Unsupported { .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let response = answer.decode()?;
        check(response.error_code, response.error_message.as_deref())?;
        let of_topic = response.topics.into_iter().flat_map(|topic| {
            let name = topic.name;
            topic.partitions.into_iter().map(move |moving| Reassignment {
                topic: name.to_string(),
                partition: moving.partition_index,
                replicas: moving.replicas,
                adding: moving.adding_replicas,
                removing: moving.removing_replicas,
            })
        });
        Ok(of_topic.collect())
    }
}

/// Adds a page's part of a topic; a topic that spans pages comes in pieces.
fn add_page(
    found: &mut Vec<TopicDescription>,
    topic: &DescribeTopicPartitionsResponseTopic<'_>,
) -> Result<(), ClientError> {
    check(topic.error_code, None)?;
    let name = topic.name.as_deref().unwrap_or_default();
    if found.last().is_none_or(|last| last.name != name) {
        found.push(TopicDescription {
            name: name.to_owned(),
            id: topic.topic_id,
            partitions: Vec::new(),
        });
    }
    let last = found.last_mut().expect("a topic was pushed where none was");
    last.partitions.extend(topic.partitions.iter().map(partition_description));
    last.partitions.sort_by_key(|partition| partition.index);
    Ok(())
}

fn partition_description(
    partition: &DescribeTopicPartitionsResponsePartition<'_>,
) -> PartitionDescription {
    PartitionDescription {
        index: partition.partition_index,
        leader: (partition.leader_id >= 0).then_some(partition.leader_id),
        replicas: partition.replica_nodes.clone(),
        isr: partition.isr_nodes.clone(),
        elr: partition.eligible_leader_replicas.clone(),
        last_known_elr: partition.last_known_elr.clone(),
    }
}
