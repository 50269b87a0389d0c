//! What of the machine this process may use: CPUs, memory, and the device below a directory.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The CPUs and the memory that this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The CPUs of its affinity, by number.
    pub cpus: Vec<usize>,
    /// Whole CPUs' worth of time that its control group grants, rounded up; none if unlimited.
    pub quota_cpus: Option<usize>,
    /// Memory in bytes: the machine's, or less by its control group.
    pub memory_bytes: u64,
}

impl Topology {
    /// Reads it from the kernel.
    pub fn read() -> io::Result<Topology> {
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = parse_unified_group(&group);
        let limits = Path::new("/sys/fs/cgroup");
        let quota = smallest(limits, group, "cpu.max", parse_quota);
        let memory = smallest(limits, group, "memory.max", |text| text.trim().parse().ok());
        Ok(Topology {
            cpus: affinity()?,
            quota_cpus: quota.and_then(|cpus| usize::try_from(cpus).ok()),
            memory_bytes: memory.unwrap_or(u64::MAX).min(machine_memory()?),
        })
    }

    /// How many threads can run at once.
    pub fn parallelism(&self) -> usize {
        self.quota_cpus.unwrap_or(usize::MAX).min(self.cpus.len()).max(1)
    }
}

fn affinity() -> io::Result<Vec<usize>> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is our own, of the size that is said.
    let done =
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros is a valid set, and the call has filled it.
    let set = unsafe { set.assume_init() };
    // SAFETY: the numbers stay below the set's size.
    Ok((0..libc::CPU_SETSIZE as usize)
        .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) })
        .collect())
}

fn machine_memory() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .ok_or_else(|| io::Error::other("/proc/meminfo does not tell MemTotal"))?;
    Ok(kib * 1024)
}

/// The path of this process in the unified hierarchy, from `/proc/self/cgroup`.
fn parse_unified_group(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").trim()
}

/// The smallest value of a control file from the process's group up to the root.
fn smallest(
    root: &Path,
    group: &str,
    file: &str,
    parse: impl Fn(&str) -> Option<u64>,
) -> Option<u64> {
    Path::new(group.trim_start_matches('/'))
        .ancestors()
        .filter_map(|part| parse(&fs::read_to_string(root.join(part).join(file)).ok()?))
        .min()
}

/// `cpu.max`: a quota and a period in µs, or `max` and a period.
fn parse_quota(text: &str) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    (period > 0).then(|| quota.div_ceil(period))
}

/// What is below a directory, as far as the kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device's name, such as `vda` or `nvme0n1`.
    pub name: String,
    /// The file system's type, such as `ext4`.
    pub file_system: String,
    /// The device's logical block in bytes, if it has one.
    pub block_bytes: Option<u64>,
    /// The CPU that handled most of its interrupts, if it can be told: commits of a shard that
    /// computes there take another engine.
    pub interrupt_cpu: Option<usize>,
}

impl Device {
    /// Finds the device of an existing path.
    pub fn of(path: &Path) -> io::Result<Device> {
        let number = fs::metadata(path)?.dev();
        let (major, minor) = (libc::major(number), libc::minor(number));
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let (file_system, source) = parse_mount(&mounts, &format!("{major}:{minor}"))
            .unwrap_or_else(|| ("unknown".to_owned(), format!("{major}:{minor}")));
        let block = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok();
        let name = block.as_deref().and_then(Path::file_name);
        let name = name.map_or(source, |name| name.to_string_lossy().into_owned());
        // A partition has its queue and its driver one level up.
        let disk = block.map(|block| match block.parent() {
            Some(parent) if !block.join("queue").exists() => parent.to_owned(),
            _ => block,
        });
        let block_bytes = disk.as_deref().and_then(|disk| {
            fs::read_to_string(disk.join("queue/logical_block_size")).ok()?.trim().parse().ok()
        });
        let interrupts = fs::read_to_string("/proc/interrupts").unwrap_or_default();
        let interrupt_cpu = disk
            .and_then(|disk| driver_name(&disk))
            .and_then(|driver| parse_interrupts(&interrupts, &driver));
        Ok(Device { name, file_system, block_bytes, interrupt_cpu })
    }
}

/// What the driver of a disk calls it, such as `virtio1` or `nvme0`.
fn driver_name(disk: &Path) -> Option<String> {
    let device: PathBuf = fs::canonicalize(disk.join("device")).ok()?;
    Some(device.file_name()?.to_string_lossy().into_owned())
}

/// Type and source of the mount of a device, from `/proc/self/mountinfo`.
fn parse_mount(text: &str, number: &str) -> Option<(String, String)> {
    let line = text.lines().rfind(|line| line.split(' ').nth(2) == Some(number))?;
    let (_, rest) = line.split_once(" - ")?;
    let mut words = rest.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// The CPU with most interrupts of a driver's request queues, from `/proc/interrupts`.
fn parse_interrupts(text: &str, driver: &str) -> Option<usize> {
    let mut lines = text.lines();
    let cpus: Vec<usize> = lines
        .next()?
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("CPU")?.parse().ok())
        .collect();
    let mut counts = vec![0u64; cpus.len()];
    for line in lines {
        let mut words = line.split_whitespace();
        let mine = line.split_whitespace().last().is_some_and(|name| {
            name.strip_prefix(driver).is_some_and(|rest| {
                rest.starts_with("-req") || rest.strip_prefix('q').is_some_and(|q| q != "0")
            })
        });
        if mine {
            words.next();
            for (count, word) in counts.iter_mut().zip(words) {
                *count += word.parse::<u64>().unwrap_or(0);
            }
        }
    }
    let most = counts.iter().zip(&cpus).max_by_key(|(count, _)| **count)?;
    (*most.0 > 0).then_some(*most.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPTS: &str = "\
           CPU0       CPU2
 36:          0      48678 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 37:      99999          0 PCI-MSIX-0000:00:03.0   0-edge      virtio10-req.0
 38:      77777          0 PCI-MSIX-0000:00:04.0   0-edge      nvme0q0
 39:         10         20 PCI-MSIX-0000:00:04.0   1-edge      nvme0q1
 40:        500          0 PCI-MSIX-0000:00:04.0   2-edge      nvme0q2
LOC:     104596     108117   Local timer interrupts
";

    #[test]
    fn the_cpu_of_the_disks_interrupt_is_found() {
        let check = |driver, cpu| assert_eq!(parse_interrupts(INTERRUPTS, driver), cpu, "{driver}");
        check("virtio1", Some(2));
        check("virtio10", Some(0));
        check("nvme0", Some(0));
        check("virtio7", None);
        assert_eq!(parse_interrupts("", "virtio1"), None);
    }

    #[test]
    fn quotas_and_groups_are_read() {
        let check = |text, cpus| assert_eq!(parse_quota(text), cpus, "{text:?}");
        check("max 100000\n", None);
        check("150000 100000\n", Some(2));
        check("200000 100000\n", Some(2));
        check("5 0\n", None);
        check("", None);
        assert_eq!(parse_unified_group("1:cpu:/old\n0::/a/b\n"), "/a/b");
        assert_eq!(parse_unified_group(""), "/");
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      23 22 0:5 / /dev rw - devtmpfs devtmpfs rw\n";
        assert_eq!(parse_mount(mounts, "254:0"), Some(("ext4".into(), "/dev/vda".into())));
        assert_eq!(parse_mount(mounts, "254:1"), None);
    }

    #[test]
    fn limits_of_outer_groups_count() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("a/b")).expect("made");
        fs::write(root.path().join("a/memory.max"), "1000\n").expect("written");
        fs::write(root.path().join("a/b/memory.max"), "max\n").expect("written");
        let least =
            |group| smallest(root.path(), group, "memory.max", |text| text.trim().parse().ok());
        assert_eq!(least("/a/b"), Some(1000));
        assert_eq!(least("/"), None);
    }

    #[test]
    fn this_machine_has_cpus_memory_and_a_device() {
        let topology = Topology::read().expect("/proc is there");
        assert!(topology.parallelism() >= 1 && topology.parallelism() <= topology.cpus.len());
        assert!(topology.memory_bytes > 0);
        let device = Device::of(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("it has one");
        assert!(!device.name.is_empty() && !device.file_system.is_empty());
    }
}
