//! Consumers in groups: librdkafka's members join, share, commit, leave and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use crate::kafka;
use crate::load::now;
use crate::offsets::{BROKER, committed, settings};
use crate::support::Broker;

/// No single wait may take longer, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long one poll waits: short, so that several members take turns in one thread.
const POLL: Duration = Duration::from_millis(20);
/// A member of the group that reads `topic`.
fn member(bootstrap: &str, group: &str, topic: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut config = settings(bootstrap, group);
    for (key, value) in more {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer = config.create().expect("the settings are valid");
    consumer.subscribe(&[topic]).expect("a topic can be subscribed to");
    consumer
}

/// Writes `count` records to each partition.
pub fn produce(bootstrap: &str, topic: &str, partitions: i32, count: usize) {
    let producer: BaseProducer = kafka::client(bootstrap).create().expect("the settings are valid");
    for number in 0..count {
        for partition in 0..partitions {
            let payload = number.to_string();
            let record: BaseRecord<'_, str, str> =
                BaseRecord::to(topic).partition(partition).payload(&payload);
            producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).expect("the broker takes them");
}

/// What members have read: the offsets of each partition, in the order of reading.
type Read = BTreeMap<i32, Vec<i64>>;

/// Polls every member until `done` says so; losses of connections are none.
fn poll_until(members: &[&BaseConsumer], read: &mut Read, mut done: impl FnMut(&Read) -> bool) {
    let deadline = now() + PATIENCE;
    while !done(read) {
        assert!(now() < deadline, "it does not happen: {read:?}");
        for member in members {
            match member.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    read.entry(message.partition()).or_default().push(message.offset());
                }
                Some(Err(error)) => assert!(is_passing(&error), "{error}"),
            }
        }
    }
}

/// What a member goes through while its broker is away.
pub fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

fn total(read: &Read) -> usize {
    read.values().map(Vec::len).sum()
}

/// The partitions that a member reads.
fn assigned(member: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = member.assignment().expect("a member knows what it reads");
    assignment.elements().iter().map(|element| element.partition()).collect()
}

/// True when the members share all partitions, each at least `least` of them.
fn share(members: &[&BaseConsumer], partitions: i32, least: usize) -> bool {
    let parts: Vec<BTreeSet<i32>> = members.iter().map(|member| assigned(member)).collect();
    let all: BTreeSet<i32> = parts.iter().flatten().copied().collect();
    let sum: usize = parts.iter().map(BTreeSet::len).sum();
    all.len() == partitions as usize && sum == all.len() && parts.iter().all(|p| p.len() >= least)
}

/// Hears of each assignment of a member.
struct Told(SyncSender<()>);

impl ClientContext for Told {}

impl ConsumerContext for Told {
    fn post_rebalance(&self, _: &BaseConsumer<Told>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Assign(_)) {
            // More than there is room for are enough.
            let _ = self.0.try_send(());
        }
    }
}

#[test]
fn a_member_goes_on_where_the_group_has_come() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 3, &[]);
    produce(&bootstrap, "t", 3, 50);
    let mut read = Read::new();
    let first = member(&bootstrap, "g", "t", &[]);
    poll_until(&[&first], &mut read, |read| total(read) >= 150);
    let whole: Vec<i64> = (0..50).collect();
    assert!(read.values().all(|offsets| *offsets == whole), "{read:?}");
    first.commit_consumer_state(CommitMode::Sync).expect("it has read something");
    assert_eq!(committed(&bootstrap, "g", "t", 3), [50, 50, 50]);
    drop(first);
    produce(&bootstrap, "t", 3, 10);
    let mut read = Read::new();
    let second = member(&bootstrap, "g", "t", &[]);
    poll_until(&[&second], &mut read, |read| total(read) >= 30);
    let news: Vec<i64> = (50..60).collect();
    assert!(read.values().all(|offsets| *offsets == news), "{read:?}");
}

#[test]
fn members_share_and_take_over() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    for strategy in ["range", "roundrobin", "cooperative-sticky"] {
        let topic = strategy;
        kafka::create_topic(&bootstrap, topic, 6, &[]);
        let how = [("partition.assignment.strategy", strategy)];
        let join = || member(&bootstrap, strategy, topic, &how);
        let mut read = Read::new();
        let first = join();
        poll_until(&[&first], &mut read, |_| share(&[&first], 6, 6));
        let second = join();
        poll_until(&[&first, &second], &mut read, |_| share(&[&first, &second], 6, 3));
        let third = join();
        let all = [&first, &second, &third];
        poll_until(&all, &mut read, |_| share(&all, 6, 2));
        produce(&bootstrap, topic, 6, 20);
        poll_until(&all, &mut read, |read| total(read) >= 120);
        let whole: Vec<i64> = (0..20).collect();
        assert!(read.values().all(|offsets| *offsets == whole), "{strategy}: {read:?}");
        let described = described(&first, strategy);
        assert_eq!(described, ("Stable".to_owned(), "consumer".to_owned(), strategy.to_owned(), 3));
        drop(third);
        poll_until(&[&first, &second], &mut read, |_| share(&[&first, &second], 6, 3));
        drop(second);
        poll_until(&[&first], &mut read, |_| share(&[&first], 6, 6));
    }
}

/// State, protocol type, protocol and number of members of a group.
fn described(consumer: &BaseConsumer, group: &str) -> (String, String, String, usize) {
    let list = consumer.fetch_group_list(Some(group), PATIENCE).expect("the broker answers");
    let group = list.groups().first().expect("the group is listed");
    let text = |text: &str| text.to_owned();
    (
        text(group.state()),
        text(group.protocol_type()),
        text(group.protocol()),
        group.members().len(),
    )
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 4, &[]);
    let (tell, told) = sync_channel(100);
    let join = |instance: &str, tell: SyncSender<()>| -> BaseConsumer<Told> {
        let mut config = settings(&bootstrap, "g");
        let config = config.set("group.instance.id", instance).set("session.timeout.ms", "30000");
        let consumer: BaseConsumer<Told> =
            config.create_with_context(Told(tell)).expect("the settings are valid");
        consumer.subscribe(&["t"]).expect("a topic can be subscribed to");
        consumer
    };
    let part = |member: &BaseConsumer<Told>| -> BTreeSet<i32> {
        let assignment = member.assignment().expect("a member knows what it reads");
        assignment.elements().iter().map(|element| element.partition()).collect()
    };
    let settle = |members: [&BaseConsumer<Told>; 2]| {
        let deadline = now() + PATIENCE;
        while members.iter().any(|member| part(member).len() != 2) {
            assert!(now() < deadline, "the members do not share");
            for member in members {
                assert!(member.poll(POLL).is_none_or(|polled| polled.is_ok()));
            }
        }
    };
    let nobody = || sync_channel(1).0;
    let (one, two) = (join("one", nobody()), join("two", tell));
    settle([&one, &two]);
    let parts = (part(&one), part(&two));
    assert!(told.try_iter().count() > 0);
    // A static member goes without a word.
    drop(one);
    let one = join("one", nobody());
    settle([&one, &two]);
    assert_eq!((part(&one), part(&two)), parts);
    assert_eq!(told.try_iter().count(), 0, "the other member was rebalanced");
    // Another one of its name fences it.
    let other = join("one", nobody());
    let deadline = now() + PATIENCE;
    while one.client().fatal_error().is_none() {
        assert!(now() < deadline, "the member is not fenced");
        for member in [&one, &two, &other] {
            drop(member.poll(POLL));
        }
    }
    let (code, _) = one.client().fatal_error().expect("just seen");
    assert_eq!(code, RDKafkaErrorCode::FencedInstanceId);
}

#[test]
fn a_group_goes_on_over_a_stop_and_a_kill() {
    let mut broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 4, &[]);
    let (first, second) = (member(&bootstrap, "g", "t", &[]), member(&bootstrap, "g", "t", &[]));
    let members = [&first, &second];
    let mut read = Read::new();
    poll_until(&members, &mut read, |_| share(&members, 4, 2));
    for (round, killed) in [false, true, false, true].into_iter().enumerate() {
        if killed {
            broker.kill();
        } else {
            assert!(broker.stop().success());
        }
        broker.restart();
        produce(&bootstrap, "t", 4, 10);
        let enough = 10 * (round + 1);
        let whole: Vec<i64> = (0..enough as i64).collect();
        let has_all = |read: &Read| {
            (0..4).all(|partition| {
                read.get(&partition).is_some_and(|offsets| offsets.len() >= enough)
            })
        };
        poll_until(&members, &mut read, has_all);
        let once = |offsets: &Vec<i64>| {
            let mut offsets = offsets.clone();
            offsets.sort_unstable();
            offsets.dedup();
            offsets == whole
        };
        assert!(read.values().all(once), "round {round}: {read:?}");
        let mut tries = 0;
        for member in members {
            // A group that was rebalanced meanwhile takes the next commit.
            while member.commit_consumer_state(CommitMode::Sync).is_err() {
                tries += 1;
                assert!(tries < 100, "a member cannot commit");
                poll_until(&members, &mut read, |_| share(&members, 4, 1));
            }
        }
        let expected = vec![enough as i64; 4];
        assert_eq!(committed(&bootstrap, "g", "t", 4), expected, "round {round}");
    }
}

#[test]
fn a_member_that_vanishes_is_replaced_when_its_session_ends() {
    let broker = Broker::start(BROKER);
    let bootstrap = broker.bootstrap();
    kafka::create_topic(&bootstrap, "t", 2, &[]);
    let mut vanishing = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args([
            "console-consumer",
            "--topic",
            "t",
            "--group",
            "g",
            "--bootstrap-server",
            &bootstrap,
        ])
        .args(["--command-property", "session.timeout.ms=6000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built with this test");
    let staying = member(&bootstrap, "g", "t", &[]);
    let mut read = Read::new();
    poll_until(&[&staying], &mut read, |_| assigned(&staying).len() == 1);
    vanishing.kill().expect("it is a child of this process");
    vanishing.wait().expect("a killed child can be waited for");
    poll_until(&[&staying], &mut read, |_| assigned(&staying).len() == 2);
}
