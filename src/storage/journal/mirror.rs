//! The mirror: entries that nobody waits to see on disk, kept where the end of the process does not take them.
//!
//! `data/journal/<slot>.mirror` is a small file that is mapped into memory. While a frame is open and none of its
//! entries has to be durable, it is not sent: its entries are copied here at the end of each tick, and that makes
//! them accepted. So a relaxed record costs no write, and no wake-up for a write's end; the frame goes out a few
//! milliseconds later with all that has come meanwhile, or at once with the first entry that has to be durable.
//! Invariant: an entry that was accepted here stays here until its frame is written in the journal's files.
//!
//! Two *sides* take turns, since one frame may still be on its way while the next one is open. A side has two heads
//! that take turns as well, each in a sector of its own, so that one of them is always whole; little endian:
//!
//! ```text
//!    0  head     64 bytes
//!  512  head     64 bytes
//! 4096  entries  as in a frame
//! ```
//!
//! A head, which speaks of the first so many bytes of entries:
//!
//! ```text
//!  0  magic           8 bytes  "KLAMMMIR"
//!  8  format version  u16      1
//! 10  slot            u16
//! 12  CRC-32C         u32      of the other bytes of this head
//! 16  directory id    16 bytes together with the slot: the journal's id
//! 32  start epoch     u64      of the superblock at the time of writing
//! 40  first sequence  u64      of the first piece; the others follow
//! 48  entry count     u32      pieces, at least 1
//! 52  payload length  u32      of the entries
//! 56  payload CRC     u32      CRC-32C of the entries
//! 60  reserved        4 bytes  zero
//! ```
//!
//! The kernel writes the file's pages when it likes, so that after a power failure any of them may be old: then the
//! checksums do not hold, or an earlier head's still does. Nothing of it was promised to survive that.

use std::io;

use crate::model::units::{BLOCK, KIB};
use crate::record::checksum::{crc32c, crc32c_append};
use crate::runtime::Runtime;
use crate::runtime::disk::MappedFile;
use crate::storage::directory::DirectoryId;

use super::entry::Sequence;
use super::frame::{
    CRC_AT, CRC_END, FRAME_HEADER_BYTES, JournalIdentity, checksum, u16_at, u32_at, u64_at,
};
use super::options::{JournalOptions, mirror_path};
use super::staging::StagedFrame;

/// Entries of one side; copying and checking more costs as much as sending it.
pub const SIDE_PAYLOAD_BYTES_MAX: usize = 16 * KIB;

const SIDES: usize = 2;
const SIDE_BYTES: usize = BLOCK + SIDE_PAYLOAD_BYTES_MAX;
/// The file's length.
pub const FILE_BYTES: usize = SIDES * SIDE_BYTES;

const MAGIC: [u8; 8] = *b"KLAMMMIR";
const FORMAT_VERSION: u16 = 1;
const HEAD_BYTES: usize = 64;
const HEADS_AT: [usize; 2] = [0, 512];

/// What a side holds of the frame that has it.
#[derive(Clone, Copy)]
struct Held {
    first: Sequence,
    entry_count: u32,
    payload_bytes: usize,
    payload_crc: u32,
}

/// The mirror of a journal that is open.
pub struct Mirror {
    file: MappedFile,
    identity: JournalIdentity,
    payload_bytes_max: usize,
    sides: [Option<Held>; SIDES],
    /// The head of each side that is written next.
    heads: [usize; SIDES],
}

/// What became of a frame that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept for the first time.
    Anew,
    /// More of it is kept than before.
    Further,
    /// There was nothing more to keep.
    Already,
}

impl Mirror {
    /// Makes the file and maps it; what an earlier epoch has left in it is gone then.
    ///
    /// # Errors
    /// Where there is no space for it, or its file system cannot map files.
    pub async fn open(runtime: &Runtime, options: &JournalOptions) -> io::Result<Mirror> {
        let path = mirror_path(&options.dir, options.identity.slot);
        Ok(Mirror {
            file: runtime.disk().map(&path, FILE_BYTES).await?,
            identity: options.identity,
            payload_bytes_max: options.mirror_bytes_max.min(SIDE_PAYLOAD_BYTES_MAX),
            sides: [None; SIDES],
            heads: [0; SIDES],
        })
    }

    /// Keeps all entries of a frame; `None` where it is too large or no side is free.
    pub fn keep(&mut self, frame: &StagedFrame) -> Option<Kept> {
        if frame.payload_bytes > self.payload_bytes_max {
            return None;
        }
        let of_frame = |held: &Option<Held>| held.is_some_and(|held| held.first == frame.first);
        let (side, kept) = match self.sides.iter().position(of_frame) {
            Some(side) => (side, Kept::Further),
            None => (self.sides.iter().position(Option::is_none)?, Kept::Anew),
        };
        let (from, crc) =
            self.sides[side].map_or((0, 0), |held| (held.payload_bytes, held.payload_crc));
        if from == frame.payload_bytes {
            return Some(Kept::Already);
        }
        let payload = &frame.buffer[FRAME_HEADER_BYTES..][from..frame.payload_bytes];
        let held = Held {
            first: frame.first,
            entry_count: frame.entry_count,
            payload_bytes: frame.payload_bytes,
            payload_crc: crc32c_append(crc, payload),
        };
        let at = side * SIDE_BYTES;
        self.file.store(at + BLOCK + from, payload);
        self.file.store(at + HEADS_AT[self.heads[side]], &encode_head(&self.identity, &held));
        self.heads[side] ^= 1;
        self.sides[side] = Some(held);
        Some(kept)
    }

    /// Whether every entry of a frame is kept.
    pub fn holds(&self, frame: &StagedFrame) -> bool {
        self.sides
            .iter()
            .flatten()
            .any(|held| held.first == frame.first && held.entry_count == frame.entry_count)
    }

    /// All frames up to this sequence are written in the journal's files. One that is written behind another one that is
    /// not has to stay: recovery would not reach it there.
    pub fn let_go(&mut self, written_through: Sequence) {
        for side in &mut self.sides {
            side.take_if(|held| held.first <= written_through);
        }
    }
}

fn encode_head(identity: &JournalIdentity, held: &Held) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[0..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    head[10..12].copy_from_slice(&identity.slot.to_le_bytes());
    head[16..32].copy_from_slice(&identity.directory.0);
    head[32..40].copy_from_slice(&identity.epoch.to_le_bytes());
    head[40..48].copy_from_slice(&held.first.0.to_le_bytes());
    head[48..52].copy_from_slice(&held.entry_count.to_le_bytes());
    head[52..56].copy_from_slice(&(held.payload_bytes as u32).to_le_bytes());
    head[56..60].copy_from_slice(&held.payload_crc.to_le_bytes());
    let crc = checksum(&head);
    head[CRC_AT..CRC_END].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Entries of one frame, as a scan finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirrored<'a> {
    /// The first piece's sequence.
    pub first: Sequence,
    /// Pieces in it.
    pub entry_count: u32,
    /// The pieces.
    pub payload: &'a [u8],
    /// Where they lie in the file, in bytes.
    pub offset: u64,
}

impl Mirrored<'_> {
    /// The last piece's sequence.
    pub fn last(&self) -> Sequence {
        Sequence(self.first.0 + u64::from(self.entry_count) - 1)
    }
}

/// What a mirror's bytes hold of a journal and its epoch, in the order of the sequences: what is of another one, torn
/// or too short is not there.
pub fn read<'a>(bytes: &'a [u8], identity: &JournalIdentity) -> Vec<Mirrored<'a>> {
    let sides = bytes.chunks_exact(SIDE_BYTES).zip((0u64..).step_by(SIDE_BYTES));
    let mut found: Vec<Mirrored<'a>> = sides
        .filter_map(|(side, at)| {
            let heads = HEADS_AT.iter().filter_map(|&head| decode(side, at, head, identity));
            heads.max_by_key(|mirrored| (mirrored.first, mirrored.entry_count))
        })
        .collect();
    found.sort_by_key(|mirrored| mirrored.first);
    found
}

/// What a head of a side says, if it is whole and of this journal, and the entries are those that it speaks of.
fn decode<'a>(
    side: &'a [u8],
    at: u64,
    head_at: usize,
    identity: &JournalIdentity,
) -> Option<Mirrored<'a>> {
    let head = &side[head_at..head_at + HEAD_BYTES];
    let is_whole = head[..8] == MAGIC
        && u16_at(head, 8) == FORMAT_VERSION
        && u32_at(head, CRC_AT) == checksum(head);
    let mut directory = [0; 16];
    directory.copy_from_slice(&head[16..32]);
    let (slot, epoch) = (u16_at(head, 10), u64_at(head, 32));
    let of = JournalIdentity { directory: DirectoryId(directory), slot, epoch };
    let (first, entry_count) = (Sequence(u64_at(head, 40)), u32_at(head, 48));
    let is_possible = first > Sequence::NONE
        && entry_count > 0
        && first.0.checked_add(u64::from(entry_count)).is_some();
    if !is_whole || of != *identity || !is_possible {
        return None;
    }
    let payload = side[BLOCK..].get(..u32_at(head, 52) as usize)?;
    let mirrored = Mirrored { first, entry_count, payload, offset: at + BLOCK as u64 };
    (crc32c(payload) == u32_at(head, 56)).then_some(mirrored)
}
