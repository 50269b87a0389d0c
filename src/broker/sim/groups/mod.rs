//! Consumer groups in the simulated broker: members, an operator, and what groups were promised.
//!
//! Members speak the classic group protocol as Kafka's consumers do, eager and cooperative, dynamic and
//! static; they stand still beyond their session, leave, crash, come back and lose connections.
//! Invariants, at every answer: a committed offset is the last one that may be, and none is lost; a
//! partition of a generation has one owner; nobody of an old generation and no fenced instance commits;
//! who keeps its session stays a member; what is read is what the partitions' model says. Once nothing
//! disturbs them, all groups come to a generation that has all partitions, and read them to their end.
//! Deliberately absent: the newer consumer protocol, transactions.

mod assignor;
mod member;
mod membership;
/// What groups were promised and have seen.
pub mod model;
mod offsets;
mod operator;
mod plan;
mod reading;
/// One partition's committed offset and all that it may be.
mod register;
mod trouble;
mod verify;

pub use member::Member;
pub use operator::Operator;
pub use plan::{GROUPS, MEMBERS};
pub use verify::{greet, verify};
