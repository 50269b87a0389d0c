//! A topic's configuration: every key of Kafka's `LogConfig`, parsed once into plain values.
//!
//! What a topic was given are its *overrides*, texts that have been validated; they are what the
//! metadata stores. `TopicDefaults` are what the broker's configuration gives to the rest.
//! `TopicConfig` is both together. A value that this broker cannot honour is refused when it is
//! set, so a stored override always parses. Deliberately absent: who may change what.

mod alter;
mod defaults;
mod describe;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use alter::{
    AlterError, AlterOperation, ConfigChange, alter_overrides, overrides_from_request,
};
pub use defaults::{TopicDefault, TopicDefaults};
pub use describe::describe_topic;

use super::config_key::{ConfigTable, ConfigValue, InvalidConfig};

/// What a topic was given: names of known keys with validated values.
pub type TopicOverrides = BTreeMap<String, String>;

/// Kafka's topic keys, with our default for `flush.messages`.
pub static TOPIC_KEYS: LazyLock<ConfigTable> = LazyLock::new(|| {
    ConfigTable::parse(&[include_str!("kafka-4.4.0-topic.tsv")], &[("flush.messages", "1")])
});

/// What happens to old records (`cleanup.policy`); neither means that they are kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Keep the last record of each key.
    pub compact: bool,
    /// Remove whole segments by age and size.
    pub delete: bool,
}

/// How batches are stored (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As their producers compressed them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// By gzip.
    Gzip,
    /// By snappy.
    Snappy,
    /// By LZ4.
    Lz4,
    /// By zstd.
    Zstd,
}

impl CompressionType {
    /// A name that the key's validator has passed.
    fn from_name(name: &str) -> CompressionType {
        match name {
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip,
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4,
            "zstd" => CompressionType::Zstd,
            _ => CompressionType::Producer,
        }
    }
}

/// Which time a record carries (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

/// Every topic key as a value. Times are milliseconds, sizes are bytes, and the largest number of a
/// type means "never" where Kafka's default is that.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `compression.gzip.level`; `None` is gzip's own default.
    pub compression_gzip_level: Option<i32>,
    /// `compression.type`.
    pub compression_type: CompressionType,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: u64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: u64,
    /// `flush.messages`: records between two flushes; 1 means that each batch is on disk before its
    /// acknowledgement.
    pub flush_messages: u64,
    /// `flush.ms`: the longest time until a flush.
    pub flush_ms: u64,
    /// `follower.replication.throttled.replicas`.
    pub follower_replication_throttled_replicas: Vec<String>,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `leader.replication.throttled.replicas`.
    pub leader_replication_throttled_replicas: Vec<String>,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: u64,
    /// `max.decompressed.message.bytes`.
    pub max_decompressed_message_bytes: u32,
    /// `max.message.bytes`: the largest batch.
    pub max_message_bytes: u32,
    /// `message.timestamp.after.max.ms`: how far ahead of the broker's clock a record may be.
    pub message_timestamp_after_max_ms: u64,
    /// `message.timestamp.before.max.ms`: how far behind the broker's clock a record may be.
    pub message_timestamp_before_max_ms: u64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: u64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// `retention.bytes` of a partition; `None` is no limit.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; `None` is no limit.
    pub retention_ms: Option<u64>,
    /// `segment.bytes`, or the internal key `internal.segment.bytes` where that is set.
    pub segment_bytes: u32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: u64,
    /// `segment.ms`.
    pub segment_ms: u64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
}

impl Default for TopicConfig {
    /// What a topic without overrides has on a broker without a configuration file.
    fn default() -> TopicConfig {
        TopicDefaults::default().config().clone()
    }
}

impl TopicConfig {
    /// A topic's configuration from the broker's defaults and the topic's overrides.
    ///
    /// # Errors
    /// With Kafka's message, for an unknown key, a value that its key refuses, keys that contradict
    /// each other, or a value that this broker cannot honour.
    pub fn resolve<'a>(
        defaults: &TopicDefaults,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<TopicConfig, InvalidConfig> {
        let mut values = defaults.values().to_vec();
        for (name, text) in overrides {
            let Some(position) = TOPIC_KEYS.position(name) else {
                return Err(InvalidConfig::UnknownTopicKey(name.into()));
            };
            let value = TOPIC_KEYS.keys()[position].parse(text)?;
            refuse_unsupported(name, &value)?;
            values[position] = Some(value);
        }
        TopicConfig::from_values(&values)
    }

    fn from_values(values: &[Option<ConfigValue>]) -> Result<TopicConfig, InvalidConfig> {
        let values = Values(values);
        let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
        if values.number(least) > values.number(most) {
            return Err(InvalidConfig::Unsupported(format!(
                "conflict topic config setting {least} ({}) > {most} ({})",
                values.number(least),
                values.number(most)
            )));
        }
        let policy = values.list("cleanup.policy");
        let has = |name: &str| policy.iter().any(|part| part == name);
        let limit = |name| u64::try_from(values.number(name)).ok();
        let segment_bytes = match values.get("internal.segment.bytes") {
            // Kafka gives it no validator; a segment without room for a byte would roll for ever.
            Some(_) => values.bytes("internal.segment.bytes").max(1),
            None => values.bytes("segment.bytes"),
        };
        let timestamp_type = match values.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        Ok(TopicConfig {
            cleanup_policy: CleanupPolicy { compact: has("compact"), delete: has("delete") },
            compression_gzip_level: Some(values.level("compression.gzip.level"))
                .filter(|level| *level != -1),
            compression_type: CompressionType::from_name(values.text("compression.type")),
            compression_zstd_level: values.level("compression.zstd.level"),
            delete_retention_ms: values.count("delete.retention.ms"),
            file_delete_delay_ms: values.count("file.delete.delay.ms"),
            flush_messages: values.count("flush.messages"),
            flush_ms: values.count("flush.ms"),
            follower_replication_throttled_replicas: values
                .list("follower.replication.throttled.replicas")
                .to_vec(),
            index_interval_bytes: values.bytes("index.interval.bytes"),
            leader_replication_throttled_replicas: values
                .list("leader.replication.throttled.replicas")
                .to_vec(),
            max_compaction_lag_ms: values.count("max.compaction.lag.ms"),
            max_decompressed_message_bytes: values.bytes("max.decompressed.message.bytes"),
            max_message_bytes: values.bytes("max.message.bytes"),
            message_timestamp_after_max_ms: values.count("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: values.count("message.timestamp.before.max.ms"),
            message_timestamp_type: timestamp_type,
            min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: values.count("min.compaction.lag.ms"),
            min_insync_replicas: values.bytes("min.insync.replicas"),
            retention_bytes: limit("retention.bytes"),
            retention_ms: limit("retention.ms"),
            segment_bytes,
            segment_jitter_ms: values.count("segment.jitter.ms"),
            segment_ms: values.count("segment.ms"),
            unclean_leader_election_enable: values.boolean("unclean.leader.election.enable"),
        })
    }

    /// Whether an acknowledgement means that the batch is on disk.
    pub fn is_durable(&self) -> bool {
        is_durable(self.flush_messages, self.flush_ms)
    }
}

/// Whether `flush.messages` and `flush.ms` together mean that an acknowledged batch is on disk.
pub fn is_durable(flush_messages: u64, flush_ms: u64) -> bool {
    flush_messages <= 1 || flush_ms == 0
}

/// Refuses what Kafka would take and this broker could only pretend to do.
fn refuse_unsupported(name: &str, value: &ConfigValue) -> Result<(), InvalidConfig> {
    match (name, value) {
        ("remote.storage.enable", ConfigValue::Boolean(true)) => Err(InvalidConfig::Unsupported(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage."
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Typed reading of values in the order of `TOPIC_KEYS`. The table's types are fixed with the
/// program, so a value of another type is a programmer's error.
struct Values<'a>(&'a [Option<ConfigValue>]);

impl<'a> Values<'a> {
    fn get(&self, name: &str) -> Option<&'a ConfigValue> {
        let position = TOPIC_KEYS.position(name).expect("the table has every key that is read");
        self.0[position].as_ref()
    }

    fn number(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(ConfigValue::Number(number)) => *number,
            other => unreachable!("{name} is a number with a default, not {other:?}"),
        }
    }

    /// A number whose validator keeps it at 0 or more.
    fn count(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    /// A number of type INT whose validator keeps it at 0 or more.
    fn bytes(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(0)
    }

    /// A number of type INT.
    fn level(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).unwrap_or(-1)
    }

    fn boolean(&self, name: &str) -> bool {
        self.get(name) == Some(&ConfigValue::Boolean(true))
    }

    fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(ConfigValue::Double(number)) => *number,
            other => unreachable!("{name} is a double with a default, not {other:?}"),
        }
    }

    fn text(&self, name: &str) -> &'a str {
        match self.get(name) {
            Some(ConfigValue::Text(text)) => text,
            other => unreachable!("{name} is a text with a default, not {other:?}"),
        }
    }

    fn list(&self, name: &str) -> &'a [String] {
        match self.get(name) {
            Some(ConfigValue::List(parts)) => parts,
            other => unreachable!("{name} is a list with a default, not {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescape(text: &str) -> String {
        text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    }

    /// Kafka's own answers, from `tests/vectors/java/TopicConfigVectors.java`.
    #[test]
    fn values_and_messages_are_kafkas() {
        let vectors = include_str!("../../../tests/vectors/config/topic-values.tsv");
        let defaults = TopicDefaults::default();
        let mut refused_by_us_alone = 0;
        for line in vectors.lines() {
            let cells: Vec<String> = line.split('\t').map(unescape).collect();
            let [name, text, verdict, expected] = &cells[..] else { panic!("{line}") };
            let key = TOPIC_KEYS.find(name);
            let resolved = TopicConfig::resolve(&defaults, [(&name[..], &text[..])]);
            match (key, verdict.as_str(), resolved) {
                (Some(key), "ok", Ok(_)) => {
                    assert_eq!(&key.parse(text).unwrap().to_text(), expected, "{line}");
                }
                (Some(key), "ok", Err(_)) if key.name == "remote.storage.enable" => {
                    refused_by_us_alone += 1;
                }
                (_, "error", Err(error)) => assert_eq!(&error.to_string(), expected, "{line}"),
                (_, _, resolved) => panic!("{line}: {resolved:?}"),
            }
        }
        assert_eq!(refused_by_us_alone, 3);
    }

    fn check_refused(overrides: &[(&str, &str)], message: &str) {
        let resolved = TopicConfig::resolve(&TopicDefaults::default(), overrides.iter().copied());
        assert_eq!(resolved.unwrap_err().to_string(), message);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        check_refused(
            &[("remote.storage.enable", "true")],
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage.",
        );
        check_refused(
            &[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")],
            "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)",
        );
    }

    #[test]
    fn overrides_become_values() {
        let overrides = [
            ("cleanup.policy", "compact, delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "5"),
            ("segment.bytes", "1048576"),
            ("flush.messages", "10"),
            ("message.timestamp.type", "LogAppendTime"),
            ("compression.type", "gzip"),
            ("compression.gzip.level", "7"),
        ];
        let config = TopicConfig::resolve(&TopicDefaults::default(), overrides).unwrap();
        let expected = TopicConfig {
            cleanup_policy: CleanupPolicy { compact: true, delete: true },
            retention_ms: None,
            retention_bytes: Some(5),
            segment_bytes: 1_048_576,
            flush_messages: 10,
            message_timestamp_type: TimestampType::LogAppendTime,
            compression_type: CompressionType::Gzip,
            compression_gzip_level: Some(7),
            ..TopicConfig::default()
        };
        assert_eq!(config, expected);
        assert!(!config.is_durable());
        assert!(TopicConfig::default().is_durable());
        let small = [("segment.bytes", "1048576"), ("internal.segment.bytes", "100")];
        let config = TopicConfig::resolve(&TopicDefaults::default(), small).unwrap();
        assert_eq!(config.segment_bytes, 100);
        let none =
            TopicConfig::resolve(&TopicDefaults::default(), [("internal.segment.bytes", "-5")]);
        assert_eq!(none.unwrap().segment_bytes, 1);
    }
}
