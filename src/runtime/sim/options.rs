//! How a simulated machine behaves when no fault is injected.

use std::ops::Range;

use crate::model::units::{GIB, MIB};

/// Everything that a world is told at its start, beside its seed.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The disk of each host.
    pub disk: DiskOptions,
    /// The network between all hosts.
    pub net: NetOptions,
    /// What one turn of a task costs, in nanoseconds.
    pub poll_ns: u64,
    /// The cap of each executor's chunk memory.
    pub arena_bytes: usize,
    /// Keeps the trace as text, too.
    pub readable_trace: bool,
    /// Prints the trace while it grows.
    pub print_trace: bool,
    /// Unix time at the start, in milliseconds.
    pub wall_clock_ms: i64,
}

/// A disk's time and space.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// The time of one read or write, in nanoseconds; an empty range completes it at once.
    pub operation_ns: Range<u64>,
    /// The time of a sync on top of it, in nanoseconds.
    pub sync_ns: Range<u64>,
    /// Bytes that the disk holds.
    pub capacity: u64,
    /// The share of issued writes that the kernel hands to a worker thread.
    pub punted: f64,
}

/// The network's time and space.
#[derive(Clone, Debug)]
pub struct NetOptions {
    /// The time of one way, in nanoseconds.
    pub delay_ns: Range<u64>,
    /// Bytes under way in one direction of a connection before its sender waits.
    pub window: usize,
    /// The most that one receive gives.
    pub receive_bytes_max: usize,
    /// The share of receives that give fewer bytes than came.
    pub small_reads: f64,
}

impl SimOptions {
    /// A machine on which every disk operation completes at once: for checking many crash images.
    pub fn instant() -> Self {
        let disk = DiskOptions { operation_ns: 0..0, sync_ns: 0..0, ..DiskOptions::default() };
        SimOptions { disk, ..SimOptions::default() }
    }
}

impl Default for SimOptions {
    fn default() -> Self {
        SimOptions {
            disk: DiskOptions::default(),
            net: NetOptions::default(),
            poll_ns: 200,
            arena_bytes: 64 * MIB,
            readable_trace: false,
            print_trace: false,
            wall_clock_ms: 1_790_000_000_000,
        }
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        DiskOptions {
            operation_ns: 20_000..150_000,
            sync_ns: 40_000..300_000,
            capacity: 16 * GIB as u64,
            punted: 0.05,
        }
    }
}

impl Default for NetOptions {
    fn default() -> Self {
        NetOptions {
            delay_ns: 10_000..100_000,
            window: 256 * 1024,
            receive_bytes_max: 8 * 1024,
            small_reads: 0.1,
        }
    }
}
