//! How a journal is laid out.

use std::path::{Path, PathBuf};

use crate::model::limits::{COMMIT_BYTES_MAX, JOURNAL_ZEROED_AT_START_BYTES};
use crate::model::units::{BLOCK, MIB, block_floor};
use crate::storage::directory;

use super::frame::JournalIdentity;
use super::mirror::SIDE_PAYLOAD_BYTES_MAX;

/// A share of `journal.bytes` is cut into so many files: what a checkpoint covers comes back in
/// eighths.
const FILE_COUNT: u16 = 8;
/// The largest frame is this part of a file, so that little is lost where a file ends.
const FRAMES_PER_FILE_MIN: u64 = 8;

/// This part of the largest frame is worth a commit beside another one.
const BESIDE_PART: usize = 16;

/// How a journal is laid out.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The folder of the journal's files, `data/journal` for a slot.
    pub dir: PathBuf,
    /// Which journal, in which start epoch.
    pub identity: JournalIdentity,
    /// Bytes of one file, a multiple of the block.
    pub file_bytes: u64,
    /// How many files go round.
    pub file_count: u16,
    /// The largest frame on disk, a multiple of the block.
    pub frame_bytes_max: usize,
    /// What is zeroed before the journal is open, in bytes.
    pub zeroed_at_start_bytes: u64,
    /// Entries of one frame that are kept in the mirror at most, in bytes.
    pub mirror_bytes_max: usize,
}

impl JournalOptions {
    /// A slot's journal in a data directory, of at most `bytes` over all of its files.
    pub fn new(data: &Path, identity: JournalIdentity, bytes: u64) -> JournalOptions {
        let file_bytes = (bytes / u64::from(FILE_COUNT)).max(MIB as u64) & !(MIB as u64 - 1);
        JournalOptions {
            dir: directory::journal_dir(data),
            identity,
            file_bytes,
            file_count: FILE_COUNT,
            frame_bytes_max: JournalOptions::frame_bytes_max(file_bytes),
            zeroed_at_start_bytes: JOURNAL_ZEROED_AT_START_BYTES as u64,
            mirror_bytes_max: SIDE_PAYLOAD_BYTES_MAX,
        }
    }

    /// The bytes of all files.
    pub fn bytes_max(&self) -> u64 {
        self.file_bytes * u64::from(self.file_count)
    }

    /// What has to wait before a commit goes out beside another one: a smaller one shares the next with all that
    /// comes meanwhile, which costs the processor and the disk one commit less; from here on the disk would be
    /// kept waiting.
    pub fn beside_bytes_min(&self) -> u64 {
        (self.frame_bytes_max / BESIDE_PART) as u64
    }

    /// The same journal with files of another size and number, as the simulator wants them small.
    pub fn with_files(self, file_bytes: u64, file_count: u16) -> JournalOptions {
        let frame_bytes_max = JournalOptions::frame_bytes_max(file_bytes);
        let mirror_bytes_max = frame_bytes_max / 4;
        JournalOptions { file_bytes, file_count, frame_bytes_max, mirror_bytes_max, ..self }
    }

    fn frame_bytes_max(file_bytes: u64) -> usize {
        let part = block_floor(file_bytes / FRAMES_PER_FILE_MIN) as usize;
        part.clamp(2 * BLOCK, COMMIT_BYTES_MAX)
    }
}

/// The path of one file of a slot.
pub(super) fn file_path(dir: &Path, slot: u16, file: u16) -> PathBuf {
    dir.join(format!("{slot}-{file}.journal"))
}

/// The path of a slot's mirror.
pub(super) fn mirror_path(dir: &Path, slot: u16) -> PathBuf {
    dir.join(format!("{slot}.mirror"))
}

/// The slot in a mirror's name; `None` for every other name.
pub fn parse_mirror_name(name: &str) -> Option<u16> {
    name.strip_suffix(".mirror")?.parse().ok()
}

/// The slot and the index in a file's name; `None` for every other name.
pub fn parse_file_name(name: &str) -> Option<(u16, u16)> {
    let (slot, file) = name.strip_suffix(".journal")?.split_once('-')?;
    Some((slot.parse().ok()?, file.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::JOURNAL_BYTES_PER_SHARD_MIN;
    use crate::storage::directory::DirectoryId;

    #[test]
    fn a_journal_never_takes_more_than_its_share() {
        let identity = JournalIdentity { directory: DirectoryId([1; 16]), slot: 0, epoch: 1 };
        for bytes in [JOURNAL_BYTES_PER_SHARD_MIN, 100 * MIB + 5, 256 * MIB] {
            let options = JournalOptions::new(Path::new("/d"), identity, bytes as u64);
            assert!(options.file_bytes * u64::from(options.file_count) <= bytes as u64);
            assert!(options.frame_bytes_max as u64 * 4 <= options.file_bytes);
            assert_eq!(options.frame_bytes_max % BLOCK, 0);
        }
    }

    #[test]
    fn file_names_are_read_back() {
        let path = file_path(Path::new("/d"), 12, 3);
        assert_eq!(path.to_str(), Some("/d/12-3.journal"));
        assert_eq!(parse_file_name("12-3.journal"), Some((12, 3)));
        for name in ["12.journal", "1-2.log", "a-1.journal", "1-70000.journal", "1.mirror"] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
        let path = mirror_path(Path::new("/d"), 12);
        assert_eq!(path.to_str(), Some("/d/12.mirror"));
        assert_eq!(parse_mirror_name("12.mirror"), Some(12));
        for name in ["12-3.journal", "12.reserve", "a.mirror", "70000.mirror"] {
            assert_eq!(parse_mirror_name(name), None, "{name}");
        }
    }
}
