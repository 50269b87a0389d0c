//! What a partition answers and writes, rule by rule.

use super::*;
use crate::coordinator::group::{GroupMetadata, MemberMetadata};
use crate::coordinator::message::*;
use crate::coordinator::records::{Key, OffsetValue, group_key, group_value, offset_key};
use crate::model::limits::COORDINATOR_GROUPS_MAX;
use crate::model::{LeaderEpoch, Offset};
use crate::record::{BatchBuilder, BatchOptions, BatchView, Compression, DecompressionCaps};

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const RETENTION_MS: i64 = 24 * HOUR_MS;
const START_MS: i64 = 1_000 * HOUR_MS;
const P0: PartitionIndex = PartitionIndex(0);

pub(super) fn topic_id(number: u8) -> TopicId {
    TopicId([number; 16])
}

/// A partition with its driver: a log, the writes on their way to it, and the answers.
pub(super) struct Rig {
    pub(super) partition: GroupPartition,
    pub(super) now_ms: i64,
    pub(super) log: Vec<Vec<u8>>,
    pub(super) writes: VecDeque<(WriteId, Vec<u8>)>,
    pub(super) answers: FxHashMap<Ticket, Answer>,
    tickets: u64,
}

pub(super) fn settings() -> Rc<CoordinatorSettings> {
    Rc::new(CoordinatorSettings {
        group: GroupSettings::default(),
        offset_metadata_bytes_max: 8,
        offsets_retention_ms: RETENTION_MS,
        batch_bytes_max: 4_096,
    })
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::after(Vec::new())
    }

    /// A partition that has loaded these batches.
    pub(super) fn after(log: Vec<Vec<u8>>) -> Rig {
        let mut partition = GroupPartition::new(settings());
        for batch in &log {
            partition.replay(batch).unwrap();
        }
        partition.finish_loading(Monotonic(0));
        Rig {
            partition,
            now_ms: START_MS,
            log,
            writes: VecDeque::new(),
            answers: FxHashMap::default(),
            tickets: 0,
        }
    }

    pub(super) fn step(&mut self, event: PartitionEvent) {
        let now = Monotonic((self.now_ms - START_MS) as u64 * 1_000_000);
        let mut out = Vec::new();
        self.partition.step(now, self.now_ms, event, &mut out);
        for action in out {
            match action {
                PartitionAction::Reply(ticket, answer) => {
                    assert_eq!(self.answers.insert(ticket, answer), None, "{ticket:?}");
                }
                PartitionAction::Write(id, batch) => {
                    assert!(BatchView::parse(&batch).unwrap().crc_is_valid());
                    assert!(batch.len() <= self.partition.settings.batch_bytes_max);
                    self.writes.push_back((id, batch));
                }
            }
        }
    }

    pub(super) fn send(&mut self, request: Request) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.step(PartitionEvent::Request(ticket, request));
        ticket
    }

    /// Ends the oldest write; one that succeeds is in the log.
    pub(super) fn end_write(&mut self, result: Result<(), ErrorCode>) {
        let (id, batch) = self.writes.pop_front().unwrap();
        if result.is_ok() {
            self.log.push(batch);
        }
        self.step(PartitionEvent::Written(id, result));
    }

    /// Ends all writes well, and lets the partition do all that it has to do now.
    pub(super) fn settle(&mut self) {
        loop {
            while !self.writes.is_empty() {
                self.end_write(Ok(()));
            }
            let now = Monotonic((self.now_ms - START_MS) as u64 * 1_000_000);
            if self.partition.deadline().is_none_or(|due| due > now) {
                break;
            }
            self.step(PartitionEvent::Timeout);
        }
    }

    /// What a request is answered when nothing is in its way.
    pub(super) fn ask(&mut self, request: Request) -> Answer {
        let ticket = self.send(request);
        self.settle();
        self.answers.remove(&ticket).unwrap()
    }

    fn offset(&mut self, group: &str) -> i64 {
        match self.ask(fetch(group, 1, false)) {
            Answer::FetchOffsets(Ok(offsets)) => offsets[0].offset.0,
            other => panic!("{other:?}"),
        }
    }

    fn state(&mut self, group: &str) -> Result<&'static str, ErrorCode> {
        match self.ask(Request::Describe(group.into())) {
            Answer::Describe(description) => description.map(|it| it.state),
            other => panic!("{other:?}"),
        }
    }

    /// What a full replay of the log gives.
    pub(super) fn replayed(&self) -> Vec<u8> {
        let mut other = GroupPartition::new(settings());
        for batch in &self.log {
            other.replay(batch).unwrap();
        }
        other.snapshot(Offset(0))
    }
}

/// A commit of one offset by somebody who is in no group.
pub(super) fn commit(group: &str, offset: i64) -> Commit {
    Commit {
        member: MemberRef {
            group: group.into(),
            member_id: String::new(),
            instance_id: None,
            generation: -1,
        },
        retention_ms: None,
        offsets: vec![part("t", 0, offset)],
    }
}

pub(super) fn part(topic: &str, partition: i32, offset: i64) -> CommitPart {
    CommitPart {
        topic: topic.into(),
        topic_id: topic_id(1),
        partition: PartitionIndex(partition),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(3),
        metadata: "m".into(),
    }
}

pub(super) fn fetch(group: &str, topic: u8, require_stable: bool) -> Request {
    let partition = OffsetKey { topic: "t".into(), topic_id: topic_id(topic), partition: P0 };
    let partitions = Some(vec![partition]);
    Request::FetchOffsets(FetchOffsets { group: group.into(), partitions, require_stable })
}

fn delete_offsets(group: &str, topic: &str) -> Request {
    let partitions = vec![(topic.into(), P0), (topic.into(), PartitionIndex(1))];
    Request::DeleteOffsets(DeleteOffsets { group: group.into(), partitions })
}

/// The record of a generation with so many members, all subscribed to `t`.
pub(super) fn generation(group: &str, protocol_type: &str, members: usize) -> Vec<u8> {
    // Version 0 · one topic · its name · no user data.
    let subscription = [&[0, 0, 0, 0, 0, 1, 0, 1, b't'][..], &[0xff; 4][..]].concat();
    let member = |index| MemberMetadata {
        member_id: format!("member-{index}"),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 45_000,
        subscription: subscription.clone(),
        assignment: vec![1],
    };
    let metadata = GroupMetadata {
        group: group.into(),
        protocol_type: protocol_type.into(),
        generation: 5,
        protocol: (members > 0).then(|| "range".into()),
        leader: (members > 0).then(|| "member-0".into()),
        state_since_ms: START_MS - HOUR_MS,
        members: (0..members).map(member).collect(),
    };
    record(&group_key(group).unwrap(), Some(&group_value(&metadata).unwrap()))
}

/// A batch of one record.
fn record(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(START_MS, Some(key), value, &[]);
    batch.finish()
}

/// The keys of all tombstones that a batch holds.
fn tombstones(batch: &[u8]) -> Vec<String> {
    let batch = BatchView::parse(batch).unwrap();
    let opened = batch.open(DecompressionCaps::default()).unwrap();
    let records = batch.records(&opened).map(Result::unwrap);
    let gone = records.filter(|record| record.value.is_none());
    gone.map(|record| match Key::decode(record.key.unwrap()).unwrap() {
        Key::Offset { group, topic, partition } => format!("{group} {topic} {partition}"),
        Key::Group { group } => group.into_owned(),
        Key::Unknown(kind) => panic!("{kind}"),
    })
    .collect()
}

#[test]
fn groups_are_where_kafka_looks_for_them() {
    // From `String.hashCode` in Java; "polygenelubricants" hashes to `Integer.MIN_VALUE`.
    for (group, partition) in [
        ("", 0),
        ("a", 47),
        ("test-group", 12),
        ("polygenelubricants", 0),
        ("grüße-\u{1F980}", 30),
        ("console-consumer-12345", 6),
    ] {
        assert_eq!(partition_of(group, 50), PartitionIndex(partition), "{group}");
    }
}

#[test]
fn a_commit_is_answered_and_seen_once_it_is_durable() {
    let mut rig = Rig::new();
    let first = rig.send(Request::Commit(commit("g", 1)));
    let second = rig.send(Request::Commit(commit("g", 2)));
    assert!(rig.answers.is_empty());
    for (expected, ticket) in [(-1, first), (1, second)] {
        let Answer::FetchOffsets(Ok(offsets)) = ({
            let fetch = rig.send(fetch("g", 1, false));
            rig.answers.remove(&fetch).unwrap()
        }) else {
            panic!("a fetch was answered otherwise")
        };
        assert_eq!(offsets[0].offset, Offset(expected));
        rig.end_write(Ok(()));
        assert_eq!(rig.answers.remove(&ticket), Some(Answer::Commit(vec![ErrorCode::None])));
    }
    assert_eq!(rig.offset("g"), 2);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn who_may_commit() {
    use ErrorCode::*;
    // Who asks, by generation and member; then the codes for no group, one that only keeps offsets.
    for (generation_id, member, unknown, simple) in [
        (-1, "", None, None),
        (-1, "stranger", None, None),
        (0, "", GroupIdNotFound, UnknownMemberId),
        (5, "member-0", GroupIdNotFound, UnknownMemberId),
    ] {
        let mut rig = Rig::after(vec![generation("empty", "consumer", 0)]);
        rig.ask(Request::Commit(commit("simple", 1)));
        for (group, expected) in [("unknown", unknown), ("simple", simple)] {
            let mut commit = commit(group, 7);
            commit.member.generation = generation_id;
            commit.member.member_id = member.into();
            let case = format!("{group} {generation_id} {member}");
            assert_eq!(rig.ask(Request::Commit(commit)), Answer::Commit(vec![expected]), "{case}");
        }
    }
}

#[test]
fn metadata_is_bounded_a_partition_at_a_time() {
    let mut rig = Rig::new();
    let mut request = commit("g", 1);
    // Kafka counts UTF-16 units: eight letters of two bytes each are not too long.
    for (partition, metadata) in
        [(1, "12345678"), (2, "123456789"), (3, "üüüüüüüü"), (4, "üüüüüüüüü")]
    {
        let metadata = metadata.into();
        request.offsets.push(CommitPart { metadata, ..part("t", partition, 1) });
    }
    let (ok, long) = (ErrorCode::None, ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(
        rig.ask(Request::Commit(request.clone())),
        Answer::Commit(vec![ok, ok, long, ok, long])
    );
    request.offsets.retain(|it| it.metadata.chars().count() == 9);
    let log_size = rig.log.len();
    assert_eq!(rig.ask(Request::Commit(request)), Answer::Commit(vec![long, long]));
    assert_eq!(rig.log.len(), log_size, "nothing was to be written");
}

#[test]
fn what_fits_no_batch_is_refused_as_a_whole() {
    let mut rig = Rig::new();
    let mut request = commit("g", 1);
    request.offsets = (0..200).map(|partition| part("t", partition, 1)).collect();
    let refused = Answer::Commit(vec![ErrorCode::UnknownServerError; 200]);
    assert_eq!(rig.ask(Request::Commit(request)), refused);
    assert_eq!(
        rig.ask(Request::Describe("g".into())),
        Answer::Describe(Err(ErrorCode::GroupIdNotFound))
    );
    assert_eq!(rig.partition.groups.len(), 0);
}

#[test]
fn a_fetch_of_what_is_not_there_is_answered_minus_one() {
    let mut rig = Rig::new();
    for known in [false, true] {
        if known {
            rig.ask(Request::Commit(commit("g", 1)));
        }
        let Answer::FetchOffsets(Ok(offsets)) = rig.ask(fetch("g", 2, false)) else {
            panic!("a fetch failed")
        };
        let nothing = FetchedOffset {
            topic: "t".into(),
            topic_id: topic_id(2),
            partition: P0,
            offset: Offset(-1),
            leader_epoch: LeaderEpoch(-1),
            metadata: String::new(),
            code: ErrorCode::None,
        };
        assert_eq!(offsets, [nothing]);
        let all = FetchOffsets { group: "g".into(), partitions: None, require_stable: false };
        let Answer::FetchOffsets(Ok(offsets)) = rig.ask(Request::FetchOffsets(all)) else {
            panic!("a fetch failed")
        };
        assert_eq!(offsets.len(), usize::from(known));
    }
}

#[test]
fn a_stable_fetch_waits_for_what_is_being_written() {
    for (result, expected) in
        [(Ok(()), Ok(9)), (Err(ErrorCode::RequestTimedOut), Err(ErrorCode::NotCoordinator))]
    {
        let mut rig = Rig::new();
        rig.send(Request::Commit(commit("g", 9)));
        let ticket = rig.send(fetch("g", 1, true));
        let elsewhere = rig.send(fetch("h", 1, true));
        assert!(rig.answers.contains_key(&elsewhere));
        assert!(!rig.answers.contains_key(&ticket));
        rig.end_write(result);
        let Some(Answer::FetchOffsets(answer)) = rig.answers.remove(&ticket) else {
            panic!("no answer")
        };
        assert_eq!(answer.map(|offsets| offsets[0].offset.0), expected);
    }
}

#[test]
fn a_failed_write_fails_what_it_carried_and_nothing_else() {
    use ErrorCode::*;
    for (log_code, code) in [
        (NotLeaderOrFollower, NotCoordinator),
        (KafkaStorageError, NotCoordinator),
        (UnknownTopicOrPartition, CoordinatorNotAvailable),
        (NotEnoughReplicas, CoordinatorNotAvailable),
        (RequestTimedOut, CoordinatorNotAvailable),
        (MessageTooLarge, UnknownServerError),
        (RecordListTooLarge, UnknownServerError),
        (InvalidRequest, InvalidRequest),
    ] {
        let mut rig = Rig::new();
        rig.ask(Request::Commit(commit("g", 1)));
        let mut failing = commit("g", 2);
        failing.offsets.push(part("u", 0, 1));
        let failing = rig.send(Request::Commit(failing));
        let deletion = rig.send(Request::Delete("g".into()));
        let going = rig.send(Request::Commit(commit("h", 3)));
        rig.end_write(Err(log_code));
        rig.end_write(Err(log_code));
        rig.settle();
        assert_eq!(rig.answers[&failing], Answer::Commit(vec![code, code]), "{log_code}");
        assert_eq!(rig.answers[&deletion], Answer::Delete(code), "{log_code}");
        assert_eq!(rig.answers[&going], Answer::Commit(vec![None]));
        assert_eq!((rig.offset("g"), rig.offset("h")), (1, 3));
        assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
        assert!(!rig.partition.groups[&*Rc::<str>::from("g")].offsets.contains("u", P0));
    }
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
        ("simple", Ok(vec![None, None])),
    ] {
        let answer = rig.ask(delete_offsets(group, "t"));
        assert_eq!(answer, Answer::DeleteOffsets(expected), "{group}");
    }
    assert_eq!((rig.offset("readers"), rig.offset("simple")), (1, -1));
    // A group that only kept offsets is seen until it is looked for such, as in Kafka.
    assert_eq!(rig.state("simple"), Ok("Empty"));
    rig.step(PartitionEvent::ExpireOffsets);
    rig.settle();
    assert_eq!(rig.state("simple"), Err(GroupIdNotFound));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

fn value(offset: i64, committed_ms: i64) -> OffsetValue<'static> {
    OffsetValue {
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(-1),
        metadata: "".into(),
        committed_ms,
        expires_ms: None,
        topic_id: TopicId::ZERO,
    }
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
        let Answer::FetchOffsets(Ok(offsets)) = rig.ask(fetch("g", 0, false)) else {
            panic!("a fetch failed")
        };
        assert_eq!(offsets[0].offset.0, left, "{durable} {in_flight:?}");
        assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
    }
}

#[test]
fn many_groups_are_looked_through_in_pieces() {
    let mut rig = Rig::new();
    let mut batch = BatchBuilder::new(BatchOptions::default());
    for number in 0..25_000 {
        let key = offset_key(&format!("group-{number}"), "t", P0).unwrap();
        batch.append(0, Some(&key), Some(&value(1, 0).encode().unwrap()), &[]);
    }
    let mut rig = Rig { log: vec![batch.finish()], ..Rig::after(std::mem::take(&mut rig.log)) };
    rig = Rig::after(rig.log);
    rig.step(PartitionEvent::ExpireOffsets);
    // Nobody's request waits for the end of it.
    assert!(rig.writes.iter().map(|(_, batch)| tombstones(batch).len()).sum::<usize>() <= 20_000);
    assert!(rig.partition.deadline().is_some());
    rig.settle();
    assert_eq!(rig.partition.groups.len(), 0);
    assert_eq!((rig.partition.bytes, rig.partition.deadline()), (0, None));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn nothing_is_decided_before_the_log_is_read() {
    let mut rig = Rig { partition: GroupPartition::new(settings()), ..Rig::new() };
    let loading = ErrorCode::CoordinatorLoadInProgress;
    let member = commit("g", 1).member;
    rig.step(PartitionEvent::TopicDeleted { topic: "t".into(), id: topic_id(1) });
    assert_eq!(rig.ask(Request::Commit(commit("g", 1))), Answer::Commit(vec![loading]));
    assert_eq!(rig.ask(fetch("g", 1, true)), Answer::FetchOffsets(Err(loading)));
    assert_eq!(rig.ask(Request::List(ListFilter::default())), Answer::List(Err(loading)));
    assert_eq!(rig.ask(Request::Heartbeat(member)), Answer::Heartbeat(ErrorCode::None));
    let key = offset_key("g", "t", P0).unwrap();
    let log = record(&key, Some(&value(1, START_MS).encode().unwrap()));
    rig.partition.replay(&log).unwrap();
    rig.log.push(log);
    rig.partition.finish_loading(Monotonic(0));
    rig.settle();
    assert_eq!(rig.offset("g"), -1, "its topic was deleted meanwhile");
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn members_of_unknown_groups_are_sent_away() {
    let mut rig = Rig::new();
    rig.ask(Request::Commit(commit("simple", 1)));
    for group in ["unknown", "simple"] {
        let member = MemberRef { member_id: "m".into(), generation: 1, ..commit(group, 1).member };
        let leaving = LeavingMember { member_id: "m".into(), instance_id: None, reason: None };
        let unknown = ErrorCode::UnknownMemberId;
        let sync = Sync {
            member: member.clone(),
            protocol_type: None,
            protocol: None,
            assignments: vec![],
        };
        let sync = Request::Sync(sync);
        assert_eq!(rig.ask(sync.clone()), sync.refused(unknown));
        assert_eq!(rig.ask(Request::Heartbeat(member)), Answer::Heartbeat(unknown));
        let leave = Leave { group: group.into(), members: vec![leaving] };
        let left = Left { code: ErrorCode::None, members: vec![unknown] };
        assert_eq!(rig.ask(Request::Leave(leave)), Answer::Leave(left));
    }
    let nameless = Request::Heartbeat(commit("", 1).member);
    assert_eq!(rig.ask(nameless), Answer::Heartbeat(ErrorCode::InvalidGroupId));
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let log = vec![generation("busy", "connect", 1), generation("empty", "consumer", 0)];
    for (states, types, expected) in [
        (vec![], vec![], vec!["busy", "empty", "simple"]),
        (vec!["Empty"], vec![], vec!["empty", "simple"]),
        (vec![" sTABLE ", "Dead"], vec![], vec!["busy"]),
        (vec!["none of them"], vec![], vec![]),
        (vec![], vec!["Classic"], vec!["busy", "empty", "simple"]),
        (vec![], vec!["consumer"], vec![]),
        (vec!["empty"], vec!["classic", "share"], vec!["empty", "simple"]),
    ] {
        let mut rig = Rig::after(log.clone());
        rig.ask(Request::Commit(commit("simple", 1)));
        // A commit that is not durable has made no group yet.
        rig.send(Request::Commit(commit("pending", 1)));
        let strings = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        let filter = ListFilter { states: strings(&states), types: strings(&types) };
        let ticket = rig.send(Request::List(filter));
        let Some(Answer::List(Ok(listed))) = rig.answers.remove(&ticket) else { panic!("no list") };
        let ids: Vec<_> = listed.iter().map(|it| it.group.as_str()).collect();
        assert_eq!(ids, expected, "{states:?} {types:?}");
    }
}

#[test]
fn the_number_of_groups_is_bounded() {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    for number in 0..COORDINATOR_GROUPS_MAX {
        let key = offset_key(&number.to_string(), "t", P0).unwrap();
        batch.append(0, Some(&key), Some(&value(1, 0).encode().unwrap()), &[]);
    }
    let mut rig = Rig::after(vec![batch.finish()]);
    let refused = Answer::Commit(vec![ErrorCode::CoordinatorNotAvailable]);
    assert_eq!(rig.ask(Request::Commit(commit("one more", 1))), refused);
    assert_eq!(rig.ask(Request::Commit(commit("7", 1))), Answer::Commit(vec![ErrorCode::None]));
}

#[test]
fn replay_reads_what_kafka_writes_and_passes_over_the_rest() {
    let offset = |partition, number| {
        let value = value(number, START_MS);
        (offset_key("g", "t", PartitionIndex(partition)).unwrap(), value.encode().unwrap())
    };
    for compression in Compression::ALL {
        let mut partition = GroupPartition::new(settings());
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let mut batch = BatchBuilder::new(options);
        for number in 0..100 {
            let (key, value) = offset(number % 10, i64::from(number));
            batch.append(START_MS, Some(&key), Some(&value), &[]);
        }
        batch.append(START_MS, Some(&offset(9, 0).0), None, &[]);
        // A record of a newer kind of group, and one without a key.
        batch.append(START_MS, Some(&[0, 3, 0, 1, b'g']), Some(&[0, 0, 1]), &[]);
        batch.append(START_MS, None, Some(b"?"), &[]);
        partition.replay(&batch.finish()).unwrap();
        assert_eq!(partition.skipped_records(), 2, "{compression:?}");
        let held = &partition.groups[&*Rc::<str>::from("g")];
        assert_eq!(held.offsets.durable_count(), 9);
        assert_eq!(held.offsets.get("t", P0).unwrap().offset, Offset(90));
    }
    let transactional = BatchOptions { transactional: true, ..BatchOptions::default() };
    let mut batch = BatchBuilder::new(transactional);
    batch.append(START_MS, Some(&offset(0, 1).0), Some(&offset(0, 1).1), &[]);
    let mut partition = GroupPartition::new(settings());
    partition.replay(&batch.finish()).unwrap();
    assert_eq!((partition.skipped_records(), partition.groups.len()), (1, 0));
}

#[test]
fn replay_refuses_what_it_would_get_wrong() {
    let key = offset_key("g", "t", P0).unwrap();
    let good = record(&key, Some(&value(1, START_MS).encode().unwrap()));
    let mut partition = GroupPartition::new(settings());
    for end in 0..good.len() {
        assert!(partition.replay(&good[..end]).is_err(), "cut to {end}");
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(partition.replay(&flipped), Err(ReplayError::Checksum(_))));
    for (key, value) in [
        (key.clone(), vec![0, 5, 0]),
        (key, vec![0, 4, 0]),
        (vec![0, 1, 0], vec![]),
        (vec![0], vec![]),
        (group_key("g").unwrap(), vec![0, 3, 0, 1]),
    ] {
        let batch = record(&key, Some(&value));
        let result = partition.replay(&batch);
        assert!(matches!(result, Err(ReplayError::Record { .. })), "{key:?} {value:?}");
    }
    assert_eq!(partition.groups.len(), 0);
}

#[test]
fn a_snapshot_is_whole_or_refused() {
    let mut rig = Rig::after(vec![generation("readers", "consumer", 2)]);
    rig.ask(Request::Commit(commit("g", 1)));
    let long = Commit { retention_ms: Some(1), offsets: vec![part("u", 7, 8)], ..commit("h", 1) };
    rig.ask(Request::Commit(long));
    let snapshot = rig.partition.snapshot(Offset(42));
    let (again, through) = GroupPartition::from_snapshot(&snapshot, settings()).unwrap();
    assert_eq!((again.snapshot(through), through), (snapshot.clone(), Offset(42)));
    for end in 0..snapshot.len() {
        assert!(GroupPartition::from_snapshot(&snapshot[..end], settings()).is_err(), "{end}");
        // Whatever is cut off, the decoder behind the checksum notices it too.
        let mut cut = snapshot[..end].to_vec();
        if end >= 9 {
            let checksum = crate::record::checksum::crc32c(&cut[9..]);
            cut[5..9].copy_from_slice(&checksum.to_be_bytes());
            assert!(GroupPartition::from_snapshot(&cut, settings()).is_err(), "{end} with sum");
        }
        let mut flipped = snapshot.clone();
        flipped[end] ^= 0x10;
        assert!(GroupPartition::from_snapshot(&flipped, settings()).is_err(), "flipped at {end}");
    }
}
