//! What is deleted, by whom, and what outlives it.

use super::tests::*;
use super::*;
use crate::coordinator::message::*;
use crate::coordinator::records::{Key, offset_key};
use crate::model::Offset;
use crate::record::{BatchBuilder, BatchOptions, BatchView, DecompressionCaps};

fn delete_offsets(group: &str, topic: &str) -> Request {
    let partitions = vec![(topic.into(), P0), (topic.into(), PartitionIndex(1))];
    Request::DeleteOffsets(DeleteOffsets { group: group.into(), partitions })
}

/// The keys of all tombstones that a batch holds.
fn tombstones(batch: &[u8]) -> Vec<String> {
    let batch = BatchView::parse(batch).expect("a written batch is one");
    let opened = batch.open(DecompressionCaps::default()).expect("it is not compressed");
    let records = batch.records(&opened).map(|record| record.expect("a written record is one"));
    let gone = records.filter(|record| record.value.is_none());
    let key = |key: Option<_>| {
        Key::decode(key.expect("every record has a key")).expect("every key is Kafka's")
    };
    gone.map(|record| match key(record.key) {
        Key::Offset { group, topic, partition } => format!("{group} {topic} {partition}"),
        Key::Group { group } => group.into_owned(),
        Key::Unknown(kind) => panic!("{kind}"),
    })
    .collect()
}

#[test]
fn a_group_is_deleted_with_its_offsets() {
    let mut rig =
        Rig::after(vec![generation("empty", "consumer", 0), generation("busy", "consumer", 1)]);
    rig.ask(Request::Commit(commit("simple", 1)));
    rig.ask(Request::Commit(commit("empty", 1)));
    for (group, code, gone) in [
        ("busy", ErrorCode::NonEmptyGroup, vec![]),
        ("unknown", ErrorCode::GroupIdNotFound, vec![]),
        ("simple", ErrorCode::None, vec!["simple t 0", "simple"]),
        ("empty", ErrorCode::None, vec!["empty t 0", "empty"]),
        ("empty", ErrorCode::GroupIdNotFound, vec![]),
    ] {
        let log_size = rig.log.len();
        assert_eq!(rig.ask(Request::Delete(group.into())), Answer::Delete(code), "{group}");
        let written = rig.log[log_size..].iter().flat_map(|batch| tombstones(batch));
        assert_eq!(written.collect::<Vec<_>>(), gone, "{group}");
    }
    assert_eq!(rig.state("empty"), Err(ErrorCode::GroupIdNotFound));
    assert_eq!(rig.offset("empty"), -1);
    assert_eq!(rig.partition.groups.len(), 1);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn a_group_too_large_for_a_batch_is_deleted_in_parts() {
    for failing in [None, Some(0), Some(1), Some(2)] {
        let mut rig = Rig::new();
        for round in 0..6 {
            let mut request = commit("g", 1);
            request.offsets = (0..50).map(|index| part("t", 50 * round + index, 1)).collect();
            rig.ask(Request::Commit(request));
        }
        let ticket = rig.send(Request::Delete("g".into()));
        assert_eq!(rig.writes.len(), 2, "300 tombstones of some 21 bytes");
        for part in 0..2 {
            let failed = Some(part) == failing;
            rig.end_write(if failed { Err(ErrorCode::KafkaStorageError) } else { Ok(()) });
        }
        let code = match failing {
            Some(0 | 1) => ErrorCode::NotCoordinator,
            _ => ErrorCode::None,
        };
        assert_eq!(rig.answers[&ticket], Answer::Delete(code), "{failing:?}");
        assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
        assert!(rig.partition.failed_parts.is_empty());
    }
}

#[test]
fn a_commit_behind_a_deletion_outlives_it() {
    let mut rig = Rig::new();
    rig.ask(Request::Commit(commit("g", 1)));
    rig.send(Request::Delete("g".into()));
    let again = rig.send(Request::Delete("g".into()));
    assert_eq!(rig.answers[&again], Answer::Delete(ErrorCode::GroupIdNotFound));
    rig.send(Request::Commit(commit("g", 2)));
    rig.settle();
    assert_eq!(rig.offset("g"), 2);
    assert_eq!(rig.state("g"), Ok("Empty"));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn offsets_are_deleted_unless_their_topic_is_read() {
    use ErrorCode::*;
    let log = vec![
        generation("empty", "consumer", 0),
        generation("readers", "consumer", 1),
        generation("workers", "connect", 1),
        record(
            &offset_key("readers", "t", P0).unwrap(),
            Some(&value(1, START_MS).encode().unwrap()),
        ),
    ];
    let mut rig = Rig::after(log);
    rig.ask(Request::Commit(commit("empty", 1)));
    rig.ask(Request::Commit(commit("simple", 1)));
    let read = GroupSubscribedToTopic;
    for (group, expected) in [
        ("", Err(InvalidGroupId)),
        ("unknown", Err(GroupIdNotFound)),
        ("readers", Ok(vec![read, read])),
        ("workers", Err(NonEmptyGroup)),
        ("empty", Ok(vec![None, None])),
        ("simple", Ok(vec![None, None])),
    ] {
        let answer = rig.ask(delete_offsets(group, "t"));
        assert_eq!(answer, Answer::DeleteOffsets(expected), "{group}");
    }
    assert_eq!((rig.offset("readers"), rig.offset("empty"), rig.offset("simple")), (1, -1, -1));
    // A group that only kept offsets is seen until it is looked for such, as in Kafka.
    assert_eq!(rig.state("simple"), Ok("Empty"));
    rig.step(PartitionEvent::ExpireOffsets);
    rig.settle();
    assert_eq!(rig.state("simple"), Err(GroupIdNotFound));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn offsets_expire_with_their_group() {
    // The group's offset of `t`, and one committed 20 hours later with a retention of its own; the
    // hours after which they are looked at, and what is thrown away then.
    for (group, retention_ms, hours, gone) in [
        ("simple", None, 23, vec![]),
        ("simple", None, 24, vec!["simple t 0"]),
        ("simple", None, 44, vec!["simple t 0", "simple u 0", "simple"]),
        ("simple", Some(HOUR_MS), 20, vec![]),
        ("simple", Some(HOUR_MS), 21, vec!["simple u 0"]),
        ("simple", Some(30 * HOUR_MS), 49, vec!["simple t 0"]),
        // It has been empty for an hour.
        ("empty", None, 22, vec![]),
        ("empty", None, 23, vec!["empty t 0", "empty u 0", "empty"]),
        ("empty", Some(30 * HOUR_MS), 49, vec!["empty t 0"]),
    ] {
        let mut rig = Rig::after(vec![generation("empty", "consumer", 0)]);
        rig.ask(Request::Commit(commit(group, 1)));
        rig.now_ms += 20 * HOUR_MS;
        let later = commit(group, 1);
        let offsets = vec![part("u", 0, 1)];
        rig.ask(Request::Commit(Commit { retention_ms, offsets, ..later }));
        rig.now_ms = START_MS + hours * HOUR_MS;
        let log_size = rig.log.len();
        rig.step(PartitionEvent::ExpireOffsets);
        rig.settle();
        let written = rig.log[log_size..].iter().flat_map(|batch| tombstones(batch));
        // The untouched group that has lost its members goes too when it keeps nothing.
        let mut written: Vec<_> = written.filter(|it| it.starts_with(group)).collect();
        written.sort_by_key(|it| (!it.contains(' '), it.clone()));
        assert_eq!(written, gone, "{group} {retention_ms:?} {hours}");
        assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
    }
}

#[test]
fn a_group_with_members_keeps_what_it_reads() {
    let log = vec![
        generation("readers", "consumer", 1),
        generation("workers", "connect", 1),
        record(&offset_key("readers", "t", P0).unwrap(), Some(&value(1, 0).encode().unwrap())),
        record(&offset_key("workers", "t", P0).unwrap(), Some(&value(1, 0).encode().unwrap())),
    ];
    let mut rig = Rig::after(log);
    rig.step(PartitionEvent::ExpireOffsets);
    while !rig.writes.is_empty() {
        rig.end_write(Ok(()));
    }
    assert_eq!((rig.offset("readers"), rig.offset("workers")), (1, 1));
}

#[test]
fn what_is_being_committed_does_not_expire() {
    let mut rig = Rig::new();
    rig.ask(Request::Commit(commit("g", 1)));
    rig.now_ms += 2 * RETENTION_MS;
    rig.send(Request::Commit(commit("g", 2)));
    rig.step(PartitionEvent::ExpireOffsets);
    rig.settle();
    assert_eq!(rig.offset("g"), 2);
}

#[test]
fn a_deleted_topics_offsets_go() {
    // The topic ids of the durable offset and of the one being committed (0 for none), that of the
    // topic which is deleted, and the offset that is left.
    for (durable, in_flight, deleted, left) in [
        (1, None, 1, -1),
        (2, None, 1, 1),
        (0, None, 1, -1),
        (1, Some(1), 1, -1),
        (1, Some(2), 1, 2),
        (2, Some(1), 1, -1),
        (2, Some(3), 1, 2),
        (1, Some(0), 1, -1),
    ] {
        let mut rig = Rig::new();
        let mut first = commit("g", 1);
        first.offsets[0].topic_id = topic_id(durable);
        rig.ask(Request::Commit(first));
        if let Some(in_flight) = in_flight {
            let mut second = commit("g", 2);
            second.offsets[0].topic_id = topic_id(in_flight);
            rig.send(Request::Commit(second));
        }
        rig.step(PartitionEvent::TopicDeleted { topic: "u".into(), id: topic_id(durable) });
        rig.step(PartitionEvent::TopicDeleted { topic: "t".into(), id: topic_id(deleted) });
        rig.settle();
        let Answer::FetchOffsets(Ok(topics)) = rig.ask(fetch("g", 0, false)) else {
            panic!("a fetch failed")
        };
        assert_eq!(topics[0].offsets[0].offset.0, left, "{durable} {in_flight:?}");
        assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
    }
}

#[test]
fn many_groups_are_looked_through_in_pieces() {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    for number in 0..25_000 {
        let key = offset_key(&format!("group-{number}"), "t", P0).unwrap();
        batch.append(0, Some(&key), Some(&value(1, 0).encode().unwrap()), &[]);
    }
    let mut rig = Rig::after(vec![batch.finish()]);
    rig.step(PartitionEvent::ExpireOffsets);
    // Nobody's request waits for the end of it.
    assert!(rig.writes.iter().map(|(_, batch)| tombstones(batch).len()).sum::<usize>() <= 20_000);
    assert!(rig.partition.deadline().is_some());
    rig.settle();
    assert_eq!(rig.partition.groups.len(), 0);
    assert_eq!((rig.partition.bytes, rig.partition.deadline()), (0, None));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}
