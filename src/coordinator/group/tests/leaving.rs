//! LeaveGroup, and groups that go away as a whole.

use super::*;

#[test]
fn the_last_one_is_answered_when_the_empty_group_is_durable() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > leave a
         write 0 g2 leader=nobody []
         > state
         Empty g2 []
         > written 0
         2 left NONE
         > join new=a
         3 joined g3 range a leads [a]
         > leave a
         write 1 g4 leader=nobody []
         > failed 1
         4 COORDINATOR_NOT_AVAILABLE",
    );
}

#[test]
fn a_batch_has_a_code_for_each_member() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b inst=i
         > join new=p known
         3 MEMBER_ID_REQUIRED 'p'
         > leave b/other x/i x p /i /other
         2 UNKNOWN_MEMBER_ID ''
         4 left UNKNOWN_MEMBER_ID FENCED_INSTANCE_ID UNKNOWN_MEMBER_ID NONE NONE UNKNOWN_MEMBER_ID
         > leave /none
         5 left UNKNOWN_MEMBER_ID
         > state
         PreparingRebalance g1 [a]",
    );
}

#[test]
fn those_who_stay_rebalance() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync b 2
         > leave a
         4 REBALANCE_IN_PROGRESS
         5 left NONE
         > beat b 2
         6 REBALANCE_IN_PROGRESS
         > join b
         7 joined g3 range b leads [b]",
    );
}

#[test]
fn a_member_that_leaves_while_it_waits_is_answered() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > join a
         3 joined g2 range a leads [a b]
         2 joined g2 range a leads []
         > sync b 2
         > leave b
         4 UNKNOWN_MEMBER_ID
         5 left NONE
         > state
         PreparingRebalance g2 [a]",
    );
}

#[test]
fn a_group_that_moves_away_sends_everyone_after_it() {
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > join new=b
         > unload
         2 NOT_COORDINATOR 'b'
         > join new=c
         3 COORDINATOR_NOT_AVAILABLE ''
         > sync a 1
         4 COORDINATOR_NOT_AVAILABLE
         > beat a 1
         5 COORDINATOR_NOT_AVAILABLE
         > leave a
         6 COORDINATOR_NOT_AVAILABLE
         > commit a 1
         COORDINATOR_NOT_AVAILABLE
         > wait 9000000",
    );
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > sync a 1
         write 0 g1 leader=a [a=]
         > unload
         2 NOT_COORDINATOR
         > written 0",
    );
    check(
        "> join new=a
         1 joined g1 range a leads [a]
         > leave a
         write 0 g2 leader=nobody []
         > unload
         2 NOT_COORDINATOR
         > written 0",
    );
}
