//! What the server, the tool and the machine used in the measured window, from `/proc` and control groups.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Nanos};

/// `sysconf(_SC_CLK_TCK)`, which Linux has fixed for all that read `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;
/// The unit of `/proc/diskstats`.
const SECTOR_BYTES: u64 = 512;

/// Whose use is counted.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Processes of the server.
    pub pids: Vec<u32>,
    /// Its control group.
    pub cgroup: Option<PathBuf>,
    /// A thread of this process that is the server.
    pub thread: Option<i32>,
}

/// Counters at one time.
#[derive(Clone, Debug, Default)]
struct Counters {
    cpu_seconds: f64,
    switches_voluntary: u64,
    switches_forced: u64,
    written_bytes: u64,
    read_bytes: u64,
    rss_anon_bytes: u64,
    rss_file_bytes: u64,
    rss_shmem_bytes: u64,
}

/// What one party used in a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_seconds: f64,
    /// CPU seconds over the window's: 1 is one core.
    pub cores: f64,
    /// Threads that waited of their own will.
    pub context_switches_voluntary: u64,
    /// Threads that were made to wait.
    pub context_switches_forced: u64,
    /// Bytes given to the block layer or made dirty.
    pub written_bytes: u64,
    /// Bytes fetched from the block layer.
    pub read_bytes: u64,
    /// Anonymous memory, the largest of the samples in the window.
    pub rss_anon_bytes: u64,
    /// Pages of files that are mapped, or of a control group cached.
    pub rss_file_bytes: u64,
    /// Shared memory, memfds among it.
    pub rss_shmem_bytes: u64,
}

/// What the whole machine did in a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// CPU seconds of everything, kernel workers included.
    pub busy_seconds: f64,
    /// CPU seconds that a hypervisor took away.
    pub stolen_seconds: f64,
    /// Bytes written to all disks.
    pub disk_written_bytes: u64,
}

/// All uses of a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Uses {
    /// The server's, where it was named.
    pub server: Option<Usage>,
    /// Why there is none although it was.
    pub server_error: Option<String>,
    /// This tool's.
    pub tool: Usage,
    /// Everybody's.
    pub machine: Machine,
}

/// Looks at the counters at the window's begin, in it and at its end.
pub struct Accountant {
    accounts: Accounts,
    began: Option<(Nanos, Sample)>,
    largest: Counters,
}

struct Sample {
    server: Result<Option<Counters>>,
    tool: Counters,
    machine: Machine,
}

impl Accountant {
    /// Counts nothing yet.
    pub fn new(accounts: Accounts) -> Accountant {
        Accountant { accounts, began: None, largest: Counters::default() }
    }

    /// The window begins.
    pub fn begin(&mut self, clock: Clock) {
        let sample = self.sample();
        self.began = Some((clock.now(), sample));
    }

    /// True before the window's begin.
    pub fn is_waiting(&self) -> bool {
        self.began.is_none()
    }

    /// A look at the memory in between.
    pub fn look(&mut self) {
        if let Ok(Some(now)) = self.accounts.counters() {
            self.note_largest(&now);
        }
    }

    fn note_largest(&mut self, now: &Counters) {
        let largest = &mut self.largest;
        largest.rss_anon_bytes = largest.rss_anon_bytes.max(now.rss_anon_bytes);
        largest.rss_file_bytes = largest.rss_file_bytes.max(now.rss_file_bytes);
        largest.rss_shmem_bytes = largest.rss_shmem_bytes.max(now.rss_shmem_bytes);
    }

    /// The window ends.
    pub fn end(&mut self, clock: Clock) -> Uses {
        let after = self.sample();
        let now = clock.now();
        let Some((began, before)) = self.began.take() else { return Uses::default() };
        let seconds = (now - began) as f64 / 1e9;
        let (server, server_error) = match (before.server, after.server) {
            (Ok(Some(before)), Ok(Some(after))) => {
                self.note_largest(&after);
                (Some(usage(&before, &after, &self.largest, seconds)), None)
            }
            (Err(error), _) | (_, Err(error)) => (None, Some(format!("{error:#}"))),
            _ => (None, None),
        };
        Uses {
            server,
            server_error,
            tool: usage(&before.tool, &after.tool, &after.tool, seconds),
            machine: Machine {
                busy_seconds: after.machine.busy_seconds - before.machine.busy_seconds,
                stolen_seconds: after.machine.stolen_seconds - before.machine.stolen_seconds,
                disk_written_bytes: after
                    .machine
                    .disk_written_bytes
                    .saturating_sub(before.machine.disk_written_bytes),
            },
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            server: self.accounts.counters(),
            tool: process(std::process::id()).unwrap_or_default(),
            machine: machine(),
        }
    }
}

fn usage(before: &Counters, after: &Counters, largest: &Counters, seconds: f64) -> Usage {
    let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
    // A thread that has ended takes its switches with it.
    Usage {
        cpu_seconds,
        cores: if seconds > 0.0 { cpu_seconds / seconds } else { 0.0 },
        context_switches_voluntary: after
            .switches_voluntary
            .saturating_sub(before.switches_voluntary),
        context_switches_forced: after.switches_forced.saturating_sub(before.switches_forced),
        written_bytes: after.written_bytes.saturating_sub(before.written_bytes),
        read_bytes: after.read_bytes.saturating_sub(before.read_bytes),
        rss_anon_bytes: largest.rss_anon_bytes,
        rss_file_bytes: largest.rss_file_bytes,
        rss_shmem_bytes: largest.rss_shmem_bytes,
    }
}

impl Accounts {
    fn counters(&self) -> Result<Option<Counters>> {
        let mut sum: Option<Counters> = None;
        for pid in &self.pids {
            let one = process(*pid).with_context(|| format!("accounting for process {pid}"))?;
            add(sum.get_or_insert_default(), &one);
        }
        if let Some(thread) = self.thread {
            let one = counters_of(&PathBuf::from(format!("/proc/self/task/{thread}")))?;
            // Its memory is this process's, and cannot be told apart.
            let (cpu_seconds, forced) = (one.cpu_seconds, one.switches_forced);
            let voluntary = one.switches_voluntary;
            let sum = sum.get_or_insert_default();
            sum.cpu_seconds += cpu_seconds;
            sum.switches_voluntary += voluntary;
            sum.switches_forced += forced;
        }
        if let Some(path) = &self.cgroup {
            let group = cgroup(path)
                .with_context(|| format!("accounting for control group {}", path.display()))?;
            // With both, the group says what its processes used, and the processes what they switched.
            let merged = sum.get_or_insert_default();
            let before = std::mem::replace(merged, group);
            merged.switches_voluntary = before.switches_voluntary;
            merged.switches_forced = before.switches_forced;
            // Not every group counts what is written.
            merged.written_bytes = merged.written_bytes.max(before.written_bytes);
            merged.read_bytes = merged.read_bytes.max(before.read_bytes);
        }
        Ok(sum)
    }
}

fn add(sum: &mut Counters, one: &Counters) {
    sum.cpu_seconds += one.cpu_seconds;
    sum.switches_voluntary += one.switches_voluntary;
    sum.switches_forced += one.switches_forced;
    sum.written_bytes += one.written_bytes;
    sum.read_bytes += one.read_bytes;
    sum.rss_anon_bytes += one.rss_anon_bytes;
    sum.rss_file_bytes += one.rss_file_bytes;
    sum.rss_shmem_bytes += one.rss_shmem_bytes;
}

fn process(pid: u32) -> Result<Counters> {
    counters_of(&PathBuf::from(format!("/proc/{pid}")))
}

/// Of a process or of one of its threads.
fn counters_of(root: &Path) -> Result<Counters> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).with_context(|| format!("{}/{name}", root.display()))
    };
    let status = read("status")?;
    let mut counters = Counters {
        cpu_seconds: process_cpu_seconds(&read("stat")?).context("a stat file without times")?,
        rss_anon_bytes: field(&status, "RssAnon:") * 1024,
        rss_file_bytes: field(&status, "RssFile:") * 1024,
        rss_shmem_bytes: field(&status, "RssShmem:") * 1024,
        ..Counters::default()
    };
    // Only its owner may read how much a process writes.
    if let Ok(io) = read("io") {
        let cancelled = field(&io, "cancelled_write_bytes:");
        counters.written_bytes = field(&io, "\nwrite_bytes:").saturating_sub(cancelled);
        counters.read_bytes = field(&io, "\nread_bytes:");
    }
    let tasks: Vec<PathBuf> = match fs::read_dir(root.join("task")) {
        Ok(tasks) => tasks.flatten().map(|task| task.path()).collect(),
        Err(_) => vec![root.to_path_buf()],
    };
    for task in tasks {
        // A thread may end in between.
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        counters.switches_voluntary += field(&status, "\nvoluntary_ctxt_switches:");
        counters.switches_forced += field(&status, "nonvoluntary_ctxt_switches:");
    }
    Ok(counters)
}

/// User and system time: the 14th and 15th field, after a name that may hold anything.
fn process_cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The number after a name; 0 where the file has none.
fn field(text: &str, name: &str) -> u64 {
    let rest = text.split_once(name).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// A control group of either version; of version 1 any of its controllers' directories.
fn cgroup(path: &Path) -> Result<Counters> {
    let read = |path: &Path, name: &str| fs::read_to_string(path.join(name));
    if let Ok(cpu) = read(path, "cpu.stat")
        && cpu.contains("usage_usec")
    {
        let memory = read(path, "memory.stat").unwrap_or_default();
        let io = read(path, "io.stat").unwrap_or_default();
        // A group's files include what its processes share.
        let shared = field(&memory, "\nshmem ");
        return Ok(Counters {
            cpu_seconds: field(&cpu, "usage_usec") as f64 / 1e6,
            rss_anon_bytes: field(&memory, "anon "),
            rss_file_bytes: field(&memory, "\nfile ").saturating_sub(shared),
            rss_shmem_bytes: shared,
            written_bytes: sum_of(&io, "wbytes="),
            read_bytes: sum_of(&io, "rbytes="),
            ..Counters::default()
        });
    }
    let usage = version_1(path, "cpuacct", "cpuacct.usage")?;
    let memory = version_1(path, "memory", "memory.stat").unwrap_or_default();
    let io = version_1(path, "blkio", "blkio.throttle.io_service_bytes").unwrap_or_default();
    let moved = |what: &str| {
        let lines = io.lines().filter_map(|line| line.split_once(what));
        lines.filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok()).sum()
    };
    let shared = field(&memory, "total_shmem ");
    Ok(Counters {
        cpu_seconds: usage.trim().parse::<f64>().context("cpuacct.usage")? / 1e9,
        rss_anon_bytes: field(&memory, "total_rss "),
        rss_file_bytes: field(&memory, "total_cache ").saturating_sub(shared),
        rss_shmem_bytes: shared,
        written_bytes: moved(" Write "),
        read_bytes: moved(" Read "),
        ..Counters::default()
    })
}

/// A file of a version 1 group, whose controllers are mounted apart.
fn version_1(path: &Path, controller: &str, file: &str) -> Result<String> {
    let below: PathBuf = path
        .strip_prefix("/sys/fs/cgroup")
        .map(|below| below.components().skip(1).collect())
        .unwrap_or_default();
    let there = Path::new("/sys/fs/cgroup").join(controller).join(below).join(file);
    fs::read_to_string(&there).with_context(|| there.display().to_string())
}

fn sum_of(text: &str, name: &str) -> u64 {
    let words = text.split_whitespace().filter_map(|word| word.strip_prefix(name));
    words.filter_map(|number| number.parse::<u64>().ok()).sum()
}

fn machine() -> Machine {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0.0);
    // user, nice, system, (idle, iowait), irq, softirq, steal
    let busy = at(0) + at(1) + at(2) + at(5) + at(6);
    let disks = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    Machine {
        busy_seconds: busy / TICKS_PER_SECOND,
        stolen_seconds: at(7) / TICKS_PER_SECOND,
        disk_written_bytes: disks.lines().filter_map(disk_sectors_written).sum::<u64>()
            * SECTOR_BYTES,
    }
}

/// Of a whole disk; partitions and mapped devices would count the same bytes again.
fn disk_sectors_written(line: &str) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let name = fields.get(2)?;
    let is_disk = Path::new("/sys/block").join(name).join("device").exists();
    if is_disk { fields.get(9)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_confuse() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(process_cpu_seconds(stat), Some(2.0));
        assert_eq!(process_cpu_seconds(""), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tx\nRssAnon:\t  12 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(field(status, "RssAnon:"), 12);
        assert_eq!(field(status, "\nvoluntary_ctxt_switches:"), 5);
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), 7);
        assert_eq!(field(status, "Nothing:"), 0);
        assert_eq!(sum_of("8:0 rbytes=1 wbytes=2 rios=3\n8:16 rbytes=4 wbytes=5", "wbytes="), 7);
    }

    #[test]
    fn this_process_can_be_accounted_for() {
        let clock = Clock::start();
        let accounts = Accounts { pids: vec![std::process::id()], ..Accounts::default() };
        let mut accountant = Accountant::new(accounts);
        assert!(accountant.is_waiting());
        accountant.begin(clock);
        // A fifth of a second of work, so that ticks of 10 ms show it.
        let mut sum = 0u64;
        while clock.now() < 200_000_000 {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        accountant.look();
        let uses = accountant.end(clock);
        let server = uses.server.unwrap_or_else(|| panic!("{:?} {sum}", uses.server_error));
        assert!(server.cpu_seconds > 0.0 && server.rss_anon_bytes > 0, "{server:?}");
        assert!(uses.machine.busy_seconds > 0.0);
    }

    #[test]
    fn a_process_that_is_gone_is_said() {
        let mut accountant =
            Accountant::new(Accounts { pids: vec![u32::MAX], ..Accounts::default() });
        let clock = Clock::start();
        accountant.begin(clock);
        let error = accountant.end(clock).server_error.unwrap();
        assert!(error.contains("accounting for process"), "{error}");
    }
}
