//! ListOffsets, OffsetForLeaderEpoch, Metadata and hostile topic names, over raw sockets.

use klamm::model::{ErrorCode, TopicId};
use klamm::protocol::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm::protocol::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm::protocol::metadata_response::MetadataResponse;
use klamm::protocol::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm::record::{BatchBuilder, BatchOptions};

use crate::support::Broker;
use crate::wire::{Wire, batch, now_ms};

/// Error, offset, timestamp and leader epoch.
fn list(
    wire: &mut Wire,
    version: i16,
    partition: ListOffsetsPartition<'static>,
) -> (ErrorCode, i64, i64, i32) {
    let topic =
        ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = wire.ask(&request, version);
    let found = &answer.topics[0].partitions[0];
    (ErrorCode::from_code(found.error_code), found.offset, found.timestamp, found.leader_epoch)
}

fn at(timestamp: i64) -> ListOffsetsPartition<'static> {
    ListOffsetsPartition { timestamp, ..Default::default() }
}

#[test]
fn offsets_are_found_by_time_and_by_name() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    for version in 1..=11 {
        let epoch = if version >= 4 { 0 } else { -1 };
        assert_eq!(list(&mut wire, version, at(-1)), (ErrorCode::None, 0, -1, epoch));
        assert_eq!(list(&mut wire, version, at(5)), (ErrorCode::None, -1, -1, -1));
    }
    let time = now_ms() - 100_000;
    for times in [[time, time + 10], [time + 50, time + 20], [time + 30, time + 30]] {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for time in times {
            builder.append(time, None, Some(b"v"), &[]);
        }
        assert_eq!(wire.produce("t", 0, &builder.finish(), 9).error_code, 0);
    }
    let none = (-1, -1, -1);
    for (timestamp, first_version, (offset, found, epoch)) in [
        (-1, 1, (6, -1, 0)),
        (-2, 1, (0, -1, 0)),
        (-3, 7, (2, time + 50, 0)),
        (-4, 8, (0, -1, 0)),
        (-5, 9, none),
        (-6, 11, none),
        (0, 1, (0, time, 0)),
        (time, 1, (0, time, 0)),
        (time + 1, 1, (1, time + 10, 0)),
        (time + 11, 1, (2, time + 50, 0)),
        (time + 50, 1, (2, time + 50, 0)),
        (time + 51, 1, none),
        (i64::MAX, 1, none),
    ] {
        for version in 1..=11 {
            let told = list(&mut wire, version, at(timestamp));
            let epoch = if version >= 4 { epoch } else { -1 };
            let expected = if version >= first_version {
                (ErrorCode::None, offset, found, epoch)
            } else {
                (ErrorCode::UnsupportedVersion, -1, -1, -1)
            };
            assert_eq!(told, expected, "{timestamp} in version {version}");
        }
    }
    for timestamp in [-7, i64::MIN] {
        assert_eq!(list(&mut wire, 11, at(timestamp)).0, ErrorCode::UnsupportedVersion);
    }
    for (epoch, expected) in [
        (-1, ErrorCode::None),
        (0, ErrorCode::None),
        (1, ErrorCode::UnknownLeaderEpoch),
        (i32::MAX, ErrorCode::UnknownLeaderEpoch),
    ] {
        let partition = ListOffsetsPartition { current_leader_epoch: epoch, ..at(-1) };
        assert_eq!(list(&mut wire, 6, partition).0, expected, "epoch {epoch}");
    }
    let partition = ListOffsetsPartition { partition_index: 1, ..at(-1) };
    assert_eq!(list(&mut wire, 6, partition).0, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn leader_epochs_have_their_ends() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    wire.produce("t", 0, &batch(&["a", "b"]), 9);
    for version in 2..=4 {
        for (partition, current, wanted, expected) in [
            (0, -1, 0, (ErrorCode::None, 0, 2)),
            (0, 0, 0, (ErrorCode::None, 0, 2)),
            (0, 1, 0, (ErrorCode::UnknownLeaderEpoch, -1, -1)),
            (9, -1, 0, (ErrorCode::UnknownTopicOrPartition, -1, -1)),
            (-1, -1, 0, (ErrorCode::UnknownTopicOrPartition, -1, -1)),
        ] {
            let partition = OffsetForLeaderPartition {
                partition,
                current_leader_epoch: current,
                leader_epoch: wanted,
                ..Default::default()
            };
            let topic = OffsetForLeaderTopic {
                topic: "t".into(),
                partitions: vec![partition],
                ..Default::default()
            };
            let replica_id = if version >= 3 { -1 } else { -2 };
            let request = OffsetForLeaderEpochRequest {
                replica_id,
                topics: vec![topic],
                ..Default::default()
            };
            let answer = wire.ask(&request, version);
            let told = &answer.topics[0].partitions[0];
            let told = (ErrorCode::from_code(told.error_code), told.leader_epoch, told.end_offset);
            assert_eq!(told, expected, "version {version}");
        }
    }
}

fn named(names: &[&str]) -> MetadataRequest<'static> {
    let topic = |name: &&str| MetadataRequestTopic {
        name: Some((*name).to_owned().into()),
        ..MetadataRequestTopic::default()
    };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    }
}

/// A request as `version` can say it.
fn as_version(request: MetadataRequest<'static>, version: i16) -> MetadataRequest<'static> {
    // Older versions cannot say no: they always create.
    let allow = request.allow_auto_topic_creation || version < 4;
    MetadataRequest { allow_auto_topic_creation: allow, ..request }
}

/// Each topic of an answer: its error, name and number of partitions.
fn told(answer: &MetadataResponse<'static>) -> Vec<(ErrorCode, String, usize)> {
    let topic = |topic: &klamm::protocol::metadata_response::MetadataResponseTopic<'static>| {
        let name = topic.name.as_deref().unwrap_or("null").to_owned();
        (ErrorCode::from_code(topic.error_code), name, topic.partitions.len())
    };
    let mut topics: Vec<_> = answer.topics.iter().map(topic).collect();
    topics.sort();
    topics
}

#[test]
fn each_version_of_metadata_asks_in_its_own_way() {
    let broker = Broker::start(&["auto.create.topics.enable=false"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("a", 2, &[]);
    wire.create_topic("b", 1, &[]);
    let (a, b) = ((ErrorCode::None, "a".to_owned(), 2), (ErrorCode::None, "b".to_owned(), 1));
    for version in 0..=13 {
        let what = format!("version {version}");
        let mut ask = |request| wire.ask(&as_version(request, version), version);
        let none = ask(named(&[]));
        let all = vec![a.clone(), b.clone()];
        assert_eq!(told(&none), if version == 0 { all.clone() } else { vec![] }, "{what}");
        if version > 0 {
            let everything = MetadataRequest { topics: None, ..named(&[]) };
            assert_eq!(told(&ask(everything)), all, "{what}");
        }
        assert_eq!(told(&ask(named(&["b"]))), std::slice::from_ref(&b), "{what}");
        let unknown = (ErrorCode::UnknownTopicOrPartition, "c".to_owned(), 0);
        assert_eq!(told(&ask(named(&["b", "c"]))), [b.clone(), unknown], "{what}");
        let answer = ask(named(&["a"]));
        assert_eq!(answer.brokers.len(), 1);
        assert_eq!(
            format!("{}:{}", answer.brokers[0].host, answer.brokers[0].port),
            broker.bootstrap()
        );
        assert_eq!(answer.topics[0].topic_id, if version >= 10 { id } else { TopicId::ZERO });
    }
    for version in [12, 13] {
        let by_id = |id| {
            let topic = MetadataRequestTopic { name: None, topic_id: id, ..Default::default() };
            MetadataRequest { topics: Some(vec![topic]), ..named(&[]) }
        };
        assert_eq!(told(&wire.ask(&by_id(id), version)), std::slice::from_ref(&a));
        let unknown = wire.ask(&by_id(TopicId([5; 16])), version);
        assert_eq!(told(&unknown)[0].0, ErrorCode::UnknownTopicId);
    }
}

#[test]
fn topics_are_created_only_where_the_flag_allows_it() {
    let broker = Broker::start(&["num.partitions=3"]);
    let mut wire = Wire::connect(&broker);
    for version in 0..=13 {
        let name = format!("auto-{version}");
        if version >= 4 {
            let answer = wire.ask(&named(&[&name]), version);
            assert_eq!(told(&answer)[0].0, ErrorCode::UnknownTopicOrPartition);
        }
        let allowed = MetadataRequest { allow_auto_topic_creation: true, ..named(&[&name]) };
        let ask = |wire: &mut Wire| told(&wire.ask(&allowed, version)).remove(0);
        assert_eq!(ask(&mut wire).0, ErrorCode::UnknownTopicOrPartition, "Kafka creates meanwhile");
        let created = (0..20_000).find_map(|_| {
            let topic = ask(&mut wire);
            (topic.0 == ErrorCode::None).then_some(topic)
        });
        assert_eq!(created, Some((ErrorCode::None, name, 3)), "version {version}");
    }
    let everything = MetadataRequest { topics: None, ..named(&[]) };
    assert_eq!(wire.ask(&everything, 13).topics.len(), 14);
}

#[test]
fn no_topic_leaves_its_directory() {
    let mut broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("honest", 1, &[]);
    let (long, longest) = ("x".repeat(250), "x".repeat(249));
    let names = ["../x", "a/b", "/etc", "a\0b", "\0", ".", "..", "", "ä", "a b", &long, "a\nb"];
    for name in names {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        for version in [2, 4, 7] {
            let answer = wire.ask(&request, version);
            let code = ErrorCode::from_code(answer.topics[0].error_code);
            assert_eq!(code, ErrorCode::InvalidTopicException, "{name:?} in version {version}");
        }
        let create = MetadataRequest { allow_auto_topic_creation: true, ..named(&[name]) };
        for version in [0, 4, 13] {
            let answer = wire.ask(&create, version);
            assert_eq!(told(&answer)[0].0, ErrorCode::InvalidTopicException, "{name:?}");
        }
        let code = wire.produce(name, 0, &batch(&["a"]), 9).error_code;
        assert_eq!(ErrorCode::from_code(code), ErrorCode::UnknownTopicOrPartition, "{name:?}");
    }
    wire.create_topic(&longest, 1, &[]);
    assert_eq!(wire.produce(&longest, 0, &batch(&["a"]), 9).error_code, 0);
    broker.kill();
    broker.restart();
    let mut wire = Wire::connect(&broker);
    let all = wire.ask(&MetadataRequest { topics: None, ..named(&[]) }, 13);
    let names: Vec<String> = told(&all).into_iter().map(|topic| topic.1).collect();
    assert_eq!(names, ["honest".to_owned(), longest.clone()]);
    assert_eq!(wire.end_offset(&longest, 0), 1);
}
