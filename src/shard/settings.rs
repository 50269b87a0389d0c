//! What a shard and its handlers need of the configuration, resolved once by the composition root.

use std::rc::Rc;
use std::time::Duration;

use crate::coordinator::partition::CoordinatorSettings;
use crate::model::BrokerId;
use crate::model::config_key::ConfigEntry;
use crate::model::topic_config::TopicDefaults;
use crate::shard::retention::RetentionSettings;

/// A listener as clients are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedListener {
    /// Its name in `listeners`.
    pub name: String,
    /// The host that clients connect to.
    pub host: String,
    /// The port that clients connect to.
    pub port: u16,
}

/// The settings of one broker process; the same on each of its shards.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `node.id`.
    pub node_id: BrokerId,
    /// The cluster's id.
    pub cluster_id: String,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// In the order of `listeners`, which is how connections name theirs.
    pub listeners: Vec<AdvertisedListener>,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `fetch.max.bytes`: no response holds more records than this.
    pub fetch_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`, over all shards.
    pub fetch_session_slots: usize,
    /// `max.request.partition.size.limit`: partitions in one DescribeTopicPartitions answer.
    pub described_partitions_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle_max: Option<Duration>,
    /// `producer.id.expiration.ms`, in milliseconds.
    pub producer_expiration_ms: i64,
    /// `connections.move.to.owner`, where there is more than one shard to move to.
    pub connections_move_to_owner: bool,
    /// `slow.request.ms`.
    pub slow_request: Duration,
    /// `group.*` and `offsets.*`.
    pub groups: CoordinationSettings,
    /// When old records are looked for.
    pub retention: RetentionSettings,
    /// What topics inherit from the broker's configuration.
    pub topic_defaults: TopicDefaults,
    /// The broker's own configuration, for DescribeConfigs.
    pub broker_configs: Vec<ConfigEntry>,
}

/// What the group coordinator is configured to.
#[derive(Clone, Debug)]
pub struct CoordinationSettings {
    /// What its machines go by.
    pub coordinator: CoordinatorSettings,
    /// What the groups of one shard take in memory before it takes in no new ones, in bytes.
    pub bytes_max: usize,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval: Duration,
    /// How much a load may come to read behind a partition's snapshot, in bytes.
    pub snapshot_every_bytes: usize,
    /// `__consumer_offsets` when it is created.
    pub offsets_topic: OffsetsTopic,
}

/// How `__consumer_offsets` is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetsTopic {
    /// `offsets.topic.num.partitions`.
    pub partition_count: i32,
    /// `offsets.topic.replication.factor`; `None` is as many as there are brokers, up to 3.
    pub replication_factor: Option<i16>,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: u32,
}

/// The settings as every part of a shard holds them.
pub type SharedSettings = Rc<Settings>;
