//! What a topic's configuration asks of a partition's log.

use std::time::Duration;

use crate::model::limits::SEGMENT_BYTES_MAX;
use crate::model::topic_config::is_durable;

/// The settings of one log; names and defaults are Kafka's, except `flush.messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it would grow beyond this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is rolled when an append's timestamp is so far behind its first.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: by up to so much earlier, so that partitions that began together do not roll together.
    pub segment_jitter_ms: i64,
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
            segment_jitter_ms: 0,
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
        is_durable(self.flush_messages, self.flush_ms)
    }

    /// How long after its first record a segment is rolled, in milliseconds; `random` chooses the jitter.
    pub fn roll_after_ms(&self, random: impl FnOnce() -> u64) -> i64 {
        let jitter_ms_max = self.segment_jitter_ms.min(self.segment_ms);
        if jitter_ms_max <= 0 {
            return self.segment_ms;
        }
        self.segment_ms - (random() % jitter_ms_max as u64) as i64
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
    fn a_segment_rolls_earlier_by_less_than_the_jitter() {
        let check = |segment_ms, segment_jitter_ms, random, after_ms| {
            let config = LogConfig { segment_ms, segment_jitter_ms, ..LogConfig::default() };
            assert_eq!(
                config.roll_after_ms(|| random),
                after_ms,
                "{segment_ms} {segment_jitter_ms}"
            );
        };
        check(1000, 0, 77, 1000);
        check(1000, 100, 0, 1000);
        check(1000, 100, 299, 901);
        // As Kafka has it, the jitter is never above segment.ms.
        check(50, 100, 99, 1);
        check(0, 100, 99, 0);
    }

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
