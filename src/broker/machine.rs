//! What the process may use of the machine: its cores, its memory, its name.
//!
//! Asked once, before any thread starts; a limit that cannot be read is one that is not there.

use std::fs;
use std::path::Path;

use crate::config::Machine;
use crate::model::units::KIB;

/// The memory that is assumed where `/proc` does not say: little enough for any machine.
const MEMORY_UNKNOWN_BYTES: u64 = 1 << 30;

/// The machine that this process runs on.
pub fn machine() -> Machine {
    Machine { cpus: cpus(), memory_bytes: memory_bytes(), host_name: host_name() }
}

/// The cores of the process's affinity, at most as many as its control group lets it keep busy.
fn cpus() -> Vec<usize> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    let mut cpus: Vec<usize> = ids.into_iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    if cpus.is_empty() {
        cpus.push(0);
    }
    // It knows the quota of the control group too, and rounds it down to whole cores, to one at least.
    let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
    cpus.truncate(parallelism);
    cpus
}

fn memory_bytes() -> u64 {
    let installed = read("/proc/meminfo").as_deref().and_then(installed_bytes);
    let group = read("/proc/self/cgroup").as_deref().and_then(group_limit_bytes);
    let least = [installed, group].into_iter().flatten().min();
    least.unwrap_or(MEMORY_UNKNOWN_BYTES)
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The `MemTotal` of `/proc/meminfo`, which is in KiB.
fn installed_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(KIB as u64)
}

/// The lowest `memory.max` from the process's control group (version 2) up to the root.
fn group_limit_bytes(cgroup: &str) -> Option<u64> {
    let group = cgroup.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = Path::new("/sys/fs/cgroup").join(group);
    let limits = group.ancestors().take_while(|at| at.starts_with("/sys/fs/cgroup"));
    let limits = limits.filter_map(|at| read(at.join("memory.max")));
    limits.filter_map(|limit| limit.trim().parse().ok()).min()
}

fn host_name() -> String {
    let name = read("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_kib() {
        assert_eq!(
            installed_bytes("MemFree: 3 kB\nMemTotal:       24597904 kB\n"),
            Some(24_597_904 << 10)
        );
        for text in ["", "MemTotal: many kB", "MemTotal: 3"] {
            assert_eq!(installed_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_has_something_of_everything() {
        let machine = machine();
        assert!(!machine.cpus.is_empty());
        assert!(machine.memory_bytes > 0);
        assert!(!machine.host_name.is_empty());
    }
}
