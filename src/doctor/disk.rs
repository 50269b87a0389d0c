//! The data directory: writable, past the page cache, large enough, and how quick its disk is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::Finding;
use crate::config::BrokerConfig;
use crate::model::units::MIB;
use crate::runtime::process::{Unfit, probe_directory, space};
use crate::runtime::sync_probe::{self, SyncLatency};
use crate::runtime::topology::Device;

/// How long the disk is measured.
const MEASURED: Duration = Duration::from_secs(2);
/// A disk that takes longer to make one block durable sets the pace of everything.
const MEDIAN_MAX: Duration = Duration::from_millis(2);
/// Every hundredth write may take so long before it is worth a word.
const P99_MAX: Duration = Duration::from_millis(20);
/// Free space beside the journals: what the first segments take.
const SPACE_BESIDE_JOURNAL: u64 = 64 * MIB as u64;

/// Everything about the data directory, or about the nearest one above it that exists.
pub fn examine(config: &BrokerConfig) -> Vec<Finding> {
    const SUBJECT: &str = "data directory";
    let directory = nearest_existing(&config.data_dir);
    if let Err(unfit) = probe_directory(&directory) {
        let remedy = match &unfit {
            Unfit::InMemory { .. } | Unfit::NoDirectIo { .. } => {
                "set log.dirs to a directory on ext4 or xfs (start --unsafe takes this one for tests)"
                    .to_owned()
            }
            _ => format!(
                "let the broker's user write there (chown, chmod), or set log.dirs elsewhere than {}",
                config.data_dir.display()
            ),
        };
        return vec![Finding::not_fine(SUBJECT, unfit.to_string(), remedy)];
    }
    let device = Device::of(&directory);
    let named = device.as_ref().map_or_else(
        |error| format!("on an unknown device ({error})"),
        |device| format!("on {} ({})", device.name, device.file_system),
    );
    let directory_is = format!("{} {named}, direct I/O works", directory.display());
    let mut findings = vec![Finding::fine(SUBJECT, directory_is)];
    findings.extend(device.iter().filter_map(file_system));
    findings.push(free_space(config, &directory));
    findings.push(match sync_probe::measure(&directory, MEASURED) {
        Ok(latency) => judge_latency(&latency, device.as_ref().ok()),
        Err(error) => Finding::not_fine(
            "sync latency",
            format!("it cannot be measured: {error}"),
            "look at the kernel's log for errors of the disk (dmesg)",
        ),
    });
    findings
}

/// The device of the data directory, or of what will hold it.
pub fn device_of_data(config: &BrokerConfig) -> Option<Device> {
    Device::of(&nearest_existing(&config.data_dir)).ok()
}

/// The directory, or the first above it that is there.
fn nearest_existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().find(|path| path.is_dir());
    found.map_or(absolute.clone(), Path::to_owned)
}

/// File systems on which durable writes are known to be slow or to mean less.
fn file_system(device: &Device) -> Option<Finding> {
    let remedy = match device.file_system.as_str() {
        "ext4" | "xfs" => return None,
        "btrfs" | "zfs" | "bcachefs" | "overlay" => {
            "it copies on write: commits take several times as long; use ext4 or xfs (in a \
             container: a volume)"
        }
        "nfs" | "nfs4" | "cifs" | "9p" | "virtiofs" | "fuse" => {
            "each commit crosses a network or another process, and durability is what that makes of \
             it; use a local disk with ext4 or xfs"
        }
        _ => "ext4 and xfs are what the broker is tested on",
    };
    Some(Finding::note("file system", device.file_system.clone(), remedy))
}

fn free_space(config: &BrokerConfig, directory: &Path) -> Finding {
    const SUBJECT: &str = "free space";
    match space(directory) {
        Ok(space) => judge_space(config.journal_bytes, space.free_bytes),
        Err(error) => {
            let remedy = "make sure that there is room for journal.bytes and the topics";
            Finding::note(SUBJECT, format!("it cannot be told: {error}"), remedy)
        }
    }
}

fn judge_space(journal: u64, free: u64) -> Finding {
    const SUBJECT: &str = "free space";
    let mib = |bytes: u64| bytes / MIB as u64;
    let found = format!("{} MiB, of which the journals take {} MiB", mib(free), mib(journal));
    if free < journal + SPACE_BESIDE_JOURNAL {
        return Finding::not_fine(SUBJECT, found, "free space, or set journal.bytes lower");
    }
    Finding::fine(SUBJECT, found)
}

fn judge_latency(latency: &SyncLatency, device: Option<&Device>) -> Finding {
    const SUBJECT: &str = "sync latency";
    let micros = |duration: Duration| duration.as_micros();
    let cache = device.and_then(|device| {
        let fua = if device.has_fua { "FUA" } else { "no FUA" };
        Some(format!("; cache: {}, {fua}", device.write_cache.as_ref()?))
    });
    let found = format!(
        "4 KiB durable in {} µs (p50), {} µs (p99), {} µs (max) over {} writes{}",
        micros(latency.median),
        micros(latency.p99),
        micros(latency.max),
        latency.writes,
        cache.unwrap_or_default(),
    );
    if latency.median > MEDIAN_MAX {
        let remedy = "every acknowledgement takes at least that long: use an SSD, or a volume of a \
                      class with lower latency";
        return Finding::note(SUBJECT, found, remedy);
    }
    if latency.p99 > P99_MAX {
        let remedy = "something else keeps this disk busy, or its provider limits it: give the data \
                      directory a disk of its own (iostat -x 1 shows who writes)";
        return Finding::note(SUBJECT, found, remedy);
    }
    Finding::fine(SUBJECT, found)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn device(file_system: &str) -> Device {
        Device {
            name: "vda".into(),
            file_system: file_system.into(),
            block_bytes: None,
            write_cache: Some("write back".into()),
            has_fua: false,
            interrupt_cpu: None,
        }
    }

    #[test]
    fn latencies_are_judged() {
        for (median, p99, verdict) in
            [(110, 300, Verdict::Fine), (2001, 2500, Verdict::Note), (200, 20_001, Verdict::Note)]
        {
            let (median, p99) = (Duration::from_micros(median), Duration::from_micros(p99));
            let latency = SyncLatency { writes: 1000, median, p99, max: p99 };
            let finding = judge_latency(&latency, Some(&device("ext4")));
            assert_eq!(finding.verdict, verdict, "{finding}");
            assert!(finding.found.ends_with("cache: write back, no FUA"), "{finding}");
        }
    }

    #[test]
    fn places_are_judged() {
        for (name, noted) in [("ext4", false), ("xfs", false), ("overlay", true), ("nfs4", true)] {
            assert_eq!(file_system(&device(name)).is_some(), noted, "{name}");
        }
        assert_eq!(judge_space(100, 100).verdict, Verdict::NotFine);
        assert_eq!(judge_space(100, 100 + SPACE_BESIDE_JOURNAL).verdict, Verdict::Fine);
        let here = std::env::current_dir().expect("there is one");
        assert_eq!(nearest_existing(Path::new("no/such/thing")), here);
        assert_eq!(nearest_existing(Path::new("/proc/no/such")), Path::new("/proc"));
    }
}
