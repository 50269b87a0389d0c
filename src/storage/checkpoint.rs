//! A checkpoint: the states of one slot's logs, from which a replay of its journal starts.
//!
//! One file each, `<epoch>-<slot>-<number>` in the directory `checkpoint`, written under another name, made
//! durable and then renamed. The base of a start epoch has the states of all logs of the directory and the
//! slot 65535. Little endian:
//!
//! ```text
//!  0  magic       "KLMCHKP2"
//!  8  CRC-32C     u32, over everything behind it
//! 12  clean       u8, 1 = the slot was stopped cleanly at this point
//! 13  epoch       u64
//! 21  slot        u16
//! 23  number      u64
//! 31  sequence    u64, entries of the slot's journal up to this one are covered
//! 39  deleted     count u32, then 20 bytes each: logs of the base that this slot has deleted
//!     states      each a byte 1 and then as in log/state.rs, with the sequence that it covers
//!     end         a byte 0
//! ```
//!
//! States are taken one after the other while appends go on, so each says for itself up to where
//! it covers the journal: a replay skips entries of a log up to there.

use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::directory::checkpoint_dir;
use super::journal::Sequence;
use super::log::LogState;
use super::log::decode::{DecodeError, Decoder};
use crate::model::units::{BLOCK, GIB, KIB, block_floor};
use crate::model::{LogId, PartitionIndex, TopicId};
use crate::record::checksum::{crc32c, crc32c_append};
use crate::runtime::disk::{File, OpenMode, sync_failed};
use crate::runtime::memory::{Piece, copy};
use crate::runtime::{AlignedBuf, Runtime};

const MAGIC: &[u8; 8] = b"KLMCHKP2";
/// Where the checksum stands, and what it covers.
const CRC_AT: usize = 8;
const CRC_FROM: usize = 12;
/// Behind the name of a file that is not whole yet.
const UNFINISHED: &str = ".new";
/// Before each state, and behind the last.
const STATE: u8 = 1;
const END: u8 = 0;
/// So much of a checkpoint is worth a write.
const PART_BYTES_MIN: usize = 64 * KIB;
/// The slot of the checkpoint that a start epoch begins with.
pub const BASE_SLOT: u16 = u16::MAX;
/// No checkpoint is larger: states of 200,000 partitions with a full tail each fit.
const CHECKPOINT_BYTES_MAX: usize = GIB;

/// Which checkpoint a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointName {
    /// The start epoch.
    pub epoch: u64,
    /// The slot, or `BASE_SLOT`.
    pub slot: u16,
    /// Counts from 1 in each epoch and slot.
    pub number: u64,
}

impl CheckpointName {
    /// The base of a start epoch.
    pub fn base(epoch: u64) -> CheckpointName {
        CheckpointName { epoch, slot: BASE_SLOT, number: 1 }
    }

    /// Its file in a data directory.
    pub fn path(&self, dir: &Path) -> PathBuf {
        let CheckpointName { epoch, slot, number } = self;
        checkpoint_dir(dir).join(format!("{epoch}-{slot}-{number}"))
    }

    /// The file until it is whole.
    fn fresh_path(&self, dir: &Path) -> PathBuf {
        let mut path = self.path(dir).into_os_string();
        path.push(UNFINISHED);
        path.into()
    }

    fn parse(name: &str) -> Option<CheckpointName> {
        let mut parts = name.split('-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (epoch, slot, count) = (number()?, number()?, number()?);
        let name = CheckpointName { epoch, slot: u16::try_from(slot).ok()?, number: count };
        parts.next().is_none().then_some(name)
    }
}

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which one it is.
    pub name: CheckpointName,
    /// The slot was stopped cleanly: nothing in its journal is needed.
    pub clean: bool,
    /// Entries of the slot's journal up to this one are covered.
    pub sequence: Sequence,
    /// Logs of the base that the slot has deleted.
    pub deleted: Vec<LogId>,
    /// The slot's logs.
    pub states: Vec<LogState>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} is damaged: {error}; restore it from a copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: DecodeError,
    },
}

/// Gathers the bytes of a checkpoint and gives them out in parts, so that many logs take little memory.
pub struct CheckpointWriter {
    name: CheckpointName,
    file: File,
    /// The first block, which comes last because the checksum stands in it.
    first: Vec<u8>,
    /// What has not been taken as a part.
    bytes: Vec<u8>,
    /// Where that begins in the file.
    at: u64,
    /// The checksum of all that was taken.
    crc: u32,
}

/// Whole blocks of a checkpoint on their way to the file, past the page cache: what gathers there would go to the
/// disk all at once, and commits would wait behind it.
pub struct CheckpointPart {
    file: File,
    at: u64,
    blocks: AlignedBuf,
}

impl CheckpointPart {
    /// Writes it; it is not durable yet.
    pub async fn write(self) -> io::Result<()> {
        let all = 0..self.blocks.len();
        self.file.write_at(vec![Piece::Aligned(self.blocks, all)], self.at).await
    }
}

/// Makes the file of a checkpoint, under the name that it has until it is whole.
///
/// # Errors
/// What the disk says.
pub async fn create(runtime: &Runtime, dir: &Path, name: CheckpointName) -> io::Result<File> {
    let file = runtime.disk().open(&name.fresh_path(dir), OpenMode::CREATE_DIRECT).await?;
    file.set_len(0).await?;
    Ok(file)
}

/// Removes what was written of a checkpoint that does not become whole.
pub async fn abandon(runtime: &Runtime, dir: &Path, name: CheckpointName) {
    // It takes space, but it is never read.
    drop(runtime.disk().remove_file(&name.fresh_path(dir)).await);
}

impl CheckpointWriter {
    /// Begins a checkpoint in the file that [`create`] has made.
    pub fn new(
        file: File,
        name: CheckpointName,
        clean: bool,
        sequence: Sequence,
        deleted: &[LogId],
    ) -> CheckpointWriter {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(u8::from(clean));
        bytes.extend_from_slice(&name.epoch.to_le_bytes());
        bytes.extend_from_slice(&name.slot.to_le_bytes());
        bytes.extend_from_slice(&name.number.to_le_bytes());
        bytes.extend_from_slice(&sequence.0.to_le_bytes());
        bytes.extend_from_slice(&(deleted.len() as u32).to_le_bytes());
        for log in deleted {
            bytes.extend_from_slice(&log.topic.0);
            bytes.extend_from_slice(&log.partition.0.to_le_bytes());
        }
        CheckpointWriter { name, file, first: Vec::new(), bytes, at: 0, crc: 0 }
    }

    /// Adds the state of one log, which `encode` writes.
    pub fn add(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(STATE);
        encode(&mut self.bytes);
    }

    /// Takes what has gathered if that is worth a write.
    pub fn take_part(&mut self) -> Option<CheckpointPart> {
        if self.bytes.len() < PART_BYTES_MIN {
            return None;
        }
        if self.first.is_empty() {
            let later = self.bytes.split_off(BLOCK);
            self.first = std::mem::replace(&mut self.bytes, later);
            self.crc = crc32c(&self.first[CRC_FROM..]);
            self.at = BLOCK as u64;
        }
        let rest = self.bytes.split_off(block_floor(self.bytes.len() as u64) as usize);
        let whole = std::mem::replace(&mut self.bytes, rest);
        self.crc = crc32c_append(self.crc, &whole);
        let part = self.part(self.at, &whole);
        self.at += whole.len() as u64;
        Some(part)
    }

    fn part(&self, at: u64, bytes: &[u8]) -> CheckpointPart {
        let mut blocks = AlignedBuf::zeroed(bytes.len());
        copy(&mut blocks[..bytes.len()], bytes);
        CheckpointPart { file: self.file.clone(), at, blocks }
    }

    /// Writes what is left and makes the checkpoint durable under its name.
    pub async fn write(mut self, runtime: &Runtime, dir: &Path) -> io::Result<()> {
        self.bytes.push(END);
        let length = self.at + self.bytes.len() as u64;
        if self.first.is_empty() {
            self.first = std::mem::take(&mut self.bytes);
            self.crc = crc32c(&self.first[CRC_FROM..]);
        } else {
            self.crc = crc32c_append(self.crc, &self.bytes);
            self.part(self.at, &self.bytes).write().await?;
        }
        self.first[CRC_AT..CRC_FROM].copy_from_slice(&self.crc.to_le_bytes());
        self.part(0, &self.first).write().await?;
        self.file.set_len(length).await?;
        self.file.sync_data().await.map_err(sync_failed)?;
        drop(self.file);
        let disk = runtime.disk();
        disk.rename(&self.name.fresh_path(dir), &self.name.path(dir)).await?;
        disk.sync_dir(&checkpoint_dir(dir)).await
    }
}

impl Checkpoint {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// Where the bytes are damaged or another build's.
    pub fn decode(file: &[u8]) -> Result<Checkpoint, DecodeError> {
        let mut bytes = Decoder::new(file);
        if bytes.bytes(8)? != MAGIC {
            return Err(DecodeError::Invalid("magic number"));
        }
        if bytes.u32()? != crc32c(bytes.rest()) {
            return Err(DecodeError::Invalid("checksum"));
        }
        let clean = match bytes.u8()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Invalid("clean flag")),
        };
        let name = CheckpointName { epoch: bytes.u64()?, slot: bytes.u16()?, number: bytes.u64()? };
        let sequence = Sequence(bytes.u64()?);
        let deleted_count = bytes.count(20)?;
        let mut deleted = Vec::with_capacity(deleted_count);
        for _ in 0..deleted_count {
            let topic = TopicId(bytes.id()?);
            deleted.push(LogId { topic, partition: PartitionIndex(bytes.i32()?) });
        }
        let mut states = Vec::new();
        loop {
            match bytes.u8()? {
                STATE => states.push(LogState::decode(&mut bytes)?),
                END => break,
                _ => return Err(DecodeError::Invalid("mark of a state")),
            }
        }
        if !bytes.rest().is_empty() {
            return Err(DecodeError::Invalid("length of a checkpoint"));
        }
        Ok(Checkpoint { name, clean, sequence, deleted, states })
    }
}

/// The checkpoints in a data directory, ordered by epoch, slot and number.
///
/// # Errors
/// Where the directory cannot be listed.
pub async fn list(runtime: &Runtime, dir: &Path) -> io::Result<Vec<CheckpointName>> {
    let entries = match runtime.disk().list_dir(&checkpoint_dir(dir)).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut names: Vec<_> =
        entries.iter().filter_map(|entry| CheckpointName::parse(&entry.name)).collect();
    names.sort_unstable();
    Ok(names)
}

/// The files in a data directory that an earlier process was writing when it ended.
pub async fn unfinished(runtime: &Runtime, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let parent = checkpoint_dir(dir);
    let entries = runtime.disk().list_dir(&parent).await?;
    let of_checkpoints = entries.iter().filter(|entry| {
        entry
            .name
            .strip_suffix(UNFINISHED)
            .is_some_and(|name| CheckpointName::parse(name).is_some())
    });
    Ok(of_checkpoints.map(|entry| parent.join(&entry.name)).collect())
}

/// Reads a checkpoint.
///
/// # Errors
/// Where the file cannot be read, or is damaged.
pub async fn read(
    runtime: &Runtime,
    dir: &Path,
    name: CheckpointName,
) -> Result<Checkpoint, CheckpointError> {
    let path = name.path(dir);
    let bytes = match runtime.disk().read_whole(&path, CHECKPOINT_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(CheckpointError::Io { path, error }),
    };
    match Checkpoint::decode(&bytes) {
        Ok(checkpoint) if checkpoint.name == name => Ok(checkpoint),
        Ok(_) => {
            let error = DecodeError::Invalid("name inside a checkpoint");
            Err(CheckpointError::Damaged { path, error })
        }
        Err(error) => Err(CheckpointError::Damaged { path, error }),
    }
}

/// Writes a checkpoint of given states, durably: the base of a start epoch.
pub async fn write(
    runtime: &Runtime,
    dir: &Path,
    name: CheckpointName,
    clean: bool,
    states: &[LogState],
) -> io::Result<()> {
    let file = create(runtime, dir, name).await?;
    let mut writer = CheckpointWriter::new(file, name, clean, Sequence::NONE, &[]);
    let gathered = async {
        for state in states {
            writer.add(|out| state.encode(out));
            if let Some(part) = writer.take_part() {
                part.write().await?;
            }
        }
        writer.write(runtime, dir).await
    };
    let written = gathered.await;
    if written.is_err() {
        abandon(runtime, dir, name).await;
    }
    written
}

/// The states of an epoch's logs: those of the base, less what the slots have deleted, replaced
/// by what the slots say of them.
pub fn merge(base: Vec<LogState>, slots: Vec<Checkpoint>) -> Vec<LogState> {
    let mut states: FxHashMap<LogId, LogState> =
        base.into_iter().map(|state| (state.id, state)).collect();
    let mut deleted = FxHashSet::default();
    for slot in slots {
        deleted.extend(slot.deleted);
        for state in slot.states {
            let newer =
                states.get(&state.id).is_none_or(|known| known.owner_epoch <= state.owner_epoch);
            if newer {
                states.insert(state.id, state);
            }
        }
    }
    let mut merged: Vec<_> =
        states.into_values().filter(|state| !deleted.contains(&state.id)).collect();
    merged.sort_unstable_by_key(|state| state.id);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offset, OwnerEpoch};
    use crate::runtime::sim::{SimOptions, World};

    fn state(partition: i32, start: i64) -> LogState {
        let id = LogId { topic: TopicId([3; 16]), partition: PartitionIndex(partition) };
        let mut state = LogState::new(id, OwnerEpoch(1), "orders");
        state.start = Offset(start);
        state.end = Offset(start);
        state
    }

    /// The bytes of the file of a checkpoint, and how many parts it was written in.
    fn written(slot: u16, states: &[LogState], deleted: &[LogId]) -> (Vec<u8>, usize) {
        let world = World::new(1, SimOptions::instant());
        let runtime = world.host().runtime();
        let (dir, name) = (Path::new("data"), CheckpointName { epoch: 7, slot, number: 3 });
        world.run_until(async {
            let disk = runtime.disk();
            disk.create_dir_all(&checkpoint_dir(dir)).await.expect("a directory");
            let file = create(&runtime, dir, name).await.expect("a file");
            let mut writer = CheckpointWriter::new(file, name, true, Sequence(99), deleted);
            let mut parts = 1;
            for state in states {
                writer.add(|out| state.encode(out));
                if let Some(part) = writer.take_part() {
                    part.write().await.expect("a part");
                    parts += 1;
                }
            }
            writer.write(&runtime, dir).await.expect("a checkpoint");
            assert_eq!(list(&runtime, dir).await.expect("a list"), [name]);
            let bytes = disk.read_whole(&name.path(dir), CHECKPOINT_BYTES_MAX).await;
            (bytes.expect("the file"), parts)
        })
    }

    fn checkpoint(slot: u16, states: &[LogState], deleted: &[LogId]) -> Vec<u8> {
        written(slot, states, deleted).0
    }

    #[test]
    fn a_large_one_is_written_in_parts() {
        let states: Vec<_> = (0..2_000).map(|partition| state(partition, 5)).collect();
        let (bytes, parts) = written(0, &states, &[]);
        assert!(
            parts > 2 && bytes.len() > parts * PART_BYTES_MIN - PART_BYTES_MIN,
            "{parts} parts"
        );
        let read = Checkpoint::decode(&bytes).expect("whole");
        assert_eq!(read.states, states);
    }

    #[test]
    fn round_trip_truncation_and_damage() {
        let (states, deleted) = ([state(0, 5), state(1, 6)], [state(2, 0).id]);
        let bytes = checkpoint(4, &states, &deleted);
        let read = Checkpoint::decode(&bytes).expect("whole");
        assert_eq!((read.name.epoch, read.name.slot, read.name.number), (7, 4, 3));
        assert_eq!((read.clean, read.sequence), (true, Sequence(99)));
        assert_eq!((&read.states[..], &read.deleted[..]), (&states[..], &deleted[..]));
        for cut in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            let mut damaged = bytes.clone();
            damaged[cut] ^= 1;
            assert!(Checkpoint::decode(&damaged).is_err(), "damaged at {cut}");
        }
    }

    #[test]
    fn names_are_read_back() {
        let name = CheckpointName { epoch: 12, slot: 3, number: 456 };
        let path = name.path(Path::new("data"));
        assert_eq!(path, Path::new("data/checkpoint/12-3-456"));
        let text = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(CheckpointName::parse(text), Some(name));
        for wrong in ["", "1-2", "1-2-3-4", "1-2-x", "1-70000-3", "1-2-3.tmp"] {
            assert_eq!(CheckpointName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn slots_go_over_the_base() {
        let decode = |bytes: Vec<u8>| Checkpoint::decode(&bytes).expect("whole");
        let slots = vec![
            decode(checkpoint(0, &[state(1, 10)], &[state(2, 0).id])),
            decode(checkpoint(1, &[state(3, 30)], &[])),
        ];
        let merged = merge(vec![state(0, 0), state(1, 1), state(2, 2)], slots);
        assert_eq!(merged, [state(0, 0), state(1, 10), state(3, 30)]);
    }
}
