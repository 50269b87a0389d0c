//! The limits of the process: locked memory, open files, and the memory that records may take.

use std::fs;

use super::finding::Finding;
use crate::config::BrokerConfig;
use crate::model::limits::{OPEN_FILES_MIN, OPEN_SEGMENTS_MAX};
use crate::model::units::{KIB, MIB};
use crate::runtime::process::{locked_memory_limit, open_files_limit, raise_open_files_limit};

/// What the rings of one thread lock, on kernels that count it.
const LOCKED_PER_THREAD: u64 = 512 * KIB as u64;

/// The limit of locked memory.
pub fn locked_memory(config: &BrokerConfig) -> Finding {
    judge_locked_memory(locked_memory_limit().unwrap_or(u64::MAX), config.shard_cpus.len())
}

fn judge_locked_memory(limit: u64, shards: usize) -> Finding {
    const SUBJECT: &str = "locked memory";
    // Each shard and the control thread.
    let wanted = (shards as u64 + 1) * LOCKED_PER_THREAD;
    let found = match limit {
        u64::MAX => "unlimited".to_owned(),
        limit => format!("up to {} KiB", limit / KIB as u64),
    };
    let remedy = format!(
        "ulimit -l {}; LimitMEMLOCK=infinity in a systemd unit, 'memlock' in \
         /etc/security/limits.conf, docker run --ulimit memlock=-1",
        wanted / KIB as u64
    );
    if limit < LOCKED_PER_THREAD {
        return Finding::not_fine(SUBJECT, format!("{found}: a thread's rings do not fit"), remedy);
    }
    if limit < wanted {
        let found = format!("{found}: the rings of {shards} shards may not fit on older kernels");
        return Finding::note(SUBJECT, found, remedy);
    }
    Finding::fine(SUBJECT, found)
}

/// The limit of open files; the broker raises the soft one to the hard one by itself.
pub fn open_files(config: &BrokerConfig) -> Finding {
    let limit = raise_open_files_limit().or_else(|_| open_files_limit()).unwrap_or(0);
    judge_open_files(limit, config.shard_cpus.len())
}

fn judge_open_files(limit: u64, shards: usize) -> Finding {
    const SUBJECT: &str = "open files";
    // Segments, and what a broker has open beside its connections.
    let fixed = (shards * OPEN_SEGMENTS_MAX + 256) as u64;
    let remedy = format!(
        "ulimit -Hn {OPEN_FILES_MIN} (as root); LimitNOFILE={OPEN_FILES_MIN} in a systemd unit, \
         'nofile' in /etc/security/limits.conf, docker run --ulimit nofile={OPEN_FILES_MIN}"
    );
    let found = format!("up to {limit}");
    if limit < fixed {
        let found = format!("{found}: segments alone may take {fixed}");
        return Finding::not_fine(SUBJECT, found, remedy);
    }
    if limit < OPEN_FILES_MIN {
        let found = format!("{found}: room for {} connections", limit - fixed);
        return Finding::note(SUBJECT, found, remedy);
    }
    Finding::fine(SUBJECT, found)
}

/// Whether what `memory.bytes` allows is there now.
pub fn memory(config: &BrokerConfig) -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    judge_memory(config.memory_bytes, available_bytes(&text))
}

fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB as u64)
}

fn judge_memory(wanted: u64, available: Option<u64>) -> Finding {
    const SUBJECT: &str = "memory";
    let mib = |bytes: u64| bytes / MIB as u64;
    let found = format!("memory.bytes is {} MiB", mib(wanted));
    match available {
        Some(available) if available < wanted => Finding::note(
            SUBJECT,
            format!("{found}, and {} MiB are free at the moment", mib(available)),
            "set memory.bytes lower, or give the machine or the container more",
        ),
        Some(available) => {
            Finding::fine(SUBJECT, format!("{found} of {} MiB that are free", mib(available)))
        }
        None => Finding::fine(SUBJECT, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn limits_are_judged_by_the_number_of_shards() {
        let kib = KIB as u64;
        for (limit, shards, verdict) in [
            (u64::MAX, 128, Verdict::Fine),
            (8 * 1024 * kib, 2, Verdict::Fine),
            (8 * 1024 * kib, 64, Verdict::Note),
            (64 * kib, 1, Verdict::NotFine),
        ] {
            assert_eq!(judge_locked_memory(limit, shards).verdict, verdict, "{limit} {shards}");
        }
        for (limit, shards, verdict) in
            [(1_048_576, 8, Verdict::Fine), (4096, 2, Verdict::Note), (1024, 2, Verdict::NotFine)]
        {
            assert_eq!(judge_open_files(limit, shards).verdict, verdict, "{limit} {shards}");
        }
    }

    #[test]
    fn memory_is_compared_with_what_is_free() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_bytes(meminfo), Some(2048 * 1024));
        assert_eq!(available_bytes(""), None);
        assert_eq!(judge_memory(100, Some(99)).verdict, Verdict::Note);
        assert_eq!(judge_memory(100, Some(100)).verdict, Verdict::Fine);
        assert_eq!(judge_memory(100, None).verdict, Verdict::Fine);
    }
}
