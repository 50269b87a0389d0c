//! What the control groups of this process grant it: CPU time and memory, of both hierarchies.
//!
//! A limit of an outer group holds too, so the smallest on the way up counts. In a container the
//! kernel may name a path that only the host has; its own root is mounted then, and found.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the hierarchies are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The CPUs' worth of time that may be used, from the content of `/proc/self/cgroup`.
pub fn quota_cpus(groups: &str) -> Option<f64> {
    let root = Path::new(ROOT);
    let unified = paths(root, unified(groups)).filter_map(|path| unified_quota(&path));
    let legacy =
        paths(&root.join("cpu"), legacy(groups, "cpu")).filter_map(|path| legacy_quota(&path));
    unified.chain(legacy).min_by(f64::total_cmp)
}

/// The bytes of memory that may be used, from the content of `/proc/self/cgroup`.
pub fn memory_bytes(groups: &str) -> Option<u64> {
    let root = Path::new(ROOT);
    let limit = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let unified = paths(root, unified(groups)).filter_map(|path| limit(path.join("memory.max")));
    let legacy = paths(&root.join("memory"), legacy(groups, "memory"))
        .filter_map(|path| limit(path.join("memory.limit_in_bytes")));
    unified.chain(legacy).min()
}

/// The group and those around it.
fn paths(root: &Path, group: Option<&str>) -> impl Iterator<Item = PathBuf> + use<> {
    let group = Path::new(group.unwrap_or("/").trim_start_matches('/')).to_owned();
    let ancestors: Vec<PathBuf> = group.ancestors().map(|part| root.join(part)).collect();
    ancestors.into_iter()
}

/// The group in the unified hierarchy.
fn unified(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(str::trim)
}

/// The group of a controller that has a hierarchy of its own.
fn legacy<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|one| one == controller).then_some(path.trim())
    })
}

/// `cpu.max`: a quota and a period in µs, or `max` and a period.
fn unified_quota(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota, period)
}

/// `cpu.cfs_quota_us`, which is -1 without a limit, and `cpu.cfs_period_us`.
fn legacy_quota(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    ratio(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_in_both_hierarchies() {
        let groups = "4:memory:/m\n3:cpu,cpuacct:/c/d\n1:name=systemd:/\n0::/a/b\n";
        assert_eq!(unified(groups), Some("/a/b"));
        assert_eq!(legacy(groups, "cpu"), Some("/c/d"));
        assert_eq!(legacy(groups, "memory"), Some("/m"));
        assert_eq!(legacy(groups, "pids"), None);
        assert_eq!(unified(""), None);
    }

    #[test]
    fn limits_of_outer_groups_count() {
        let root = tempfile::tempdir().expect("a directory");
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).expect("made");
        let check = |files: &[(&str, &str)], unified: Option<f64>, legacy: Option<f64>| {
            for (name, content) in files {
                fs::write(root.path().join(name), content).expect("written");
            }
            let least = |quota: fn(&Path) -> Option<f64>| {
                paths(root.path(), Some("/a/b"))
                    .filter_map(|path| quota(&path))
                    .min_by(f64::total_cmp)
            };
            assert_eq!((least(unified_quota), least(legacy_quota)), (unified, legacy), "{files:?}");
        };
        check(&[], None, None);
        check(&[("a/b/cpu.max", "max 100000\n")], None, None);
        check(&[("a/cpu.max", "150000 100000\n")], Some(1.5), None);
        check(&[("a/b/cpu.max", "200000 100000\n")], Some(1.5), None);
        check(&[("a/b/cpu.max", "5 0\n"), ("a/cpu.max", "")], None, None);
        check(&[("a/cpu.cfs_quota_us", "-1"), ("a/cpu.cfs_period_us", "100000")], None, None);
        check(&[("a/cpu.cfs_quota_us", "50000\n")], None, Some(0.5));
        assert_eq!(paths(root.path(), None).collect::<Vec<_>>(), [root.path()]);
    }
}
