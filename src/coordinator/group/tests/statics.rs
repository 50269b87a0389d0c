//! Static members (KIP-345, KIP-814).

use super::*;

/// A stable group of a static leader `a` and a static follower `b`.
const STABLE: &str = "> join new=a inst=i
    1 joined g1 range a leads [a]
    > join new=b inst=j
    > join a inst=i
    3 joined g2 range a leads [a b]
    2 joined g2 range a leads []
    > sync b 2
    > sync a 2 for:a=x for:b=y
    write 0 g2 leader=a [a=x b=y]
    > written 0
    5 assigned 'x'
    4 assigned 'y'\n";

#[test]
fn a_follower_takes_its_place_without_a_rebalance() {
    check(&format!(
        "{STABLE}
         > join new=c inst=j
         write 1 g2 leader=a [a=x c=y]
         > written 1
         6 joined g2 range a leads []
         > sync c 2
         7 assigned 'y'
         > beat b 2 inst=j
         8 FENCED_INSTANCE_ID
         > join b inst=j
         9 FENCED_INSTANCE_ID 'b'
         > sync b 2 inst=j
         10 FENCED_INSTANCE_ID
         > beat b 2
         11 UNKNOWN_MEMBER_ID
         > beat c 2 inst=j
         12 NONE"
    ));
}

#[test]
fn a_leader_takes_its_place() {
    check(&format!(
        "{STABLE}
         > join new=c inst=i skip
         write 1 g2 leader=c [b=y c=x]
         > written 1
         6 joined g2 range c leads [b c] skip"
    ));
    check(&format!(
        "{STABLE}
         > join new=c inst=i
         write 1 g2 leader=c [b=y c=x]
         > written 1
         6 joined g2 range a leads []"
    ));
}

#[test]
fn a_place_that_was_not_written_goes_back() {
    check(&format!(
        "{STABLE}
         > join new=c inst=j meta=other session=20000
         write 1 g2 leader=a [a=x c=y]
         > failed 1
         6 COORDINATOR_NOT_AVAILABLE ''
         > beat b 2 inst=j
         7 NONE
         > join b inst=j
         8 joined g2 range a leads []
         > join new=c inst=j
         write 2 g2 leader=a [a=x c=y]
         > join new=d inst=j
         9 FENCED_INSTANCE_ID 'c'
         write 3 g2 leader=a [a=x d=y]
         > written 2
         > failed 3
         10 COORDINATOR_NOT_AVAILABLE ''
         > beat b 2 inst=j
         11 NONE"
    ));
}

#[test]
fn a_rebalance_takes_a_waiting_place_along() {
    check(&format!(
        "{STABLE}
         > join new=c inst=j
         write 1 g2 leader=a [a=x c=y]
         > join a inst=i
         7 joined g3 range a leads [a c]
         6 joined g3 range a leads []
         > written 1"
    ));
}

#[test]
fn other_protocols_rebalance() {
    check(&format!(
        "{STABLE}
         > join new=c inst=j protos=sticky
         6 INCONSISTENT_GROUP_PROTOCOL ''"
    ));
    check(
        "> join new=a inst=i protos=range+sticky
         1 joined g1 range a leads [a]
         > sync a 1 for:a=x
         write 0 g1 leader=a [a=x]
         > written 0
         2 assigned 'x'
         > join new=b inst=i protos=sticky+range
         3 joined g2 sticky b leads [b]",
    );
}

#[test]
fn in_a_rebalance_the_old_one_is_fenced_and_the_new_one_joins() {
    check(
        "> join new=a inst=i
         1 joined g1 range a leads [a]
         > join new=b inst=j
         > join new=c inst=j
         2 FENCED_INSTANCE_ID 'b'
         > join a inst=i
         4 joined g2 range a leads [a c]
         3 joined g2 range a leads []
         > sync c 2
         > join new=d inst=j
         5 FENCED_INSTANCE_ID
         > state
         PreparingRebalance g2 [a d]
         > join a inst=i
         7 joined g3 range a leads [a d]
         6 joined g3 range a leads []",
    );
}

#[test]
fn static_members_outlive_a_rebalance_until_their_session_ends() {
    check(&format!(
        "{STABLE}
         > join new=c
         > wait 9999
         > beat a 2
         7 REBALANCE_IN_PROGRESS
         > beat b 2
         8 REBALANCE_IN_PROGRESS
         > join a
         > wait 9999
         > wait 1
         9 joined g3 range a leads [a c]
         6 joined g3 range a leads []"
    ));
}
