//! `shards`: which shard runs on which core, what it owns and how busy it is. Klamm's own tool.

use std::fmt::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::ShardsArguments;
use super::tool::{block_on, print};
use crate::client::{Address, AdminHttpError, ClientError, shard_report};
use crate::config::cpu_list;
use crate::model::report::{BrokerReport, ShardReport};

/// How long the load is observed.
const OBSERVED: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum ShardsError {
    #[error(transparent)]
    Address(#[from] ClientError),
    #[error(transparent)]
    Answer(#[from] AdminHttpError),
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

/// Runs the tool.
pub fn shards(arguments: &ShardsArguments) -> ExitCode {
    let described = begin(arguments);
    match described {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("klamm shards: {error}");
            ExitCode::FAILURE
        }
    }
}

fn begin(arguments: &ShardsArguments) -> Result<String, ShardsError> {
    let address = Address::parse(&arguments.admin_server)?;
    let (before, after) = block_on(async {
        let before = shard_report(&address).await?;
        tokio::time::sleep(OBSERVED).await;
        Ok::<_, ShardsError>((before, shard_report(&address).await?))
    })??;
    let mut text = String::new();
    describe(&mut text, &before, &after).expect("writing to a string does not fail");
    Ok(text)
}

/// One line for the broker, one for each shard, and below it one for each of its partitions.
fn describe(text: &mut String, before: &BrokerReport, after: &BrokerReport) -> fmt::Result {
    let quota = after.cpu_quota.map_or("none".into(), |cpus| cpus.to_string());
    let or_none = |cpu: Option<usize>| cpu.map_or("none".into(), |cpu| cpu.to_string());
    writeln!(
        text,
        "Broker: {}\tShards: {}\tCpus: {}\tCpuQuota: {quota}\tControlCpu: {}\tDiskInterruptCpu: {}",
        after.broker_id,
        after.shard_count,
        cpu_list::text(&after.cpus),
        or_none(after.control_cpu),
        or_none(after.disk_interrupt_cpu),
    )?;
    let elapsed = after.clock_micros.saturating_sub(before.clock_micros).max(1) as f64;
    for shard in &after.shards {
        // One that did not answer before has no load that could be told.
        let earlier = before.shards.iter().find(|one| one.shard == shard.shard).unwrap_or(shard);
        let per_second = |field: fn(&ShardReport) -> u64| {
            field(shard).saturating_sub(field(earlier)) as f64 * 1e6 / elapsed
        };
        let threads = match shard.hyper_threads.as_slice() {
            [] => String::new(),
            threads => format!(" (hyper-threads {})", cpu_list::text(threads)),
        };
        writeln!(
            text,
            "Shard: {}\tCpu: {}{threads}\tPartitions: {}\tSize: {}\tLoad: {:.1}%\tConnections: {}\tIn: {:.0} B/s\tOut: {:.0} B/s",
            shard.shard,
            shard.cpu,
            shard.partitions.len(),
            shard.size_bytes,
            per_second(|shard| shard.cpu_micros) / 1e4,
            shard.connections,
            per_second(|shard| shard.received_bytes),
            per_second(|shard| shard.sent_bytes),
        )?;
        for partition in &shard.partitions {
            writeln!(
                text,
                "\tTopic: {}\tPartition: {}\tShard: {}\tSize: {}",
                partition.topic, partition.partition, shard.shard, partition.size_bytes
            )?;
        }
    }
    for silent in (0..after.shard_count)
        .filter(|shard| after.shards.iter().all(|one| usize::from(one.shard) != *shard))
    {
        writeln!(text, "Shard: {silent}\tdid not answer: look for a stall in the broker's log")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::PartitionReport;

    #[test]
    fn loads_are_differences_and_silence_is_told() {
        let partition = PartitionReport { topic: "t".into(), partition: 3, size_bytes: 70 };
        let shard = |cpu_micros, received_bytes| ShardReport {
            shard: 0,
            cpu: 4,
            hyper_threads: vec![4, 12],
            cpu_micros,
            connections: 2,
            received_bytes,
            sent_bytes: 0,
            size_bytes: 70,
            partitions: vec![partition.clone()],
        };
        let report = |clock_micros, shard| BrokerReport {
            broker_id: 1,
            version: "0".into(),
            clock_micros,
            cpus: vec![4, 5, 6, 12],
            cpu_quota: Some(1.5),
            disk_interrupt_cpu: None,
            control_cpu: Some(5),
            shard_count: 2,
            shards: vec![shard],
        };
        let mut text = String::new();
        let (before, after) = (report(0, shard(0, 100)), report(2_000_000, shard(500_000, 1_100)));
        describe(&mut text, &before, &after).unwrap();
        assert_eq!(
            text,
            "Broker: 1\tShards: 2\tCpus: 4-6,12\tCpuQuota: 1.5\tControlCpu: 5\tDiskInterruptCpu: none\n\
             Shard: 0\tCpu: 4 (hyper-threads 4,12)\tPartitions: 1\tSize: 70\tLoad: 25.0%\tConnections: 2\tIn: 500 B/s\tOut: 0 B/s\n\
             \tTopic: t\tPartition: 3\tShard: 0\tSize: 70\n\
             Shard: 1\tdid not answer: look for a stall in the broker's log\n"
        );
    }
}
