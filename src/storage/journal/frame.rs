//! A frame: the unit of one commit, and the only thing that a journal file holds besides zeros.
//!
//! A frame starts at a block, fills whole blocks and is never written twice. Little endian, 96
//! bytes before its entries:
//!
//! ```text
//!  0  magic            8 bytes  "KLAMMJNL"
//!  8  format version   u16      1
//! 10  reserved         u16      zero
//! 12  CRC-32C          u32      of bytes 0..12 and everything from 16 to the end of the last block
//! 16  directory id     16 bytes together with the slot: the journal's id
//! 32  slot             u16
//! 34  file             u16      index of the file in its journal
//! 36  entry count      u32      pieces in this frame, at least 1
//! 40  generation       u64      how many files this epoch had begun, this one included
//! 48  start epoch      u64      of the superblock at the time of writing
//! 56  file offset      u64      of byte 0
//! 64  first sequence   u64      of the first piece; the others follow
//! 72  durable-through  u64      the last sequence known durable when this frame was submitted
//! 80  payload length   u32      of the entries
//! 84  previous CRC     u32      of the frame with the sequences before; the epoch's first has a seed
//! 88  reserved         8 bytes  zero
//! 96  entries, then zeros to the end of the block
//! ```
//!
//! The checksum covers the padding too, so no bit of a frame can flip unseen. The ids, the epoch,
//! the generation and the offset refuse blocks that were written for another place or time; the
//! previous CRC and the sequences chain the frames, across files too.

use crate::model::units::{BLOCK, block_ceil};
use crate::record::checksum::{crc32c, crc32c_append};
use crate::storage::directory::DirectoryId;

use super::entry::Sequence;

/// Bytes of a frame before its entries.
pub const FRAME_HEADER_BYTES: usize = 96;
/// The format that this build writes and reads.
pub const FORMAT_VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"KLAMMJNL";
pub(super) const CRC_AT: usize = 12;
pub(super) const CRC_END: usize = 16;

/// Which journal, in which term: frames of any other are dead bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalIdentity {
    /// The directory's random id.
    pub directory: DirectoryId,
    /// The slot of that directory.
    pub slot: u16,
    /// The start epoch.
    pub epoch: u64,
}

impl JournalIdentity {
    /// What the epoch's first frame has as the previous frame's CRC.
    pub fn chain_seed(&self) -> u32 {
        let crc = crc32c(&self.directory.0);
        let crc = crc32c_append(crc, &self.slot.to_le_bytes());
        crc32c_append(crc, &self.epoch.to_le_bytes())
    }
}

/// Everything that a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whose frame, of which epoch.
    pub identity: JournalIdentity,
    /// Index of its file.
    pub file: u16,
    /// Pieces inside.
    pub entry_count: u32,
    /// The file's turn in this epoch.
    pub generation: u64,
    /// Where it starts in its file, in bytes.
    pub file_offset: u64,
    /// The sequence of its first piece.
    pub first: Sequence,
    /// The last sequence that was durable when it was submitted.
    pub durable_through: Sequence,
    /// Bytes of its entries.
    pub payload_bytes: u32,
    /// The CRC of the frame before.
    pub previous_crc: u32,
}

impl FrameHeader {
    /// Bytes on disk, a multiple of the block.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(self.payload_bytes as usize)
    }

    /// The sequence of its last piece.
    pub fn last(&self) -> Sequence {
        Sequence(self.first.0 + u64::from(self.entry_count) - 1)
    }
}

/// Bytes on disk of a frame with that many bytes of entries.
pub const fn frame_bytes(payload_bytes: usize) -> u64 {
    block_ceil((FRAME_HEADER_BYTES + payload_bytes) as u64)
}

/// Why a block is not the start of a frame that this build can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not a frame at all: zeros, or the middle of one.
    #[error("no frame starts here")]
    NoMagic,
    /// Written by another version.
    #[error("frame format {0} is unknown to this build: start the version that wrote it")]
    Version(u16),
    /// A field says what no writer writes.
    #[error("the frame's header is impossible")]
    Header,
    /// Fewer bytes are there than the frame has.
    #[error("the frame is cut short")]
    Short,
    /// The checksum does not hold.
    #[error("the frame's checksum does not hold")]
    Checksum,
}

/// Completes a frame in place: `frame` has whole blocks, the entries already lie behind the header
/// and the padding is zero. Gives its CRC, which the next frame names.
pub fn seal(frame: &mut [u8], header: &FrameHeader) -> u32 {
    assert_eq!(frame.len() as u64, header.frame_bytes(), "a frame fills whole blocks");
    assert!(header.entry_count > 0, "a frame without entries says nothing");
    frame[0..8].copy_from_slice(&MAGIC);
    frame[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    frame[10..12].fill(0);
    frame[16..32].copy_from_slice(&header.identity.directory.0);
    frame[32..34].copy_from_slice(&header.identity.slot.to_le_bytes());
    frame[34..36].copy_from_slice(&header.file.to_le_bytes());
    frame[36..40].copy_from_slice(&header.entry_count.to_le_bytes());
    frame[40..48].copy_from_slice(&header.generation.to_le_bytes());
    frame[48..56].copy_from_slice(&header.identity.epoch.to_le_bytes());
    frame[56..64].copy_from_slice(&header.file_offset.to_le_bytes());
    frame[64..72].copy_from_slice(&header.first.0.to_le_bytes());
    frame[72..80].copy_from_slice(&header.durable_through.0.to_le_bytes());
    frame[80..84].copy_from_slice(&header.payload_bytes.to_le_bytes());
    frame[84..88].copy_from_slice(&header.previous_crc.to_le_bytes());
    frame[88..96].fill(0);
    let crc = checksum(frame);
    frame[CRC_AT..CRC_END].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// The checksum of a frame, or of a head of the mirror: of all its bytes but those that hold it.
pub(super) fn checksum(frame: &[u8]) -> u32 {
    crc32c_append(crc32c(&frame[..CRC_AT]), &frame[CRC_END..])
}

/// Reads a header without its checksum; the lengths in it are plausible but not yet proved.
pub fn peek(block: &[u8]) -> Result<FrameHeader, FrameError> {
    let head = block.first_chunk::<FRAME_HEADER_BYTES>().ok_or(FrameError::Short)?;
    if head[..8] != MAGIC {
        return Err(FrameError::NoMagic);
    }
    let version = u16_at(head, 8);
    if version != FORMAT_VERSION {
        return Err(FrameError::Version(version));
    }
    let mut directory = [0; 16];
    directory.copy_from_slice(&head[16..32]);
    let header = FrameHeader {
        identity: JournalIdentity {
            directory: DirectoryId(directory),
            slot: u16_at(head, 32),
            epoch: u64_at(head, 48),
        },
        file: u16_at(head, 34),
        entry_count: u32_at(head, 36),
        generation: u64_at(head, 40),
        file_offset: u64_at(head, 56),
        first: Sequence(u64_at(head, 64)),
        durable_through: Sequence(u64_at(head, 72)),
        payload_bytes: u32_at(head, 80),
        previous_crc: u32_at(head, 84),
    };
    let possible = header.entry_count > 0
        && header.first > Sequence::NONE
        && header.first.0.checked_add(u64::from(header.entry_count)).is_some()
        && header.durable_through < header.first
        && header.file_offset.is_multiple_of(BLOCK as u64)
        && head[10..12] == [0; 2]
        && head[88..96] == [0; 8];
    if possible { Ok(header) } else { Err(FrameError::Header) }
}

/// A frame whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it says about itself.
    pub header: FrameHeader,
    /// Its own CRC.
    pub crc: u32,
    /// Its entries.
    pub payload: &'a [u8],
}

/// Reads the frame at the start of `bytes` and proves its checksum.
///
/// # Errors
/// Where the bytes are no whole frame of this format.
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    let header = peek(bytes)?;
    let length = usize::try_from(header.frame_bytes()).map_err(|_| FrameError::Short)?;
    let frame = bytes.get(..length).ok_or(FrameError::Short)?;
    let crc = u32_at(frame, CRC_AT);
    if checksum(frame) != crc {
        return Err(FrameError::Checksum);
    }
    let end = FRAME_HEADER_BYTES + header.payload_bytes as usize;
    Ok(Frame { header, crc, payload: &frame[FRAME_HEADER_BYTES..end] })
}

/// Fuzz entry: any bytes are a frame or an error, and its entries are pieces or an error.
pub fn fuzz(bytes: &[u8]) -> Result<usize, FrameError> {
    let frame = decode(bytes)?;
    let mut count = 0;
    let mut rest = frame.payload;
    while let Ok((_, left)) = super::entry::decode(rest) {
        count += 1;
        rest = left;
    }
    Ok(count)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::super::entry::{self, EntryKind};
    use super::*;
    use crate::model::{LogId, OwnerEpoch};
    use proptest::prelude::*;

    fn sample(payload_bytes: usize) -> (FrameHeader, Vec<u8>) {
        let header = FrameHeader {
            identity: JournalIdentity { directory: DirectoryId([9; 16]), slot: 3, epoch: 4 },
            file: 2,
            entry_count: 1,
            generation: 17,
            file_offset: 8 * BLOCK as u64,
            first: Sequence(100),
            durable_through: Sequence(98),
            payload_bytes: u32::try_from(payload_bytes).expect("a small sample"),
            previous_crc: 0xdead_beef,
        };
        let mut frame = vec![0; header.frame_bytes() as usize];
        let body = payload_bytes - entry::ENTRY_HEADER_BYTES;
        let entry = entry::encode_header(
            EntryKind::Append,
            LogId::default(),
            OwnerEpoch(1),
            u32::try_from(body).expect("a small sample"),
            false,
            false,
        );
        frame[FRAME_HEADER_BYTES..][..entry.len()].copy_from_slice(&entry);
        for (index, byte) in
            frame[FRAME_HEADER_BYTES + entry.len()..][..body].iter_mut().enumerate()
        {
            *byte = index as u8;
        }
        let crc = seal(&mut frame, &header);
        assert_eq!(decode(&frame).expect("just sealed").crc, crc);
        (header, frame)
    }

    #[test]
    fn round_trip_at_the_block_border() {
        for payload_bytes in [32, 33, 1000, BLOCK - 96, BLOCK - 95, 3 * BLOCK] {
            let (header, frame) = sample(payload_bytes);
            assert_eq!(frame.len() % BLOCK, 0);
            let read = decode(&frame).expect("whole");
            assert_eq!(read.header, header);
            assert_eq!(read.payload, &frame[96..96 + payload_bytes]);
            assert_eq!(fuzz(&frame), Ok(1));
        }
    }

    #[test]
    fn truncation_at_every_byte_is_refused() {
        let (_, frame) = sample(5000);
        for cut in 0..frame.len() {
            assert!(decode(&frame[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn no_bit_flips_unseen() {
        let (_, frame) = sample(200);
        let mut flipped = frame.clone();
        for bit in 0..frame.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(decode(&flipped).is_ok());
    }

    #[test]
    fn another_format_is_named() {
        let (_, mut frame) = sample(64);
        frame[8] = 2;
        assert_eq!(peek(&frame).err(), Some(FrameError::Version(2)));
        assert_eq!(peek(&vec![0; BLOCK]).err(), Some(FrameError::NoMagic));
    }

    #[test]
    fn the_seed_differs_for_every_journal_and_epoch() {
        let one = JournalIdentity { directory: DirectoryId([1; 16]), slot: 0, epoch: 1 };
        for other in [
            JournalIdentity { directory: DirectoryId([2; 16]), ..one },
            JournalIdentity { slot: 1, ..one },
            JournalIdentity { epoch: 2, ..one },
        ] {
            assert_ne!(one.chain_seed(), other.chain_seed());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..9000), keep in 0usize..96
        ) {
            // A true beginning lets the rest of the decoder see the noise.
            let (_, frame) = sample(300);
            let keep = keep.min(bytes.len());
            bytes[..keep].copy_from_slice(&frame[..keep]);
            prop_assert!(fuzz(&bytes).is_err());
        }
    }
}
