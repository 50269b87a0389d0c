//! Tables for changing configs: Kafka's codes and words, resource by resource.

use super::*;
use crate::metadata::commands::testing::{apply, create, image_of_brokers, settings};

type Told<'a> = Result<(), (ErrorCode, &'a str)>;

/// An image with broker 1 and the topic `t`, which has two configs, as every broker has one.
fn image() -> Image {
    let mut image = image_of_brokers(1);
    create(&mut image, &[("t", 1)]);
    let id = image.topic_id("t").expect("just created");
    let config = |resource, key: &str, value: &str| Record::Config {
        resource,
        key: key.into(),
        value: Some(value.into()),
    };
    apply(
        &mut image,
        vec![
            config(ConfigResource::Topic(id), "retention.ms", "5"),
            config(ConfigResource::Topic(id), "cleanup.policy", "compact"),
            config(ConfigResource::EveryBroker, "message.max.bytes", "9"),
        ],
    );
    image
}

/// Every config of the image as `topic.key=value`, `1.key=value` or `.key=value`.
fn all_configs(image: &Image) -> Vec<String> {
    let topics = image.topics().flat_map(|(_, topic)| {
        topic.configs().map(|(key, value)| format!("{}.{key}={value}", topic.name()))
    });
    let brokers = [(None, ""), (Some(BrokerId(1)), "1")].into_iter().flat_map(|(id, name)| {
        image.broker_configs(id).map(move |(key, value)| format!("{name}.{key}={value}"))
    });
    topics.chain(brokers).collect()
}

/// Decides to judge only and really, and compares the answers and what the configs are then.
fn check_decision(
    decide: impl Fn(&Image, bool) -> Decision<Vec<ConfigResult>>,
    expected: &[Told<'_>],
    record_count: usize,
    after: &[&str],
) {
    let mut image = image();
    let told = |decision: &Decision<Vec<ConfigResult>>| {
        let own = |error: &CommandError| (error.code, error.message.clone().unwrap_or_default());
        decision
            .reply
            .iter()
            .map(|one| one.result.as_ref().map_err(own).copied())
            .collect::<Vec<_>>()
    };
    let expected: Vec<_> = expected
        .iter()
        .map(|told| told.map_err(|(code, message)| (code, message.to_owned())))
        .collect();
    let judged = decide(&image, true);
    assert_eq!((told(&judged), judged.records.len()), (expected.clone(), 0));
    let done = decide(&image, false);
    assert_eq!((told(&done), done.records.len()), (expected, record_count));
    apply(&mut image, done.records);
    assert_eq!(all_configs(&image), after);
}

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn check(
    resources: &[(i8, &str, &[Change<'_>])],
    expected: &[Told<'_>],
    record_count: usize,
    after: &[&str],
) {
    let resources: Vec<_> = resources
        .iter()
        .map(|(resource_type, name, changes)| ResourceChange {
            resource_type: *resource_type,
            name: (*name).into(),
            changes: changes
                .iter()
                .map(|(key, operation, value)| IncrementalChange {
                    key: (*key).into(),
                    operation: *operation,
                    value: value.map(Into::into),
                })
                .collect(),
        })
        .collect();
    let decide = |image: &Image, validate_only| {
        let request = IncrementalAlterConfigs { resources: resources.clone(), validate_only };
        incremental_alter_configs(image, &settings(), request)
    };
    check_decision(decide, expected, record_count, after);
}

type Value<'a> = (&'a str, Option<&'a str>);

fn check_legacy(
    resources: &[(i8, &str, &[Value<'_>])],
    expected: &[Told<'_>],
    record_count: usize,
    after: &[&str],
) {
    let resources: Vec<_> = resources
        .iter()
        .map(|(resource_type, name, changes)| ResourceChange {
            resource_type: *resource_type,
            name: (*name).into(),
            changes: changes
                .iter()
                .map(|(key, value)| ((*key).into(), value.map(Into::into)))
                .collect(),
        })
        .collect();
    let decide = |image: &Image, validate_only| {
        let request = AlterConfigs { resources: resources.clone(), validate_only };
        alter_configs(image, &settings(), request)
    };
    check_decision(decide, expected, record_count, after);
}

const TOPIC: i8 = RESOURCE_TOPIC;
const BROKER: i8 = RESOURCE_BROKER;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
const BEFORE: [&str; 3] = ["t.cleanup.policy=compact", "t.retention.ms=5", ".message.max.bytes=9"];

fn refused(code: ErrorCode, message: &str) -> Told<'_> {
    Err((code, message))
}

#[test]
fn only_what_changes_becomes_a_record() {
    check(
        &[(TOPIC, "t", &[("retention.ms", SET, Some("5")), ("flush.ms", DELETE, None)])],
        &[Ok(())],
        0,
        &BEFORE,
    );
    check(
        &[
            (
                TOPIC,
                "t",
                &[("retention.ms", DELETE, None), ("cleanup.policy", APPEND, Some("delete"))],
            ),
            (BROKER, "", &[("message.max.bytes", SET, Some("7"))]),
            (BROKER, "1", &[("log.cleanup.policy", APPEND, Some("compact"))]),
        ],
        &[Ok(()), Ok(()), Ok(())],
        4,
        &[
            "t.cleanup.policy=compact,delete",
            ".message.max.bytes=7",
            "1.log.cleanup.policy=delete,compact",
        ],
    );
    check(
        &[(
            BROKER,
            "",
            &[("message.max.bytes", DELETE, None), ("log.cleanup.policy", SUBTRACT, Some("x"))],
        )],
        &[Ok(())],
        2,
        &[BEFORE[0], BEFORE[1], ".log.cleanup.policy=delete"],
    );
}

#[test]
fn a_resource_stands_alone_or_is_refused() {
    use ErrorCode::{
        BrokerIdNotRegistered, InvalidConfig, InvalidRequest, InvalidTopicException,
        UnknownTopicOrPartition,
    };
    let none: &[Change<'_>] = &[];
    let once = refused(InvalidRequest, "Each resource must appear at most once.");
    check(
        &[(TOPIC, "t", none), (BROKER, "", none), (TOPIC, "t", none)],
        &[once, Ok(()), once],
        0,
        &BEFORE,
    );
    let one: &[Change<'_>] = &[("retention.ms", SET, Some("7"))];
    let too_long = "9".repeat(32_768);
    check(
        &[
            (TOPIC, "", one),
            (TOPIC, "..", one),
            (TOPIC, "missing", one),
            (TOPIC, "absent", &[("nonsense", SET, Some("x"))]),
            (BROKER, "x", one),
            (BROKER, "2", one),
            (BROKER, "1", one),
            (BROKER, "", &[("message.max.bytes", SET, Some(&too_long))]),
            (16, "m", one),
            (TOPIC, "t", &[("retention.ms", 4, Some("7"))]),
        ],
        &[
            refused(InvalidRequest, "Default topic resources are not allowed."),
            refused(InvalidTopicException, "Topic name is invalid: '..' is not allowed"),
            refused(UnknownTopicOrPartition, "The topic 'missing' does not exist."),
            refused(InvalidConfig, "Unknown topic config name: nonsense"),
            refused(InvalidRequest, "Node id must be an integer, but it is: x"),
            refused(BrokerIdNotRegistered, "No node with id 2 found."),
            refused(InvalidRequest, "not dynamic"),
            refused(
                InvalidConfig,
                "The configuration value cannot be added because it exceeds the maximum value size \
                 of 32767 bytes.",
            ),
            refused(InvalidRequest, "Unknown resource type 16"),
            refused(InvalidRequest, "Unknown operations type 4"),
        ],
        0,
        &BEFORE,
    );
}

#[test]
fn keys_are_judged_one_by_one() {
    use ErrorCode::{InvalidConfig, InvalidRequest};
    let check_one = |changes: &[Change<'_>], told: Told<'_>| {
        check(&[(TOPIC, "t", changes)], &[told], 0, &BEFORE);
    };
    check_one(
        &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)],
        refused(InvalidRequest, "Error due to duplicate config keys"),
    );
    check_one(
        &[("retention.ms", SET, None), ("a", DELETE, None), ("b", APPEND, None)],
        refused(InvalidRequest, "Null value not supported for : retention.ms, b"),
    );
    check_one(
        &[("retention.ms", APPEND, Some("1"))],
        refused(InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."),
    );
    check_one(
        &[("nonsense", SET, Some("1"))],
        refused(InvalidConfig, "Unknown topic config name: nonsense"),
    );
    check(
        &[(BROKER, "", &[("message.max.bytes", SUBTRACT, Some("1"))])],
        &[refused(
            InvalidConfig,
            "Can't SUBTRACT to key message.max.bytes because its type is not LIST.",
        )],
        0,
        &BEFORE,
    );
    check(
        &[(BROKER, "1", &[("message.max.bytes", SET, Some("no"))])],
        &[refused(InvalidRequest, "not dynamic")],
        0,
        &BEFORE,
    );
}

#[test]
fn the_old_request_replaces_everything() {
    use ErrorCode::{InvalidConfig, InvalidRequest};
    check_legacy(
        &[
            (TOPIC, "t", &[("retention.ms", Some("5")), ("flush.ms", Some("1"))]),
            (BROKER, "", &[("log.cleanup.policy", Some("compact"))]),
        ],
        &[Ok(()), Ok(())],
        4,
        &["t.flush.ms=1", "t.retention.ms=5", ".log.cleanup.policy=compact"],
    );
    check_legacy(&[(TOPIC, "t", &[])], &[Ok(())], 2, &[BEFORE[2]]);
    check_legacy(
        &[
            (TOPIC, "t", &[("retention.ms", None)]),
            (BROKER, "1", &[("message.max.bytes", Some("no"))]),
        ],
        &[
            refused(InvalidRequest, "Null value not supported for : retention.ms"),
            refused(InvalidRequest, "not dynamic"),
        ],
        0,
        &BEFORE,
    );
    check_legacy(
        &[(TOPIC, "t", &[("nonsense", Some("1"))])],
        &[refused(InvalidConfig, "Unknown topic config name: nonsense")],
        0,
        &BEFORE,
    );
}
