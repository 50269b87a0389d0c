//! The table of `topics --describe`, byte for byte that of Kafka's tool.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::cli::java_order::sort_as_hash_map;
use crate::cli::options::Options;
use crate::client::{PartitionDescription, Reassignment, TopicConfigEntry, TopicDescription};
use crate::model::ids::BrokerId;

/// What of a topic is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Show {
    overridden: bool,
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
}

impl Show {
    /// As the options say.
    pub fn of(options: &Options) -> Show {
        Show {
            overridden: options.has("topics-with-overrides"),
            under_replicated: options.has("under-replicated-partitions"),
            unavailable: options.has("unavailable-partitions"),
            under_min_isr: options.has("under-min-isr-partitions"),
            at_min_isr: options.has("at-min-isr-partitions"),
        }
    }

    /// True where no option picks out partitions, so that topics have their own line.
    fn topics(self) -> bool {
        !(self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr)
    }

    fn partition(
        self,
        partition: &PartitionDescription,
        replicas: usize,
        min_isr: usize,
        live: &BTreeSet<BrokerId>,
    ) -> bool {
        let isr = partition.isr.len();
        let is_led = partition.leader.is_some_and(|leader| live.contains(&BrokerId(leader)));
        self.topics()
            || (self.under_replicated && replicas > isr)
            || (self.unavailable && !is_led)
            || (self.under_min_isr && (partition.leader.is_none() || isr < min_isr))
            || (self.at_min_isr && isr == min_isr)
    }
}

/// Appends the lines of one topic to `out`.
pub fn write_topic(
    out: &mut String,
    topic: &TopicDescription,
    mut configs: Vec<TopicConfigEntry>,
    show: Show,
    live: &BTreeSet<BrokerId>,
    moving: &[Reassignment],
) {
    const HASH_MAP_CAPACITY: usize = 16;
    sort_as_hash_map(&mut configs, HASH_MAP_CAPACITY, |entry| &entry.name);
    let min_isr = configs.iter().find(|entry| entry.name == "min.insync.replicas");
    let min_isr = min_isr.and_then(|entry| entry.value.as_deref()?.parse().ok()).unwrap_or(1);
    let moves = |partition: &PartitionDescription| {
        moving.iter().find(|one| one.topic == topic.name && one.partition == partition.index)
    };
    let set: Vec<String> = configs
        .iter()
        .filter(|entry| !entry.is_default)
        .map(|entry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null")))
        .collect();
    if show.topics() && (!show.overridden || !set.is_empty()) {
        let replicas =
            topic.partitions.first().map_or(0, |first| replica_count(first, moves(first)));
        let _ = write!(out, "Topic: {}", topic.name);
        if !topic.id.is_zero() {
            let _ = write!(out, "\tTopicId: {}", topic.id);
        }
        let count = topic.partitions.len();
        let _ = write!(out, "\tPartitionCount: {count}\tReplicationFactor: {replicas}");
        let _ = writeln!(out, "\tConfigs: {}", set.join(","));
    }
    if show.overridden {
        return;
    }
    for partition in &topic.partitions {
        let moving = moves(partition);
        if show.partition(partition, replica_count(partition, moving), min_isr, live) {
            write_partition(out, &topic.name, partition, moving);
        }
    }
}

/// The replicas that the partition has when nothing moves.
fn replica_count(partition: &PartitionDescription, moving: Option<&Reassignment>) -> usize {
    // A reassignment may have ended between the two answers: then its replicas are not there any more.
    let in_progress = moving.filter(|moving| {
        let mut changing = moving.adding.iter().chain(&moving.removing);
        changing.any(|broker| partition.replicas.contains(broker))
    });
    in_progress.map_or(partition.replicas.len(), |moving| {
        moving.replicas.len().saturating_sub(moving.adding.len())
    })
}

fn write_partition(
    out: &mut String,
    topic: &str,
    partition: &PartitionDescription,
    moving: Option<&Reassignment>,
) {
    let leader = partition.leader.map_or("none".to_owned(), |leader| leader.to_string());
    let _ = write!(out, "\tTopic: {topic}\tPartition: {}\tLeader: {leader}", partition.index);
    let _ = write!(out, "\tReplicas: {}\tIsr: {}", list(&partition.replicas), list(&partition.isr));
    if let Some(moving) = moving {
        let (adding, removing) = (list(&moving.adding), list(&moving.removing));
        let _ = write!(out, "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}");
    }
    let known = |brokers: &Option<Vec<i32>>| brokers.as_deref().map_or("N/A".to_owned(), list);
    let _ = write!(out, "\tElr: {}", known(&partition.elr));
    let _ = writeln!(out, "\tLastKnownElr: {}", known(&partition.last_known_elr));
}

fn list(brokers: &[i32]) -> String {
    brokers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::TopicId;

    fn partition(index: i32, leader: Option<i32>, isr: &[i32]) -> PartitionDescription {
        let (replicas, isr) = (vec![1, 2], isr.to_vec());
        let (elr, last_known_elr) = (Some(Vec::new()), Some(vec![2]));
        PartitionDescription { index, leader, replicas, isr, elr, last_known_elr }
    }

    fn entry(name: &str, value: &str, is_default: bool) -> TopicConfigEntry {
        TopicConfigEntry { name: name.to_owned(), value: Some(value.to_owned()), is_default }
    }

    /// As many configs as a topic of Kafka 4.4.0 has: their number decides their order.
    fn with_defaults(mut configs: Vec<TopicConfigEntry>) -> Vec<TopicConfigEntry> {
        const TOPIC_CONFIGS: usize = 37;
        let missing = configs.len()..TOPIC_CONFIGS;
        configs.extend(missing.map(|index| entry(&format!("default.{index}"), "0", true)));
        configs
    }

    fn topic() -> TopicDescription {
        let id = TopicId::parse("AZw68o8TQ8mEgH9RSZWtXQ").expect("it is an id");
        let partitions = vec![
            partition(0, Some(1), &[1, 2]),
            partition(1, Some(1), &[1]),
            partition(2, None, &[]),
        ];
        TopicDescription { name: "orders.eu".to_owned(), id, partitions }
    }

    fn check(show: Show, moving: &[Reassignment], expected: &str) {
        let configs = vec![
            entry("retention.bytes", "5", false),
            entry("cleanup.policy", "compact,delete", false),
            entry("segment.ms", "604800000", true),
            entry("min.insync.replicas", "1", false),
        ];
        let configs = with_defaults(configs);
        let mut out = String::new();
        write_topic(&mut out, &topic(), configs, show, &BTreeSet::from([BrokerId(1)]), moving);
        assert_eq!(out, expected, "{show:?}");
    }

    const HEAD: &str = "Topic: orders.eu\tTopicId: AZw68o8TQ8mEgH9RSZWtXQ\tPartitionCount: 3\
        \tReplicationFactor: 2\tConfigs: min.insync.replicas=1,cleanup.policy=compact,delete,retention.bytes=5\n";
    const FIRST: &str = "\tTopic: orders.eu\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: \tLastKnownElr: 2\n";
    const SECOND: &str = "\tTopic: orders.eu\tPartition: 1\tLeader: 1\tReplicas: 1,2\tIsr: 1\tElr: \tLastKnownElr: 2\n";
    const THIRD: &str = "\tTopic: orders.eu\tPartition: 2\tLeader: none\tReplicas: 1,2\tIsr: \tElr: \tLastKnownElr: 2\n";

    #[test]
    fn each_option_shows_its_lines() {
        let all = Show::default();
        check(all, &[], &format!("{HEAD}{FIRST}{SECOND}{THIRD}"));
        check(Show { overridden: true, ..all }, &[], HEAD);
        check(Show { under_replicated: true, ..all }, &[], &format!("{SECOND}{THIRD}"));
        check(Show { unavailable: true, ..all }, &[], THIRD);
        check(Show { under_min_isr: true, ..all }, &[], THIRD);
        check(Show { at_min_isr: true, ..all }, &[], SECOND);
    }

    #[test]
    fn a_moving_partition_counts_without_the_replicas_that_come() {
        let moving = Reassignment {
            topic: "orders.eu".to_owned(),
            partition: 1,
            replicas: vec![1, 2],
            adding: vec![2],
            removing: Vec::new(),
        };
        let second = SECOND.replace("\tElr", "\tAdding Replicas: 2\tRemoving Replicas: \tElr");
        check(Show::default(), &[moving], &format!("{HEAD}{FIRST}{second}{THIRD}"));
    }

    /// What Kafka 4.3.0's tool printed for a topic of a Kafka 4.4.0 broker, and for one without ELR.
    #[test]
    fn the_table_is_kafkas() {
        let one = PartitionDescription {
            index: 0,
            leader: Some(1),
            replicas: vec![1],
            isr: vec![1],
            elr: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
        };
        let old = PartitionDescription { index: 1, elr: None, last_known_elr: None, ..one.clone() };
        let id = TopicId::parse("H7Jcg7GkTD6_gudTv7fi7g").expect("it is an id");
        let topic = TopicDescription { name: "a.b_c".to_owned(), id, partitions: vec![one, old] };
        // Two of them fall into one bucket, and keep the order of the broker's answer.
        let configs = vec![
            entry("segment.bytes", "1048576", false),
            entry("retention.ms", "1000", false),
            entry("min.insync.replicas", "1", false),
        ];
        let configs = with_defaults(configs);
        let mut out = String::new();
        write_topic(&mut out, &topic, configs, Show::default(), &BTreeSet::new(), &[]);
        let expected = "Topic: a.b_c\tTopicId: H7Jcg7GkTD6_gudTv7fi7g\tPartitionCount: 2\tReplicationFactor: 1\
            \tConfigs: min.insync.replicas=1,segment.bytes=1048576,retention.ms=1000\n\
            \tTopic: a.b_c\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n\
            \tTopic: a.b_c\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: N/A\tLastKnownElr: N/A\n";
        assert_eq!(out, expected);
    }
}
