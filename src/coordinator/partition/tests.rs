//! What a partition answers and writes, rule by rule.

use super::*;
use crate::coordinator::group::{GroupMetadata, MemberMetadata};
use crate::coordinator::message::*;
use crate::coordinator::records::{OffsetValue, group_key, group_value, offset_key};
use crate::model::limits::COORDINATOR_GROUPS_MAX;
use crate::model::{LeaderEpoch, Offset};
use crate::record::{BatchBuilder, BatchOptions, BatchView};

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const RETENTION_MS: i64 = 24 * HOUR_MS;
pub(super) const START_MS: i64 = 1_000 * HOUR_MS;
pub(super) const P0: PartitionIndex = PartitionIndex(0);

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

    pub(super) fn offset(&mut self, group: &str) -> i64 {
        match self.ask(fetch(group, 1, false)) {
            Answer::FetchOffsets(Ok(topics)) => topics[0].offsets[0].offset.0,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn state(&mut self, group: &str) -> Result<&'static str, ErrorCode> {
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
    let (topic_id, partitions) = (topic_id(topic), vec![P0]);
    let topics = Some(vec![FetchTopic { topic: "t".into(), topic_id, partitions }]);
    Request::FetchOffsets(FetchOffsets { group: group.into(), topics, require_stable })
}

/// A consumer's subscription to `t`: version 0, one topic, its name, no user data.
pub(super) fn subscription() -> Vec<u8> {
    [&[0, 0, 0, 0, 0, 1, 0, 1, b't'][..], &[0xff; 4][..]].concat()
}

/// The record of a generation with so many members, all subscribed to `t`.
pub(super) fn generation(group: &str, protocol_type: &str, members: usize) -> Vec<u8> {
    let member = |index| MemberMetadata {
        member_id: format!("member-{index}"),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 45_000,
        subscription: subscription(),
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
pub(super) fn record(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(START_MS, Some(key), value, &[]);
    batch.finish()
}

pub(super) fn value(offset: i64, committed_ms: i64) -> OffsetValue<'static> {
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
        let Answer::FetchOffsets(Ok(topics)) = ({
            let fetch = rig.send(fetch("g", 1, false));
            rig.answers.remove(&fetch).unwrap()
        }) else {
            panic!("a fetch was answered otherwise")
        };
        assert_eq!(topics[0].offsets[0].offset, Offset(expected));
        rig.end_write(Ok(()));
        assert_eq!(rig.answers.remove(&ticket), Some(Answer::Commit(vec![ErrorCode::None])));
    }
    assert_eq!(rig.offset("g"), 2);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn who_may_commit() {
    use ErrorCode::*;
    // Who asks, by generation and member; then the codes for no group, one that only keeps offsets,
    // one that has lost its members, one that has one.
    let unknown = UnknownMemberId;
    for (generation_id, member, codes) in [
        (-1, "", [None, None, None, unknown]),
        (-1, "stranger", [None, None, None, unknown]),
        (0, "", [GroupIdNotFound, unknown, unknown, unknown]),
        (4, "member-0", [GroupIdNotFound, unknown, unknown, IllegalGeneration]),
        (5, "member-0", [GroupIdNotFound, unknown, unknown, None]),
    ] {
        let mut rig =
            Rig::after(vec![generation("empty", "consumer", 0), generation("busy", "consumer", 1)]);
        rig.ask(Request::Commit(commit("simple", 1)));
        for (group, expected) in ["unknown", "simple", "empty", "busy"].into_iter().zip(codes) {
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
        let Answer::FetchOffsets(Ok(topics)) = rig.ask(fetch("g", 2, false)) else {
            panic!("a fetch failed")
        };
        let nothing = FetchedOffset {
            partition: P0,
            offset: Offset(-1),
            leader_epoch: LeaderEpoch(-1),
            metadata: String::new(),
            code: ErrorCode::None,
        };
        let offsets = vec![nothing];
        let told = FetchedTopic { topic: "t".into(), topic_id: topic_id(2), offsets };
        assert_eq!(topics, [told]);
        let all = FetchOffsets { group: "g".into(), topics: None, require_stable: false };
        let Answer::FetchOffsets(Ok(topics)) = rig.ask(Request::FetchOffsets(all)) else {
            panic!("a fetch failed")
        };
        assert_eq!(topics.len(), usize::from(known));
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
        assert_eq!(answer.map(|topics| topics[0].offsets[0].offset.0), expected);
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
