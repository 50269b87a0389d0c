//! What reimplementations of Kafka get wrong about groups, rule by rule, over the wire: 25 the ways into a
//! group and out of it, 26 who may commit, 27 what is opaque, 28 what OffsetFetch finds.

use klamm::model::ErrorCode::{self, *};
use klamm::protocol::offset_commit_request::OffsetCommitRequest;
use klamm::protocol::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm::protocol::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};

use crate::member::{Member, fetch, subscription};
use crate::offsets::BROKER;
use crate::support::Broker;
use crate::wire::Wire;

fn code(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

/// A broker with a topic `t` of two partitions and `u` of one.
fn broker() -> Broker {
    let broker = Broker::start(BROKER);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 2, &[]);
    wire.create_topic("u", 1, &[]);
    broker
}

#[test]
fn rule_25_a_new_member_is_told_its_id_first_from_version_4_on() {
    let broker = broker();
    for version in 0..=9 {
        let mut member = Member::stranger(&broker, &format!("g{version}"));
        let first = member.join(version);
        if version >= 4 {
            let told = (code(first.error_code), first.generation_id, first.members.len());
            assert_eq!(told, (MemberIdRequired, -1, 0), "version {version}");
            assert!(first.member_id.starts_with("wire-"), "{}", first.member_id);
            // The id alone makes nobody a member.
            member.generation = 0;
            assert_eq!(member.heartbeat(), UnknownMemberId);
            assert_eq!(code(member.join(version).error_code), None, "version {version}");
            assert_eq!(member.id, first.member_id);
        } else {
            assert_eq!(code(first.error_code), None, "version {version}");
        }
        assert_eq!((member.generation, member.sync_as_leader(&[])), (1, None));
        assert_eq!(member.heartbeat(), None);
    }
    // A rebalance waits for a member that was told its id, and not for one that left with it.
    let mut member = Member::alone(&broker, "g");
    let mut expected = Member::stranger(&broker, "g");
    expected.ask_for_id();
    member.begin_join(9);
    let id = expected.id.clone();
    assert_eq!(expected.leave(&[(&id, Option::None)]), [None]);
    assert_eq!(code(member.end_join(9).error_code), None);
}

#[test]
fn rule_25_a_static_member_is_fenced_by_the_next_of_its_name() {
    let broker = broker();
    let mut first = Member::stranger_named(&broker, "g", "one");
    // It needs no id to come back with: its name is enough.
    assert_eq!(code(first.join(9).error_code), None);
    assert_eq!(first.sync_as_leader(&[]), None);
    let mut second = Member::stranger_named(&broker, "g", "one");
    let joined = second.join(9);
    // Nobody rebalances, and a leader that knows KIP-814 does not assign again.
    assert_eq!((code(joined.error_code), joined.generation_id), (None, first.generation));
    assert!(joined.skip_assignment && joined.leader == joined.member_id, "{joined:?}");
    assert_ne!(second.id, first.id);
    assert_eq!(&*second.sync(&[]).assignment, &[0, 0]);
    assert_eq!(first.heartbeat(), FencedInstanceId);
    assert_eq!(first.commit("t", 1, ""), FencedInstanceId);
    assert_eq!(code(first.sync(&[]).error_code), FencedInstanceId);
    assert_eq!(code(first.join(9).error_code), FencedInstanceId);
    let id = first.id.clone();
    assert_eq!(first.leave(&[(&id, Some("one"))]), [FencedInstanceId]);
    assert_eq!((second.heartbeat(), second.commit("t", 1, "")), (None, None));
    // Before KIP-814 the leader must not find out that it leads: it would assign again.
    let mut third = Member::stranger_named(&broker, "g", "one");
    let joined = third.join(8);
    assert_eq!((code(joined.error_code), joined.skip_assignment), (None, false));
    assert_ne!(joined.leader, joined.member_id);
}

#[test]
fn rule_25_members_leave_in_a_batch_by_id_or_by_name() {
    let broker = broker();
    let mut one = Member::stranger_named(&broker, "g", "one");
    assert_eq!(code(one.join(9).error_code), None);
    let mut two = Member::stranger_named(&broker, "g", "two");
    two.begin_join(9);
    one.await_rebalance();
    assert_eq!(code(one.join(9).error_code), None);
    assert_eq!(code(two.end_join(9).error_code), None);
    let mut admin = Member::stranger(&broker, "g");
    let one_id = one.id.clone();
    let told = admin.leave(&[
        ("nobody", Option::None),
        (&one_id, Some("two")),
        ("", Some("three")),
        ("", Some("two")),
        (&one_id, Some("one")),
    ]);
    assert_eq!(told, [UnknownMemberId, FencedInstanceId, UnknownMemberId, None, None]);
    assert_eq!((one.heartbeat(), two.heartbeat()), (UnknownMemberId, UnknownMemberId));
}

#[test]
fn rule_26_who_is_in_no_group_commits_for_an_empty_one_only() {
    let broker = broker();
    let mut simple = Member::stranger(&broker, "g");
    assert_eq!(simple.commit("t", 1, ""), None);
    let mut member = Member::alone(&broker, "g");
    assert_eq!(simple.commit("t", 2, ""), UnknownMemberId);
    assert_eq!(member.commit("t", 3, ""), None);
    let generation = member.generation;
    for (stale, expected) in [(generation + 1, IllegalGeneration), (0, IllegalGeneration)] {
        member.generation = stale;
        assert_eq!(member.commit("t", 4, ""), expected);
    }
    member.generation = generation;
    let id = member.id.clone();
    assert_eq!(member.leave(&[(&id, Option::None)]), [None]);
    assert_eq!(member.commit("t", 5, ""), UnknownMemberId);
    assert_eq!(simple.commit("t", 6, ""), None);
    let found = fetch(&mut simple.wire, &[("g", Some(&[("t", &[0])]))]);
    assert_eq!(found[0].topics[0].partitions[0].committed_offset, 6);
    // With a generation there must be such a group; the code is that of the client's version.
    let mut nowhere = Member::stranger(&broker, "nowhere");
    (nowhere.generation, nowhere.id) = (3, "m".into());
    assert_eq!(nowhere.commit("t", 1, ""), GroupIdNotFound);
    let request = nowhere.commit_request("t", &[0], 1, "");
    let old = nowhere.wire.ask::<OffsetCommitRequest<'_>>(&request, 8);
    assert_eq!(code(old.topics[0].partitions[0].error_code), IllegalGeneration);
}

#[test]
fn rule_26_nobody_commits_between_join_and_sync_and_metadata_round_trips() {
    let broker = broker();
    let mut member = Member::stranger(&broker, "g");
    assert_eq!(member.join_twice(), None);
    assert_eq!(member.commit("t", 1, ""), RebalanceInProgress);
    assert_eq!(member.sync_as_leader(&[]), None);
    for metadata in ["", "plain", "with\0nul, ä and \u{1f980}", &"x".repeat(4096)] {
        assert_eq!(member.commit("t", 7, metadata), None);
        let found = fetch(&mut member.wire, &[("g", Some(&[("t", &[0])]))]);
        let found = &found[0].topics[0].partitions[0];
        let told = (found.committed_offset, found.metadata.as_deref());
        assert_eq!(told, (7, Some(metadata)));
    }
    // While the group prepares a rebalance its members still may.
    let mut newcomer = Member::stranger(&broker, "g");
    newcomer.ask_for_id();
    newcomer.begin_join(9);
    member.await_rebalance();
    assert_eq!(member.commit("t", 8, ""), None);
}

#[test]
fn rule_27_subscriptions_and_assignments_are_the_clients_own() {
    let broker = broker();
    let everything: Vec<u8> = (0..=255).collect();
    for (number, (metadata, assignment)) in [
        (vec![], vec![]),
        (everything.clone(), everything.iter().rev().copied().collect()),
        (vec![0xff; 300_000], vec![0x80; 300_000]),
        (subscription(&["t"]), vec![0, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut member = Member::stranger(&broker, &format!("g{number}"));
        member.protocols = vec![("mine", metadata.clone()), ("range", vec![1])];
        member.ask_for_id();
        let joined = member.join(9);
        assert_eq!((code(joined.error_code), &*joined.members[0].metadata), (None, &*metadata));
        assert_eq!(joined.protocol_name.as_deref(), Some("mine"));
        let id = member.id.clone();
        let synced = member.sync(&[(&id, assignment.clone())]);
        assert_eq!((code(synced.error_code), &*synced.assignment), (None, &*assignment));
    }
}

#[test]
fn rule_27_only_offset_delete_reads_subscriptions() {
    let broker = broker();
    let delete = |wire: &mut Wire, group: &str| {
        let topic = |name: &str| OffsetDeleteRequestTopic {
            name: name.to_owned().into(),
            partitions: vec![OffsetDeleteRequestPartition::default()],
            ..Default::default()
        };
        let topics = ["t", "u"].map(topic).into();
        let group_id = group.to_owned().into();
        let answer = wire.ask(&OffsetDeleteRequest { group_id, topics, ..Default::default() }, 0);
        let codes = answer.topics.iter().map(|topic| code(topic.partitions[0].error_code));
        (code(answer.error_code), codes.collect::<Vec<_>>())
    };
    for (group, metadata, expected) in [
        ("reads t", subscription(&["t"]), vec![GroupSubscribedToTopic, None]),
        // Whose subscription cannot be read may read anything.
        ("opaque", vec![9, 9, 9], vec![GroupSubscribedToTopic, GroupSubscribedToTopic]),
    ] {
        let mut member = Member::stranger(&broker, group);
        member.protocols[0].1 = metadata;
        assert_eq!((member.join_twice(), member.sync_as_leader(&[])), (None, None));
        assert_eq!((member.commit("t", 1, ""), member.commit("u", 1, "")), (None, None));
        assert_eq!(delete(&mut member.wire, group), (None, expected.clone()), "{group}");
        let left = fetch(&mut member.wire, &[(group, Option::None)]);
        let kept = expected.iter().filter(|code| **code == GroupSubscribedToTopic).count();
        assert_eq!(left[0].topics.len(), kept, "{group}");
    }
    let mut wire = Wire::connect(&broker);
    assert_eq!(delete(&mut wire, "nobody").0, GroupIdNotFound);
}

#[test]
fn rule_28_offsets_of_many_groups_are_fetched_at_once() {
    let broker = broker();
    let mut a = Member::stranger(&broker, "a");
    let mut b = Member::alone(&broker, "b");
    assert_eq!(
        (a.commit("t", 1, "m"), a.commit("u", 2, ""), b.commit("t", 3, "")),
        (None, None, None)
    );
    let found = fetch(
        &mut a.wire,
        &[
            ("a", Option::None),
            ("b", Some(&[("t", &[1, 0]), ("missing", &[5])])),
            ("nobody", Option::None),
            ("nobody", Some(&[("t", &[0])])),
        ],
    );
    let told: Vec<_> = found
        .iter()
        .map(|group| {
            let mut offsets: Vec<(&str, i32, i64)> = group
                .topics
                .iter()
                .flat_map(|topic| {
                    let each = topic.partitions.iter();
                    each.map(|one| (&*topic.name, one.partition_index, one.committed_offset))
                })
                .collect();
            if group.group_id == "a" {
                offsets.sort_unstable();
            }
            (&*group.group_id, code(group.error_code), offsets)
        })
        .collect();
    let expected = [
        ("a", None, vec![("t", 0, 1), ("u", 0, 2)]),
        ("b", None, vec![("t", 1, -1), ("t", 0, 3), ("missing", 5, -1)]),
        ("nobody", None, vec![]),
        ("nobody", None, vec![("t", 0, -1)]),
    ];
    assert_eq!(told, expected);
    // Before version 8 there is one group, and no topics means all of them.
    for version in 2..=7 {
        let request = OffsetFetchRequest {
            group_id: "a".into(),
            topics: Option::None,
            require_stable: version >= 7,
            ..Default::default()
        };
        let old = a.wire.ask(&request, version);
        assert_eq!((old.error_code, old.topics.len()), (0, 2), "version {version}");
    }
}

#[test]
fn rule_28_a_stable_fetch_sees_what_is_being_committed() {
    /// Commits whose fetch comes before they are durable, most of them.
    const ROUNDS: i64 = 50;
    let broker = broker();
    let mut member = Member::alone(&broker, "g");
    for offset in 0..ROUNDS {
        let commit = member.commit_request("t", &[0], offset, "");
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: Option::None,
            member_epoch: -1,
            ..Default::default()
        };
        let stable =
            OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
        // Both in one go: the fetch is there while the commit is on its way to the disk.
        let bytes =
            [crate::wire::request_frame(&commit, 9, 1), crate::wire::request_frame(&stable, 9, 2)];
        member.wire.send_bytes(&bytes.concat());
        let committed = member.wire.receive_as::<OffsetCommitRequest<'_>>(9, 1);
        assert_eq!(code(committed.topics[0].partitions[0].error_code), None);
        let fetched = member.wire.receive_as::<OffsetFetchRequest<'_>>(9, 2);
        let found = &fetched.groups[0].topics[0].partitions[0];
        assert_eq!((code(found.error_code), found.committed_offset), (None, offset));
    }
}
