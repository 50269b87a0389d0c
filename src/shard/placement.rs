//! The rule that says which shard owns a partition.
//!
//! A partition's record may name a shard (a balancer's word). Otherwise the topic's id gives a
//! starting shard and the partitions follow round robin: one topic's partitions differ by at most
//! one between shards, and the same directory with the same number of shards gives the same places
//! at every start. A named shard that this process does not have falls back to the rule.

use crate::model::{LogId, ShardId};

/// The shard that owns `log` among `shard_count` shards.
pub fn owner(log: LogId, named: Option<ShardId>, shard_count: u16) -> ShardId {
    debug_assert!(shard_count > 0, "a broker has a shard");
    if let Some(shard) = named
        && shard.0 < shard_count
    {
        return shard;
    }
    let count = u64::from(shard_count);
    let start = u64::from_be_bytes(log.topic.0[8..].try_into().expect("a half has eight bytes"));
    let place = (start % count + u64::from(log.partition.0.unsigned_abs()) % count) % count;
    ShardId(place as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionIndex, TopicId};

    fn log(topic: u64, partition: i32) -> LogId {
        LogId { topic: TopicId::from_random(topic, topic), partition: PartitionIndex(partition) }
    }

    #[test]
    fn partitions_of_a_topic_spread_evenly() {
        for shard_count in 1..=7u16 {
            let mut owned = vec![0; usize::from(shard_count)];
            for partition in 0..100 {
                owned[usize::from(owner(log(0xabcdef, partition), None, shard_count).0)] += 1;
            }
            let most = owned.iter().max().expect("there is a shard");
            let least = owned.iter().min().expect("there is a shard");
            assert!(most - least <= 1, "{owned:?}");
        }
    }

    #[test]
    fn single_partition_topics_spread_too() {
        let mut owned = [0; 4];
        for topic in 0..1000u64 {
            let topic = topic.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            owned[usize::from(owner(log(topic, 0), None, 4).0)] += 1;
        }
        assert!(owned.iter().all(|&count| count > 150), "{owned:?}");
    }

    #[test]
    fn a_named_shard_wins_where_it_exists() {
        assert_eq!(owner(log(7, 0), Some(ShardId(2)), 3), ShardId(2));
        assert_eq!(owner(log(7, 0), Some(ShardId(9)), 3), owner(log(7, 0), None, 3));
    }
}
