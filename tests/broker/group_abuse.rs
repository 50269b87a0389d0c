//! Members that lie, and requests that are far too large: each gets Kafka's error, no other group notices.

use klamm::model::ErrorCode::{self, *};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::delete_groups_request::DeleteGroupsRequest;
use klamm::protocol::describe_groups_request::DescribeGroupsRequest;
use klamm::protocol::find_coordinator_request::FindCoordinatorRequest;
use klamm::protocol::heartbeat_request::HeartbeatRequest;
use klamm::protocol::join_group_request::JoinGroupRequest;
use klamm::protocol::leave_group_request::LeaveGroupRequest;
use klamm::protocol::offset_commit_request::OffsetCommitRequest;
use klamm::protocol::sync_group_request::SyncGroupRequest;

use crate::frames::framed;
use crate::healthy::Healthy;
use crate::member::{GroupAsked, Member, SESSION_MS_MAX, SESSION_MS_MIN, fetch};
use crate::offsets::BROKER;
use crate::support::Broker;
use crate::vitals::{peak_bytes, resident_bytes};
use crate::wire::{Wire, request_frame};

const MIB: usize = 1 << 20;

fn code(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

/// A group beside the abused ones, and a producer; neither may notice anything.
pub struct Neighbours {
    producer: Healthy,
    member: Member,
    committed: i64,
}

impl Neighbours {
    pub fn start(broker: &Broker) -> Neighbours {
        let mut wire = Wire::connect(broker);
        wire.create_topic("t", 2, &[]);
        let member = Member::alone(broker, "neighbour");
        Neighbours { producer: Healthy::start(broker), member, committed: 0 }
    }

    /// Insists that the group's member lives, commits and sees it.
    pub fn assert_undisturbed(&mut self, what: &str) {
        assert_eq!(self.member.heartbeat(), None, "{what}");
        self.committed += 1;
        assert_eq!(self.member.commit("t", self.committed, "m"), None, "{what}");
        let found = fetch(&mut self.member.wire, &[("neighbour", Some(&[("t", &[0])]))]);
        let found = found[0].topics[0].partitions[0].committed_offset;
        assert_eq!(found, self.committed, "{what}");
        self.producer.assert_beating();
    }

    /// Insists that the group can begin another generation.
    pub fn assert_rebalances(&mut self, what: &str) {
        let generation = self.member.generation;
        // The leader joins again, as it does when the topics that it reads change.
        let joined = self.member.join(9);
        assert_eq!(code(joined.error_code), None, "{what}");
        assert_eq!(self.member.generation, generation + 1, "{what}");
        assert_eq!(self.member.sync_as_leader(&[]), None, "{what}");
    }

    pub fn end(self) {
        self.producer.stop_and_check();
    }
}

#[test]
fn members_that_lie_are_told_so() {
    /// Who asks, by what was changed of a good member, what it asks, and the answer.
    type Lie = (&'static str, fn(&mut Member), fn(&mut Member) -> ErrorCode, ErrorCode);
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let stranger: fn(&mut Member) = |member| member.id = "stranger".into();
    let behind: fn(&mut Member) = |member| member.generation -= 1;
    let ahead: fn(&mut Member) = |member| member.generation = i32::MAX;
    let nameless: fn(&mut Member) = |member| member.group.clear();
    let elsewhere: fn(&mut Member) = |member| member.group = "elsewhere".into();
    let strangely_named: fn(&mut Member) = |member| member.instance = Some("strange");
    let other_protocols: fn(&mut Member) = |member| member.protocols[0].0 = "other";
    let join: fn(&mut Member) -> ErrorCode = |member| code(member.join(9).error_code);
    let sync: fn(&mut Member) -> ErrorCode = |member| member.sync_as_leader(&[]);
    let leave: fn(&mut Member) -> ErrorCode = |member| {
        let (id, instance) = (member.id.clone(), member.instance);
        member.leave(&[(&id, instance)])[0]
    };
    let commit: fn(&mut Member) -> ErrorCode = |member| member.commit("t", 1, "");
    let cases: &[Lie] = &[
        ("a stranger joins", stranger, join, UnknownMemberId),
        ("a stranger syncs", stranger, sync, UnknownMemberId),
        ("a stranger beats", stranger, Member::heartbeat, UnknownMemberId),
        ("a stranger leaves", stranger, leave, UnknownMemberId),
        ("a stranger commits", stranger, commit, UnknownMemberId),
        ("an old generation syncs", behind, sync, IllegalGeneration),
        ("an old generation beats", behind, Member::heartbeat, IllegalGeneration),
        ("an old generation commits", behind, commit, IllegalGeneration),
        ("a future generation syncs", ahead, sync, IllegalGeneration),
        ("a future generation beats", ahead, Member::heartbeat, IllegalGeneration),
        ("a future generation commits", ahead, commit, IllegalGeneration),
        ("nameless: join", nameless, join, InvalidGroupId),
        ("nameless: sync", nameless, sync, InvalidGroupId),
        ("nameless: heartbeat", nameless, Member::heartbeat, InvalidGroupId),
        ("nameless: leave", nameless, leave, InvalidGroupId),
        ("no such group: join", elsewhere, join, UnknownMemberId),
        ("no such group: sync", elsewhere, sync, UnknownMemberId),
        ("no such group: heartbeat", elsewhere, Member::heartbeat, UnknownMemberId),
        ("no such group: leave", elsewhere, leave, UnknownMemberId),
        ("no such group: commit", elsewhere, commit, GroupIdNotFound),
        ("unknown instance: heartbeat", strangely_named, Member::heartbeat, UnknownMemberId),
        ("unknown instance: commit", strangely_named, commit, UnknownMemberId),
        ("another protocol: join", other_protocols, join, InconsistentGroupProtocol),
        ("another protocol: sync", other_protocols, sync, InconsistentGroupProtocol),
        ("no protocol: join", |m| m.protocols.clear(), join, InconsistentGroupProtocol),
    ];
    // Of generation 2, so that there is an older one.
    let mut second = Member::gather(&broker, "abused", 2);
    let mut honest = second.remove(0);
    let mut second = second.remove(0);
    let second_id = second.id.clone();
    assert_eq!(honest.sync_as_leader(&[&second_id]), None);
    assert_eq!(code(second.sync(&[]).error_code), None);
    for (what, change, ask, expected) in cases {
        let mut liar = Member::stranger(&broker, "abused");
        (liar.id, liar.generation) = (honest.id.clone(), honest.generation);
        change(&mut liar);
        assert_eq!(ask(&mut liar), *expected, "{what}");
        assert_eq!((honest.heartbeat(), second.heartbeat()), (None, None), "{what}");
    }
    for session_timeout_ms in [i32::MIN, -1, 0, SESSION_MS_MIN - 1, SESSION_MS_MAX + 1, i32::MAX] {
        let mut liar = Member::stranger(&broker, "new");
        let request = JoinGroupRequest { session_timeout_ms, ..liar.join_request() };
        let told = code(liar.wire.ask(&request, 9).error_code);
        assert_eq!(told, InvalidSessionTimeout, "{session_timeout_ms}");
    }
    let mut typeless = Member::stranger(&broker, "new");
    let request = JoinGroupRequest { protocol_type: "".into(), ..typeless.join_request() };
    assert_eq!(code(typeless.wire.ask(&request, 9).error_code), InconsistentGroupProtocol);
    neighbours.assert_undisturbed("after all lies");
    neighbours.end();
}

#[test]
fn whoever_never_syncs_is_taken_out() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    // A leader that never assigns, and a member that would follow.
    let mut silent = Member::stranger(&broker, "abused");
    let mut follower = Member::stranger(&broker, "abused");
    (silent.rebalance_timeout_ms, follower.rebalance_timeout_ms) = (5_000, 5_000);
    assert_eq!(silent.join_twice(), None);
    follower.ask_for_id();
    follower.begin_join(9);
    silent.await_rebalance();
    assert_eq!(code(silent.join(9).error_code), None);
    assert_eq!(code(follower.end_join(9).error_code), None);
    // The answer comes when the rebalance times out; meanwhile the leader seems to live.
    assert_eq!(code(follower.sync(&[]).error_code), RebalanceInProgress);
    assert_eq!(silent.heartbeat(), UnknownMemberId);
    neighbours.assert_undisturbed("a member never syncs");
    assert_eq!(code(follower.join(9).error_code), None);
    assert_eq!(follower.sync_as_leader(&[]), None);
    assert_eq!((follower.heartbeat(), follower.commit("t", 1, "")), (None, None));
    neighbours.end();
}

#[test]
fn a_group_takes_no_more_members_than_it_may() {
    let broker = Broker::start(&[BROKER, &["group.max.size=3"][..]].concat());
    let mut neighbours = Neighbours::start(&broker);
    let mut members = Member::gather(&broker, "abused", 3);
    for _ in 0..100 {
        let mut one_more = Member::stranger(&broker, "abused");
        assert_eq!(code(one_more.join(9).error_code), GroupMaxSizeReached);
    }
    let mut named = Member::stranger_named(&broker, "abused", "named");
    assert_eq!(code(named.join(9).error_code), GroupMaxSizeReached);
    for member in &mut members {
        assert_eq!(member.heartbeat(), None);
    }
    neighbours.assert_undisturbed("a full group");
    neighbours.end();
}

#[test]
fn what_is_far_too_large_is_refused_and_not_kept() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let before = resident_bytes(&broker);
    for round in 0..10 {
        let mut member = Member::stranger(&broker, &format!("subscription-{round}"));
        member.protocols[0].1 = vec![7; 10 * MIB];
        assert_eq!(code(member.join(9).error_code), UnknownServerError);
        let mut member = Member::stranger(&broker, "assignment");
        assert_eq!(member.join_twice(), None);
        let id = member.id.clone();
        let synced = member.sync(&[(&id, vec![7; 10 * MIB])]);
        assert_eq!(code(synced.error_code), UnknownServerError);
        // An assignment for strangers is not kept either, and the group goes on without it.
        assert_eq!(code(member.join(9).error_code), None);
        let synced = member.sync(&[("stranger", vec![7; 10 * MIB]), (&id, vec![1])]);
        assert_eq!((code(synced.error_code), &*synced.assignment), (None, &[1][..]));
        assert_eq!(member.leave(&[(&id, Option::None)]), [None]);
        neighbours.assert_undisturbed("10 MiB");
    }
    let grown = resident_bytes(&broker).saturating_sub(before);
    assert!(grown < 100 * MIB, "300 MiB were sent, and the broker grew by {grown} bytes");
    neighbours.end();
}

#[test]
fn metadata_of_offsets_has_its_maximum() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let mut member = Member::alone(&broker, "abused");
    for (metadata, expected) in [
        ("x".repeat(4096), None),
        ("x".repeat(4097), OffsetMetadataTooLarge),
        // Kafka counts the units of UTF-16: two for this one, in four bytes.
        ("\u{1f980}".repeat(2048), None),
        ("\u{1f980}".repeat(2049), OffsetMetadataTooLarge),
        ("x".repeat(32_767), OffsetMetadataTooLarge),
    ] {
        assert_eq!(member.commit("t", 1, &metadata), expected, "{} bytes", metadata.len());
    }
    // A partition with too much does not keep the others from being committed.
    let mut request = member.commit_request("t", &[0, 1], 9, "");
    request.topics[0].partitions[0].committed_metadata = Some("x".repeat(5000).into());
    let answer = member.wire.ask(&request, 9);
    let told: Vec<_> = answer.topics[0].partitions.iter().map(|one| code(one.error_code)).collect();
    assert_eq!(told, [OffsetMetadataTooLarge, None]);
    let found = fetch(&mut member.wire, &[("abused", Some(&[("t", &[0, 1])]))]);
    let offsets: Vec<_> =
        found[0].topics[0].partitions.iter().map(|one| one.committed_offset).collect();
    assert_eq!(offsets, [1, 9]);
    // No string of the protocol is as long as this one.
    let request = member.commit_request("t", &[0], 1, &"x".repeat(10 * MIB));
    let mut wire = Wire::connect(&broker);
    wire.send_bytes(&request_frame_unchecked(&request));
    wire.assert_closed("metadata of 10 MiB");
    neighbours.assert_undisturbed("metadata");
    neighbours.end();
}

/// An OffsetCommit of version 9 by hand, for a string that the codec does not write.
fn request_frame_unchecked(request: &OffsetCommitRequest<'_>) -> Vec<u8> {
    let compact = |bytes: &mut Vec<u8>, text: &str| {
        let mut length = text.len() + 1;
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(text.as_bytes());
    };
    let mut bytes = Vec::new();
    bytes.extend(ApiKey::OffsetCommit.wire().to_be_bytes());
    bytes.extend([0, 9, 0, 0, 0, 1, 0xff, 0xff, 0]);
    compact(&mut bytes, &request.group_id);
    bytes.extend(request.generation_id_or_member_epoch.to_be_bytes());
    compact(&mut bytes, &request.member_id);
    // No instance id; one topic of one partition.
    bytes.extend([0, 2]);
    compact(&mut bytes, "t");
    bytes.push(2);
    bytes.extend([0; 4 + 8]);
    bytes.extend((-1_i32).to_be_bytes());
    let metadata = request.topics[0].partitions[0].committed_metadata.as_deref();
    compact(&mut bytes, metadata.unwrap_or_default());
    bytes.extend([0, 0, 0]);
    framed(&bytes)
}

#[test]
fn any_text_names_a_group() {
    let mut broker = Broker::start(BROKER);
    let names =
        ["nul\0nul", "\0", "../..", " ", "ä\u{1f980}", "line\nline", &"x".repeat(32_767), "a/b"];
    for name in names {
        let mut member = Member::alone(&broker, name);
        assert_eq!(
            (member.heartbeat(), member.commit("t", 1, "")),
            (None, UnknownTopicOrPartition)
        );
    }
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    // Old clients without a group of their own commit under an empty id, as Kafka lets them.
    let mut simple = Member::stranger(&broker, "");
    assert_eq!(simple.commit("t", 5, ""), None);
    broker.kill();
    broker.restart();
    for name in names {
        let mut simple = Member::stranger(&broker, name);
        let describe = DescribeGroupsRequest { groups: vec![name.into()], ..Default::default() };
        let told = simple.wire.ask(&describe, 5);
        assert_eq!((&*told.groups[0].group_id, &*told.groups[0].group_state), (name, "Stable"));
    }
    let mut simple = Member::stranger(&broker, "");
    let found = fetch(&mut simple.wire, &[("", Option::None)]);
    assert_eq!(found[0].topics[0].partitions[0].committed_offset, 5);
}

#[test]
fn very_many_keys_in_one_request_are_answered() {
    const MANY: usize = 100_000;
    /// Groups that are asked for by name, each of its coordinator.
    const MANY_GROUPS: usize = 20_000;
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let mut member = Member::alone(&broker, "g");
    assert_eq!(member.commit("t", 7, ""), None);
    let before = peak_bytes(&broker);
    let names: Vec<String> = (0..MANY).map(|number| format!("group-{number}")).collect();
    let keys = |count: usize| names[..count].iter().map(|name| name.as_str().into()).collect();
    let find = FindCoordinatorRequest { coordinator_keys: keys(MANY), ..Default::default() };
    let found = member.wire.ask(&find, 6).coordinators;
    assert_eq!((found.len(), &*found[MANY - 1].key), (MANY, &*names[MANY - 1]));
    assert!(found.iter().all(|one| one.error_code == 0 && one.port > 0));
    neighbours.assert_undisturbed("FindCoordinator");
    let describe = DescribeGroupsRequest { groups: keys(MANY_GROUPS), ..Default::default() };
    member.wire.send(&describe, 6);
    neighbours.assert_undisturbed("DescribeGroups goes on");
    let told = member.wire.receive::<DescribeGroupsRequest<'_>>(6).groups;
    assert!(
        told.len() == MANY_GROUPS && told.iter().all(|one| code(one.error_code) == GroupIdNotFound)
    );
    let delete = DeleteGroupsRequest { groups_names: keys(MANY_GROUPS), ..Default::default() };
    let told = member.wire.ask(&delete, 2).results;
    assert!(
        told.len() == MANY_GROUPS && told.iter().all(|one| code(one.error_code) == GroupIdNotFound)
    );
    neighbours.assert_undisturbed("DeleteGroups");
    let partitions: Vec<i32> = (0..MANY as i32).collect();
    let told = fetch(&mut member.wire, &[("g", Some(&[("t", &partitions)]))]);
    let told = &told[0].topics[0].partitions;
    assert_eq!((told.len(), told[0].committed_offset), (MANY, 7));
    assert!(told[1..].iter().all(|one| (one.committed_offset, one.error_code) == (-1, 0)));
    // A long name stands once, however many partitions of it are asked for: 3 GB otherwise.
    let long = "x".repeat(32_767);
    let told = fetch(&mut member.wire, &[("g", Some(&[(&long, &partitions)]))]);
    assert_eq!(told[0].topics[0].partitions.len(), MANY);
    let groups: Vec<GroupAsked<'_>> =
        names[..MANY_GROUPS].iter().map(|name| (&**name, Option::None)).collect();
    assert_eq!(fetch(&mut member.wire, &groups).len(), MANY_GROUPS);
    // As many offsets as no batch holds are refused as a whole.
    let request = member.commit_request("t", &vec![1; MANY], 1, "");
    let told = member.wire.ask(&request, 9);
    let told = &told.topics[0].partitions;
    assert!(
        told.len() == MANY && told.iter().all(|one| code(one.error_code) == UnknownServerError)
    );
    neighbours.assert_undisturbed("OffsetCommit");
    let grown = peak_bytes(&broker) - before;
    assert!(grown < 256 * MIB, "the broker's memory rose by {grown} bytes");
    assert_eq!(member.heartbeat(), None);
    neighbours.end();
}

#[test]
fn members_that_vanish_in_the_middle_leave_nothing_waiting() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let mut staying = Member::alone(&broker, "abused");
    for _ in 0..100 {
        // One that asks for an id and one that joins with one, both gone before they are answered.
        let mut asking = Member::stranger(&broker, "abused");
        asking.session_timeout_ms = SESSION_MS_MIN;
        asking.begin_join(9);
        drop(asking);
        let mut joining = Member::stranger_named(&broker, "abused", "vanishing");
        joining.session_timeout_ms = SESSION_MS_MIN;
        joining.begin_join(9);
        drop(joining);
    }
    // The ids are forgotten after the session that nobody began, and the rebalance goes on.
    assert_eq!(code(staying.join(9).error_code), None);
    assert_eq!(staying.sync_as_leader(&[]), None);
    // Of the named ones the last holds the place, until its session ends.
    staying.await_rebalance();
    assert_eq!(code(staying.join(9).error_code), None);
    let describe = DescribeGroupsRequest { groups: vec!["abused".into()], ..Default::default() };
    assert_eq!(staying.wire.ask(&describe, 5).groups[0].members.len(), 1);
    neighbours.assert_undisturbed("members vanish");
    neighbours.end();
}

/// Every request of groups in each version with nothing in it: no panic, an answer or an error.
#[test]
fn empty_requests_are_answered() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let mut wire = Wire::connect(&broker);
    for version in 0..=4 {
        let heartbeat = wire.ask(&HeartbeatRequest::default(), version);
        assert_eq!(code(heartbeat.error_code), InvalidGroupId, "version {version}");
    }
    for version in 0..=5 {
        let leave = wire.ask(&LeaveGroupRequest::default(), version);
        assert_eq!(code(leave.error_code), InvalidGroupId, "version {version}");
        let sync = wire.ask(&SyncGroupRequest::default(), version);
        let expected = if version == 5 { InconsistentGroupProtocol } else { InvalidGroupId };
        assert_eq!(code(sync.error_code), expected, "version {version}");
    }
    let bytes = request_frame(&JoinGroupRequest::default(), 9, 1);
    wire.send_bytes(&bytes);
    let joined = wire.receive_as::<JoinGroupRequest<'_>>(9, 1);
    assert_eq!(code(joined.error_code), InvalidGroupId);
    neighbours.assert_undisturbed("empty requests");
    neighbours.end();
}
