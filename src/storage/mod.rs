//! What is durable: the journal, the partition logs behind it, checkpoints and recovery.
//!
//! Every change of a log is first an entry of its slot's journal; segments are written behind it,
//! large batches beside it with an entry that is held until they are durable, and a checkpoint says
//! from where a replay has to start. One superblock names the *start epoch*: journals and checkpoints
//! of any other epoch are dead bytes. Deliberately absent: replication, requests, and any knowledge of
//! which shard runs where.

/// The states from which a replay starts.
pub mod checkpoint;
/// The layout of a data directory, its lock and its `meta.properties`.
pub mod directory;
/// The write-ahead log of one slot of a data directory.
pub mod journal;
/// What earlier processes were still removing.
pub mod leftovers;
/// The log of one partition.
pub mod log;
/// Partitions that the metadata does not know and that nobody has deleted.
pub mod lost;
/// From what the last process left to logs that can be opened.
pub mod recovery;
/// Space for a start on a full disk.
pub mod reserve;
/// Removing large files without a stall of the disk.
mod slow_removal;
/// The logs of one slot.
pub mod store;
/// The two copies of the record that names the current start epoch.
pub mod superblock;

pub use leftovers::Leftovers;
pub use log::{
    AppendMode, Appended, BatchRefused, Expired, FileRange, Log, LogAppendError, LogConfig,
    LogReadError, LogStartError, LogState, ReadBytes, ReadPart, RetentionTerms, SequenceError,
    StorageFailed, Ticket, TimedOffset,
};
pub use recovery::{RecoverError, RecoverOptions, Recovered, has_served, recover};
pub use store::{Store, StoreError, StoreGauges, StoreOptions, StoreStats};

#[cfg(test)]
mod crash_tests;
