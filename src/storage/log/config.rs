//! What a topic's configuration asks of a partition's log.

use std::time::Duration;

use crate::model::limits::SEGMENT_BYTES_MAX;

/// The settings of one log; names and defaults are Kafka's, except `flush.messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it would grow beyond this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is rolled when an append's timestamp is so far behind its first.
    pub segment_ms: i64,
    /// `flush.messages`: records between two forced durable commits; 1 makes every
    /// acknowledgement durable.
    pub flush_messages: u64,
    /// `flush.ms`: the longest that an accepted record stays without being made durable.
    pub flush_ms: u64,
    /// `producer.id.expiration.ms`: how long an idle producer is remembered.
    pub producer_expiration_ms: i64,
    /// `file.delete.delay.ms`: how long the file of a segment stays that is below the log's start.
    pub file_delete_delay: Duration,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            flush_messages: 1,
            flush_ms: u64::MAX,
            producer_expiration_ms: 86_400_000,
            file_delete_delay: Duration::from_secs(60),
        }
    }
}

impl LogConfig {
    /// Whether an append is acknowledged only when it is on disk.
    pub fn is_durable(&self) -> bool {
        self.flush_messages <= 1 || self.flush_ms == 0
    }

    /// The largest segment, never above Kafka's own cap.
    pub fn segment_bytes_max(&self) -> u32 {
        self.segment_bytes.min(SEGMENT_BYTES_MAX as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_durable_unless_both_settings_relax_it() {
        let check = |flush_messages, flush_ms, durable| {
            let config = LogConfig { flush_messages, flush_ms, ..LogConfig::default() };
            assert_eq!(config.is_durable(), durable, "{flush_messages} {flush_ms}");
        };
        check(1, u64::MAX, true);
        check(0, u64::MAX, true);
        check(2, u64::MAX, false);
        check(u64::MAX, 1000, false);
        check(u64::MAX, 0, true);
    }
}
