//! A broker's process as the kernel sees it: memory, descriptors, threads.

use std::fs;

use crate::support::Broker;

/// The broker's resident memory in bytes.
pub fn resident_bytes(broker: &Broker) -> usize {
    status_bytes(broker, "VmRSS:")
}

/// The most that the broker's resident memory has ever been, in bytes.
pub fn peak_bytes(broker: &Broker) -> usize {
    status_bytes(broker, "VmHWM:")
}

fn status_bytes(broker: &Broker, field: &str) -> usize {
    let path = format!("/proc/{}/status", broker.pid());
    let status = fs::read_to_string(path).expect("the broker runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux tells it");
    let number = line.trim().trim_end_matches(" kB");
    number.parse::<usize>().expect("a number") * 1024
}

/// What descriptors it has opened, each as the kernel names it; sockets and the like without their number.
///
/// Pipes are left out: the broker opens none, and inherits as many as librdkafka's clients in the tests beside this
/// one have just made without closing them on exec.
pub fn descriptors(broker: &Broker) -> Vec<String> {
    let path = format!("/proc/{}/fd", broker.pid());
    let entries = fs::read_dir(path).expect("the broker runs").flatten();
    let mut names: Vec<String> = entries
        // One may be closed while we are looking.
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().split(":[").next().unwrap_or_default().to_owned())
        .filter(|name| name != "pipe")
        .collect();
    names.sort();
    names
}

/// How many threads it has.
pub fn thread_count(broker: &Broker) -> usize {
    fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("the broker runs").count()
}
