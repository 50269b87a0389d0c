//! Any sequence of commands: the records fit, and a snapshot builds the same image again.

use proptest::prelude::*;

use crate::metadata::commands::testing::{broker, image_of_brokers, random, settings};
use crate::metadata::commands::*;
use crate::metadata::record::{decode_batch, encode_batch};
use crate::metadata::{Broker, ConfigResource, Image, Partition, Record, replay, snapshot};
use crate::model::{BrokerId, PartitionIndex, ProducerId, TopicId};

fn name() -> impl Strategy<Value = String> {
    "[ab][._]?[ab]?"
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("retention.ms"),
        Just("flush.ms"),
        Just("cleanup.policy"),
        Just("message.max.bytes")
    ]
    .prop_map(str::to_owned)
}

fn new_topic() -> impl Strategy<Value = NewTopic> {
    (name(), -1..4i32, -1..4i16, prop::collection::vec((keys(), Just(Some("7".to_owned()))), 0..2))
        .prop_map(|(name, partition_count, replication_factor, configs)| NewTopic {
            partition_count,
            replication_factor,
            configs,
            ..NewTopic::named(name)
        })
}

fn resource() -> impl Strategy<Value = (i8, String)> {
    prop_oneof![
        name().prop_map(|name| (RESOURCE_TOPIC, name)),
        "[1-4]?".prop_map(|name| (RESOURCE_BROKER, name)),
    ]
}

fn incremental() -> impl Strategy<Value = Command> {
    let change = (keys(), 0..4i8, "(delete|compact|7)").prop_map(|(key, operation, value)| {
        IncrementalChange { key, operation, value: Some(value) }
    });
    (resource(), prop::collection::vec(change, 0..3)).prop_map(
        |((resource_type, name), changes)| {
            let resources = vec![ResourceChange { resource_type, name, changes }];
            Command::IncrementalAlterConfigs(IncrementalAlterConfigs {
                resources,
                validate_only: false,
            })
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let reference = (prop::option::of(name()), 0..3u8)
        .prop_map(|(name, id)| TopicReference { name, id: TopicId([id; 16]) });
    let more = (name(), 0..6i32, prop::option::of(Just(vec![vec![BrokerId(2)]])))
        .prop_map(|(name, count, assignments)| NewPartitions { name, count, assignments });
    let start =
        (1..5i32, any::<u128>(), "[c]").prop_map(|(id, incarnation, cluster_id)| BrokerStart {
            cluster_id,
            broker: Broker { incarnation, ..broker(id, Some("r")) },
            metadata_version: 29,
        });
    prop_oneof![
        4 => prop::collection::vec(new_topic(), 1..4)
            .prop_map(|topics| Command::CreateTopics(CreateTopics { topics, validate_only: false })),
        1 => prop::collection::vec(name(), 1..3).prop_map(Command::AutoCreateTopics),
        2 => prop::collection::vec(reference, 1..3).prop_map(Command::DeleteTopics),
        2 => prop::collection::vec(more, 1..3)
            .prop_map(|topics| Command::CreatePartitions(CreatePartitions { topics, validate_only: false })),
        3 => incremental(),
        1 => (resource(), keys()).prop_map(|((resource_type, name), key)| {
            let changes = vec![(key, Some("7".to_owned()))];
            let resources = vec![ResourceChange { resource_type, name, changes }];
            Command::AlterConfigs(AlterConfigs { resources, validate_only: false })
        }),
        1 => Just(Command::AllocateProducerIds),
        1 => start.prop_map(Command::StartBroker),
    ]
}

fn replay_all(image: &mut Image, records: &[Record]) {
    for record in records {
        assert_eq!(replay(image, record), Ok(()), "{record:?}");
    }
}

/// Records that fit or do not, over few enough names and ids to meet.
fn record() -> impl Strategy<Value = Record> {
    let id = || (0..3u8).prop_map(|id| TopicId([id; 16]));
    let text = || "[ab]".prop_map(String::into_boxed_str);
    let resource = prop_oneof![
        id().prop_map(ConfigResource::Topic),
        (0..2i32).prop_map(|id| ConfigResource::Broker(BrokerId(id))),
        Just(ConfigResource::EveryBroker),
    ];
    let state = prop::collection::vec((0..3i32).prop_map(BrokerId), 0..3);
    prop_oneof![
        text().prop_map(|id| Record::Cluster { id }),
        (id(), text()).prop_map(|(id, name)| Record::Topic { id, name }),
        (id(), -1..4i32, state).prop_map(|(topic, index, replicas)| Record::Partition {
            topic,
            index: PartitionIndex(index),
            state: Partition::fresh(replicas),
        }),
        id().prop_map(|id| Record::RemoveTopic { id }),
        (resource, text(), prop::option::of(text()))
            .prop_map(|(resource, key, value)| Record::Config { resource, key, value }),
        any::<i64>().prop_map(|next| Record::ProducerIds { next: ProducerId(next) }),
        (0..3i32).prop_map(|id| Record::Broker(broker(id, None))),
        (text(), any::<i16>(), any::<i64>()).prop_map(|(name, level, epoch)| Record::Feature {
            name,
            level,
            epoch
        }),
    ]
}

proptest! {
    #[test]
    fn any_record_is_replayed_whole_or_not_at_all(
        records in prop::collection::vec(record(), 0..60),
    ) {
        let mut image = Image::default();
        for record in records {
            let before = image.clone();
            if replay(&mut image, &record).is_err() {
                prop_assert_eq!(&image, &before);
            }
        }
        let mut copy = Image::default();
        replay_all(&mut copy, &snapshot(&image));
        prop_assert_eq!(copy, image);
    }

    #[test]
    fn a_snapshot_is_the_image(commands in prop::collection::vec(command(), 0..30)) {
        let mut image = image_of_brokers(3);
        let mut random = random();
        for command in commands {
            let Ok(decision) = decide(&image, &settings(), command, &mut random) else { continue };
            let stored = encode_batch(&decision.records);
            prop_assert_eq!(&decode_batch(&stored).expect("just encoded"), &decision.records);
            replay_all(&mut image, &decision.records);
            let partitions: usize = image.topics().map(|(_, topic)| topic.partitions().len()).sum();
            prop_assert_eq!(image.partition_count(), partitions);
        }
        let mut copy = Image::default();
        replay_all(&mut copy, &snapshot(&image));
        prop_assert_eq!(copy, image);
    }
}
