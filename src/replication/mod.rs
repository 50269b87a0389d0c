//! The in-sync-replica protocol: what a partition's leader promises and followers keep.
//!
//! Today every partition has one replica, its leader, so the high watermark is the end of what is
//! as durable as the topic promises. Deliberately absent until there are several brokers: followers,
//! their fetches and the shrinking and growing of the in-sync set.

mod leader;
mod trimming;

pub use leader::{AppendError, Leader, PendingAppend, ReadError};
pub use trimming::{DeletionError, OFFSET_HIGH_WATERMARK};
