//! Groups with members: what passes between their state machines, the log and the clock.

use super::tests::*;
use super::*;
use crate::coordinator::message::*;
use crate::model::Offset;
use crate::model::limits::COORDINATOR_GROUPS_MAX;

fn join(group: &str) -> Join {
    Join {
        group: group.into(),
        member_id: String::new(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        fresh_member_id: format!("{group}-member"),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription())],
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        reason: None,
        requires_known_member_id: false,
        supports_skipping_assignment: true,
    }
}

fn member(group: &str, generation: i32) -> MemberRef {
    let member_id = format!("{group}-member");
    MemberRef { group: group.into(), member_id, instance_id: None, generation }
}

fn sync(group: &str, generation: i32, assignment: Vec<u8>) -> Request {
    let member = member(group, generation);
    let assignments = vec![(member.member_id.clone(), assignment)];
    Request::Sync(Sync { member, protocol_type: None, protocol: None, assignments })
}

fn leave(group: &str) -> Request {
    let member_id = format!("{group}-member");
    let members = vec![LeavingMember { member_id, instance_id: None, reason: None }];
    Request::Leave(Leave { group: group.into(), members })
}

/// A group of one member that has its assignment; its generation.
fn stable(rig: &mut Rig, group: &str) -> i32 {
    let ticket = rig.send(Request::Join(join(group)));
    // The first rebalance of a group waits for others.
    rig.now_ms += 3_000;
    rig.settle();
    let Some(Answer::Join(joined)) = rig.answers.remove(&ticket) else { panic!("no answer") };
    assert_eq!((joined.code, joined.members.len()), (ErrorCode::None, 1));
    let Answer::Sync(synced) = rig.ask(sync(group, joined.generation, vec![7])) else {
        panic!("answered otherwise")
    };
    assert_eq!((synced.code, synced.assignment), (ErrorCode::None, vec![7]));
    joined.generation
}

#[test]
fn a_generation_is_durable_before_its_members_know_it() {
    let mut rig = Rig::new();
    let ticket = rig.send(Request::Join(join("g")));
    rig.now_ms += 3_000;
    rig.settle();
    let Some(Answer::Join(joined)) = rig.answers.remove(&ticket) else { panic!("no answer") };
    let ticket = rig.send(sync("g", joined.generation, vec![7]));
    assert!(!rig.writes.is_empty() && !rig.answers.contains_key(&ticket));
    rig.settle();
    assert!(matches!(&rig.answers[&ticket], Answer::Sync(synced) if synced.code.is_none()));
    // Who loads the log finds the member at its place.
    let mut rig = Rig::after(rig.log);
    assert_eq!(rig.state("g"), Ok("Stable"));
    let heartbeat = Request::Heartbeat(member("g", joined.generation));
    assert_eq!(rig.ask(heartbeat), Answer::Heartbeat(ErrorCode::None));
}

#[test]
fn members_commit_for_their_generation() {
    use ErrorCode::*;
    let mut rig = Rig::new();
    let generation = stable(&mut rig, "g");
    for (member, expected) in [
        (member("g", generation), None),
        (member("g", generation + 1), IllegalGeneration),
        (MemberRef { member_id: "stranger".into(), ..member("g", generation) }, UnknownMemberId),
        (commit("g", 1).member, UnknownMemberId),
    ] {
        let request = Commit { member: member.clone(), ..commit("g", 1) };
        assert_eq!(rig.ask(Request::Commit(request)), Answer::Commit(vec![expected]), "{member:?}");
    }
    assert_eq!(rig.offset("g"), 1);
    assert_eq!(rig.ask(Request::Delete("g".into())), Answer::Delete(NonEmptyGroup));
    assert_eq!(rig.ask(leave("g")), Answer::Leave(Left { code: None, members: vec![None] }));
    assert_eq!(rig.ask(Request::Delete("g".into())), Answer::Delete(None));
    assert_eq!(rig.partition.groups.len(), 0);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn a_silent_member_is_missed_at_its_deadline() {
    let mut rig = Rig::new();
    stable(&mut rig, "g");
    for _ in 0..100 {
        let Some(due) = rig.partition.deadline() else { break };
        rig.now_ms = rig.now_ms.max(START_MS + i64::try_from(due.0 / 1_000_000).unwrap() + 1);
        rig.settle();
    }
    assert_eq!(rig.state("g"), Ok("Empty"));
    assert_eq!((rig.now_ms - START_MS) / 1_000, 13, "three seconds, and ten of silence");
    assert_eq!(rig.partition.deadline(), None);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn a_commit_shows_that_a_member_lives() {
    let mut rig = Rig::new();
    let generation = stable(&mut rig, "g");
    for _ in 0..10 {
        rig.now_ms += 9_000;
        rig.settle();
        let request = Commit { member: member("g", generation), ..commit("g", 1) };
        assert_eq!(rig.ask(Request::Commit(request)), Answer::Commit(vec![ErrorCode::None]));
    }
    assert_eq!(rig.state("g"), Ok("Stable"));
    assert!(rig.partition.timers.len() <= 3, "one of use, few of none");
}

#[test]
fn a_generation_that_fits_no_batch_fails_its_leader() {
    let mut rig = Rig::new();
    let mut too_large = join("h");
    too_large.protocols[0].1 = vec![0; 5_000];
    let refused = Request::Join(too_large.clone()).refused(ErrorCode::UnknownServerError);
    assert_eq!(rig.ask(Request::Join(too_large)), refused);
    let generation = stable(&mut rig, "g");
    let log_size = rig.log.len();
    rig.ask(leave("g"));
    let again = stable(&mut rig, "g");
    assert!(again > generation && rig.log.len() > log_size);
    rig.ask(leave("g"));
    let ticket = rig.send(Request::Join(join("g")));
    rig.now_ms += 3_000;
    rig.settle();
    let Some(Answer::Join(joined)) = rig.answers.remove(&ticket) else { panic!("no answer") };
    let log_size = rig.log.len();
    let Answer::Sync(synced) = rig.ask(sync("g", joined.generation, vec![0; 5_000])) else {
        panic!("answered otherwise")
    };
    assert_eq!((synced.code, rig.log.len()), (ErrorCode::UnknownServerError, log_size));
}

#[test]
fn a_failed_generation_is_told_and_not_remembered() {
    let mut rig = Rig::new();
    let ticket = rig.send(Request::Join(join("g")));
    rig.now_ms += 3_000;
    rig.settle();
    let Some(Answer::Join(joined)) = rig.answers.remove(&ticket) else { panic!("no answer") };
    let ticket = rig.send(sync("g", joined.generation, vec![7]));
    rig.end_write(Err(ErrorCode::NotEnoughReplicas));
    let Some(Answer::Sync(synced)) = rig.answers.remove(&ticket) else { panic!("no answer") };
    assert_eq!(synced.code, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn a_group_that_begins_anew_hears_nothing_of_the_old_one() {
    let mut rig = Rig::new();
    stable(&mut rig, "g");
    let leaving = rig.send(leave("g"));
    assert_eq!(rig.writes.len(), 1);
    // Nobody is left, so it may be deleted, though that is not durable yet.
    let deletion = rig.send(Request::Delete("g".into()));
    let joining = rig.send(Request::Join(join("g")));
    rig.now_ms += 3_000;
    rig.settle();
    // Who has left is told so, not to look for another coordinator.
    let left = Left { code: ErrorCode::None, members: vec![ErrorCode::None] };
    assert_eq!(rig.answers[&leaving], Answer::Leave(left));
    assert_eq!(rig.answers[&deletion], Answer::Delete(ErrorCode::None));
    let Some(Answer::Join(joined)) = rig.answers.get(&joining) else { panic!("no answer") };
    assert_eq!((joined.code, joined.generation), (ErrorCode::None, 1));
    let synced = rig.ask(sync("g", 1, vec![9]));
    assert!(matches!(synced, Answer::Sync(synced) if synced.code.is_none()));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
    let mut rig = Rig::after(rig.log);
    let Answer::Describe(Ok(description)) = rig.ask(Request::Describe("g".into())) else {
        panic!("it is there")
    };
    assert_eq!((description.state, description.members.len()), ("Stable", 1));
}

#[test]
fn a_group_whose_deletion_fails_is_as_it_was() {
    let mut rig = Rig::new();
    stable(&mut rig, "g");
    rig.ask(leave("g"));
    let ticket = rig.send(Request::Delete("g".into()));
    rig.end_write(Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(rig.answers[&ticket], Answer::Delete(ErrorCode::CoordinatorNotAvailable));
    let Answer::Describe(Ok(description)) = rig.ask(Request::Describe("g".into())) else {
        panic!("it is there")
    };
    assert_eq!((description.state, description.protocol_type.as_str()), ("Empty", "consumer"));
    assert!(stable(&mut rig, "g") > 1, "its generations go on");
}

#[test]
fn who_asks_for_groups_and_does_not_come_leaves_nothing_behind() {
    let mut rig = Rig::new();
    for number in 0..500 {
        let request = Join { requires_known_member_id: true, ..join(&format!("group-{number}")) };
        let Answer::Join(joined) = rig.ask(Request::Join(request)) else { panic!("no answer") };
        assert_eq!(joined.code, ErrorCode::MemberIdRequired);
    }
    assert!(rig.partition.bytes > 500 * 300);
    rig.now_ms += 20_000;
    rig.settle();
    rig.step(PartitionEvent::ExpireOffsets);
    rig.settle();
    assert_eq!((rig.partition.groups.len(), rig.partition.bytes), (0, 0));
    assert_eq!((rig.partition.parked.len(), rig.partition.deadline()), (0, None));
    assert_eq!(rig.partition.snapshot(Offset(0)), rig.replayed());
}

#[test]
fn nobody_joins_one_group_too_many() {
    let mut rig = Rig::new();
    for number in 0..COORDINATOR_GROUPS_MAX {
        rig.partition.load(&number.to_string(), |_| {});
    }
    let refused = Request::Join(join("g")).refused(ErrorCode::CoordinatorNotAvailable);
    assert_eq!(rig.ask(Request::Join(join("g"))), refused);
    let nameless = Request::Join(join(""));
    assert_eq!(rig.ask(nameless.clone()), nameless.refused(ErrorCode::InvalidGroupId));
}

#[test]
fn what_a_flood_leaves_is_counted_and_bounded() {
    const MIB: usize = 1 << 20;
    let long = "x".repeat(30_000);
    let pending = |group: String| Join {
        fresh_member_id: format!("{long}-{group}"),
        requires_known_member_id: true,
        ..join(&group)
    };
    let code = |answer| match answer {
        Answer::Join(joined) => joined.code,
        other => panic!("{other:?}"),
    };
    let mut rig = Rig::new();
    let generation = stable(&mut rig, "known");
    rig.partition.allow_growth(8 * MIB, 4 * MIB);
    // New groups, one after another: each takes at least the id that it gave out.
    let mut groups = 0;
    let told = loop {
        let told = code(rig.ask(Request::Join(pending(format!("{groups}")))));
        if told != ErrorCode::MemberIdRequired {
            break told;
        }
        groups += 1;
    };
    assert_eq!(told, ErrorCode::CoordinatorNotAvailable);
    assert!((40..4 * MIB / long.len()).contains(&groups), "{groups}");
    // Ids of one group that is known take what is left, and no more.
    let more = (0..1_000).filter(|number| {
        let fresh_member_id = format!("{long}-{number}");
        let join = Join { fresh_member_id, ..pending("known".into()) };
        code(rig.ask(Request::Join(join))) == ErrorCode::MemberIdRequired
    });
    assert!((40..4 * MIB / long.len()).contains(&more.count()));
    assert!(rig.partition.bytes() < 9 * MIB, "{}", rig.partition.bytes());
    // Who is in a group comes back to it, with what it said before and with less, not with more.
    let again = Join { member_id: "known-member".into(), ..join("known") };
    let larger = vec![("range".to_owned(), vec![7; 4_000])];
    let larger = Join { protocols: larger, ..again.clone() };
    assert_eq!(code(rig.ask(Request::Join(larger))), ErrorCode::CoordinatorNotAvailable);
    rig.send(Request::Join(again));
    let beat = Request::Heartbeat(member("known", generation));
    assert_eq!(rig.ask(beat), Answer::Heartbeat(ErrorCode::RebalanceInProgress));
    // When their time is over nothing of them is left.
    rig.now_ms += 60_000;
    rig.settle();
    assert_eq!(rig.partition.groups.len(), 1);
    assert!(rig.partition.bytes() < 5_000, "{}", rig.partition.bytes());
}

#[test]
fn timers_of_groups_that_are_gone_do_not_pile_up() {
    let mut rig = Rig::new();
    for number in 0..2_000 {
        let group = format!("{number}-{}", "x".repeat(10_000));
        let join = Join { requires_known_member_id: true, ..join(&group) };
        rig.ask(Request::Join(join));
        rig.ask(leave(&group));
    }
    assert_eq!((rig.partition.groups.len(), rig.partition.bytes()), (0, 0));
    assert!(rig.partition.timers.len() < 50, "{} timers", rig.partition.timers.len());
}
