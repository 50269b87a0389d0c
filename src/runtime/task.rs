//! Where a task runs among the others of its thread.

/// A task queue of a shard. Tasks of one lane run first in, first out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Requests, commits, the mesh: what somebody waits for.
    Hot,
    /// Checkpoints, zeroing, cold reads: what can wait for a turn.
    Background,
}
