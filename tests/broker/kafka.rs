//! Topics and reads by librdkafka, one call each.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

/// No single call may take longer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record as a consumer sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: String,
    pub payload: Vec<u8>,
}

/// What every client of these tests has: it comes back fast when the broker does.
pub fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "5")
        .set("reconnect.backoff.max.ms", "100")
        .set("topic.metadata.refresh.fast.interval.ms", "20")
        // The losses of connections are what these tests are about; nobody reads of them.
        .set("log.connection.close", "false")
        .set("log_level", "0");
    config
}

/// Makes a topic.
pub fn create_topic(bootstrap: &str, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in configs {
        topic = topic.set(key, value);
    }
    let made = wait(admin(bootstrap).create_topics([&topic], &AdminOptions::new()));
    assert_eq!(made.expect("the broker answers"), [Ok(name.to_owned())]);
}

/// Deletes a topic.
pub fn delete_topic(bootstrap: &str, name: &str) {
    let gone = wait(admin(bootstrap).delete_topics(&[name], &AdminOptions::new()));
    assert_eq!(gone.expect("the broker answers"), [Ok(name.to_owned())]);
}

/// Deletes the records of each partition before its offset; gives what is the first one then.
pub fn delete_records(bootstrap: &str, topic: &str, before: &[i64]) -> Vec<i64> {
    let mut list = TopicPartitionList::new();
    for (partition, before) in before.iter().enumerate() {
        let added = list.add_partition_offset(topic, partition as i32, Offset::Offset(*before));
        added.expect("a new partition in the list");
    }
    let deleted = wait(admin(bootstrap).delete_records(&list, &AdminOptions::new()));
    let deleted = deleted.expect("the broker answers");
    let mut starts = vec![-1; before.len()];
    for one in deleted.elements() {
        one.error().expect("the records are deleted");
        starts[one.partition() as usize] = one.offset().to_raw().expect("an offset");
    }
    starts
}

/// Commits an offset of partition 0 for a group.
pub fn commit(bootstrap: &str, group: &str, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("a new partition");
    let committed = in_group(bootstrap, group).commit(&list, CommitMode::Sync);
    committed.expect("the broker takes it");
}

/// What a group has committed of partition 0.
pub fn committed(bootstrap: &str, group: &str, topic: &str) -> Option<i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let found = in_group(bootstrap, group).committed_offsets(list, PATIENCE);
    found.expect("the broker answers").elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
}

fn in_group(bootstrap: &str, group: &str) -> BaseConsumer {
    client(bootstrap).set("group.id", group).create().expect("the settings are valid")
}

fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    client(bootstrap).create().expect("the settings are valid")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without a driver needs nothing").block_on(future)
}

/// Everything of a topic, partition by partition, by a consumer that knows nothing yet.
pub fn read_all(bootstrap: &str, topic: &str, partitions: i32) -> Vec<Vec<Read>> {
    read_each(bootstrap, topic, partitions, |message| Read {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().expect("every record has one"),
        key: String::from_utf8(message.key().expect("sent with one").to_vec())
            .expect("the keys are text"),
        payload: message.payload().expect("sent with one").to_vec(),
    })
}

/// The keys of everything in a topic, partition by partition.
pub fn read_keys(bootstrap: &str, topic: &str, partitions: i32) -> Vec<Vec<Vec<u8>>> {
    read_each(bootstrap, topic, partitions, |message| {
        message.key().map(<[u8]>::to_vec).unwrap_or_default()
    })
}

fn read_each<T>(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    take: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Vec<Vec<T>> {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .create()
        .expect("the settings are valid");
    let mut assigned = TopicPartitionList::new();
    for partition in 0..partitions {
        let added = assigned.add_partition_offset(topic, partition, Offset::Beginning);
        added.expect("a new partition in the list");
    }
    consumer.assign(&assigned).expect("the consumer takes any partitions");
    let mut read: Vec<Vec<T>> = (0..partitions).map(|_| Vec::new()).collect();
    let mut open = partitions;
    while open > 0 {
        match consumer.poll(PATIENCE).expect("the broker goes on answering") {
            Ok(message) => read[message.partition() as usize].push(take(&message)),
            Err(KafkaError::PartitionEOF(_)) => open -= 1,
            // The connection of the broker's last life; the client makes another.
            Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            )) => {}
            Err(error) => panic!("reading {topic}: {error}"),
        }
    }
    read
}
