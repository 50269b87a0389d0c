//! What consumers cost and how long they wait, against a running broker of the Kafka protocol.
//!
//! Each mode prints its figure beside what is expected, and why:
//!
//! - `end-to-end`: from a record's intended send time to its consumer, durable, 1,000/s. Two one-way hops of
//!   35 µs asleep, the commit (110–200 µs), and the waking of the consumer's thread: p50 ≤ 350 µs, p99 ≤ 2 ms.
//! - `long-polls`: 1,000 consumers that wait 500 ms each, 2,000 fetches a second. A request of a sleeping
//!   client costs 6 µs and up, and timers are shared: ≤ 4 % of a core.
//! - `heartbeats`: 1,000 groups of 10 members, one every 3 s each, so 3,333/s: ≤ 3 % of a core.
//! - `rebalance`: 100 members join again because one more did; from the last join to the last assignment
//!   ≤ 200 ms.
//! - `commits`: offset commits over 64 connections, one in flight each; a commit of the disk carries those of
//!   all, so ≥ 10,000/s.
//!
//! ```text
//! cargo bench --bench groups -- MODE --bootstrap 127.0.0.1:9092 [--pid BROKER] [--seconds 10]
//!     [--consumers 1000] [--groups 1000] [--members 10] [--connections 64] [--rate 1000]
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "a load client runs on no shard and measures real time"
)]

#[path = "groups/client.rs"]
mod client;
#[path = "groups/latency.rs"]
mod latency;
#[path = "groups/members.rs"]
mod members;
#[path = "wire/mod.rs"]
mod wire;

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// What to run.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The broker's address.
    pub bootstrap: String,
    /// The broker's process, whose CPU time is counted.
    pub pid: Option<u32>,
    /// How long it is measured.
    pub seconds: u64,
    /// Consumers that poll.
    pub consumers: usize,
    /// Groups with heartbeats.
    pub groups: usize,
    /// Members of each group.
    pub members: usize,
    /// Connections that commit.
    pub connections: usize,
    /// Records a second.
    pub rate: f64,
}

fn main() -> Result<()> {
    let mut mode = None;
    let mut workload = Workload {
        bootstrap: "127.0.0.1:9092".into(),
        pid: None,
        seconds: 10,
        consumers: 1000,
        groups: 1000,
        members: 10,
        connections: 64,
        rate: 1000.0,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--bench" => continue,
            "--smoke" => return client::check_smoke(),
            _ if !name.starts_with("--") => {
                mode = Some(name);
                continue;
            }
            _ => {}
        }
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--bootstrap" => workload.bootstrap = value,
            "--pid" => workload.pid = Some(value.parse()?),
            "--seconds" => workload.seconds = value.parse()?,
            "--consumers" => workload.consumers = value.parse()?,
            "--groups" => workload.groups = value.parse()?,
            "--members" => workload.members = value.parse()?,
            "--connections" => workload.connections = value.parse()?,
            "--rate" => workload.rate = value.parse()?,
            _ => bail!("unknown option {name}"),
        }
    }
    match mode.as_deref() {
        Some("end-to-end") => latency::end_to_end(&workload),
        Some("commits") => latency::commits(&workload),
        Some("long-polls") => members::long_polls(&workload),
        Some("heartbeats") => members::heartbeats(&workload),
        Some("rebalance") => members::rebalance(&workload),
        _ => bail!("name a mode: end-to-end, long-polls, heartbeats, rebalance or commits"),
    }
}

/// CPU time of all threads of a process so far.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).context("reading the process")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split(' ').next().context("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
