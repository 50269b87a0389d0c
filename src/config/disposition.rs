//! What becomes of each key: it acts, it is accepted with a note, or it must not be ignored.
//!
//! A test holds this list against every key of Kafka's table. Notes end the sentence "… has no
//! effect: …", refusals the sentence "… is refused: …".

use crate::model::config_key::ConfigValue;

/// What becomes of a key that an operator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It does here what it does in Kafka, or what our documentation of it says.
    Implemented,
    /// It is checked and kept for DescribeConfigs: what replaces it, or from when it acts.
    Noted(&'static str),
    /// Another value than the default stops the start: ignoring it would weaken the set-up.
    Refused(&'static str),
}

use Disposition::{Implemented, Noted, Refused};

/// What a value of a key that acts asks for and does not get yet.
pub fn missing_part(name: &str, value: &ConfigValue) -> Option<&'static str> {
    match (name, value) {
        ("log.cleanup.policy", ConfigValue::List(parts))
            if parts.iter().any(|one| one == "compact") =>
        {
            Some("compact keeps every record until a later version compacts")
        }
        _ => None,
    }
}

/// The disposition of a known key: that of its own name, or else of the longest beginning listed.
pub fn disposition(name: &str) -> Disposition {
    let matching = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning).then_some(beginning.len()),
        None => (name == pattern).then_some(usize::MAX),
    };
    let rules = RULES.iter().flat_map(|(patterns, disposition)| {
        patterns.iter().filter_map(move |pattern| Some((matching(pattern)?, *disposition)))
    });
    rules.max_by_key(|(length, _)| *length).expect("a test covers every known key").1
}

/// Names, or beginnings of names with a `*`, and their disposition.
const RULES: &[(&[&str], Disposition)] = &[
    (
        &[
            "admin.listener",
            "connections.move.to.owner",
            "control.cpu",
            "journal.bypass.bytes",
            "journal.bytes",
            "memory.bytes",
            "num.shards",
            "shard.cpus",
            "shard.spin.us",
            "slow.request.ms",
        ],
        Implemented,
    ),
    (
        &[
            "advertised.listeners",
            "auto.create.topics.enable",
            "broker.id",
            "broker.rack",
            "connections.max.idle.ms",
            "controller.listener.names",
            "controller.quorum.voters",
            "default.replication.factor",
            "delete.topic.enable",
            "fetch.max.bytes",
            "group.initial.rebalance.delay.ms",
            "group.max.session.timeout.ms",
            "group.max.size",
            "group.min.session.timeout.ms",
            "listener.security.protocol.map",
            "listeners",
            "log.dir",
            "log.dirs",
            "log.initial.task.delay.ms",
            "log.retention.check.interval.ms",
            "max.connections",
            "max.connections.per.ip",
            "max.incremental.fetch.session.cache.slots",
            "max.request.partition.size.limit",
            "node.id",
            "num.partitions",
            "offset.metadata.max.bytes",
            "offsets.retention.check.interval.ms",
            "offsets.retention.minutes",
            "offsets.topic.num.partitions",
            "offsets.topic.replication.factor",
            "offsets.topic.segment.bytes",
            "process.roles",
            "producer.id.expiration.ms",
            "socket.request.max.bytes",
        ],
        Implemented,
    ),
    // Defaults of the topics' keys that act.
    (
        &[
            "compression.gzip.level",
            "compression.type",
            "compression.zstd.level",
            "log.cleanup.policy",
            "log.flush.interval.messages",
            "log.flush.interval.ms",
            "log.flush.scheduler.interval.ms",
            "log.message.timestamp.after.max.ms",
            "log.message.timestamp.before.max.ms",
            "log.message.timestamp.type",
            "log.retention.bytes",
            "log.retention.hours",
            "log.retention.minutes",
            "log.retention.ms",
            "log.roll.hours",
            "log.roll.jitter.hours",
            "log.roll.jitter.ms",
            "log.roll.ms",
            "log.segment.bytes",
            "log.segment.delete.delay.ms",
            "message.max.bytes",
            "min.insync.replicas",
        ],
        Implemented,
    ),
    (&["log.cleaner.*"], Noted("it is stored and described, a later version compacts")),
    (
        &["log.index.interval.bytes", "log.index.size.max.bytes", "log.preallocate"],
        Noted("the storage engine sizes its own index and segment files"),
    ),
    (&["compression.lz4.level"], Noted("what is compressed here by lz4 has its one fast level")),
    (
        &["max.decompressed.message.bytes"],
        Noted("the broker's own limits bound what it decompresses"),
    ),
    (
        &["unclean.leader.election.*"],
        Noted("it acts from the version that runs several brokers on"),
    ),
    // Replaced by how this broker is built.
    (
        &["background.threads", "num.io.threads", "num.network.threads"],
        Noted("num.shards and shard.cpus say which cores work"),
    ),
    (
        &["num.recovery.threads.per.data.dir", "num.replica.alter.log.dirs.threads"],
        Noted("recovery reads the journals only and needs no threads of its own"),
    ),
    (
        &["queued.max.request.bytes", "queued.max.requests"],
        Noted("every connection has its own bound and memory.bytes bounds them all"),
    ),
    (
        &["socket.receive.buffer.bytes", "socket.send.buffer.bytes"],
        Noted("the kernel sizes socket buffers as the connection needs"),
    ),
    (
        &["socket.listen.backlog.size"],
        Noted("the backlog is as long as the kernel's net.core.somaxconn allows"),
    ),
    (
        &["socket.connection.setup.*"],
        Noted("it acts from the version that runs several brokers on"),
    ),
    (
        &[
            "log.flush.offset.checkpoint.interval.ms",
            "log.flush.start.offset.checkpoint.interval.ms",
            "replica.high.watermark.checkpoint.interval.ms",
        ],
        Noted("the journal makes offsets durable with the records, there is no interval"),
    ),
    (
        &["log.dir.failure.timeout.ms"],
        Noted("a data directory whose disk fails is given up at once"),
    ),
    (
        &[
            "delete.records.purgatory.purge.interval.requests",
            "fetch.purgatory.purge.interval.requests",
            "producer.purgatory.purge.interval.requests",
            "share.fetch.purgatory.purge.interval.requests",
        ],
        Noted("waiting requests are removed when they end"),
    ),
    (
        &["producer.id.expiration.check.interval.ms"],
        Noted("idle producers are looked for every ten minutes"),
    ),
    (
        &["request.timeout.ms", "controller.socket.timeout.ms", "server.max.startup.time.ms"],
        Noted("the controller runs in this process, nothing waits for the network"),
    ),
    (&["controlled.shutdown.enable"], Noted("a shutdown is always a controlled one")),
    (
        &[
            "kafka.metrics.*",
            "metric.reporters",
            "metrics.num.samples",
            "metrics.recording.level",
            "metrics.sample.window.ms",
        ],
        Noted("metrics are served at admin.listener"),
    ),
    (&["telemetry.max.bytes"], Noted("this version receives no client metrics")),
    // The metadata quorum.
    (
        &["controller.quorum.*"],
        Noted("the metadata quorum of this version has one voter, this process"),
    ),
    (
        &[
            "controller.performance.*",
            "internal.metadata.*",
            "metadata.log.*",
            "metadata.max.*",
            "initial.broker.registration.timeout.ms",
            "broker.heartbeat.interval.ms",
            "broker.session.timeout.ms",
        ],
        Noted("the metadata quorum of this process keeps its own log and snapshots in log.dirs"),
    ),
    (
        &["early.start.listeners", "inter.broker.listener.name"],
        Noted("it acts from the version that runs several brokers on"),
    ),
    (
        &[
            "auto.leader.rebalance.enable",
            "leader.imbalance.check.interval.seconds",
            "num.replica.fetchers",
            "replica.*",
        ],
        Noted("it acts from the version that runs several brokers on"),
    ),
    (&["unstable.*"], Noted("no unstable version of an API or a feature exists here")),
    // Later versions bring what these belong to.
    (
        &["group.consumer.*"],
        Noted("it acts from the version that has the consumer rebalance protocol of KIP-848 on"),
    ),
    (
        &["group.coordinator.*", "offsets.commit.timeout.ms"],
        Noted("each shard coordinates groups itself and writes them with its next commit"),
    ),
    (
        &["offsets.load.buffer.size", "offsets.topic.compression.codec"],
        Noted(
            "the coordinator reads in pieces of its own size, and its records are not compressed",
        ),
    ),
    (
        &["add.partitions.to.txn.*", "transaction.*", "transactional.*"],
        Noted("it acts from the version that has transactions on"),
    ),
    (
        &["group.share.*", "share.coordinator.*", "errors.deadletterqueue.*"],
        Noted("it acts from the version that has share groups on"),
    ),
    (&["group.streams.*"], Noted("it acts from the version that has streams groups on")),
    (
        &[
            "remote.*",
            "log.local.retention.*",
            "log.remote.copy.*",
            "follower.fetch.last.tiered.offset.enable",
        ],
        Noted("this version has no tiered storage"),
    ),
    (
        &[
            "alter.log.dirs.replication.quota.*",
            "controller.quota.*",
            "quota.window.*",
            "replication.quota.*",
        ],
        Noted("this version has no quotas whose window it could be"),
    ),
    (
        &["connection.failed.authentication.delay.ms", "connections.max.reauth.ms", "sasl.*"],
        Noted("it belongs to SASL listeners, which this version refuses"),
    ),
    (
        &["security.providers", "ssl.*"],
        Noted("it belongs to TLS listeners, which this version refuses"),
    ),
    (&["delegation.token.*"], Noted("it belongs to delegation tokens, which need a SASL listener")),
    // What must not be ignored.
    (
        &["authorizer.class.name"],
        Refused("this version has no ACLs, so everybody would be allowed everything: remove it"),
    ),
    (
        &["alter.config.policy.class.name", "create.topic.policy.class.name"],
        Refused("this broker runs no Java classes, so the policy would not be enforced: remove it"),
    ),
    (
        &["principal.builder.class"],
        Refused("this broker runs no Java classes, so principals would not be mapped: remove it"),
    ),
    (
        &["client.quota.callback.class"],
        Refused("this version has no quotas, so clients would not be limited: remove it"),
    ),
    (
        &["max.connection.creation.rate", "max.connections.per.ip.overrides"],
        Refused("this limit is not enforced yet: remove it, or use max.connections.per.ip"),
    ),
    (
        &["config.providers"],
        Refused("values are taken as they are written and no provider replaces them: remove it"),
    ),
    (
        &["cordoned.log.dirs"],
        Refused(
            "this version has one data directory and cannot keep partitions out of it: remove it",
        ),
    ),
    (
        &["remote.log.storage.system.enable"],
        Refused(
            "this version has no tiered storage, so nothing would be moved off the disk: remove it",
        ),
    ),
    (
        &["security.inter.broker.protocol"],
        Refused("this version has no TLS and no SASL: use PLAINTEXT"),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::settings::BROKER_KEYS;

    #[test]
    fn every_key_has_one_disposition_and_every_rule_a_key() {
        let mut keys_of: BTreeMap<&str, usize> = BTreeMap::new();
        for pattern in RULES.iter().flat_map(|(patterns, _)| *patterns) {
            assert_eq!(keys_of.insert(pattern, 0), None, "{pattern} stands twice");
        }
        for key in BROKER_KEYS.keys() {
            let own = |pattern: &&&str| **pattern == key.name;
            let begins = |pattern: &&&str| {
                pattern.strip_suffix('*').is_some_and(|begin| key.name.starts_with(begin))
            };
            let pattern = keys_of
                .keys()
                .find(own)
                .or_else(|| keys_of.keys().filter(begins).max_by_key(|pattern| pattern.len()));
            let pattern = *pattern.unwrap_or_else(|| panic!("{} has no disposition", key.name));
            *keys_of.get_mut(pattern).unwrap() += 1;
            disposition(key.name);
        }
        let unused: Vec<_> = keys_of.iter().filter(|(_, count)| **count == 0).collect();
        assert!(unused.is_empty(), "{unused:?}");
        // 350 keys that Kafka documents, 29 internal ones, and ours.
        assert_eq!(BROKER_KEYS.keys().len(), 379 + 10);
    }
}
