//! JoinGroup.

use super::*;

#[test]
fn a_first_member_leads_at_once_without_a_delay() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > state
         CompletingRebalance g1 [a]",
    );
}

#[test]
fn a_new_member_is_told_its_id_first() {
    check(
        "> join new=a known
         1 MEMBER_ID_REQUIRED 'a'
         > state
         Empty g0 []
         > join a known
         2 joined g1 range a leads [a]
         > join stranger known
         3 UNKNOWN_MEMBER_ID 'stranger'",
    );
}

#[test]
fn an_id_that_was_given_out_ends_with_its_session() {
    check(
        "> join new=a known session=6000
         1 MEMBER_ID_REQUIRED 'a'
         > wait 5999
         > join a
         2 joined g1 range a leads [a]
         > join new=b known session=6000
         3 MEMBER_ID_REQUIRED 'b'
         > wait 6000
         > join b
         4 UNKNOWN_MEMBER_ID 'b'",
    );
}

#[test]
fn a_rebalance_waits_for_an_id_that_was_given_out() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b known session=8000
         2 MEMBER_ID_REQUIRED 'b'
         > join a meta=other
         > wait 7999
         > wait 1
         3 joined g2 range a leads [a]
         > join new=c known
         4 MEMBER_ID_REQUIRED 'c'
         > join a meta=again
         > leave c
         5 joined g3 range a leads [a]
         6 left NONE
         > join new=d
         > join new=e known
         8 MEMBER_ID_REQUIRED 'e'
         > join a
         > join a
         9 REBALANCE_IN_PROGRESS 'a'
         > join e
         10 joined g4 range a leads [a d e]
         7 joined g4 range a leads []
         11 joined g4 range a leads []
         > join new=s known
         12 MEMBER_ID_REQUIRED 's'
         > join s inst=i
         13 UNKNOWN_SERVER_ERROR 's'",
    );
}

#[test]
fn session_timeouts_have_bounds() {
    check(
        "> join new=a session=5999
         1 INVALID_SESSION_TIMEOUT ''
         > join x session=1800001
         2 INVALID_SESSION_TIMEOUT 'x'
         > join new=a session=1800000
         3 joined g1 range a leads [a]",
    );
}

#[test]
fn protocols_have_to_go_together() {
    check(
        "> join new=a protos=
         1 INCONSISTENT_GROUP_PROTOCOL ''
         > join new=a type=
         2 INCONSISTENT_GROUP_PROTOCOL ''
         > join new=a protos=range+sticky+range
         3 joined g1 range a leads [a]
         > join new=b protos=other
         4 INCONSISTENT_GROUP_PROTOCOL ''
         > join new=b type=connect
         5 INCONSISTENT_GROUP_PROTOCOL ''
         > join a protos=other
         6 INCONSISTENT_GROUP_PROTOCOL 'a'
         > join new=b protos=sticky
         > join a protos=range+sticky
         8 joined g2 sticky a leads [a b]
         7 joined g2 sticky a leads []",
    );
}

#[test]
fn most_members_choose_the_protocol() {
    check(
        "> join new=a protos=range+sticky
         1 joined g1 range a leads [a]
         > join new=b protos=sticky+range
         > join new=c protos=sticky+range
         > join a protos=range+sticky
         4 joined g2 sticky a leads [a b c]
         2 joined g2 sticky a leads []
         3 joined g2 sticky a leads []",
    );
}

#[test]
fn a_member_that_missed_an_answer_gets_it_again() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > join a
         4 joined g2 range a leads [a b]
         > join b
         5 joined g2 range a leads []
         > sync a 2 for:a=x for:b=y
         write 0 g2 leader=a [a=x b=y]
         > written 0
         6 assigned 'x'
         > join b
         7 joined g2 range a leads []
         > state
         Stable g2 [a b]",
    );
}

#[test]
fn what_changes_a_subscription_or_comes_from_the_leader_rebalances() {
    let stable = "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync b 2
         > sync a 2
         write 0 g2 leader=a [a= b=]
         > written 0
         5 assigned ''
         4 assigned ''\n";
    for command in ["join a", "join b meta=other"] {
        check(&format!("{stable}> {command}\n> state\nPreparingRebalance g2 [a b]"));
    }
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join a meta=other
         2 joined g2 range a leads [a]",
    );
}

#[test]
fn a_group_has_a_size() {
    let settings =
        GroupSettings { initial_rebalance_delay_ms: 0, members_max: 2, ..GroupSettings::default() };
    check_with(
        settings,
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join new=c
         > join a
         4 GROUP_MAX_SIZE_REACHED ''
         2 joined g2 range b leads [b c]
         3 joined g2 range b leads []
         > join new=d
         5 GROUP_MAX_SIZE_REACHED ''
         > join b meta=other
         > join c
         6 joined g3 range b leads [b c]
         7 joined g3 range b leads []",
    );
}

#[test]
fn subscriptions_have_a_limit() {
    let mut world = World { settings: GroupSettings::default(), ..world() };
    let mut large = join("new=a");
    large.protocols = vec![("range".to_owned(), vec![0; 9 << 20])];
    assert!(world.step(Event::Join(Ticket(1), large.clone())).is_empty());
    large.fresh_member_id = "b".to_owned();
    let told = world.step(Event::Join(Ticket(2), large.clone()));
    assert_eq!(told, ["2 GROUP_MAX_SIZE_REACHED ''"]);
    large.fresh_member_id = String::new();
    large.member_id = "a".to_owned();
    let told = world.step(Event::Join(Ticket(3), large));
    assert_eq!(told, ["1 REBALANCE_IN_PROGRESS 'a'"], "a's own bytes do not count twice");
}

#[test]
fn an_id_in_use_is_not_given_again() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=a
         2 UNKNOWN_SERVER_ERROR ''",
    );
}
