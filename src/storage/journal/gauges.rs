//! What a journal is doing at one moment, for the operator.

use crate::runtime::Engine;

/// The journal's queue, its fill and how it commits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JournalGauges {
    /// Bytes on disk that staged frames will take.
    pub staged_bytes: u64,
    /// Frames that are on their way to the disk.
    pub in_flight: usize,
    /// The part of all files that is taken, 0 to 1.
    pub used: f64,
    /// Memory of the frames' buffers, touched or not.
    pub buffer_bytes: usize,
    /// How commits of the current file become durable; none before the first, and in the simulator.
    pub engine: Option<Engine>,
}
