//! The control thread's room: commands become records that a quorum makes durable.
//!
//! A single broker is a quorum of one and runs the same code as a cluster. Invariants:
//! - a reply leaves only after its records, and all that were decided before it, are durable and
//!   replayed; a failed journal answers nothing more with success;
//! - commands are decided one after the other, each on the image that its predecessors leave;
//! - nothing is written and no timer runs while nothing changes: a lone voter has nobody to hear
//!   from, so it needs no ticks.
//!
//! Deliberately absent: what a command means (`metadata/`), and the shards, which only get records.

mod actor;
mod checkpoint;
mod log_store;
mod raft_codec;

/// Raft without a clock, a disk or a network: what a cluster and its simulation drive.
pub mod quorum;
/// The log that it reads.
pub mod quorum_log;

pub use actor::{Controller, ControllerError, ControllerFailed, ControllerOptions};
pub use log_store::{EntryError, LogStoreError};
