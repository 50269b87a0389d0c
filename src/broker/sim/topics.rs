//! Topics as simulated clients name, plan and see them.

use std::rc::Rc;

use super::link::{Link, Lost};
use super::model::Model;
use super::site::Site;
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId, PartitionIndex, TopicId};
use crate::protocol::metadata_request::MetadataRequest;

/// How many topics there may be at a time.
pub const TOPIC_COUNT: u64 = 7;

/// What a topic is created with: its name says it, so that whoever meets it knows its promises.
pub struct Plan {
    pub name: String,
    pub configs: Vec<(&'static str, String)>,
}

impl Plan {
    /// The topic of that number.
    pub fn of(number: u64) -> Plan {
        let mut configs = vec![(
            "internal.segment.bytes",
            [64 * KIB, 256 * KIB, 1024 * KIB][number as usize % 3].to_string(),
        )];
        match number {
            4 => configs.push(("flush.messages", "20".into())),
            5 => configs.push(("flush.messages", i64::MAX.to_string())),
            _ => {}
        }
        if number.is_multiple_of(2) {
            configs.push(("flush.ms", "5".into()));
        }
        if number.is_multiple_of(3) {
            configs.push(("segment.ms", "40".into()));
        }
        Plan { name: format!("topic-{number}"), configs }
    }
}

/// The number of a topic that this simulation has made.
pub fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("topic-")?.parse().ok()
}

/// Whether a topic of that name promises durability.
fn is_durable(name: &str) -> bool {
    !matches!(number_of(name), Some(4 | 5))
}

/// A topic as the broker tells of it.
#[derive(Clone, Debug)]
pub struct TopicView {
    pub name: Rc<str>,
    pub id: TopicId,
    /// The leader epoch of each partition.
    pub epochs: Vec<i32>,
}

impl TopicView {
    fn logs(&self) -> impl Iterator<Item = (LogId, i32)> {
        let epochs = self.epochs.iter().enumerate();
        epochs.map(|(index, epoch)| {
            (LogId { topic: self.id, partition: PartitionIndex(index as i32) }, *epoch)
        })
    }
}

/// A partition as a client knows it.
#[derive(Clone, Debug)]
pub struct Place {
    pub log: LogId,
    pub name: Rc<str>,
    pub epoch: i32,
}

/// Every partition that a client was told of, those of the broker's own topics left out.
pub fn places(topics: &[TopicView]) -> Vec<Place> {
    let own = topics.iter().filter(|topic| number_of(&topic.name).is_some());
    let places = own.flat_map(|topic| {
        topic.logs().map(|(log, epoch)| Place { log, name: topic.name.clone(), epoch })
    });
    places.collect()
}

/// Tells the model of every partition.
pub fn learn(model: &mut Model, topics: &[TopicView]) {
    for topic in topics.iter().filter(|topic| number_of(&topic.name).is_some()) {
        for (log, epoch) in topic.logs() {
            model.learn(log, is_durable(&topic.name), epoch);
        }
    }
}

/// Asks for all topics, without a check.
pub async fn ask(link: &mut Link) -> Result<Vec<TopicView>, Lost> {
    let request = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let answer = link.call(&request).await?;
    let answer = answer.decode();
    let views = answer.topics.iter().map(|topic| {
        assert_eq!(topic.error_code, ErrorCode::None.code(), "{:?} has an error", topic.name);
        let mut partitions: Vec<(i32, i32)> = topic
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, partition.leader_epoch))
            .collect();
        partitions.sort_unstable();
        let indexes = partitions.iter().map(|(index, _)| *index);
        assert!(indexes.eq(0..partitions.len() as i32), "{:?} has a hole", topic.name);
        TopicView {
            name: topic.name.as_deref().expect("a topic has a name").into(),
            id: topic.topic_id,
            epochs: partitions.into_iter().map(|(_, epoch)| epoch).collect(),
        }
    });
    Ok(views.collect())
}

/// Asks for all topics and checks the answer: what was created is there, what was deleted is not,
/// and leaders are in the epoch that the last start has found.
pub async fn look(site: &Site, link: &mut Link) -> Result<Vec<TopicView>, Lost> {
    let (gone, settled) = {
        let model = site.model.borrow();
        let settled = model.partitions.iter().filter(|(_, found)| found.settled && !found.deleted);
        (model.gone.len(), settled.map(|(log, _)| *log).collect::<Vec<_>>())
    };
    let topics = ask(link).await?;
    site.groups.borrow_mut().learn(&topics);
    let mut model = site.model.borrow_mut();
    learn(&mut model, &topics);
    for place in places(&topics) {
        let log = place.log;
        assert!(!model.gone[..gone].contains(&log.topic), "{log} is deleted and comes back");
        if let Some(partition) = model.partitions.get(&log) {
            assert_eq!(place.epoch, partition.epoch(), "{log}: the leader's epoch");
        }
    }
    for log in settled {
        let there = topics.iter().any(|topic| topic.logs().any(|(other, _)| other == log));
        let deleted = model.partitions.get(&log).is_none_or(|partition| partition.deleted);
        assert!(there || deleted, "{log} was created and {} does not see it", link.name());
    }
    drop(model);
    site.operated();
    Ok(topics)
}
