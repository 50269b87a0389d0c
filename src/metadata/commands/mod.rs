//! Commands: what a request wants, decided against an image into records and a reply.
//!
//! One file per family. A decision is pure: the same image, settings, command and random numbers
//! give the same records. A command that fails as a whole is a [`CommandError`]; where Kafka answers
//! per topic or per resource, the reply carries a result for each, in request order, and the records
//! are those of the parts that succeeded. Replaying the records on the image that they were decided
//! against never fails.

mod brokers;
mod configs;
mod leader_epochs;
mod partitions;
mod placement;
mod producer_ids;
mod topic_name;
mod topics;

pub use brokers::{BrokerStart, METADATA_VERSION_FEATURE, start_broker};
pub use configs::{
    AlterConfigs, BrokerConfigRules, ConfigResult, IncrementalAlterConfigs, IncrementalChange,
    RESOURCE_BROKER, RESOURCE_TOPIC, ResourceChange, alter_configs, incremental_alter_configs,
};
pub use leader_epochs::raise_leader_epochs;
pub use partitions::{CreatePartitions, CreatePartitionsResult, NewPartitions, create_partitions};
pub use producer_ids::{PRODUCER_ID_BLOCK_LENGTH, ProducerIdBlock, allocate_producer_ids};
pub use topic_name::check_topic_name;
pub use topics::{
    Assignment, CreateTopicResult, CreateTopics, CreatedTopic, DeleteTopicResult, NewTopic,
    TopicReference, auto_create_topics, create_topics, delete_topics,
};

use super::image::Image;
use super::record::Record;
use crate::model::topic_config::TopicDefaults;
use crate::model::{ErrorCode, LogId};

/// Why a command, or one part of it, was refused: Kafka's code and Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", message.as_deref().unwrap_or(code.message()))]
pub struct CommandError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// Says more than the code's own message; `None` where Kafka sends null.
    pub message: Option<String>,
}

impl CommandError {
    /// An error that says what is wrong.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> CommandError {
        CommandError { code, message: Some(message.into()) }
    }
}

impl From<ErrorCode> for CommandError {
    fn from(code: ErrorCode) -> CommandError {
        CommandError { code, message: None }
    }
}

/// What decisions take from the broker's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `num.partitions`.
    pub partition_count_default: i32,
    /// `default.replication.factor`.
    pub replication_factor_default: i16,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// What a topic without overrides has: a topic's overrides are judged together with it.
    pub topic_defaults: TopicDefaults,
    /// Which dynamic configs a broker takes.
    pub broker_configs: BrokerConfigRules,
}

/// What a decision yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<R> {
    /// To be made durable and replayed, in order; empty where nothing changes.
    pub records: Vec<Record>,
    /// What the client is told once the records are durable.
    pub reply: R,
}

/// Random numbers from the runtime, drawn as a decision needs them.
pub type Random<'a> = &'a mut dyn FnMut() -> u64;

/// Everything that can be asked of the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// CreateTopics.
    CreateTopics(CreateTopics),
    /// Creates the named topics with the defaults, as a Metadata request does.
    AutoCreateTopics(Vec<String>),
    /// DeleteTopics.
    DeleteTopics(Vec<TopicReference>),
    /// CreatePartitions.
    CreatePartitions(CreatePartitions),
    /// AlterConfigs: replaces all configs of each resource.
    AlterConfigs(AlterConfigs),
    /// IncrementalAlterConfigs.
    IncrementalAlterConfigs(IncrementalAlterConfigs),
    /// Takes the next block of producer ids.
    AllocateProducerIds,
    /// A broker has started: registers it and, at the very first start, names the cluster.
    StartBroker(BrokerStart),
    /// Raises the leader epochs of partitions whose logs may have been cut.
    RaiseLeaderEpochs(Vec<LogId>),
}

/// The answer to the command of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To CreateTopics and AutoCreateTopics: one result for each distinct name.
    CreateTopics(Vec<CreateTopicResult>),
    /// To DeleteTopics.
    DeleteTopics(Vec<DeleteTopicResult>),
    /// To CreatePartitions: one result for each distinct name.
    CreatePartitions(Vec<CreatePartitionsResult>),
    /// To AlterConfigs and IncrementalAlterConfigs: one result for each resource.
    AlterConfigs(Vec<ConfigResult>),
    /// To AllocateProducerIds.
    ProducerIds(ProducerIdBlock),
    /// To StartBroker.
    BrokerStarted,
    /// To RaiseLeaderEpochs.
    LeaderEpochsRaised,
}

/// Decides any command.
pub fn decide(
    image: &Image,
    settings: &Settings,
    command: Command,
    random: Random<'_>,
) -> Result<Decision<Reply>, CommandError> {
    fn replying<R>(decision: Decision<R>, reply: fn(R) -> Reply) -> Decision<Reply> {
        Decision { records: decision.records, reply: reply(decision.reply) }
    }
    Ok(match command {
        Command::CreateTopics(request) => {
            replying(create_topics(image, settings, request, random), Reply::CreateTopics)
        }
        Command::AutoCreateTopics(names) => {
            replying(auto_create_topics(image, settings, names, random), Reply::CreateTopics)
        }
        Command::DeleteTopics(topics) => {
            replying(delete_topics(image, settings, topics)?, Reply::DeleteTopics)
        }
        Command::CreatePartitions(request) => {
            replying(create_partitions(image, request, random), Reply::CreatePartitions)
        }
        Command::AlterConfigs(request) => {
            replying(alter_configs(image, settings, request), Reply::AlterConfigs)
        }
        Command::IncrementalAlterConfigs(request) => {
            replying(incremental_alter_configs(image, settings, request), Reply::AlterConfigs)
        }
        Command::AllocateProducerIds => replying(allocate_producer_ids(image)?, Reply::ProducerIds),
        Command::StartBroker(start) => {
            replying(start_broker(image, start)?, |()| Reply::BrokerStarted)
        }
        Command::RaiseLeaderEpochs(logs) => {
            replying(raise_leader_epochs(image, &logs), |()| Reply::LeaderEpochsRaised)
        }
    })
}

/// Keys that stand more than once in `keys`.
fn duplicates<K: Ord>(keys: impl IntoIterator<Item = K>) -> std::collections::BTreeSet<K> {
    let mut seen = std::collections::BTreeSet::new();
    let mut twice = Vec::new();
    for key in keys {
        if let Some(key) = seen.replace(key) {
            twice.push(key);
        }
    }
    twice.into_iter().collect()
}

#[cfg(test)]
pub mod testing {
    //! What the tests of every command family stand on.

    use super::*;
    use crate::metadata::record::{Broker, Listener};
    use crate::metadata::replay::replay;
    use crate::model::BrokerId;

    pub fn settings() -> Settings {
        fn check(key: &str, value: Option<&str>) -> Result<(), CommandError> {
            match (key, value) {
                ("message.max.bytes" | "log.cleanup.policy", _) if value != Some("no") => Ok(()),
                _ => Err(CommandError::new(ErrorCode::InvalidRequest, "not dynamic")),
            }
        }
        Settings {
            partition_count_default: 2,
            replication_factor_default: 1,
            delete_topic_enable: true,
            topic_defaults: TopicDefaults::default(),
            broker_configs: BrokerConfigRules {
                check,
                list_default: |key| (key == "log.cleanup.policy").then_some("delete"),
            },
        }
    }

    pub fn broker(id: i32, rack: Option<&str>) -> Broker {
        Broker {
            id: BrokerId(id),
            incarnation: 7,
            listeners: [Listener { name: "PLAINTEXT".into(), host: "h".into(), port: 1 }].into(),
            rack: rack.map(Into::into),
        }
    }

    /// An image with brokers 1 to `count`.
    pub fn image_of_brokers(count: i32) -> Image {
        let mut image = Image::default();
        apply(&mut image, (1..=count).map(|id| Record::Broker(broker(id, None))).collect());
        image
    }

    /// Replays what was just decided, which always fits.
    pub fn apply(image: &mut Image, records: Vec<Record>) {
        for record in records {
            replay(image, &record).expect("records fit the image that they were decided against");
        }
    }

    /// Counts up: good enough to be unique.
    pub fn random() -> impl FnMut() -> u64 {
        let mut next = 0;
        move || {
            next += 1;
            next
        }
    }

    /// Creates topics that must be fine.
    pub fn create(image: &mut Image, topics: &[(&str, i32)]) {
        let topics = topics
            .iter()
            .map(|(name, count)| NewTopic { partition_count: *count, ..NewTopic::named(*name) })
            .collect();
        let seed = image.topic_count() as u64 * 1000;
        let mut random = random();
        let decision = create_topics(
            image,
            &settings(),
            CreateTopics { topics, validate_only: false },
            &mut || seed + random(),
        );
        assert!(decision.reply.iter().all(|topic| topic.result.is_ok()), "{:?}", decision.reply);
        apply(image, decision.records);
    }
}
