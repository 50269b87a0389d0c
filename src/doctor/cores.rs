//! The CPUs: which may be used, how much of them, who shares a core, and where the disk interrupts.

use std::fs;

use super::disk::device_of_data;
use super::finding::Finding;
use crate::config::{BrokerConfig, cpu_list};
use crate::runtime::topology::Topology;

/// Everything about the CPUs.
pub fn examine(config: &BrokerConfig) -> Vec<Finding> {
    let topology = match Topology::read() {
        Ok(topology) => topology,
        Err(error) => {
            let found = format!("the kernel does not tell them: {error}");
            return vec![Finding::note("CPUs", found, "mount /proc and /sys")];
        }
    };
    let shards = &config.shard_cpus;
    let mut findings = vec![judge_quota(&topology, shards.len()), judge_sharing(&topology, shards)];
    let device = device_of_data(config);
    findings.push(judge_interrupts(device.and_then(|device| device.interrupt_cpu), config));
    findings.push(clock());
    findings
}

fn judge_quota(topology: &Topology, shards: usize) -> Finding {
    const SUBJECT: &str = "CPUs";
    let cpus = cpu_list::text(&topology.cpus);
    match topology.quota_cpus {
        None => Finding::fine(SUBJECT, format!("{cpus} may be used, without a quota")),
        Some(quota) => {
            let found = format!("{cpus} may be used, {quota} CPUs' worth of time by quota");
            if quota >= shards as f64 {
                return Finding::fine(SUBJECT, found);
            }
            Finding::note(
                SUBJECT,
                format!("{found}, for {shards} shards"),
                "when a quota is used up all shards stand still for up to 100 ms: raise it (Kubernetes: \
                 limits.cpu; systemd: CPUQuota), set num.shards lower, or give whole CPUs (cpuset)",
            )
        }
    }
}

fn judge_sharing(topology: &Topology, shards: &[usize]) -> Finding {
    const SUBJECT: &str = "shards";
    let found = format!("{} on the CPUs {}", shards.len(), cpu_list::text(shards));
    let mut sorted = shards.to_vec();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Finding::note(
            SUBJECT,
            format!("{found}, several of them on CPU {}", twice[0]),
            "set num.shards to the number of CPUs, or name more in shard.cpus",
        );
    }
    let shared = shards.iter().find_map(|cpu| {
        let core = topology.siblings.get(cpu)?;
        core.iter().any(|other| other != cpu && shards.contains(other)).then_some(core)
    });
    match shared {
        Some(core) => Finding::note(
            SUBJECT,
            format!(
                "{found}, two of them on the hyper-threads {} of one core",
                cpu_list::text(core)
            ),
            "for the lowest latency give each shard a core: num.shards as many as cores, or shard.cpus \
             with one hyper-thread of each",
        ),
        None => Finding::fine(SUBJECT, format!("{found}, each with a core of its own")),
    }
}

fn judge_interrupts(interrupts: Option<usize>, config: &BrokerConfig) -> Finding {
    const SUBJECT: &str = "disk interrupts";
    match interrupts {
        None => Finding::fine(SUBJECT, "it cannot be told on which CPU"),
        Some(cpu) if config.shard_cpus.contains(&cpu) && config.shard_cpus.len() > 1 => {
            Finding::fine(
                SUBJECT,
                format!(
                    "on CPU {cpu}, which a shard has too: that is fine, unless something else computes there"
                ),
            )
        }
        Some(cpu) => Finding::fine(SUBJECT, format!("on CPU {cpu}")),
    }
}

/// A clock that is read in the kernel costs a microsecond each time.
fn clock() -> Finding {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    judge_clock(fs::read_to_string(path).unwrap_or_default().trim())
}

fn judge_clock(source: &str) -> Finding {
    const SUBJECT: &str = "clock";
    match source {
        "" => Finding::fine(SUBJECT, "its source cannot be told"),
        "tsc" | "kvm-clock" | "arch_sys_counter" | "hyperv_clocksource_tsc_page" => {
            Finding::fine(SUBJECT, source)
        }
        other => Finding::note(
            SUBJECT,
            format!("{other}: each reading is a system call"),
            "if the hardware's is reliable: echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn cores_are_judged() {
        let core = vec![0, 2];
        let topology = |quota_cpus| Topology {
            cpus: vec![0, 1, 2],
            siblings: BTreeMap::from([(0, core.clone()), (2, core.clone())]),
            quota_cpus,
            memory_bytes: 0,
        };
        for (quota, shards, verdict) in
            [(None, 3, Verdict::Fine), (Some(2.0), 2, Verdict::Fine), (Some(1.5), 2, Verdict::Note)]
        {
            assert_eq!(judge_quota(&topology(quota), shards).verdict, verdict, "{quota:?}");
        }
        for (shards, verdict) in [
            (&[0, 1][..], Verdict::Fine),
            (&[1, 2], Verdict::Fine),
            (&[0, 1, 2], Verdict::Note),
            (&[1, 0, 1], Verdict::Note),
        ] {
            assert_eq!(judge_sharing(&topology(None), shards).verdict, verdict, "{shards:?}");
        }
        for (source, verdict) in
            [("tsc", Verdict::Fine), ("hpet", Verdict::Note), ("", Verdict::Fine)]
        {
            assert_eq!(judge_clock(source).verdict, verdict, "{source}");
        }
    }
}
