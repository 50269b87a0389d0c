//! What the operator is told of the shards: the machine as it was at the start, and their numbers.

use crate::config::BrokerConfig;
use crate::metadata::Image;
use crate::metrics::{Metric, ShardSnapshot};
use crate::model::report::{BrokerReport, PartitionReport, ShardReport};
use crate::runtime::Monotonic;
use crate::runtime::topology::{Device, Topology};

/// What stays the same while the broker runs.
pub struct ReportGround {
    broker_id: i32,
    shard_cpus: Vec<usize>,
    control_cpu: Option<usize>,
    disk_interrupt_cpu: Option<usize>,
    topology: Option<Topology>,
}

impl ReportGround {
    /// Looks at the machine; what it does not tell is left out.
    pub fn new(config: &BrokerConfig) -> ReportGround {
        ReportGround {
            broker_id: config.node_id.0,
            shard_cpus: config.shard_cpus.clone(),
            control_cpu: config.control_cpu,
            disk_interrupt_cpu: Device::of(&config.data_dir).ok().and_then(|it| it.interrupt_cpu),
            topology: Topology::read().ok(),
        }
    }
}

/// One report, from the numbers of the shards that answered.
pub fn report(
    ground: &ReportGround,
    now: Monotonic,
    image: &Image,
    shards: &[ShardSnapshot],
) -> BrokerReport {
    let topology = ground.topology.as_ref();
    BrokerReport {
        broker_id: ground.broker_id,
        version: env!("CARGO_PKG_VERSION").into(),
        clock_micros: now.0 / 1000,
        cpus: topology.map(|it| it.cpus.clone()).unwrap_or_default(),
        cpu_quota: topology.and_then(|it| it.quota_cpus),
        disk_interrupt_cpu: ground.disk_interrupt_cpu,
        control_cpu: ground.control_cpu,
        shard_count: ground.shard_cpus.len(),
        shards: shards.iter().filter_map(|shard| of_shard(ground, image, shard)).collect(),
    }
}

fn of_shard(ground: &ReportGround, image: &Image, shard: &ShardSnapshot) -> Option<ShardReport> {
    let cpu = *ground.shard_cpus.get(usize::from(shard.shard.0))?;
    let core = ground.topology.as_ref().and_then(|topology| topology.siblings.get(&cpu));
    let mut partitions: Vec<PartitionReport> = shard
        .logs
        .iter()
        // A topic that was deleted meanwhile has no name any more.
        .filter_map(|(log, size_bytes)| {
            let topic = image.topic(log.topic)?.name().to_owned();
            Some(PartitionReport { topic, partition: log.partition.0, size_bytes: *size_bytes })
        })
        .collect();
    partitions.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Some(ShardReport {
        shard: shard.shard.0,
        cpu,
        hyper_threads: core.cloned().unwrap_or_default(),
        cpu_micros: (shard.value(Metric::CpuSeconds) * 1e6) as u64,
        connections: shard.value(Metric::Connections) as u64,
        received_bytes: shard.value(Metric::ReceivedBytes) as u64,
        sent_bytes: shard.value(Metric::SentBytes) as u64,
        size_bytes: shard.value(Metric::LogBytes) as u64,
        partitions,
    })
}
