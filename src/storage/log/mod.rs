//! The log of one partition: chunks in memory, segments on disk, and the journal before both.
//!
//! Invariants:
//! - every change is an entry of the slot's journal before anything else sees it; of a large batch the entry has
//!   the ends only, and is held until the rest is durable in the segment;
//! - a record becomes readable, and its append is acknowledged, only when it is as durable as the
//!   topic promises, and what is readable never moves back;
//! - what is in memory follows what is in the file without a gap, and the file holds whole blocks
//!   until it is cut to its exact length;
//! - a block that holds acknowledged bytes is written again only after those bytes are durable in
//!   the journal or in a checkpoint.
//!
//! Deliberately absent: who leads, replication, when retention looks, and opening batches (except to find a
//! timestamp).

/// Walking a segment from batch to batch.
pub mod batch_walk;
/// Bytes of a segment on their way to its file.
pub mod blocks;
/// Large batches that go past the journal.
pub mod bypass;
/// What a topic's configuration asks of a log.
pub mod config;
/// Bounded decoding of what this room stores.
pub mod decode;
/// The directories of a log.
pub mod directories;
/// What all logs of one store share.
pub mod engine;
/// What the journal's entries of a log carry.
pub mod entries;
/// The leader-epoch history.
pub mod epochs;
/// Why a log refuses.
pub mod failure;
/// Idempotent producers at a log: judged, remembered, forgotten.
pub mod idempotence;
/// The sparse index of a segment.
pub mod index;
/// The segment files that are open.
pub mod open_segments;
/// The log itself.
pub mod partition_log;
/// The idempotent producers of a partition.
pub mod producers;
/// Reading.
pub mod read;
/// Recovery's look at batches that went past the journal and may not have arrived.
pub mod read_back;
/// Files of segments that are on their way out.
pub mod removals;
/// Recovery of logs from states and entries.
pub mod replay;
/// A segment in memory.
pub mod segment;
/// Segments that are cached or indexed, in order.
pub mod segment_queue;
/// The start of a log, and what goes with it.
pub mod start;
/// The durable state of a log.
pub mod state;
/// The last partial block of a cut file.
pub mod tail;
/// Finding an offset by time.
pub mod timestamps;
/// The hot window of a segment.
pub mod window;

pub use config::LogConfig;
pub use failure::{
    BatchRefused, LogAppendError, LogReadError, LogStartError, SegmentDamaged, StorageFailed,
};
pub use partition_log::{AppendMode, Appended, Log, Ticket};
pub use producers::SequenceError;
pub use read::{FileRange, ReadBytes, ReadPart};
pub use replay::ReplayReport;
pub use start::{Expired, RetentionTerms};
pub use state::{LogState, SegmentState};
pub use timestamps::TimedOffset;
