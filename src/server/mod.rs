//! The door for Kafka clients: listeners, connections, framing, and responses in request order.
//!
//! Every shard listens on every address (SO_REUSEPORT), so the kernel spreads connections over the
//! cores and any shard serves any client. Invariants: a connection reads no further while its
//! pipeline or its bytes in flight are full; a frame's length is checked before anything is
//! allocated for it. Deliberately absent: what requests mean.

mod connection;
mod decoder;
mod dispatch;
mod listener;
mod locality;
mod pipeline;
mod quota;
mod slow;

pub use listener::{Acceptor, serve};
pub use quota::{ConnectionQuota, QuotaLimits};
