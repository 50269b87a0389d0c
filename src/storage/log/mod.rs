//! The log of one partition: chunks in memory, segments on disk, and the journal before both.

/// What a topic's configuration asks of a log.
pub mod config;
/// Bounded decoding of what this room stores.
pub mod decode;
/// What the journal's entries of a log carry.
pub mod entries;
/// The leader-epoch history.
pub mod epochs;
/// The header of a record batch.
pub mod head;
/// The sparse index of a segment.
pub mod index;
/// The idempotent producers of a partition.
pub mod producers;
/// The durable state of a log.
pub mod state;
/// The hot window of a segment.
pub mod window;

pub use config::LogConfig;
pub use producers::SequenceError;
pub use state::{LogState, SegmentState};
