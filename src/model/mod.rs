//! The words of the house: ids, offsets, epochs, units, limits and Kafka's error codes.
//!
//! Everything above imports this room and it imports nothing. One word has one meaning, and it is
//! Kafka's. Deliberately absent: behaviour, I/O, anything that could fail except parsing.

pub mod config_key;
pub mod errors;
pub mod ids;
pub mod limits;
pub mod report;
pub mod topic_config;
pub mod units;

pub use errors::ErrorCode;
pub use ids::{
    BrokerId, LeaderEpoch, LogId, Offset, OwnerEpoch, PartitionIndex, ProducerEpoch, ProducerId,
    ShardId, TopicId,
};
