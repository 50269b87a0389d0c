//! One shard's numbers at one moment, as a plain value that may leave the shard's thread.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use crate::model::{ErrorCode, ShardId};

/// An API key and the error of its answer.
pub(super) type RequestKind = (i16, ErrorCode);

/// What only ever rises while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// From clients, framing included.
    pub received_bytes: u64,
    /// To clients, framing included.
    pub sent_bytes: u64,
    /// Batches that the shard's partitions took.
    pub appended_batches: u64,
    /// The bytes of those batches.
    pub appended_bytes: u64,
    /// Bytes of batches read for fetches.
    pub fetched_bytes: u64,
    /// Connections that came, or moved here.
    pub connections_opened: u64,
    /// Connections that ended, or moved away.
    pub connections_closed: u64,
}

/// What the shard reads off itself when it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// The partitions that it owns.
    pub partitions: u64,
    /// Bytes of memory by purpose, such as `chunks` and `journal`.
    pub memory_bytes: Vec<(&'static str, u64)>,
}

/// One shard's numbers.
#[derive(Clone, Debug)]
pub struct ShardSnapshot {
    /// Whose they are.
    pub shard: ShardId,
    /// Since the process began.
    pub counters: Counters,
    /// At the moment of the snapshot.
    pub gauges: Gauges,
    pub(super) requests: BTreeMap<RequestKind, u64>,
    pub(super) request_micros: BTreeMap<i16, Histogram>,
    pub(super) commit_micros: Histogram,
    pub(super) commit_bytes: Histogram,
}
