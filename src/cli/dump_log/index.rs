//! Kafka's index files beside a segment: offsets to positions (`.index`) and times to offsets (`.timeindex`).
//!
//! > `.index`, 8 bytes an entry: offset (`int32`, relative to the segment's) · position (`int32`)
//! > `.timeindex`, 12 bytes an entry: timestamp (`int64`) · offset (`int32`, relative)
//!
//! Klamm's own segments have an index of another form, which is derived from the segment and rebuilt where
//! it is wrong; it is recognised and left alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

use super::segment::{Batches, DumpError, last_offset};
use crate::record::DecompressionCaps;

const ENTRY_BYTES: usize = 8;
const TIME_ENTRY_BYTES: usize = 12;
/// What Klamm's own index begins with.
const KLAMM_MAGIC: &[u8] = b"KLMINDX1";

/// What of an index is shown.
#[derive(Clone, Copy, Debug)]
pub struct ShowIndex {
    /// Only that it is sound.
    pub sanity_only: bool,
    /// Only what does not agree with the segment.
    pub verify_only: bool,
    /// The largest batch that is looked for.
    pub message_bytes_max: i32,
}

/// What of the indexes does not agree with their segments, to be said at the end.
#[derive(Debug, Default)]
pub struct Disagreements {
    lines: Vec<String>,
}

impl Disagreements {
    /// The lines, in Kafka's words.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    fn add(&mut self, title: &str, path: &str, entries: Vec<String>) {
        if !entries.is_empty() {
            self.lines.push(format!("{title}{}", super::absolute(path)));
            self.lines.extend(entries);
        }
    }
}

/// An index file, read whole: Kafka's take 10 MiB at most.
struct Index {
    bytes: Vec<u8>,
    base_offset: i64,
}

impl Index {
    fn read(path: &str) -> Result<Index, DumpError> {
        Ok(Index { bytes: fs::read(path)?, base_offset: super::base_offset(path)? })
    }

    /// Offset and position.
    fn offsets(&self) -> impl DoubleEndedIterator<Item = (i64, i32)> {
        self.bytes.chunks_exact(ENTRY_BYTES).map(|entry| {
            let (offset, position) = entry.split_at(4);
            (self.base_offset.wrapping_add(i64::from(number(offset))), number(position))
        })
    }

    /// Timestamp and offset.
    fn times(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        self.bytes.chunks_exact(TIME_ENTRY_BYTES).map(|entry| {
            let (time, offset) = entry.split_at(8);
            let time = i64::from_be_bytes(*time.first_chunk().unwrap_or(&[0; 8]));
            (time, self.base_offset.wrapping_add(i64::from(number(offset))))
        })
    }
}

fn number(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(*bytes.first_chunk().unwrap_or(&[0; 4]))
}

/// What stands beside `path` with another suffix.
fn beside(path: &str, suffix: &str) -> String {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let stem = path[name_at..].split('.').next().unwrap_or_default();
    format!("{}{stem}{suffix}", &path[..name_at])
}

fn corrupt(message: String) -> DumpError {
    DumpError::File(std::io::Error::other(message))
}

/// The batches of the segment beside `path`, from `position` on.
fn batches_from(path: &str, position: i32, size: i32) -> Result<Batches<File>, DumpError> {
    let log = beside(path, ".log");
    let mut file = File::open(&log)?;
    let size_bytes = file.metadata()?.len();
    let start = u64::try_from(position).ok().filter(|start| *start <= size_bytes);
    let start = start.ok_or_else(|| {
        corrupt(format!(
            "position {position} of {path} is outside of {log}, which has {size_bytes} bytes"
        ))
    })?;
    file.seek(SeekFrom::Start(start))?;
    let end = start.saturating_add(u64::try_from(size).unwrap_or(0)).min(size_bytes);
    Ok(Batches::new(file, &log, start, end))
}

/// Prints an offset index.
pub fn dump_index(
    path: &str,
    show: ShowIndex,
    said: &mut Disagreements,
    out: &mut impl Write,
) -> Result<(), DumpError> {
    let index = Index::read(path)?;
    let mut say = |text: String| writeln!(out, "{text}").map_err(DumpError::Output);
    if index.bytes.starts_with(KLAMM_MAGIC) {
        return say(format!(
            "{path} is Klamm's own index: derived from the segment, and rebuilt where it is wrong."
        ));
    }
    if index.bytes.len() < ENTRY_BYTES {
        return say(format!("{path} is empty."));
    }
    if show.sanity_only {
        check(path, &index, index.offsets().next_back().map(|(offset, _)| offset), ENTRY_BYTES)?;
        return say(format!("{path} passed sanity check."));
    }
    // As in Kafka's map: of one offset the last one counts, and the largest comes first.
    let mut wrong = BTreeMap::new();
    for (at, (offset, position)) in index.offsets().enumerate() {
        // A crash may leave many entries of zeros at the end.
        if offset == index.base_offset && at > 0 {
            break;
        }
        let mut batches = batches_from(path, position, show.message_bytes_max)?;
        let found = batches.read_next()?.map(|(_, batch)| last_offset(batch.header()));
        let found =
            found.ok_or_else(|| corrupt(format!("no batch at position {position} of {path}")))?;
        if found != offset {
            wrong.insert(offset, found);
        }
        if !show.verify_only {
            say(format!("offset: {offset} position: {position}"))?;
        }
    }
    let lines = wrong
        .into_iter()
        .rev()
        .map(|(offset, found)| format!("  Index offset: {offset}, log offset: {found}"));
    said.add("Mismatches in :", path, lines.collect());
    Ok(())
}

fn check(
    path: &str,
    index: &Index,
    last_offset: Option<i64>,
    entry_bytes: usize,
) -> Result<(), DumpError> {
    let (size, base) = (index.bytes.len(), index.base_offset);
    let path = super::absolute(path);
    if let Some(last) = last_offset.filter(|last| *last < base) {
        return Err(corrupt(format!(
            "Corrupt index found, index file {path} has non-zero size but the last offset is {last} which is \
             less than the base offset {base}"
        )));
    }
    if size % entry_bytes != 0 {
        return Err(corrupt(format!(
            "Index file {path} is corrupt, found {size} bytes which is neither positive nor a multiple of {entry_bytes}"
        )));
    }
    Ok(())
}

/// Prints a time index.
pub fn dump_time_index(
    path: &str,
    show: ShowIndex,
    said: &mut Disagreements,
    out: &mut impl Write,
) -> Result<(), DumpError> {
    let index = Index::read(path)?;
    let offsets = Index::read(&beside(path, ".index"))?;
    if show.sanity_only {
        check(path, &index, index.times().next_back().map(|(_, offset)| offset), TIME_ENTRY_BYTES)?;
        return writeln!(out, "{path} passed sanity check.").map_err(DumpError::Output);
    }
    let (mut wrong, mut unordered, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = -1;
    for (at, (time, offset)) in index.times().enumerate() {
        if offset == index.base_offset && at > 0 {
            break;
        }
        let position = offsets.offsets().take_while(|(known, _)| *known <= offset).last();
        match batch_time(path, position.map_or(0, |(_, position)| position), offset)? {
            Ok(found) => {
                if found != time {
                    wrong.push(format!("  Index timestamp: {time}, log timestamp: {found}"));
                }
                if before >= time {
                    unordered.push(format!(
                        "  Index timestamp: {time}, Previously indexed timestamp: {before}"
                    ));
                }
            }
            Err(found) => {
                missing.push(format!("Indexed offset: {offset}, found log offset: {found}"));
            }
        }
        if !show.verify_only {
            writeln!(out, "timestamp: {time} offset: {offset}").map_err(DumpError::Output)?;
        }
        before = time;
    }
    said.add("Found timestamp mismatch in :", path, wrong);
    said.add("Found out of order timestamp in :", path, unordered);
    said.add("The following indexed offsets are not found in :", path, missing);
    Ok(())
}

/// The largest timestamp of the batch that ends with `offset`; otherwise the offset that the next one ends
/// with, or -1.
fn batch_time(path: &str, position: i32, offset: i64) -> Result<Result<i64, i64>, DumpError> {
    let mut batches = batches_from(path, position, i32::MAX)?;
    while let Some((position, batch)) = batches.read_next()? {
        let last = last_offset(batch.header());
        if last < offset {
            continue;
        }
        if last > offset {
            return Ok(Err(last));
        }
        let damaged =
            |reason: String| DumpError::Records { position, path: beside(path, ".log"), reason };
        let opened =
            batch.open(DecompressionCaps::default()).map_err(|error| damaged(error.to_string()))?;
        let mut largest = -1;
        for record in batch.records(&opened) {
            let record = record.map_err(|error| damaged(error.to_string()))?;
            largest = largest.max(record.timestamp);
        }
        return Ok(Ok(largest));
    }
    Ok(Err(-1))
}
