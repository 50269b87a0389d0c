//! What a topic's configuration asks of a partition's log.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::model::limits::SEGMENT_BYTES_MAX;
use crate::model::{LogId, Offset};

/// The settings of one log; names and defaults are Kafka's, except `flush.messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it would grow beyond this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is rolled when an append's timestamp is so far behind its first.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: each segment is rolled earlier by up to this, each by another time.
    pub segment_jitter_ms: i64,
    /// `flush.messages`: records between two forced durable commits; 1 makes every
    /// acknowledgement durable.
    pub flush_messages: u64,
    /// `flush.ms`: the longest that an accepted record stays without being made durable.
    pub flush_ms: u64,
    /// `producer.id.expiration.ms`: how long an idle producer is remembered.
    pub producer_expiration_ms: i64,
    /// `max.decompressed.message.bytes`: the largest compressed record that a look-up by time opens.
    pub decompressed_record_bytes_max: u32,
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
            decompressed_record_bytes_max: i32::MAX as u32 - 8,
        }
    }
}

impl LogConfig {
    /// Whether an append is acknowledged only when it is on disk.
    pub fn is_durable(&self) -> bool {
        self.flush_messages <= 1 || self.flush_ms == 0
    }

    /// `segment.ms` of the segment at `base`, less its part of `segment.jitter.ms`, which Kafka
    /// draws by chance; here a start does not change it.
    pub fn segment_ms_of(&self, log: LogId, base: Offset) -> i64 {
        let jitter_ms = self.segment_jitter_ms.min(self.segment_ms);
        if jitter_ms <= 0 {
            return self.segment_ms;
        }
        self.segment_ms - (FxBuildHasher.hash_one((log, base)) % jitter_ms as u64) as i64
    }

    /// The largest segment, never above Kafka's own cap.
    pub fn segment_bytes_max(&self) -> u32 {
        self.segment_bytes.min(SEGMENT_BYTES_MAX as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    #[test]
    fn segments_roll_at_different_times_where_jitter_is_asked_for() {
        let times = |segment_ms, segment_jitter_ms| {
            let config = LogConfig { segment_ms, segment_jitter_ms, ..LogConfig::default() };
            let of = |partition: i32, base| {
                let log = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(partition) };
                config.segment_ms_of(log, Offset(base))
            };
            let segments = (0..100).flat_map(|partition| [of(partition, 0), of(partition, 1000)]);
            segments.collect::<BTreeSet<i64>>()
        };
        assert_eq!(times(600_000, 0), BTreeSet::from([600_000]));
        let spread = times(600_000, 60_000);
        assert!(spread.len() > 150, "{spread:?}");
        assert!(spread.iter().all(|ms| (540_001..=600_000).contains(ms)), "{spread:?}");
        let (least, most) = (spread.first(), spread.last());
        assert!(least < Some(&550_000) && most > Some(&590_000), "{spread:?}");
        assert!(times(100, i64::MAX).iter().all(|ms| (1..=100).contains(ms)));
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
