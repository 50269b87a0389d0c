//! From the parsed configuration to what each room needs of it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{self, BrokerConfig, GroupConfig};
use crate::coordinator::group::GroupSettings;
use crate::coordinator::partition::CoordinatorSettings;
use crate::metadata::commands::{BrokerConfigRules, CommandError, Settings as CommandSettings};
use crate::metadata::{Broker, Listener};
use crate::model::ErrorCode;
use crate::model::limits::{CHUNK_BYTES_MIN, COORDINATOR_SNAPSHOT_EVERY_BYTES};
use crate::server::QuotaLimits;
use crate::shard::{
    AdvertisedListener, CoordinationSettings, OffsetsTopic, RetentionSettings, Settings,
};

/// What clients are told of the listeners: a port 0 becomes the one that the kernel chose.
pub fn advertised(config: &BrokerConfig, bound: &[SocketAddr]) -> Vec<AdvertisedListener> {
    let told = config.listeners.iter().zip(bound);
    told.map(|(listener, bound)| AdvertisedListener {
        name: listener.name.clone(),
        host: listener.advertised.host.clone(),
        port: if listener.advertised.port == 0 { bound.port() } else { listener.advertised.port },
    })
    .collect()
}

/// What the shards and their handlers need.
pub fn of_shards(
    config: &BrokerConfig,
    cluster_id: &str,
    listeners: Vec<AdvertisedListener>,
) -> Settings {
    Settings {
        node_id: config.node_id,
        cluster_id: cluster_id.into(),
        rack: config.rack.clone(),
        listeners,
        auto_create_topics: config.auto_create_topics,
        request_bytes_max: config.request_bytes_max as usize,
        fetch_bytes_max: config.fetch_bytes_max as usize,
        fetch_session_slots: config.fetch_sessions_max as usize,
        described_partitions_max: config.described_partitions_max as usize,
        connection_idle_max: config.connection_idle_ms_max.map(Duration::from_millis),
        producer_expiration_ms: saturating(config.producer_id_expiration_ms),
        connections_move_to_owner: config.move_connections_to_owner && config.shard_cpus.len() > 1,
        slow_request: Duration::from_millis(config.slow_request_ms.into()),
        groups: groups(&config.groups, config.memory_bytes as usize / config.shard_cpus.len()),
        retention: RetentionSettings {
            initial_delay: Duration::from_millis(config.initial_task_delay_ms),
            check_interval: Duration::from_millis(config.retention_check_interval_ms),
        },
        topic_defaults: config.topic_defaults.clone(),
        broker_configs: config.entries.clone(),
    }
}

/// Kafka's own type has no more room.
fn clamped(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Groups may take half as much as a shard's share of `memory.bytes`, beside it.
fn groups(config: &GroupConfig, shard_memory_bytes: usize) -> CoordinationSettings {
    let minutes = i64::from(config.offsets_retention_minutes);
    CoordinationSettings {
        coordinator: CoordinatorSettings {
            group: GroupSettings {
                session_timeout_ms_min: clamped(config.session_timeout_ms_min),
                session_timeout_ms_max: clamped(config.session_timeout_ms_max),
                initial_rebalance_delay_ms: clamped(config.initial_rebalance_delay_ms),
                members_max: clamped(config.members_max),
            },
            offset_metadata_bytes_max: config.offset_metadata_bytes_max as usize,
            offsets_retention_ms: minutes * 60_000,
            // Each partition's own is that of its topic.
            batch_bytes_max: 0,
        },
        bytes_max: shard_memory_bytes / 2,
        offsets_check_interval: Duration::from_millis(config.offsets_retention_check_interval_ms),
        snapshot_every_bytes: COORDINATOR_SNAPSHOT_EVERY_BYTES,
        offsets_topic: OffsetsTopic {
            partition_count: clamped(config.offsets_topic_partitions),
            replication_factor: config
                .offsets_topic_replication_factor
                .and_then(|factor| i16::try_from(factor).ok()),
            segment_bytes: config.offsets_topic_segment_bytes,
        },
    }
}

/// What the controller's decisions need.
pub fn of_commands(config: &BrokerConfig) -> CommandSettings {
    CommandSettings {
        partition_count_default: i32::try_from(config.num_partitions).unwrap_or(i32::MAX),
        replication_factor_default: i16::try_from(config.default_replication_factor)
            .unwrap_or(i16::MAX),
        delete_topic_enable: config.delete_topics,
        topic_defaults: config.topic_defaults.clone(),
        broker_configs: BrokerConfigRules { check: check_broker_config, list_default: no_list },
    }
}

/// No broker key changes while the broker runs, yet.
fn check_broker_config(key: &str, _value: Option<&str>) -> Result<(), CommandError> {
    let known = config::is_known_broker_key(key);
    let text = if known {
        format!("Cannot update these configs dynamically: [{key}]")
    } else {
        format!("Unknown broker config {key}")
    };
    Err(CommandError::new(ErrorCode::InvalidRequest, text))
}

fn no_list(_key: &str) -> Option<&'static str> {
    None
}

/// How this broker registers itself.
pub fn registration(
    config: &BrokerConfig,
    listeners: &[AdvertisedListener],
    incarnation: u128,
) -> Broker {
    let told = listeners.iter();
    Broker {
        id: config.node_id,
        incarnation,
        listeners: told
            .map(|listener| Listener {
                name: listener.name.as_str().into(),
                host: listener.host.as_str().into(),
                port: listener.port,
            })
            .collect(),
        rack: config.rack.as_deref().map(Into::into),
    }
}

/// How many last blocks of logs a start may leave to the memory of the shards, one of which may own them all: an
/// eighth of what it has for records, and no more than its journal holds.
pub fn tails_max(config: &BrokerConfig) -> usize {
    let bytes = (config.memory_bytes / 8).min(config.journal_bytes);
    bytes as usize / config.shard_cpus.len() / CHUNK_BYTES_MIN
}

/// How many connections there may be.
pub fn quota(config: &BrokerConfig, connections_max: usize) -> QuotaLimits {
    QuotaLimits { connections_max, connections_per_ip_max: config.connections_per_ip_max as usize }
}

fn saturating(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
