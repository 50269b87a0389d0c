//! The broker's configuration as plain values, parsed once and checked against the machine.

use std::path::PathBuf;
use std::time::Duration;

use super::cpu_list;
use super::describe::describe_broker;
use super::listeners::{HostPort, Listener, listeners};
use super::settings::{ConfigError, ConfigFile, Remark, Settings};
use super::topic_defaults::topic_defaults;
use crate::model::BrokerId;
use crate::model::config_key::ConfigEntry;
use crate::model::limits::{JOURNAL_BYTES_PER_SHARD_MIN, MEMORY_PER_SHARD_MIN, SHARD_COUNT_MAX};
use crate::model::topic_config::TopicDefaults;

/// What the process may use of the machine: whoever starts the broker knows it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The CPUs that the process may run on, in the order in which shards take them.
    pub cpus: Vec<usize>,
    /// How many threads can run at once: fewer than CPUs where a control group has a quota.
    pub parallelism: usize,
    /// The memory that it may use, in bytes.
    pub memory_bytes: u64,
    /// The machine's name in the network.
    pub host_name: String,
}

/// Everything that an operator sets. Times are milliseconds, sizes are bytes.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `node.id`, or its older name `broker.id`.
    pub node_id: BrokerId,
    /// `listeners` for clients with what is advertised of each; at least one.
    pub listeners: Vec<Listener>,
    /// `log.dirs`, or `log.dir`: the one data directory.
    pub data_dir: PathBuf,
    /// What topics have that were given nothing.
    pub topic_defaults: TopicDefaults,
    /// `num.partitions` of a topic that does not say.
    pub num_partitions: u32,
    /// `default.replication.factor` of a topic that does not say.
    pub default_replication_factor: u16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `fetch.max.bytes`: the most that one Fetch is answered with.
    pub fetch_bytes_max: u32,
    /// `socket.request.max.bytes`: the largest request.
    pub request_bytes_max: u32,
    /// `connections.max.idle.ms`; `None` keeps idle connections.
    pub connection_idle_ms_max: Option<u64>,
    /// `max.connections` of the broker.
    pub connections_max: u32,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: u32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: u32,
    /// `max.request.partition.size.limit`: the most partitions of one DescribeTopicPartitions.
    pub described_partitions_max: u32,
    /// `producer.id.expiration.ms`: how long an idle producer is remembered.
    pub producer_id_expiration_ms: u64,
    /// `log.initial.task.delay.ms`: from the start until old records are looked for.
    pub initial_task_delay_ms: u64,
    /// `log.retention.check.interval.ms`: how often they are looked for.
    pub retention_check_interval_ms: u64,
    /// `group.*` and `offsets.*`.
    pub groups: GroupConfig,
    /// The CPU of each shard: `num.shards` of them, from `shard.cpus`.
    pub shard_cpus: Vec<usize>,
    /// `shard.spin.us`: how long an idle shard spins before it sleeps.
    pub shard_spin: Duration,
    /// `control.cpu`; `None` leaves the control thread unpinned.
    pub control_cpu: Option<usize>,
    /// `memory.bytes` over all shards.
    pub memory_bytes: u64,
    /// `journal.bytes` over all shards.
    pub journal_bytes: u64,
    /// `journal.bypass.bytes`: batches of so many bytes go straight to their segment.
    pub journal_bypass_bytes: u32,
    /// `admin.listener`.
    pub admin_listener: HostPort,
    /// `connections.move.to.owner`.
    pub move_connections_to_owner: bool,
    /// `slow.request.ms`.
    pub slow_request_ms: u32,
    /// Every key with its value, as DescribeConfigs answers for this broker.
    pub entries: Vec<ConfigEntry>,
}

/// What consumer groups are configured to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.consumer.assignors`, the default first.
    pub consumer_assignors: Vec<String>,
    /// `group.consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: u32,
    /// `group.consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: u32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: u32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_ms_max: u32,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_ms_min: u32,
    /// `group.max.size`: members of one group.
    pub members_max: u32,
    /// `offset.metadata.max.bytes` of one commit.
    pub offset_metadata_bytes_max: u32,
    /// `offsets.retention.check.interval.ms`: how often old offsets are looked for.
    pub offsets_retention_check_interval_ms: u64,
    /// `offsets.retention.minutes`, after which an empty group's offsets go.
    pub offsets_retention_minutes: u32,
    /// `offsets.topic.num.partitions`.
    pub offsets_topic_partitions: u32,
    /// `offsets.topic.replication.factor`; `None` is as many as there are brokers, up to 3.
    pub offsets_topic_replication_factor: Option<u16>,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: u32,
}

impl BrokerConfig {
    /// Parses a file, if there is one, and the overrides on top of it.
    ///
    /// # Errors
    /// One sentence for the first thing that is wrong.
    pub fn load(
        file: Option<ConfigFile<'_>>,
        overrides: &[String],
        machine: &Machine,
    ) -> Result<(BrokerConfig, Vec<Remark>), ConfigError> {
        let (settings, remarks) = Settings::gather(file, overrides)?;
        check_roles(&settings)?;
        let shard_cpus = shard_cpus(&settings, machine)?;
        let config = BrokerConfig {
            node_id: node_id(&settings)?,
            listeners: listeners(&settings, machine)?,
            data_dir: data_dir(&settings)?,
            topic_defaults: topic_defaults(&settings)?,
            num_partitions: count(&settings, "num.partitions", 1)?,
            default_replication_factor: replication_factor(&settings)?,
            auto_create_topics: settings.boolean("auto.create.topics.enable"),
            delete_topics: settings.boolean("delete.topic.enable"),
            rack: settings.text("broker.rack").filter(|rack| !rack.is_empty()),
            fetch_bytes_max: count(&settings, "fetch.max.bytes", 1)?,
            request_bytes_max: count(&settings, "socket.request.max.bytes", 1)?,
            connection_idle_ms_max: idle_ms(&settings),
            connections_max: count(&settings, "max.connections", 1)?,
            connections_per_ip_max: count(&settings, "max.connections.per.ip", 1)?,
            fetch_sessions_max: count(&settings, "max.incremental.fetch.session.cache.slots", 0)?,
            described_partitions_max: count(&settings, "max.request.partition.size.limit", 1)?,
            producer_id_expiration_ms: count(&settings, "producer.id.expiration.ms", 1)?.into(),
            initial_task_delay_ms: millis(&settings, "log.initial.task.delay.ms"),
            retention_check_interval_ms: millis(&settings, "log.retention.check.interval.ms"),
            groups: groups(&settings)?,
            shard_spin: Duration::from_micros(count(&settings, "shard.spin.us", 0)?.into()),
            control_cpu: control_cpu(&settings, machine)?,
            memory_bytes: memory_bytes(&settings, machine, shard_cpus.len())?,
            journal_bytes: journal_bytes(&settings, shard_cpus.len())?,
            journal_bypass_bytes: count(&settings, "journal.bypass.bytes", 1)?,
            shard_cpus,
            admin_listener: admin_listener(&settings)?,
            move_connections_to_owner: settings.boolean("connections.move.to.owner"),
            slow_request_ms: count(&settings, "slow.request.ms", 1)?,
            entries: describe_broker(&settings),
        };
        Ok((config, remarks))
    }
}

/// A number of at least `least`: many keys have no validator in Kafka.
fn count(settings: &Settings, name: &str, least: u32) -> Result<u32, ConfigError> {
    let number = settings.number(name).and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| *number >= least)
        .ok_or_else(|| settings.invalid(name, format!("it takes an integer of at least {least}")))
}

/// A time whose validator keeps it at 0 or more.
fn millis(settings: &Settings, name: &str) -> u64 {
    settings.number(name).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(u64::MAX)
}

fn check_roles(settings: &Settings) -> Result<(), ConfigError> {
    let roles = settings.list("process.roles");
    if !["broker", "controller"].iter().all(|role| roles.iter().any(|one| one == role)) {
        let reason = "this version is always both, write broker,controller";
        return Err(settings.invalid("process.roles", reason));
    }
    if settings.list("controller.quorum.voters").len() > 1 {
        let reason = "the metadata quorum of this version has one voter, list this node alone";
        return Err(settings.invalid("controller.quorum.voters", reason));
    }
    Ok(())
}

fn node_id(settings: &Settings) -> Result<BrokerId, ConfigError> {
    let given = |name| settings.given(name).and_then(|_| settings.number(name));
    let name = match (given("node.id"), given("broker.id")) {
        (Some(node), Some(broker)) if node != broker => {
            let reason = format!("node.id={node} says otherwise, and both name this broker");
            return Err(settings.invalid("broker.id", reason));
        }
        (None, Some(_)) => "broker.id",
        _ => "node.id",
    };
    let id = settings.number(name).and_then(|id| i32::try_from(id).ok()).filter(|id| *id >= 0);
    id.map(BrokerId).ok_or_else(|| settings.invalid(name, "it takes an integer of at least 0"))
}

fn data_dir(settings: &Settings) -> Result<PathBuf, ConfigError> {
    let name = match settings.given("log.dirs") {
        Some(_) => "log.dirs",
        None => "log.dir",
    };
    match settings.list(name).as_slice() {
        [one] if !one.is_empty() => Ok(PathBuf::from(one)),
        [] | [_] => Err(settings.invalid(name, "it takes a directory")),
        _ => {
            let reason = "this version keeps its data in one directory, name one";
            Err(settings.invalid(name, reason))
        }
    }
}

fn replication_factor(settings: &Settings) -> Result<u16, ConfigError> {
    let name = "default.replication.factor";
    u16::try_from(count(settings, name, 1)?)
        .ok()
        .filter(|factor| *factor <= i16::MAX as u16)
        .ok_or_else(|| settings.invalid(name, "it takes an integer from 1 to 32767"))
}

fn idle_ms(settings: &Settings) -> Option<u64> {
    settings.number("connections.max.idle.ms").and_then(|ms| u64::try_from(ms).ok())
}

fn groups(settings: &Settings) -> Result<GroupConfig, ConfigError> {
    let count = |name, least| count(settings, name, least);
    let factor = "offsets.topic.replication.factor";
    let config = GroupConfig {
        consumer_assignors: settings.list("group.consumer.assignors"),
        consumer_heartbeat_interval_ms: count("group.consumer.heartbeat.interval.ms", 1)?,
        consumer_session_timeout_ms: count("group.consumer.session.timeout.ms", 1)?,
        initial_rebalance_delay_ms: count("group.initial.rebalance.delay.ms", 0)?,
        session_timeout_ms_max: count("group.max.session.timeout.ms", 1)?,
        session_timeout_ms_min: count("group.min.session.timeout.ms", 1)?,
        members_max: count("group.max.size", 1)?,
        offset_metadata_bytes_max: count("offset.metadata.max.bytes", 0)?,
        offsets_retention_check_interval_ms: millis(
            settings,
            "offsets.retention.check.interval.ms",
        ),
        offsets_retention_minutes: count("offsets.retention.minutes", 1)?,
        offsets_topic_partitions: count("offsets.topic.num.partitions", 1)?,
        offsets_topic_replication_factor: settings
            .given(factor)
            .and_then(|_| u16::try_from(settings.number(factor)?).ok()),
        offsets_topic_segment_bytes: count("offsets.topic.segment.bytes", 1)?,
    };
    if config.session_timeout_ms_min > config.session_timeout_ms_max {
        return Err(ConfigError::Contradiction(format!(
            "group.min.session.timeout.ms={} is more than group.max.session.timeout.ms={}",
            config.session_timeout_ms_min, config.session_timeout_ms_max
        )));
    }
    Ok(config)
}

fn shard_cpus(settings: &Settings, machine: &Machine) -> Result<Vec<usize>, ConfigError> {
    let mut cpus = machine.cpus.clone();
    if let Some(text) = settings.text("shard.cpus") {
        cpus = cpu_list::parse(&text).map_err(|reason| settings.invalid("shard.cpus", reason))?;
        if let Some(cpu) = cpus.iter().find(|cpu| !machine.cpus.contains(cpu)) {
            let reason = format!("the process may not use CPU {cpu}, it may use {}", list(machine));
            return Err(settings.invalid("shard.cpus", reason));
        }
    }
    let shards = settings.number("num.shards").and_then(|shards| usize::try_from(shards).ok());
    // A CPU without a shard serves the kernel's disk and network work, the control thread and helpers: small requests
    // take less CPU that way than with one more shard, and bulk is no slower (benches/README.md).
    let wanted = match settings.given("shard.cpus") {
        Some(_) => cpus.len(),
        None => machine.parallelism.saturating_sub(1).max(1),
    };
    let shards = shards.unwrap_or(wanted.min(cpus.len()).min(SHARD_COUNT_MAX));
    if cpus.is_empty() || shards > SHARD_COUNT_MAX {
        return Err(ConfigError::Contradiction(format!(
            "{shards} shards on {} CPUs: a broker runs 1 to {SHARD_COUNT_MAX} shards",
            cpus.len()
        )));
    }
    Ok(cpus.into_iter().cycle().take(shards).collect())
}

fn list(machine: &Machine) -> String {
    let mut cpus = machine.cpus.clone();
    cpus.sort_unstable();
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

fn control_cpu(settings: &Settings, machine: &Machine) -> Result<Option<usize>, ConfigError> {
    let cpu = settings.number("control.cpu").and_then(|cpu| usize::try_from(cpu).ok());
    match cpu {
        Some(cpu) if !machine.cpus.contains(&cpu) => {
            let reason = format!("the process may not use that CPU, it may use {}", list(machine));
            Err(settings.invalid("control.cpu", reason))
        }
        cpu => Ok(cpu),
    }
}

fn memory_bytes(settings: &Settings, machine: &Machine, shards: usize) -> Result<u64, ConfigError> {
    let least = (shards * MEMORY_PER_SHARD_MIN) as u64;
    let given = settings.number("memory.bytes").and_then(|bytes| u64::try_from(bytes).ok());
    match given {
        Some(bytes) if bytes < least => {
            let reason = format!("{shards} shards need at least {least}, or give fewer shards");
            Err(settings.invalid("memory.bytes", reason))
        }
        Some(bytes) if bytes > machine.memory_bytes => {
            let reason = format!("the process may use {} in all", machine.memory_bytes);
            Err(settings.invalid("memory.bytes", reason))
        }
        Some(bytes) => Ok(bytes),
        None if machine.memory_bytes < least => Err(ConfigError::Contradiction(format!(
            "{shards} shards need at least {least} bytes of memory and the process may use {}: \
             set num.shards lower",
            machine.memory_bytes
        ))),
        None => Ok((machine.memory_bytes / 4).max(least)),
    }
}

fn journal_bytes(settings: &Settings, shards: usize) -> Result<u64, ConfigError> {
    let least = (shards * JOURNAL_BYTES_PER_SHARD_MIN) as u64;
    let bytes = settings.number("journal.bytes").and_then(|bytes| u64::try_from(bytes).ok());
    match (bytes, settings.given("journal.bytes")) {
        (Some(bytes), Some(_)) if bytes < least => {
            let reason = format!("{shards} shards need at least {least}, or give fewer shards");
            Err(settings.invalid("journal.bytes", reason))
        }
        (bytes, _) => Ok(bytes.unwrap_or_default().max(least)),
    }
}

fn admin_listener(settings: &Settings) -> Result<HostPort, ConfigError> {
    let text = settings.text("admin.listener").unwrap_or_default();
    let parsed = HostPort::parse(&text).filter(|address| !address.host.is_empty());
    parsed.ok_or_else(|| settings.invalid("admin.listener", "it takes host:port"))
}
