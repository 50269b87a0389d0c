//! The sparse index of one segment: where to begin looking for an offset or a timestamp.
//!
//! An entry names a batch: its base offset, its position, and the largest timestamp of all batches
//! before it. The file beside a segment is derived data, little endian:
//!
//! ```text
//!  0  magic            "KLMINDX1"
//!  8  CRC-32C          u32, over everything behind it
//! 12  covered          u32, the segment's bytes that the entries speak of
//! 16  segment base     i64
//! 24  largest          i64, the largest timestamp of what is covered
//! 32  entries          u32
//! 36  each entry       relative offset u32, position u32, largest timestamp before i64
//! ```

use super::decode::{DecodeError, Decoder};
use crate::model::Offset;
use crate::model::limits::INDEX_INTERVAL_BYTES;
use crate::record::checksum::crc32c;

const MAGIC: &[u8; 8] = b"KLMINDX1";
/// The bytes of an entry, in a file and in memory.
pub const ENTRY_BYTES: usize = 16;
/// The bytes of an index file before its entries.
const HEADER_BYTES: usize = 36;

/// A batch that the index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    relative_offset: u32,
    /// Where the batch stands in the segment.
    pub position: u32,
    /// The largest timestamp of all batches before it, `i64::MIN` for none.
    pub timestamp_before: i64,
}

/// The entries of one segment from some position on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseIndex {
    /// Batches below this position have no entries here; they may have in the file.
    from: u32,
    /// Where the last batch that was noted ends.
    covered: u32,
    /// The largest timestamp below `covered`, `i64::MIN` for none.
    largest: i64,
    entries: Vec<IndexEntry>,
}

impl SparseIndex {
    /// An index without entries for a segment that already has `from` bytes, whose largest
    /// timestamp is `largest`.
    pub fn starting_at(from: u32, largest: i64) -> SparseIndex {
        let largest = if from == 0 { i64::MIN } else { largest };
        SparseIndex { from, covered: from, largest, entries: Vec::new() }
    }

    /// Whether it speaks of the whole segment.
    pub fn is_complete(&self) -> bool {
        self.from == 0
    }

    /// Where its knowledge begins.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// Where its knowledge ends.
    pub fn covered(&self) -> u32 {
        self.covered
    }

    /// Batches that it names.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// The largest file of a segment with that many bytes.
    pub fn file_bytes_max(segment_bytes: u32) -> usize {
        HEADER_BYTES + ENTRY_BYTES * (segment_bytes as usize / INDEX_INTERVAL_BYTES + 1)
    }

    /// Notes a batch at the end of what is covered; `true` if it got an entry.
    pub fn note(
        &mut self,
        segment_base: Offset,
        base_offset: Offset,
        bytes: u32,
        timestamp: i64,
    ) -> bool {
        let position = self.covered;
        let timestamp_before = self.largest;
        self.largest = self.largest.max(timestamp);
        self.covered += bytes;
        let far = self
            .entries
            .last()
            .is_none_or(|last| position - last.position >= INDEX_INTERVAL_BYTES as u32);
        // A damaged segment may hold offsets that its name does not allow: those get no entry.
        match u32::try_from(base_offset.0 - segment_base.0) {
            Ok(relative_offset) if far => {
                self.entries.push(IndexEntry { relative_offset, position, timestamp_before });
                true
            }
            _ => false,
        }
    }

    /// The position of the last named batch that begins at or before `offset`.
    pub fn position_of(&self, segment_base: Offset, offset: Offset) -> Option<u32> {
        let relative = offset.0.saturating_sub(segment_base.0);
        let after =
            self.entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative);
        after.checked_sub(1).map(|index| self.entries[index].position)
    }

    /// The last named batch that begins at or below `position`: a border between batches.
    pub fn border_below(&self, position: u32) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.position <= position);
        after.checked_sub(1).map(|index| self.entries[index])
    }

    /// Where the first named batch behind `position` begins.
    pub fn border_above(&self, position: u32) -> Option<u32> {
        let after = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.get(after).map(|entry| entry.position)
    }

    /// The base offset of the batch that an entry names.
    pub fn base_offset(segment_base: Offset, entry: &IndexEntry) -> Offset {
        Offset(segment_base.0 + i64::from(entry.relative_offset))
    }

    /// A position before which every timestamp is below `timestamp`.
    pub fn position_of_timestamp(&self, timestamp: i64) -> Option<u32> {
        let after = self.entries.partition_point(|entry| entry.timestamp_before < timestamp);
        after.checked_sub(1).map(|index| self.entries[index].position)
    }

    /// Puts what an older index knows before what this one knows.
    pub fn prepend(&mut self, older: SparseIndex) {
        debug_assert!(older.covered >= self.from, "the older index reaches the newer one");
        self.largest = self.largest.max(older.largest);
        let own = std::mem::take(&mut self.entries);
        let (from, border) = (older.from, self.from);
        self.entries = older.entries;
        self.entries.retain(|entry| entry.position < border);
        self.entries.extend(own);
        self.from = from;
    }

    /// The file's bytes.
    pub fn encode(&self, segment_base: Offset) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.covered.to_le_bytes());
        out.extend_from_slice(&segment_base.0.to_le_bytes());
        out.extend_from_slice(&self.largest.to_le_bytes());
        out.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        for entry in &self.entries {
            out.extend_from_slice(&entry.relative_offset.to_le_bytes());
            out.extend_from_slice(&entry.position.to_le_bytes());
            out.extend_from_slice(&entry.timestamp_before.to_le_bytes());
        }
        let crc = crc32c(&out[12..]);
        out[8..12].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a file of the segment with that base and that many bytes.
    pub fn decode(
        file: &[u8],
        segment_base: Offset,
        segment_bytes: u32,
    ) -> Result<SparseIndex, DecodeError> {
        let mut bytes = Decoder::new(file);
        if bytes.bytes(8)? != MAGIC {
            return Err(DecodeError::Invalid("magic number"));
        }
        if bytes.u32()? != crc32c(bytes.rest()) {
            return Err(DecodeError::Invalid("checksum"));
        }
        let covered = bytes.u32()?;
        if covered > segment_bytes || bytes.i64()? != segment_base.0 {
            return Err(DecodeError::Invalid("segment of an index"));
        }
        let largest = bytes.i64()?;
        let count = bytes.count(ENTRY_BYTES)?;
        let mut entries = Vec::<IndexEntry>::with_capacity(count);
        for _ in 0..count {
            let entry = IndexEntry {
                relative_offset: bytes.u32()?,
                position: bytes.u32()?,
                timestamp_before: bytes.i64()?,
            };
            let rises = entries.last().is_none_or(|last| {
                last.position < entry.position && last.relative_offset < entry.relative_offset
            });
            if !rises || entry.position >= covered {
                return Err(DecodeError::Invalid("index entry"));
            }
            entries.push(entry);
        }
        if !bytes.rest().is_empty() {
            return Err(DecodeError::Invalid("length of an index"));
        }
        Ok(SparseIndex { from: 0, covered, largest, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset(1000);
    const STEP: u32 = INDEX_INTERVAL_BYTES as u32 / 2;

    /// Ten batches of half an interval, ten offsets each, with timestamps 0, 10, 20 ...
    fn index(from: u32) -> SparseIndex {
        let mut index = SparseIndex::starting_at(from * STEP, i64::from(from) * 10 - 10);
        for number in i64::from(from)..10 {
            let named = index.note(BASE, Offset(BASE.0 + number * 10), STEP, number * 10);
            assert_eq!(named, (number - i64::from(from)) % 2 == 0);
        }
        index
    }

    #[test]
    fn lookups_begin_at_or_before_what_is_looked_for() {
        let whole = index(0);
        let check = |offset, batch: Option<u32>| {
            let position = whole.position_of(BASE, Offset(offset));
            assert_eq!(position, batch.map(|batch| batch * STEP), "{offset}");
        };
        check(999, None);
        check(1000, Some(0));
        check(1019, Some(0));
        check(1020, Some(2));
        check(5000, Some(8));
        let check = |timestamp, batch: Option<u32>| {
            let position = whole.position_of_timestamp(timestamp);
            assert_eq!(position, batch.map(|batch| batch * STEP), "{timestamp}");
        };
        check(-5, Some(0));
        check(10, Some(0));
        check(11, Some(2));
        check(1000, Some(8));
        assert_eq!(whole.border_below(5 * STEP + 1).map(|entry| entry.position), Some(4 * STEP));
    }

    #[test]
    fn an_older_index_goes_before() {
        let mut newer = index(5);
        assert_eq!(newer.position_of(BASE, Offset(1049)), None);
        newer.prepend(index(0));
        assert!(newer.is_complete());
        assert_eq!(newer.position_of(BASE, Offset(1049)), Some(4 * STEP));
        assert_eq!(newer.position_of(BASE, Offset(1050)), Some(5 * STEP));
        assert_eq!(newer.covered(), 10 * STEP);
    }

    #[test]
    fn round_trip_truncation_and_damage() {
        let whole = index(0);
        let bytes = whole.encode(BASE);
        let decode = |bytes: &[u8]| SparseIndex::decode(bytes, BASE, 10 * STEP);
        assert_eq!(decode(&bytes), Ok(whole));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
            let mut damaged = bytes.clone();
            damaged[cut] ^= 1;
            assert!(decode(&damaged).is_err(), "damaged at {cut}");
        }
        assert!(SparseIndex::decode(&bytes, Offset(0), 10 * STEP).is_err());
        assert!(SparseIndex::decode(&bytes, BASE, 9 * STEP).is_err());
    }
}
