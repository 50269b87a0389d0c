//! Tables for creating and deleting topics: Kafka's codes and words, request by request.

use super::*;
use crate::metadata::commands::testing::{apply, create, image_of_brokers, random, settings};
use crate::model::LogId;

/// What a client is told of one topic: partitions and replicas, or the error.
type Told = Result<(i32, i16), (ErrorCode, String)>;

fn told(decision: &Decision<Vec<CreateTopicResult>>) -> Vec<(String, Told)> {
    decision
        .reply
        .iter()
        .map(|topic| {
            let result = match &topic.result {
                Ok(created) => Ok((created.partition_count, created.replication_factor)),
                Err(error) => Err((error.code, error.message.clone().unwrap_or_default())),
            };
            (topic.name.clone(), result)
        })
        .collect()
}

/// Creates on an image of three brokers with the topic `a.b`, twice: to judge only, and really.
fn check(topics: &[NewTopic], expected: &[(&str, Told)]) -> Image {
    let mut image = image_of_brokers(3);
    create(&mut image, &[("a.b", 1)]);
    let expected: Vec<_> =
        expected.iter().map(|(name, result)| ((*name).to_owned(), result.clone())).collect();
    let request = |validate_only| CreateTopics { topics: topics.to_vec(), validate_only };
    let judged = create_topics(&image, &settings(), request(true), &mut random());
    assert_eq!(told(&judged), expected);
    assert_eq!(judged.records, []);
    let done = create_topics(&image, &settings(), request(false), &mut random());
    assert_eq!(told(&done), expected);
    apply(&mut image, done.records);
    for topic in done.reply {
        let Ok(created) = topic.result else { continue };
        let (id, known) = image.topic_named(&topic.name).expect("just created");
        assert_eq!((id, known.partitions().len() as i32), (created.id, created.partition_count));
        let configs: Vec<_> =
            known.configs().map(|(key, value)| (key.into(), value.into())).collect();
        assert_eq!(configs, created.configs.into_iter().collect::<Vec<(String, String)>>());
    }
    image
}

fn refused(code: ErrorCode, message: &str) -> Told {
    Err((code, message.into()))
}

fn sized(name: &str, partition_count: i32, replication_factor: i16) -> NewTopic {
    NewTopic { partition_count, replication_factor, ..NewTopic::named(name) }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments
        .iter()
        .map(|(partition, brokers)| Assignment {
            partition: PartitionIndex(*partition),
            brokers: brokers.iter().copied().map(BrokerId).collect(),
        })
        .collect();
    NewTopic { assignments, ..NewTopic::named(name) }
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> NewTopic {
    let configs =
        configs.iter().map(|(key, value)| ((*key).into(), value.map(Into::into))).collect();
    NewTopic { configs, ..NewTopic::named(name) }
}

#[test]
fn sizes_are_the_clients_or_the_defaults() {
    check(&[NewTopic::named("x"), sized("y", 5, 3)], &[("x", Ok((2, 1))), ("y", Ok((5, 3)))]);
    let positive = "Number of partitions was set to an invalid non-positive value.";
    for count in [0, -2, i32::MIN] {
        check(&[sized("x", count, 1)], &[("x", refused(ErrorCode::InvalidPartitions, positive))]);
    }
    let larger = "Replication factor must be larger than 0, or -1 to use the default value.";
    for factor in [0, -2, i16::MIN] {
        let told = refused(ErrorCode::InvalidReplicationFactor, larger);
        check(&[sized("x", 0, factor)], &[("x", told)]);
    }
    check(
        &[sized("x", 1, 4)],
        &[(
            "x",
            refused(
                ErrorCode::InvalidReplicationFactor,
                "Unable to replicate the partition 4 time(s): The target replication factor of 4 \
                 cannot be reached because only 3 broker(s) are registered or some brokers have \
                 all their log directories cordoned.",
            ),
        )],
    );
}

#[test]
fn names_are_legal_new_and_do_not_collide() {
    use ErrorCode::{InvalidRequest, InvalidTopicException, TopicAlreadyExists};
    check(
        &[
            NewTopic::named("a_b"),
            NewTopic::named("../x"),
            NewTopic::named("a.b"),
            NewTopic::named("__cluster_metadata"),
            NewTopic::named("twice"),
            NewTopic::named("good"),
            NewTopic::named("twice"),
        ],
        &[
            (
                "a_b",
                refused(InvalidTopicException, "Topic 'a_b' collides with existing topic: a.b"),
            ),
            (
                "../x",
                refused(
                    InvalidTopicException,
                    "Topic name is invalid: '../x' contains one or more characters other than ASCII \
                     alphanumerics, '.', '_' and '-'",
                ),
            ),
            ("a.b", refused(TopicAlreadyExists, "Topic 'a.b' already exists.")),
            (
                "__cluster_metadata",
                refused(
                    InvalidRequest,
                    "Creation of internal topic __cluster_metadata is prohibited.",
                ),
            ),
            ("twice", refused(InvalidRequest, "Duplicate topic name.")),
            ("good", Ok((2, 1))),
        ],
    );
}

#[test]
fn a_client_may_place_the_replicas_itself() {
    let image = check(&[assigned("x", &[(1, &[3, 1]), (0, &[2, 3])])], &[("x", Ok((2, 2)))]);
    let (id, _) = image.topic_named("x").expect("just created");
    let partition = |index| {
        image.partition(&LogId { topic: id, partition: PartitionIndex(index) }).expect("placed")
    };
    assert_eq!(partition(0).replicas.as_slice(), [BrokerId(2), BrokerId(3)]);
    assert_eq!((partition(1).leader, partition(1).isr.len()), (BrokerId(3), 2));

    let check_refused = |topic: NewTopic, code, message: &str| {
        check(&[topic], &[("x", refused(code, message))]);
    };
    let assignment = ErrorCode::InvalidReplicaAssignment;
    let includes = |what: &str| format!("The manual partition assignment includes {what}");
    check_refused(
        NewTopic { replication_factor: 1, ..assigned("x", &[(0, &[1])]) },
        ErrorCode::InvalidRequest,
        "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
    check_refused(
        NewTopic { partition_count: 1, ..assigned("x", &[(0, &[1])]) },
        ErrorCode::InvalidRequest,
        "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
    check_refused(
        assigned("x", &[(0, &[1]), (0, &[2])]),
        assignment,
        "Found multiple manual partition assignments for partition 0",
    );
    let consecutive = "partitions should be a consecutive 0-based integer sequence";
    check_refused(assigned("x", &[(0, &[1]), (2, &[2])]), assignment, consecutive);
    check_refused(assigned("x", &[(-1, &[1]), (0, &[2])]), assignment, consecutive);
    check_refused(assigned("x", &[(0, &[])]), assignment, &includes("an empty replica list."));
    check_refused(
        assigned("x", &[(0, &[9])]),
        assignment,
        &includes("broker 9, but no such broker is registered."),
    );
    check_refused(
        assigned("x", &[(0, &[1, 2, 1])]),
        assignment,
        &includes("the broker 1 more than once."),
    );
    check_refused(
        assigned("x", &[(0, &[1, 2]), (1, &[1])]),
        assignment,
        &includes(
            "a partition with 1 replica(s), but this is not consistent with previous partitions, \
             which have 2 replica(s).",
        ),
    );
}

#[test]
fn configs_are_judged_before_sizes() {
    use ErrorCode::InvalidConfig;
    check(
        &[
            configured("ok", &[("retention.ms", Some("5")), ("cleanup.policy", Some("compact"))]),
            configured("last", &[("retention.ms", Some("5")), ("retention.ms", Some("6"))]),
            NewTopic {
                partition_count: 0,
                ..configured("null", &[("retention.ms", None), ("cleanup.policy", None)])
            },
            configured("unknown", &[("nonsense", Some("5"))]),
        ],
        &[
            ("ok", Ok((2, 1))),
            ("last", Ok((2, 1))),
            (
                "null",
                refused(
                    InvalidConfig,
                    "Null value not supported for topic configs: retention.ms,cleanup.policy",
                ),
            ),
            ("unknown", refused(InvalidConfig, "Unknown topic config name: nonsense")),
        ],
    );
}

#[test]
fn a_request_and_a_cluster_have_only_so_many_partitions() {
    let message = "Excessively large number of partitions per request.";
    let refused_all = refused(ErrorCode::PolicyViolation, message);
    check(
        &[sized("x", 9_998, -1), NewTopic::named("y")],
        &[("x", Ok((9_998, 1))), ("y", Ok((2, 1)))],
    );
    check(
        &[sized("x", 9_999, -1), NewTopic::named("y")],
        &[("x", refused_all.clone()), ("y", refused_all.clone())],
    );
    check(&[sized("x", i32::MAX, -1)], &[("x", refused_all)]);

    let mut image = image_of_brokers(1);
    for topic in 0..20 {
        create(&mut image, &[(&format!("t{topic}"), 10_000)]);
    }
    let over = auto_create_topics(&image, &settings(), vec!["x".into()], &mut random());
    let message = "The cluster would have 200002 partitions; at most 200000 are allowed.";
    assert_eq!(told(&over), [("x".into(), refused(ErrorCode::PolicyViolation, message))]);
}

#[test]
fn a_taken_id_is_drawn_again() {
    let mut image = image_of_brokers(1);
    for name in ["x", "y"] {
        let request = CreateTopics { topics: vec![NewTopic::named(name)], validate_only: false };
        let decision = create_topics(&image, &settings(), request, &mut random());
        apply(&mut image, decision.records);
    }
    assert_ne!(image.topic_id("x"), image.topic_id("y"));
}

/// Deletes on an image with the topics `a` (its id is `ids[0]`), `b` and `c`.
fn check_delete(
    references: impl Fn(&[TopicId]) -> Vec<TopicReference>,
    expected: &[Result<&str, (ErrorCode, &str)>],
    left: &[&str],
) {
    let mut image = image_of_brokers(1);
    create(&mut image, &[("a", 1), ("b", 2), ("c", 3)]);
    let ids: Vec<_> = image.topics().map(|(id, _)| id).collect();
    let references = references(&ids);
    let off = Settings { delete_topic_enable: false, ..settings() };
    assert_eq!(
        delete_topics(&image, &off, references.clone()),
        Err(ErrorCode::TopicDeletionDisabled.into())
    );
    let decision = delete_topics(&image, &settings(), references).expect("deletion is on");
    let told: Vec<_> = decision
        .reply
        .iter()
        .map(|topic| match &topic.result {
            Ok(()) => {
                assert_eq!(image.topic_id(topic.name.as_deref().expect("known")), Some(topic.id));
                Ok(topic.name.as_deref().expect("known"))
            }
            Err(error) => Err((error.code, error.message.as_deref().unwrap_or_default())),
        })
        .collect();
    assert_eq!(told, expected);
    apply(&mut image, decision.records);
    assert_eq!(image.topics().map(|(_, topic)| topic.name()).collect::<Vec<_>>(), left);
}

fn by_name(name: &str) -> TopicReference {
    TopicReference { name: Some(name.into()), id: TopicId::ZERO }
}

fn by_id(id: TopicId) -> TopicReference {
    TopicReference { name: None, id }
}

#[test]
fn topics_are_deleted_by_name_or_id() {
    use ErrorCode::{InvalidRequest, UnknownTopicId, UnknownTopicOrPartition};
    check_delete(|ids| vec![by_name("b"), by_id(ids[2])], &[Ok("b"), Ok("c")], &["a"]);
    check_delete(
        |_| vec![by_name("x"), by_id(TopicId([9; 16]))],
        &[
            Err((UnknownTopicOrPartition, UnknownTopicOrPartition.message())),
            Err((UnknownTopicId, UnknownTopicId.message())),
        ],
        &["a", "b", "c"],
    );
    check_delete(
        |ids| vec![by_name("a"), by_name("a"), by_id(ids[1]), by_name("c"), by_id(ids[1])],
        &[
            Err((InvalidRequest, "Duplicate topic name.")),
            Err((InvalidRequest, "Duplicate topic id.")),
            Ok("c"),
        ],
        &["a", "b"],
    );
    let message = "The provided topic name maps to an ID that was already supplied.";
    check_delete(
        |ids| vec![by_name("a"), by_id(ids[0])],
        &[Err((InvalidRequest, message)), Err((InvalidRequest, message))],
        &["a", "b", "c"],
    );
    check_delete(
        |ids| vec![by_id(TopicId::ZERO), TopicReference { name: Some("b".into()), id: ids[1] }],
        &[
            Err((InvalidRequest, "Neither topic name nor id were specified.")),
            Err((InvalidRequest, "You may not specify both topic name and topic id.")),
        ],
        &["a", "b", "c"],
    );
}
