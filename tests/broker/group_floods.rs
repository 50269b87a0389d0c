//! Floods of groups and members: what Kafka keeps without a bound is bounded here, and groups that people
//! work with go on.
//!
//! `KLAMM_GROUPS=1000000` makes them long ones.

use std::collections::BTreeMap;

use klamm::model::ErrorCode::{self, *};
use klamm::protocol::join_group_request::JoinGroupRequest;
use klamm::protocol::offset_commit_request::OffsetCommitRequest;

use crate::group_abuse::Neighbours;
use crate::member::{Member, SESSION_MS_MIN};
use crate::offsets::BROKER;
use crate::support::Broker;
use crate::vitals::resident_bytes;
use crate::wire::{Wire, request_frame, request_frame_by};

const GROUPS_VARIABLE: &str = "KLAMM_GROUPS";
/// Requests that are sent before their answers are taken.
const AT_ONCE: usize = 64;
/// Tries enough for what takes as long as a session; each is a round trip.
const TRIES: usize = 1_000_000;
const MIB: usize = 1 << 20;

/// Requests of a flood: `default`, or what the environment asks for.
fn floods(default: usize) -> usize {
    let asked = std::env::var(GROUPS_VARIABLE).ok();
    asked.map_or(default, |text| text.parse().expect("KLAMM_GROUPS is a number"))
}

/// A broker with as little memory as there can be: groups may take 16 MiB of each of its two shards.
fn small_broker() -> Broker {
    Broker::start(&[BROKER, &["memory.bytes=67108864", "journal.bytes=16777216"][..]].concat())
}

/// Sends `count` requests, many at once, and counts the answers by their codes.
fn flood(
    wire: &mut Wire,
    count: usize,
    frame: impl Fn(usize, i32) -> Vec<u8>,
    answer: impl Fn(&mut Wire, i32) -> ErrorCode,
) -> BTreeMap<ErrorCode, usize> {
    let mut told = BTreeMap::new();
    for first in (0..count).step_by(AT_ONCE) {
        let numbers = first..(first + AT_ONCE).min(count);
        let bytes: Vec<u8> = numbers.clone().flat_map(|n| frame(n, n as i32)).collect();
        wire.send_bytes(&bytes);
        for number in numbers {
            *told.entry(answer(wire, number as i32)).or_default() += 1;
        }
    }
    told
}

fn joined(wire: &mut Wire, correlation_id: i32) -> ErrorCode {
    let answer = wire.receive_as::<JoinGroupRequest<'_>>(9, correlation_id);
    ErrorCode::from_code(answer.error_code)
}

fn committed(wire: &mut Wire, correlation_id: i32) -> ErrorCode {
    let answer = wire.receive_as::<OffsetCommitRequest<'_>>(9, correlation_id);
    ErrorCode::from_code(answer.topics[0].partitions[0].error_code)
}

/// Insists that a flood was let in at first and then refused, and that what it left is bounded.
fn check(
    broker: &Broker,
    told: &BTreeMap<ErrorCode, usize>,
    (welcome, before): (ErrorCode, usize),
    neighbours: &mut Neighbours,
) {
    let codes: Vec<ErrorCode> = told.keys().copied().collect();
    let mut expected = vec![welcome, CoordinatorNotAvailable];
    expected.sort_unstable();
    assert_eq!(codes, expected, "{told:?}");
    neighbours.assert_undisturbed("a flood");
    neighbours.assert_rebalances("a flood");
    let grown = resident_bytes(broker).saturating_sub(before);
    // 32 MiB are the groups', 64 MiB the log's in memory; buffers and the allocator take some more.
    assert!(grown < 160 * MIB, "the broker grew by {grown} bytes: {told:?}");
}

#[test]
fn ids_that_nobody_comes_back_with_are_bounded_and_forgotten() {
    let broker = small_broker();
    let mut neighbours = Neighbours::start(&broker);
    let mut stranger = Member::stranger(&broker, "flood");
    stranger.session_timeout_ms = SESSION_MS_MIN;
    let request = stranger.join_request();
    let before = resident_bytes(&broker);
    // New members of new groups, and of one group with a long name for each of them.
    let (long_group, long_client) = ("g".repeat(20_000), "c".repeat(10_000));
    for in_one in [false, true] {
        let frame = |number: usize, correlation_id| {
            let id = if in_one { "one".to_owned() } else { format!("{number}-{long_group}") };
            let request = JoinGroupRequest { group_id: id.into(), ..request.clone() };
            request_frame_by(&long_client, &request, 9, correlation_id)
        };
        let told = flood(&mut stranger.wire, floods(3_000), frame, joined);
        check(&broker, &told, (MemberIdRequired, before), &mut neighbours);
        // When the time of their sessions is over there is room again, for the next flood as well.
        let mut honest = Member::stranger(&broker, if in_one { "honest" } else { "one" });
        let let_in = (0..TRIES).any(|_| honest.join(9).error_code == MemberIdRequired.code());
        assert!(let_in && (!in_one || honest.join(9).error_code == 0));
    }
    neighbours.end();
}

#[test]
fn groups_of_one_member_are_bounded() {
    let broker = small_broker();
    let mut neighbours = Neighbours::start(&broker);
    let mut stranger = Member::stranger(&broker, "flood");
    stranger.protocols[0].1 = vec![7; 5_000];
    let request = stranger.join_request();
    let before = resident_bytes(&broker);
    let long = "g".repeat(5_000);
    // A version in which a new member needs no id first: each request makes a member that never syncs.
    let frame = |number: usize, correlation_id| {
        let group_id = format!("{number}-{long}").into();
        request_frame(&JoinGroupRequest { group_id, ..request.clone() }, 3, correlation_id)
    };
    let answer = |wire: &mut Wire, correlation_id| {
        let answer = wire.receive_as::<JoinGroupRequest<'_>>(3, correlation_id);
        ErrorCode::from_code(answer.error_code)
    };
    let told = flood(&mut stranger.wire, floods(3_000), frame, answer);
    check(&broker, &told, (None, before), &mut neighbours);
    neighbours.end();
}

#[test]
fn groups_that_only_commit_are_bounded_and_kept() {
    let mut broker = small_broker();
    let mut neighbours = Neighbours::start(&broker);
    let mut stranger = Member::stranger(&broker, "flood");
    let request = stranger.commit_request("t", &[0], 1, &"m".repeat(4_000));
    let before = resident_bytes(&broker);
    let long = "g".repeat(5_000);
    let group = |number: usize| format!("{number}-{long}");
    let frame = |number: usize, correlation_id| {
        let request = OffsetCommitRequest { group_id: group(number).into(), ..request.clone() };
        request_frame(&request, 9, correlation_id)
    };
    let told = flood(&mut stranger.wire, floods(3_000), frame, committed);
    check(&broker, &told, (None, before), &mut neighbours);
    // What was let in is there after a kill, and may go on committing; new ones find no more room.
    broker.kill();
    broker.restart();
    let mut known = Member::stranger(&broker, &group(0));
    assert_eq!(known.commit("t", 2, "n"), None);
    let mut stranger = Member::stranger(&broker, "flood");
    let told = flood(&mut stranger.wire, 2_000, |n, id| frame(n + 1_000_000, id), committed);
    assert!(told.get(&CoordinatorNotAvailable).is_some_and(|count| *count > 1_000), "{told:?}");
}

#[test]
fn ids_of_one_group_have_their_maximum() {
    let broker = Broker::start(BROKER);
    let mut neighbours = Neighbours::start(&broker);
    let mut stranger = Member::stranger(&broker, "one");
    let request = stranger.join_request();
    let frame = |_, correlation_id| request_frame(&request, 9, correlation_id);
    let told = flood(&mut stranger.wire, 10_100, frame, joined);
    let told: Vec<_> = told.into_iter().collect();
    assert_eq!(told, [(MemberIdRequired, 10_000), (GroupMaxSizeReached, 100)]);
    neighbours.assert_undisturbed("10,000 ids");
    neighbours.end();
}
