//! What happens because time passes.

use super::*;

#[test]
fn the_first_rebalance_waits_while_members_come() {
    check_with(
        GroupSettings::default(),
        "> join new=a
         > wait 2999
         > join new=b
         > wait 1
         > wait 2999
         > wait 1
         1 joined g1 range a leads [a b]
         2 joined g1 range a leads []",
    );
    check_with(
        GroupSettings::default(),
        "> join new=a
         > wait 2999
         > wait 1
         1 joined g1 range a leads [a]",
    );
}

#[test]
fn the_rebalance_timeout_caps_the_first_wait() {
    // As Kafka counts: 3 s, then up to 2 s more, however many come.
    check_with(
        GroupSettings::default(),
        "> join new=a rebalance=5000
         > join new=b rebalance=5000
         > wait 3000
         > join new=c rebalance=5000
         > wait 1999
         > wait 1
         1 joined g1 range a leads [a b c]
         2 joined g1 range a leads []
         3 joined g1 range a leads []",
    );
}

#[test]
fn who_does_not_join_again_is_left_behind() {
    check(
        "> join new=a rebalance=8000
         1 joined g1 range a leads [a]
         > join new=b rebalance=7000
         > wait 4000
         > beat a 1
         3 REBALANCE_IN_PROGRESS
         > wait 3999
         > wait 1
         2 joined g2 range b leads [b]
         > beat a 1
         4 UNKNOWN_MEMBER_ID",
    );
}

#[test]
fn a_session_ends_and_heartbeats_keep_it() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > sync a 1
         write 0 g1 leader=a [a=]
         > written 0
         2 assigned ''
         > wait 9999
         > beat a 1
         3 NONE
         > wait 9999
         > beat a 1
         4 NONE
         > wait 9999
         > wait 1
         write 1 g2 leader=nobody []
         > beat a 1
         5 UNKNOWN_MEMBER_ID",
    );
}

#[test]
fn members_that_never_sync_are_taken_out() {
    check(
        "> join new=a session=60000 rebalance=20000
         1 joined g1 range a leads [a]
         > join new=b session=60000 rebalance=20000
         > join a session=60000 rebalance=20000
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync a 2 for:a=x for:b=y
         write 0 g2 leader=a [a=x b=y]
         > written 0
         4 assigned 'x'
         > wait 19999
         > state
         Stable g2 [a b]
         > wait 1
         > state
         PreparingRebalance g2 [a]
         > beat b 2
         5 UNKNOWN_MEMBER_ID",
    );
    check(
        "> join new=a session=60000 rebalance=20000
         1 joined g1 range a leads [a]
         > wait 20000
         write 0 g2 leader=nobody []",
    );
}

#[test]
fn who_waits_for_an_assignment_does_not_expire() {
    check(
        "> join new=a session=60000
         1 joined g1 range a leads [a]
         > join new=b session=6000
         > join a session=60000
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync b 2
         > wait 50000
         > sync a 2 for:b=y
         write 0 g2 leader=a [a= b=y]
         > written 0
         5 assigned ''
         4 assigned 'y'
         > wait 5999
         > beat b 2
         6 NONE",
    );
}

#[test]
fn a_new_member_waits_five_minutes_at_most() {
    check(
        "> join new=a session=1800000 rebalance=600000
         1 joined g1 range a leads [a]
         > join new=b
         > wait 299999
         > wait 1
         2 UNKNOWN_MEMBER_ID ''
         > state
         PreparingRebalance g1 [a]",
    );
}

#[test]
fn a_client_that_is_gone_gets_no_answer_and_its_session_ends() {
    check(
        "> join new=a session=60000
         1 joined g1 range a leads [a]
         > join new=b
         > gone 2
         > wait 9999
         > state
         PreparingRebalance g1 [a b]
         > wait 1
         > state
         PreparingRebalance g1 [a]
         > join new=c
         > gone 3
         > join a session=60000
         4 joined g2 range a leads [a c]
         > sync c 2
         > gone 5
         > sync a 2
         write 0 g2 leader=a [a= c=]
         > written 0
         6 assigned ''
         > wait 10000
         > state
         PreparingRebalance g2 [a]",
    );
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > leave a
         write 0 g2 leader=nobody []
         > gone 2
         > written 0",
    );
}

#[test]
fn static_members_that_do_not_join_hold_the_rebalance_until_their_sessions_end() {
    check(
        "> join new=a inst=i rebalance=0
         1 joined g1 range a leads [a]
         > wait 0
         write 0 g2 leader=nobody []
         > join new=a inst=i rebalance=2000
         2 joined g3 range a leads [a]
         > join new=b rebalance=2000
         > leave b
         3 UNKNOWN_MEMBER_ID ''
         4 left NONE
         > wait 2000
         > state
         PreparingRebalance g3 [a]
         > wait 8000
         write 1 g4 leader=nobody []",
    );
}

#[test]
fn heartbeats_set_no_alarms() {
    let mut world = world();
    world.run("join new=a");
    world.run("sync a 1");
    world.run("written 0");
    for _ in 0..1000 {
        world.run("wait 1000");
        world.run("beat a 1");
    }
    assert!(world.group.roster.held().0 <= 3);
    for round in 0..1000 {
        let generation = world.group.generation;
        let session = if round % 2 == 0 { 1_800_000 } else { 6_000 };
        world.run(&format!("join a session={session}"));
        world.run(&format!("sync a {}", generation + 1));
        world.run("wait 5000");
    }
    let (alarms, parked) = world.group.roster.held();
    assert!(alarms <= 70 && parked <= 1, "{alarms} alarms, {parked} parked");
}

#[test]
fn a_group_without_anybody_waits_for_nothing() {
    let mut world = world();
    for commands in [&["join new=a known", "leave a"][..], &["join new=a", "leave a", "written 0"]]
    {
        for command in commands {
            world.run(command);
        }
        assert!(world.group.is_empty());
        assert_eq!(world.group.deadline(), None);
    }
}
