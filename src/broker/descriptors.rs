//! What the limit of open files is divided into: connections, and what the log needs beside them.

use tracing::{info, warn};

use crate::config::BrokerConfig;
use crate::model::limits::{
    ACCEPTS_IN_FLIGHT_MAX, DESCRIPTORS_KEPT, DESCRIPTORS_PER_SHARD_FIXED,
    DESCRIPTORS_PER_SHARD_KEPT, OPEN_SEGMENTS_MAX, OPEN_SEGMENTS_MIN,
};

/// Fewer connections than these are worth a warning, unless they are configured.
const CONNECTIONS_FEW: usize = 1024;

/// How many descriptors go where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Connections of the process.
    pub connections_max: usize,
    /// Segment files that a shard holds open, and as many again that it is writing.
    pub open_segments_max: usize,
}

impl Descriptors {
    /// Gives connections as many as are configured, and never so many that descriptors are missing for
    /// the log; where few are allowed, each gets a half.
    pub fn divide(config: &BrokerConfig, open_files: usize) -> Descriptors {
        let (shards, configured) = (config.shard_cpus.len(), config.connections_max as usize);
        Descriptors::of(open_files, shards, config.listeners.len(), configured)
    }

    fn of(open_files: usize, shards: usize, listeners: usize, configured: usize) -> Descriptors {
        // A connection that is one too many has its descriptor until somebody has looked at it.
        let accepting = ACCEPTS_IN_FLIGHT_MAX * listeners;
        let wanted = DESCRIPTORS_KEPT + shards * (DESCRIPTORS_PER_SHARD_KEPT + accepting);
        let kept = wanted.min(open_files / 2);
        let of_shard = kept.saturating_sub(DESCRIPTORS_KEPT.min(kept / 4)) / shards.max(1);
        let of_segments = of_shard.saturating_sub(DESCRIPTORS_PER_SHARD_FIXED.min(of_shard / 3));
        let segments = of_segments.saturating_sub(accepting) / 2;
        Descriptors {
            connections_max: (open_files - kept).min(configured),
            open_segments_max: segments.clamp(OPEN_SEGMENTS_MIN, OPEN_SEGMENTS_MAX),
        }
    }

    /// Tells the operator.
    pub fn say(&self, config: &BrokerConfig, open_files: usize) {
        let connections = self.connections_max;
        if connections < CONNECTIONS_FEW.min(config.connections_max as usize) {
            warn!(
                "{open_files} open files leave room for {connections} connections: raise the limit (ulimit -n, LimitNOFILE) to take more"
            );
        } else {
            info!("{open_files} open files, {connections} of them for connections");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_log_what_it_needs() {
        for (open_files, shards, connections_max, open_segments_max) in [
            (1 << 20, 2, 60_000, OPEN_SEGMENTS_MAX),
            (65_536, 8, 56_000, OPEN_SEGMENTS_MAX),
            (4_096, 2, 2_048, 380),
            (1_024, 2, 512, 60),
            (256, 2, 128, OPEN_SEGMENTS_MIN),
        ] {
            let found = Descriptors::of(open_files, shards, 1, 60_000);
            let expected = Descriptors { connections_max, open_segments_max };
            assert_eq!(found, expected, "{open_files} for {shards} shards");
            // Segments that are open, those being written, what is accepted, and the rest.
            let used = connections_max + shards * (2 * open_segments_max + ACCEPTS_IN_FLIGHT_MAX);
            assert!(used < open_files, "{used} of {open_files}");
        }
    }
}
