//! What of the machine this process may use: CPUs, memory, and the device below a directory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::control_group;

/// No Linux is built for more.
const CPU_COUNT_MAX: usize = 8192;

/// The CPUs and the memory that this process may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The CPUs of its affinity, by number.
    pub cpus: Vec<usize>,
    /// The CPUs that share a core with another one (hyper-threads), each with all of its core.
    pub siblings: BTreeMap<usize, Vec<usize>>,
    /// The CPUs' worth of time that its control groups grant; none if unlimited.
    pub quota_cpus: Option<f64>,
    /// Memory in bytes: the machine's, or less by its control group.
    pub memory_bytes: u64,
}

impl Topology {
    /// Reads it from the kernel.
    pub fn read() -> io::Result<Topology> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let cpus = affinity()?;
        Ok(Topology {
            siblings: siblings(Path::new("/sys/devices/system/cpu"), &cpus),
            quota_cpus: control_group::quota_cpus(&groups),
            memory_bytes: control_group::memory_bytes(&groups)
                .unwrap_or(u64::MAX)
                .min(machine_memory()?),
            cpus,
        })
    }

    /// How many threads can run at once without being stopped by the quota: a part of a CPU left
    /// over is none.
    pub fn parallelism(&self) -> usize {
        let quota = self.quota_cpus.map_or(usize::MAX, |cpus| cpus as usize);
        quota.min(self.cpus.len()).max(1)
    }

    /// The CPUs in the order in which shards should take them: one of each core, then the others.
    pub fn cpus_by_core(&self) -> Vec<usize> {
        let is_second = |cpu: &usize| {
            let core = self.siblings.get(cpu);
            core.is_some_and(|core| core.iter().any(|one| one < cpu && self.cpus.contains(one)))
        };
        let (second, first): (Vec<usize>, Vec<usize>) =
            self.cpus.iter().partition(|cpu| is_second(cpu));
        first.into_iter().chain(second).collect()
    }
}

/// The CPUs that are not alone on their core, from `/sys/devices/system/cpu`.
fn siblings(root: &Path, cpus: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let of = |cpu: usize| {
        let path = root.join(format!("cpu{cpu}/topology/thread_siblings_list"));
        let core = parse_cpus(&fs::read_to_string(path).ok()?);
        (core.len() > 1).then_some((cpu, core))
    };
    cpus.iter().filter_map(|cpu| of(*cpu)).collect()
}

/// A list of CPUs as the kernel writes it, such as `0,4` or `0-1`.
fn parse_cpus(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        (last < CPU_COUNT_MAX).then_some(first..=last)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
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

/// What is below a directory, as far as the kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device's name, such as `vda` or `nvme0n1`.
    pub name: String,
    /// The file system's type, such as `ext4`.
    pub file_system: String,
    /// The device's logical block in bytes, if it has one.
    pub block_bytes: Option<u64>,
    /// What the kernel says of its cache, such as `write back`, if it says it.
    pub write_cache: Option<String>,
    /// Whether a single write can be made durable without flushing the cache (FUA).
    pub has_fua: bool,
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
        let queue = |name: &str| {
            let path = disk.as_deref()?.join("queue").join(name);
            Some(fs::read_to_string(path).ok()?.trim().to_owned())
        };
        let block_bytes = queue("logical_block_size").and_then(|bytes| bytes.parse().ok());
        let (write_cache, has_fua) = (queue("write_cache"), queue("fua").as_deref() == Some("1"));
        let interrupts = fs::read_to_string("/proc/interrupts").unwrap_or_default();
        let interrupt_cpu = disk
            .and_then(|disk| driver_name(&disk))
            .and_then(|driver| parse_interrupts(&interrupts, &driver));
        Ok(Device { name, file_system, block_bytes, write_cache, has_fua, interrupt_cpu })
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
    fn cores_are_taken_before_their_second_threads() {
        let root = tempfile::tempdir().expect("a directory");
        for (cpu, list) in [(0, "0,2\n"), (1, "1\n"), (2, "0,2\n"), (3, "3-4\n"), (4, "3-4\n")] {
            let directory = root.path().join(format!("cpu{cpu}/topology"));
            fs::create_dir_all(&directory).expect("made");
            fs::write(directory.join("thread_siblings_list"), list).expect("written");
        }
        let check = |cpus: &[usize], quota_cpus, order: &[usize], parallelism| {
            let topology = Topology {
                cpus: cpus.to_vec(),
                siblings: siblings(root.path(), cpus),
                quota_cpus,
                memory_bytes: 1,
            };
            assert_eq!(topology.cpus_by_core(), order, "{cpus:?}");
            assert_eq!(topology.parallelism(), parallelism, "{cpus:?} {quota_cpus:?}");
        };
        check(&[0, 1, 2, 3, 4], None, &[0, 1, 3, 2, 4], 5);
        check(&[2, 4], Some(9.0), &[2, 4], 2);
        check(&[3, 4, 9], Some(1.5), &[3, 9, 4], 1);
        check(&[0, 1], Some(0.2), &[0, 1], 1);
        assert_eq!(siblings(root.path(), &[1, 4]), BTreeMap::from([(4, vec![3, 4])]));
        assert_eq!(parse_cpus("x,1,5-99999999"), [1]);
    }

    #[test]
    fn mounts_are_read() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      23 22 0:5 / /dev rw - devtmpfs devtmpfs rw\n";
        assert_eq!(parse_mount(mounts, "254:0"), Some(("ext4".into(), "/dev/vda".into())));
        assert_eq!(parse_mount(mounts, "254:1"), None);
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
