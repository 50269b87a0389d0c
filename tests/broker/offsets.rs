//! Committed offsets: they outlive every end of the broker, and go with their topic.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::kafka;
use crate::load::now;
use crate::support::Broker;

/// No single wait may take longer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A broker whose groups form at once, with few partitions of its own topic to make.
pub const BROKER: &[&str] =
    &["num.shards=2", "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4"];

/// A member's settings: it notices everything fast.
pub fn settings(bootstrap: &str, group: &str) -> ClientConfig {
    let mut config = kafka::client(bootstrap);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "300")
        .set("fetch.wait.max.ms", "50");
    config
}

/// What the group has committed, -1 for nothing; asked until the broker answers.
pub fn committed(bootstrap: &str, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
    let consumer: BaseConsumer =
        settings(bootstrap, group).create().expect("the settings are valid");
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, partitions - 1);
    let deadline = now() + PATIENCE;
    let found = loop {
        match consumer.committed_offsets(asked.clone(), Duration::from_secs(5)) {
            Ok(found) => break found,
            Err(error) => assert!(now() < deadline, "{error}"),
        }
    };
    let offset = |partition| match found.find_partition(topic, partition).map(|one| one.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => -1,
    };
    (0..partitions).map(offset).collect()
}

fn commit(consumer: &BaseConsumer, topic: &str, offsets: &[i64]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(offsets) {
        let added = list.add_partition_offset(topic, partition, Offset::Offset(*offset));
        added.expect("a new partition in the list");
    }
    consumer.commit(&list, CommitMode::Sync).expect("the broker takes the offsets");
}

#[test]
fn offsets_without_a_membership_survive_any_end() {
    let mut broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 3, &[]);
    assert_eq!(committed(&bootstrap, "g", "t", 3), [-1, -1, -1]);
    let consumer: BaseConsumer =
        settings(&bootstrap, "g").create().expect("the settings are valid");
    commit(&consumer, "t", &[5, 0, 7]);
    assert_eq!(committed(&bootstrap, "g", "t", 3), [5, 0, 7]);
    assert_eq!(committed(&bootstrap, "other", "t", 3), [-1, -1, -1]);
    broker.kill();
    broker.restart();
    assert_eq!(committed(&bootstrap, "g", "t", 3), [5, 0, 7]);
    commit(&consumer, "t", &[6, 1, 3]);
    // From a snapshot now, and then from a snapshot and what came behind it.
    assert!(broker.stop().success());
    broker.restart();
    assert_eq!(committed(&bootstrap, "g", "t", 3), [6, 1, 3]);
    commit(&consumer, "t", &[8]);
    broker.kill();
    broker.restart();
    assert_eq!(committed(&bootstrap, "g", "t", 3), [8, 1, 3]);
    // On another number of shards, other ones coordinate.
    assert!(broker.stop().success());
    let mut overrides: Vec<String> = BROKER.iter().map(|text| (*text).to_owned()).collect();
    overrides[0] = "num.shards=1".into();
    broker.restart_with(&overrides);
    assert_eq!(committed(&bootstrap, "g", "t", 3), [8, 1, 3]);
}

#[test]
fn a_deleted_topic_takes_its_offsets_with_it() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    for topic in ["gone", "kept"] {
        kafka::create_topic(&bootstrap, topic, 2, &[]);
        for group in ["g", "h", "i"] {
            let consumer: BaseConsumer =
                settings(&bootstrap, group).create().expect("the settings are valid");
            commit(&consumer, topic, &[3, 4]);
        }
    }
    kafka::delete_topic(&bootstrap, "gone");
    kafka::create_topic(&bootstrap, "gone", 2, &[]);
    for group in ["g", "h", "i"] {
        assert_eq!(committed(&bootstrap, group, "gone", 2), [-1, -1], "{group}");
        assert_eq!(committed(&bootstrap, group, "kept", 2), [3, 4], "{group}");
    }
}

#[test]
fn the_offsets_topic_is_read_and_not_written_by_clients() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 1, &[]);
    let consumer: BaseConsumer =
        settings(&bootstrap, "g").create().expect("the settings are valid");
    commit(&consumer, "t", &[1]);
    let records = kafka::read_keys(&bootstrap, "__consumer_offsets", 4);
    // The key of an offset: version 1, the group, the topic, the partition.
    let key = b"\0\x01\0\x01g\0\x01t\0\0\0\0".to_vec();
    let keys: Vec<Vec<u8>> = records.into_iter().flatten().collect();
    assert!(keys.contains(&key), "{keys:?}");
    let producer: BaseProducer = kafka::client(&bootstrap)
        .set("message.timeout.ms", "5000")
        .create()
        .expect("the settings are valid");
    let record: BaseRecord<'_, str, str> =
        BaseRecord::to("__consumer_offsets").partition(0).key("k").payload("v");
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    producer.flush(PATIENCE).expect("it is answered");
    let after: usize =
        kafka::read_keys(&bootstrap, "__consumer_offsets", 4).iter().map(Vec::len).sum();
    assert_eq!(after, keys.len(), "a client has written to the offsets topic");
}
