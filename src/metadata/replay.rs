//! Replay: the only code that changes an image.

use std::collections::btree_map::Entry;

use super::image::{Configs, Feature, Image, Topic};
use super::partition::Partition;
use super::record::{ConfigResource, Record};
use crate::model::{BrokerId, PartitionIndex, ProducerId, TopicId};

/// A record that does not fit the image: the log was not written by this code, or is damaged. The
/// image is as it was before the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The cluster has an id already, and it is another.
    #[error("the cluster id changes from {0} to {1}")]
    OtherCluster(Box<str>, Box<str>),
    /// The record is about a topic that does not exist.
    #[error("topic id {0} is unknown")]
    UnknownTopic(TopicId),
    /// A topic with this id exists.
    #[error("topic id {0} is used twice")]
    TopicIdTaken(TopicId),
    /// A topic with this name exists.
    #[error("topic name {0} is used twice")]
    TopicNameTaken(Box<str>),
    /// A partition's index is negative or leaves a gap.
    #[error("partition {1} of topic id {0} leaves a gap")]
    PartitionGap(TopicId, PartitionIndex),
    /// Producer ids would be given out again.
    #[error("the next producer id falls from {0} to {1}")]
    ProducerIdsFall(ProducerId, ProducerId),
}

/// Applies one record: whole or, with an error, not at all. Never panics.
pub fn replay(image: &mut Image, record: &Record) -> Result<(), ReplayError> {
    match record {
        Record::Cluster { id } => match &image.cluster_id {
            Some(known) if known != id => {
                return Err(ReplayError::OtherCluster(known.clone(), id.clone()));
            }
            _ => image.cluster_id = Some(id.clone()),
        },
        Record::Topic { id, name } => add_topic(image, *id, name)?,
        Record::Partition { topic, index, state } => set_partition(image, *topic, *index, state)?,
        Record::RemoveTopic { id } => {
            let topic = image.topics.remove(id).ok_or(ReplayError::UnknownTopic(*id))?;
            image.names.remove(&topic.name);
            image.partition_count -= topic.partitions.len();
        }
        Record::Config { resource, key, value } => match resource {
            ConfigResource::Topic(id) => {
                let topic = image.topics.get_mut(id).ok_or(ReplayError::UnknownTopic(*id))?;
                set_config(&mut topic.configs, key, value.as_deref());
            }
            ConfigResource::Broker(id) => {
                set_broker_config(image, Some(*id), key, value.as_deref())
            }
            ConfigResource::EveryBroker => set_broker_config(image, None, key, value.as_deref()),
        },
        Record::ProducerIds { next } => {
            if *next < image.next_producer_id {
                return Err(ReplayError::ProducerIdsFall(image.next_producer_id, *next));
            }
            image.next_producer_id = *next;
        }
        Record::Broker(broker) => {
            image.brokers.insert(broker.id, broker.clone());
        }
        Record::Feature { name, level, epoch } => {
            image.features.insert(name.clone(), Feature { level: *level, epoch: *epoch });
        }
    }
    Ok(())
}

fn add_topic(image: &mut Image, id: TopicId, name: &str) -> Result<(), ReplayError> {
    if image.names.contains_key(name) {
        return Err(ReplayError::TopicNameTaken(name.into()));
    }
    match image.topics.entry(id) {
        Entry::Occupied(_) => return Err(ReplayError::TopicIdTaken(id)),
        Entry::Vacant(entry) => entry.insert(Topic {
            name: name.into(),
            partitions: Vec::new(),
            configs: Configs::new(),
        }),
    };
    image.names.insert(name.into(), id);
    Ok(())
}

fn set_partition(
    image: &mut Image,
    id: TopicId,
    index: PartitionIndex,
    state: &Partition,
) -> Result<(), ReplayError> {
    let topic = image.topics.get_mut(&id).ok_or(ReplayError::UnknownTopic(id))?;
    let position = usize::try_from(index.0).map_err(|_| ReplayError::PartitionGap(id, index))?;
    let existing = topic.partitions.len();
    match topic.partitions.get_mut(position) {
        Some(partition) => *partition = state.clone(),
        None if position == existing => {
            if position == 0 {
                // Most topics of a small broker have one partition: no room for four.
                topic.partitions.reserve_exact(1);
            }
            topic.partitions.push(state.clone());
            image.partition_count += 1;
        }
        None => return Err(ReplayError::PartitionGap(id, index)),
    }
    Ok(())
}

fn set_broker_config(image: &mut Image, id: Option<BrokerId>, key: &str, value: Option<&str>) {
    let configs = image.broker_configs.entry(id).or_default();
    set_config(configs, key, value);
    if configs.is_empty() {
        image.broker_configs.remove(&id);
    }
}

fn set_config(configs: &mut Configs, key: &str, value: Option<&str>) {
    match (configs.binary_search_by(|(known, _)| (**known).cmp(key)), value) {
        (Ok(position), Some(value)) => configs[position].1 = value.into(),
        (Ok(position), None) => {
            configs.remove(position);
        }
        (Err(position), Some(value)) => configs.insert(position, (key.into(), value.into())),
        (Err(_), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogId;

    const ID: TopicId = TopicId([1; 16]);
    const OTHER: TopicId = TopicId([2; 16]);

    fn topic(id: TopicId, name: &str) -> Record {
        Record::Topic { id, name: name.into() }
    }

    fn partition(id: TopicId, index: i32) -> Record {
        let state = Partition::fresh(vec![BrokerId(1)]);
        Record::Partition { topic: id, index: PartitionIndex(index), state }
    }

    fn config(resource: ConfigResource, key: &str, value: Option<&str>) -> Record {
        Record::Config { resource, key: key.into(), value: value.map(Into::into) }
    }

    /// Replays `good` and then `bad`, which must fail and leave no trace.
    fn check(good: &[Record], bad: &Record, expected: &ReplayError) {
        let mut image = Image::default();
        for record in good {
            replay(&mut image, record).expect("a fitting record");
        }
        let before = image.clone();
        assert_eq!(replay(&mut image, bad), Err(expected.clone()));
        assert_eq!(image, before);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let base = [topic(ID, "a"), partition(ID, 0)];
        check(&base, &topic(ID, "b"), &ReplayError::TopicIdTaken(ID));
        check(&base, &topic(OTHER, "a"), &ReplayError::TopicNameTaken("a".into()));
        check(&base, &partition(ID, 2), &ReplayError::PartitionGap(ID, PartitionIndex(2)));
        check(&base, &partition(ID, -1), &ReplayError::PartitionGap(ID, PartitionIndex(-1)));
        check(&base, &partition(OTHER, 0), &ReplayError::UnknownTopic(OTHER));
        check(&base, &Record::RemoveTopic { id: OTHER }, &ReplayError::UnknownTopic(OTHER));
        check(
            &base,
            &config(ConfigResource::Topic(OTHER), "k", Some("v")),
            &ReplayError::UnknownTopic(OTHER),
        );
        let next = |next| Record::ProducerIds { next: ProducerId(next) };
        check(
            &[next(2000)],
            &next(1000),
            &ReplayError::ProducerIdsFall(ProducerId(2000), ProducerId(1000)),
        );
        let cluster = |id: &str| Record::Cluster { id: id.into() };
        check(&[cluster("x")], &cluster("y"), &ReplayError::OtherCluster("x".into(), "y".into()));
    }

    #[test]
    fn removing_a_topic_leaves_nothing_of_it() {
        let mut image = Image::default();
        for record in [
            topic(ID, "a"),
            config(ConfigResource::Topic(ID), "k", Some("v")),
            partition(ID, 0),
            partition(ID, 1),
        ] {
            replay(&mut image, &record).expect("a fitting record");
        }
        assert_eq!(image.partition_count(), 2);
        assert!(image.partition(&LogId { topic: ID, partition: PartitionIndex(1) }).is_some());
        replay(&mut image, &Record::RemoveTopic { id: ID }).expect("it exists");
        assert_eq!(image, Image::default());
        replay(&mut image, &topic(OTHER, "a")).expect("the name is free again");
    }

    #[test]
    fn configs_stay_sorted_and_go_away() {
        let mut image = Image::default();
        let mut set = |key: &str, value: Option<&str>| {
            replay(&mut image, &config(ConfigResource::EveryBroker, key, value)).expect("fits");
            image
                .broker_configs(None)
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
        };
        set("b", Some("1"));
        set("a", Some("2"));
        assert_eq!(set("b", Some("3")), ["a=2", "b=3"]);
        set("c", None);
        set("a", None);
        assert_eq!(set("b", None), Vec::<String>::new());
        assert_eq!(image, Image::default());
    }
}
