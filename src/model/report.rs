//! What a running broker tells an operator of its shards, as the admin listener's JSON says it.

use serde::{Deserialize, Serialize};

/// The broker, with all of its shards that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrokerReport {
    /// `node.id`.
    pub broker_id: i32,
    /// The broker's version.
    pub version: String,
    /// The monotonic clock of the broker in microseconds: two reports are that far apart.
    pub clock_micros: u64,
    /// The CPUs that the process may use.
    pub cpus: Vec<usize>,
    /// The CPUs' worth of time that its control group grants; none if unlimited.
    pub cpu_quota: Option<f64>,
    /// The CPU that handles the interrupts of the data directory's disk, if it can be told.
    pub disk_interrupt_cpu: Option<usize>,
    /// The CPU of the control thread, if it is pinned.
    pub control_cpu: Option<usize>,
    /// How many shards there are.
    pub shard_count: usize,
    /// Those that answered.
    pub shards: Vec<ShardReport>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardReport {
    /// Its number.
    pub shard: u16,
    /// The CPU that it is pinned to.
    pub cpu: usize,
    /// All CPUs of that core, if it has several hyper-threads.
    pub hyper_threads: Vec<usize>,
    /// CPU time of its thread, in microseconds.
    pub cpu_micros: u64,
    /// Open connections.
    pub connections: u64,
    /// Bytes from clients of its connections.
    pub received_bytes: u64,
    /// Bytes to clients of its connections.
    pub sent_bytes: u64,
    /// Bytes of its partitions' logs.
    pub size_bytes: u64,
    /// Its partitions, by topic and number.
    pub partitions: Vec<PartitionReport>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// Bytes of its log.
    pub size_bytes: u64,
}
