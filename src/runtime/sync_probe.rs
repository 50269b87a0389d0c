//! How long a directory's disk takes to make one block durable, measured as the journal writes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::memory::AlignedBuf;
use crate::model::units::{BLOCK, MIB};

/// The file that is written to and fro, filled with zeros first: unwritten extents take twice as long.
const FILE_BYTES: usize = 4 * MIB;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncLatency {
    /// Writes that were made.
    pub writes: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// One in a hundred took longer.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

/// Writes single blocks with O_DIRECT and O_DSYNC, one after the other, for the given time, in a file
/// of the directory that is removed afterwards.
///
/// # Errors
/// What the kernel says to the file or to a write.
pub fn measure(directory: &Path, time: Duration) -> io::Result<SyncLatency> {
    let path = directory.join(format!(".sync-probe-{}", std::process::id()));
    let measured = write_blocks(&path, time);
    drop(fs::remove_file(&path));
    measured
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures the real disk from a process that runs no shard"
)]
fn write_blocks(path: &Path, time: Duration) -> io::Result<SyncLatency> {
    let zeros = File::create(path)?;
    zeros.write_all_at(&vec![0; FILE_BYTES], 0)?;
    zeros.sync_all()?;
    drop(zeros);
    let mut options = OpenOptions::new();
    let file = options.write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(path)?;
    let block = AlignedBuf::zeroed(BLOCK);
    let began = std::time::Instant::now();
    let mut took = Vec::new();
    while took.is_empty() || began.elapsed() < time {
        let offset = took.len() * BLOCK % FILE_BYTES;
        let before = std::time::Instant::now();
        file.write_all_at(&block, offset as u64)?;
        took.push(before.elapsed());
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    Ok(SyncLatency { writes: took.len(), median: at(50), p99: at(99), max: at(100) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_measured_and_left_as_it_was() {
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a directory");
        let found = measure(directory.path(), Duration::from_millis(20)).expect("it is on a disk");
        assert!(found.writes >= 1 && found.median <= found.p99 && found.p99 <= found.max);
        assert!(found.median > Duration::ZERO, "{found:?}");
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
        assert!(measure(&directory.path().join("none"), Duration::ZERO).is_err());
    }
}
