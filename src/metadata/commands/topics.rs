//! Creating and deleting topics (Kafka's `ReplicationControlManager` and `ControllerApis`).

use std::collections::{BTreeMap, BTreeSet};

use super::placement::{check_assignment, place};
use super::topic_name::check_topic_name;
use super::{CommandError, Decision, Random, Settings, duplicates};
use crate::metadata::image::Image;
use crate::metadata::partition::Partition;
use crate::metadata::record::{ConfigResource, Record};
use crate::model::limits::{PARTITION_COUNT_MAX, PARTITIONS_PER_REQUEST_MAX};
use crate::model::topic_config::{TopicOverrides, overrides_from_request};
use crate::model::{BrokerId, ErrorCode, PartitionIndex, TopicId};

/// The topic that Kafka keeps for its own metadata log.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// A CreateTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopics {
    /// The topics, in request order.
    pub topics: Vec<NewTopic>,
    /// Judge only.
    pub validate_only: bool,
}

/// One topic of a CreateTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions, or -1: the default, or as many as are assigned.
    pub partition_count: i32,
    /// How many replicas of each, or -1: the default, or as many as are assigned.
    pub replication_factor: i16,
    /// The client's own placement; empty: the broker places.
    pub assignments: Vec<Assignment>,
    /// Configs as the request has them; a null value is refused.
    pub configs: Vec<(String, Option<String>)>,
}

/// The replicas of one partition as a client assigned them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: PartitionIndex,
    /// Its replicas, the preferred leader first.
    pub brokers: Vec<BrokerId>,
}

impl NewTopic {
    /// A topic with every default.
    pub fn named(name: impl Into<String>) -> NewTopic {
        NewTopic {
            name: name.into(),
            partition_count: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }

    /// How many partitions it asks for, before anything else is judged.
    fn partitions_asked(&self, settings: &Settings) -> usize {
        let count = match self.partition_count {
            -1 if self.assignments.is_empty() => settings.partition_count_default,
            count => count,
        };
        self.assignments.len().max(usize::try_from(count).unwrap_or(0))
    }
}

/// What became of one name of a CreateTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopicResult {
    /// The name.
    pub name: String,
    /// The topic, as it is or (validate only) would be.
    pub result: Result<CreatedTopic, CommandError>,
}

/// A topic just created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id, zero where nothing was created (validate only).
    pub id: TopicId,
    /// How many partitions it has.
    pub partition_count: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
    /// The configs that were set on it.
    pub configs: TopicOverrides,
}

/// Decides a CreateTopics request: one result for each distinct name, in request order.
pub fn create_topics(
    image: &Image,
    settings: &Settings,
    request: CreateTopics,
    random: Random<'_>,
) -> Decision<Vec<CreateTopicResult>> {
    let twice: BTreeSet<String> =
        duplicates(request.topics.iter().map(|topic| &topic.name)).into_iter().cloned().collect();
    let asked: usize = request.topics.iter().map(|topic| topic.partitions_asked(settings)).sum();
    let mut answered = BTreeSet::new();
    let mut decision = Decision { records: Vec::new(), reply: Vec::new() };
    let mut partition_count = image.partition_count();
    for topic in request.topics {
        if !answered.insert(topic.name.clone()) {
            continue;
        }
        let name = topic.name.clone();
        let result = if twice.contains(&name) {
            Err(CommandError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else if asked > PARTITIONS_PER_REQUEST_MAX {
            Err(too_many("Excessively large number of partitions per request.".into()))
        } else {
            create_topic(image, settings, topic, random, partition_count)
        };
        let result = result.map(|(created, mut records)| {
            partition_count += created.partition_count as usize;
            if request.validate_only {
                CreatedTopic { id: TopicId::ZERO, ..created }
            } else {
                decision.records.append(&mut records);
                created
            }
        });
        decision.reply.push(CreateTopicResult { name, result });
    }
    decision
}

/// Creates topics with every default, as a Metadata request asks for them: an existing one is an
/// error like any other, which the asker ignores.
pub fn auto_create_topics(
    image: &Image,
    settings: &Settings,
    names: Vec<String>,
    random: Random<'_>,
) -> Decision<Vec<CreateTopicResult>> {
    let topics = names.into_iter().map(NewTopic::named).collect();
    create_topics(image, settings, CreateTopics { topics, validate_only: false }, random)
}

fn create_topic(
    image: &Image,
    settings: &Settings,
    topic: NewTopic,
    random: Random<'_>,
    partition_count: usize,
) -> Result<(CreatedTopic, Vec<Record>), CommandError> {
    check_new_name(image, &topic.name)?;
    let configs = topic.configs.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    let configs = overrides_from_request(&settings.topic_defaults, configs)
        .map_err(|error| CommandError::new(ErrorCode::InvalidConfig, error.to_string()))?;
    let placed = place_topic(image, settings, &topic, random)?;
    check_partition_count(partition_count + placed.len())?;
    let created = CreatedTopic {
        id: fresh_id(image, random),
        partition_count: placed.len() as i32,
        replication_factor: placed.first().map_or(0, Vec::len) as i16,
        configs,
    };
    let id = created.id;
    let mut records = vec![Record::Topic { id, name: topic.name.into() }];
    records.extend(created.configs.iter().map(|(key, value)| Record::Config {
        resource: ConfigResource::Topic(id),
        key: key.as_str().into(),
        value: Some(value.as_str().into()),
    }));
    records.extend(partition_records(id, 0, placed));
    Ok((created, records))
}

fn check_new_name(image: &Image, name: &str) -> Result<(), CommandError> {
    if name == CLUSTER_METADATA_TOPIC {
        return Err(CommandError::new(
            ErrorCode::InvalidRequest,
            format!("Creation of internal topic {name} is prohibited."),
        ));
    }
    if image.topic_id(name).is_some() {
        return Err(CommandError::new(
            ErrorCode::TopicAlreadyExists,
            format!("Topic '{name}' already exists."),
        ));
    }
    if let Some(other) = image.colliding_topic(name) {
        return Err(CommandError::new(
            ErrorCode::InvalidTopicException,
            format!("Topic '{name}' collides with existing topic: {other}"),
        ));
    }
    check_topic_name(name)
        .map_err(|message| CommandError::new(ErrorCode::InvalidTopicException, message))
}

fn place_topic(
    image: &Image,
    settings: &Settings,
    topic: &NewTopic,
    random: Random<'_>,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    if !topic.assignments.is_empty() {
        return assigned(image, topic);
    }
    let replication_factor = match topic.replication_factor {
        -1 => settings.replication_factor_default,
        factor if factor > 0 => factor,
        _ => {
            return Err(CommandError::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
    };
    let count = match topic.partition_count {
        -1 => settings.partition_count_default,
        count if count > 0 => count,
        _ => {
            return Err(CommandError::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
    };
    place(image, 0, count, replication_factor, random())
}

fn assigned(image: &Image, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let set = |what: &str| {
        Err(CommandError::new(
            ErrorCode::InvalidRequest,
            format!("A manual partition assignment was specified, but {what} was not set to -1."),
        ))
    };
    if topic.replication_factor != -1 {
        return set("replication factor");
    }
    if topic.partition_count != -1 {
        return set("numPartitions");
    }
    let refused = |message: String| CommandError::new(ErrorCode::InvalidReplicaAssignment, message);
    let mut placed = BTreeMap::new();
    let mut replication_factor = None;
    for Assignment { partition, brokers } in &topic.assignments {
        if placed.contains_key(&partition.0) {
            return Err(refused(format!(
                "Found multiple manual partition assignments for partition {partition}"
            )));
        }
        check_assignment(image, brokers, replication_factor)?;
        replication_factor = Some(brokers.len());
        placed.insert(partition.0, brokers.clone());
    }
    if placed.keys().zip(0..).any(|(&partition, expected)| partition != expected) {
        return Err(refused("partitions should be a consecutive 0-based integer sequence".into()));
    }
    Ok(placed.into_values().collect())
}

/// Refuses more partitions than a broker's memory is laid out for.
pub(super) fn check_partition_count(partition_count: usize) -> Result<(), CommandError> {
    if partition_count <= PARTITION_COUNT_MAX {
        return Ok(());
    }
    Err(too_many(format!(
        "The cluster would have {partition_count} partitions; at most {PARTITION_COUNT_MAX} are allowed."
    )))
}

pub(super) fn too_many(message: String) -> CommandError {
    CommandError::new(ErrorCode::PolicyViolation, message)
}

/// Records for partitions that are new, the first with index `first`.
pub(super) fn partition_records(
    topic: TopicId,
    first: i32,
    placed: Vec<Vec<BrokerId>>,
) -> impl Iterator<Item = Record> {
    (first..).zip(placed).map(move |(index, brokers)| Record::Partition {
        topic,
        index: PartitionIndex(index),
        state: Partition::fresh(brokers),
    })
}

/// An id that no topic has and that is not one of Kafka's reserved ones (those are not version 4).
fn fresh_id(image: &Image, random: Random<'_>) -> TopicId {
    loop {
        let id = TopicId::from_random(random(), random());
        if image.topic(id).is_none() {
            return id;
        }
    }
}

/// One entry of a DeleteTopics request: a name, or else an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicReference {
    /// The name, where the client gave one.
    pub name: Option<String>,
    /// The id, zero where the client gave none.
    pub id: TopicId,
}

/// What became of one entry of a DeleteTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTopicResult {
    /// The topic's name, where it is known or was given.
    pub name: Option<String>,
    /// The topic's id, zero where it is not known.
    pub id: TopicId,
    /// Deleted, or why not.
    pub result: Result<(), CommandError>,
}

/// Decides a DeleteTopics request: one result for each distinct entry, in request order. As a whole
/// it fails only where topics may not be deleted.
pub fn delete_topics(
    image: &Image,
    settings: &Settings,
    topics: Vec<TopicReference>,
) -> Result<Decision<Vec<DeleteTopicResult>>, CommandError> {
    if !settings.delete_topic_enable {
        return Err(ErrorCode::TopicDeletionDisabled.into());
    }
    let twice: BTreeSet<TopicReference> = duplicates(topics.iter()).into_iter().cloned().collect();
    let by_id: BTreeSet<TopicId> =
        topics.iter().filter(|topic| topic.name.is_none()).map(|topic| topic.id).collect();
    let by_name: BTreeSet<TopicId> = topics
        .iter()
        .filter(|topic| topic.id.is_zero())
        .filter_map(|topic| image.topic_id(topic.name.as_deref()?))
        .collect();
    let mut answered = BTreeSet::new();
    let mut decision = Decision { records: Vec::new(), reply: Vec::new() };
    for topic in topics {
        if !answered.insert(topic.clone()) {
            continue;
        }
        let both_ways = |id| by_id.contains(&id) && by_name.contains(&id);
        let found = if twice.contains(&topic) {
            let what = if topic.name.is_some() { "name" } else { "id" };
            Err(invalid(&format!("Duplicate topic {what}.")))
        } else {
            find(image, &topic).and_then(|(id, name)| match both_ways(id) {
                true => {
                    Err(invalid("The provided topic name maps to an ID that was already supplied."))
                }
                false => Ok((id, name)),
            })
        };
        decision.reply.push(match found {
            Ok((id, name)) => {
                decision.records.push(Record::RemoveTopic { id });
                DeleteTopicResult { name: Some(name.to_owned()), id, result: Ok(()) }
            }
            Err(error) => DeleteTopicResult { name: topic.name, id: topic.id, result: Err(error) },
        });
    }
    Ok(decision)
}

fn invalid(message: &str) -> CommandError {
    CommandError::new(ErrorCode::InvalidRequest, message)
}

fn find<'a>(image: &'a Image, topic: &TopicReference) -> Result<(TopicId, &'a str), CommandError> {
    match &topic.name {
        None if topic.id.is_zero() => Err(invalid("Neither topic name nor id were specified.")),
        Some(_) if !topic.id.is_zero() => {
            Err(invalid("You may not specify both topic name and topic id."))
        }
        None => match image.topic(topic.id) {
            Some(found) => Ok((topic.id, found.name())),
            None => Err(unknown(ErrorCode::UnknownTopicId)),
        },
        Some(name) => match image.topic_named(name) {
            Some((id, found)) => Ok((id, found.name())),
            None => Err(unknown(ErrorCode::UnknownTopicOrPartition)),
        },
    }
}

/// Kafka sends the code's own message here, not null.
fn unknown(code: ErrorCode) -> CommandError {
    CommandError::new(code, code.message())
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
