//! SyncGroup, heartbeats and commits.

use super::*;

#[test]
fn assignments_are_told_when_they_are_durable() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync a 2 for:a=x for:b=y for:stranger=z
         write 0 g2 leader=a [a=x b=y]
         > sync b 2 for:b=mine
         > written 0
         4 assigned 'x'
         5 assigned 'y'
         > sync b 2
         6 assigned 'y'
         > state
         Stable g2 [a b]",
    );
}

#[test]
fn a_leader_that_asks_again_does_not_assign_again() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > sync a 1 for:a=x
         write 0 g1 leader=a [a=x]
         > sync a 1 for:a=other
         2 REBALANCE_IN_PROGRESS
         > written 0
         3 assigned 'x'",
    );
}

#[test]
fn who_asks_is_checked() {
    check(
        "> sync a 0
         1 UNKNOWN_MEMBER_ID
         > join new=a inst=i
         2 joined g1 range a leads [a]
         > sync b 1
         3 UNKNOWN_MEMBER_ID
         > sync a 2
         4 ILLEGAL_GENERATION
         > sync b 1 inst=i
         5 FENCED_INSTANCE_ID
         > sync a 1 inst=j
         6 UNKNOWN_MEMBER_ID
         > sync a 1 type=connect
         7 INCONSISTENT_GROUP_PROTOCOL
         > sync a 1 proto=sticky
         8 INCONSISTENT_GROUP_PROTOCOL
         > sync a 1 type=consumer proto=range inst=i for:a=x
         write 0 g1 leader=a [a=x]
         > beat a 0
         10 ILLEGAL_GENERATION
         > beat b 1
         11 UNKNOWN_MEMBER_ID
         > beat b 1 inst=i
         12 FENCED_INSTANCE_ID
         > beat a 1 inst=i
         13 NONE",
    );
}

#[test]
fn a_write_that_fails_sends_everyone_back() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync b 2
         > sync a 2 for:a=x for:b=y
         write 0 g2 leader=a [a=x b=y]
         > failed 0
         5 COORDINATOR_NOT_AVAILABLE
         4 COORDINATOR_NOT_AVAILABLE
         > state
         PreparingRebalance g2 [a b]
         > sync a 2
         6 REBALANCE_IN_PROGRESS",
    );
}

#[test]
fn a_write_that_comes_too_late_changes_nothing() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > sync a 1 for:a=x
         write 0 g1 leader=a [a=x]
         > join a meta=other
         2 REBALANCE_IN_PROGRESS
         3 joined g2 range a leads [a]
         > written 0
         > sync a 2 for:a=y
         write 1 g2 leader=a [a=y]
         > failed 0
         > written 1
         4 assigned 'y'",
    );
}

#[test]
fn assignments_have_a_limit() {
    let mut world = world();
    world.run("join new=a");
    let mut large = sync("a 1");
    large.assignments = vec![("a".to_owned(), vec![0; (8 << 20) + 1])];
    let told = world.step(Event::Sync(Ticket(2), large));
    assert_eq!(told, ["2 UNKNOWN_SERVER_ERROR"]);
    assert_eq!(world.group.state(), State::PreparingRebalance);
}

#[test]
fn commits_follow_the_generation() {
    check(
        "> commit - -1
         may commit
         > commit a 0
         UNKNOWN_MEMBER_ID
         > join new=a inst=i
         1 joined g1 range a leads [a]
         > commit - -1
         UNKNOWN_MEMBER_ID
         > commit a 1
         REBALANCE_IN_PROGRESS
         > sync a 1
         write 0 g1 leader=a [a=]
         > written 0
         2 assigned ''
         > commit a 1
         may commit
         > commit a 0
         ILLEGAL_GENERATION
         > commit a -1
         ILLEGAL_GENERATION
         > commit b 1
         UNKNOWN_MEMBER_ID
         > commit b 1 inst=i
         FENCED_INSTANCE_ID
         > commit - -1
         UNKNOWN_MEMBER_ID
         > join new=b
         > commit a 1
         may commit
         > wait 9999
         > commit a 1
         may commit
         > wait 9999
         > state
         PreparingRebalance g1 [a b]",
    );
}
