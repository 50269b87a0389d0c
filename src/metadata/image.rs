//! The metadata image: what the records so far add up to, with the lookups that answers need.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use super::partition::Partition;
use super::record::Broker;
use crate::model::{BrokerId, LogId, PartitionIndex, ProducerId, TopicId};

/// Key and value pairs, sorted by key.
pub type Configs = Vec<(Box<str>, Box<str>)>;

/// A topic. Its partitions are numbered without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub(super) name: Box<str>,
    pub(super) partitions: Vec<Partition>,
    pub(super) configs: Configs,
}

/// A feature's finalized level and the epoch in which it got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) level: i16,
    pub(super) epoch: i64,
}

/// All metadata of the cluster. `replay` is the only code that changes it.
///
/// Each shard keeps its own, so memory is counted: a partition takes 48 bytes (96 at most, where the
/// vector has just grown), a topic about 200 more, name included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub(super) cluster_id: Option<Box<str>>,
    pub(super) topics: BTreeMap<TopicId, Topic>,
    pub(super) names: BTreeMap<Box<str>, TopicId>,
    pub(super) partition_count: usize,
    pub(super) brokers: BTreeMap<BrokerId, Broker>,
    /// `None` is the entry of every broker.
    pub(super) broker_configs: BTreeMap<Option<BrokerId>, Configs>,
    pub(super) next_producer_id: ProducerId,
    pub(super) features: BTreeMap<Box<str>, Feature>,
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its partitions, by index.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// One partition.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// The configs that were set on it, sorted by key.
    pub fn configs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        pairs(&self.configs)
    }
}

impl Image {
    /// The cluster's id; `None` only before its first record.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The topic with this id.
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The id of the topic with this name.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// The topic with this name.
    pub fn topic_named(&self, name: &str) -> Option<(TopicId, &Topic)> {
        let id = self.topic_id(name)?;
        Some((id, self.topics.get(&id)?))
    }

    /// Every topic, sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &Topic)> {
        self.names.values().filter_map(|id| Some((*id, self.topics.get(id)?)))
    }

    /// Topics whose name is `first` or sorts after it, by name: for answers in pages.
    pub fn topics_from<'a>(&'a self, first: &str) -> impl Iterator<Item = (TopicId, &'a Topic)> {
        self.names_from(first).filter_map(|(_, id)| Some((*id, self.topics.get(id)?)))
    }

    fn names_from<'a>(&'a self, first: &str) -> btree_map::Range<'a, Box<str>, TopicId> {
        self.names.range::<str, _>((Bound::Included(first), Bound::Unbounded))
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// How many partitions all topics have.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// One partition's state.
    pub fn partition(&self, log: &LogId) -> Option<&Partition> {
        self.topics.get(&log.topic)?.partition(log.partition)
    }

    /// A topic whose name Kafka would confuse with `name` in its metrics: equal but for `.` and `_`.
    pub fn colliding_topic(&self, name: &str) -> Option<&str> {
        if !name.contains(['.', '_']) {
            return None;
        }
        self.collision(name.as_bytes(), &mut String::with_capacity(name.len()))
    }

    /// Walks the spellings of `rest` behind `prefix` that some topic's name starts with.
    fn collision(&self, rest: &[u8], prefix: &mut String) -> Option<&str> {
        let Some(plain) = rest.iter().position(|byte| matches!(byte, b'.' | b'_')) else {
            let length = prefix.len();
            prefix.push_str(std::str::from_utf8(rest).ok()?);
            let found = self.names.get_key_value(prefix.as_str()).map(|(name, _)| &**name);
            prefix.truncate(length);
            return found;
        };
        let length = prefix.len();
        for separator in ['.', '_'] {
            prefix.push_str(std::str::from_utf8(&rest[..plain]).ok()?);
            prefix.push(separator);
            let found = match self.names_from(prefix).next() {
                Some((next, _)) if next.starts_with(prefix.as_str()) => {
                    self.collision(&rest[plain + 1..], prefix)
                }
                _ => None,
            };
            prefix.truncate(length);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Every registered broker, by id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Broker> {
        self.brokers.values()
    }

    /// One registered broker.
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    /// The dynamic configs of one broker, or (`None`) those of every broker, sorted by key.
    pub fn broker_configs(
        &self,
        id: Option<BrokerId>,
    ) -> impl ExactSizeIterator<Item = (&str, &str)> {
        pairs(self.broker_configs.get(&id).map_or(&[], |configs| configs))
    }

    /// The first producer id that no block holds.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// The finalized features and their levels, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features
            .iter()
            .filter(|(_, feature)| feature.level > 0)
            .map(|(name, feature)| (&**name, feature.level))
    }

    /// Grows with every change of a feature (`finalizedFeaturesEpoch` in ApiVersions).
    pub fn features_epoch(&self) -> i64 {
        self.features.values().map(|feature| feature.epoch).max().unwrap_or(0)
    }
}

/// A config list as borrowed pairs.
pub(super) fn pairs(
    configs: &[(Box<str>, Box<str>)],
) -> impl ExactSizeIterator<Item = (&str, &str)> {
    configs.iter().map(|(key, value)| (&**key, &**value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::Record;
    use crate::metadata::replay::replay;

    fn image_of(names: &[&str]) -> Image {
        let mut image = Image::default();
        for (index, name) in names.iter().enumerate() {
            let id = TopicId([index as u8 + 1; 16]);
            replay(&mut image, &Record::Topic { id, name: (*name).into() }).expect("a fresh topic");
        }
        image
    }

    #[test]
    fn collisions_are_found_at_any_separator() {
        let image = image_of(&["a.b_c", "plain", "x_y", "a.b", "a_bc"]);
        for (name, expected) in [
            ("a.b.c", Some("a.b_c")),
            ("a_b_c", Some("a.b_c")),
            ("a_b", Some("a.b")),
            ("x.y", Some("x_y")),
            ("x_y", Some("x_y")),
            ("x.y.", None),
            ("plain", None),
            (".", None),
            ("a.c", None),
            ("..........................................................", None),
        ] {
            assert_eq!(image.colliding_topic(name), expected, "{name}");
        }
    }

    #[test]
    fn topics_come_by_name_from_anywhere() {
        let image = image_of(&["b", "a", "c"]);
        let names = |topics: Vec<(TopicId, &Topic)>| {
            topics.iter().map(|(_, topic)| topic.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(image.topics().collect()), ["a", "b", "c"]);
        assert_eq!(names(image.topics_from("b").collect()), ["b", "c"]);
        assert_eq!(names(image.topics_from("bb").collect()), ["c"]);
        assert_eq!(image.topic_named("c").map(|(id, _)| id), Some(TopicId([3; 16])));
    }
}
