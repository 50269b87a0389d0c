//! One change inside a frame: what kind it is, whose log it belongs to, and its bytes.
//!
//! An entry, little endian, packed without alignment, 32 bytes before its payload:
//!
//! ```text
//!  0  kind            u8   see EntryKind
//!  1  flags           u8   1 = an earlier piece of this entry came before, 2 = another one follows
//!  2  reserved        u16  zero
//!  4  payload length  u32  of this piece, bounded by what is left of the frame
//!  8  topic id        16 bytes
//! 24  partition       i32
//! 28  owner epoch     u32
//! 32  payload
//! ```
//!
//! An entry that does not fit a frame is split over several as pieces that follow each other
//! without anything between; each piece takes a sequence number of its own, and the last one's is
//! the entry's. A kind that this build does not know is an error, never skipped.

use crate::model::{LogId, OwnerEpoch, PartitionIndex, TopicId};

/// A position in one journal of one start epoch, counted from 1; 0 is "nothing yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first entry.
    pub const NONE: Sequence = Sequence(0);
    /// The first entry of an epoch.
    pub const FIRST: Sequence = Sequence(1);

    /// The sequence after this one.
    pub const fn next(self) -> Sequence {
        Sequence(self.0 + 1)
    }
}

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes of an entry before its payload.
pub const ENTRY_HEADER_BYTES: usize = 32;

/// What an entry changes. The numbers are on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// A record batch at the log's end.
    Append = 1,
    /// The ragged tail of a segment that is about to be appended to.
    Tail = 2,
    /// A new active segment.
    Roll = 3,
    /// The log's end moves back.
    Truncate = 4,
    /// The log's start moves forward.
    LogStart = 5,
    /// Segments are replaced by their compacted copy.
    Swap = 6,
    /// A log begins.
    Create = 7,
    /// A log ends.
    Delete = 8,
    /// A leader epoch begins.
    Epoch = 9,
    /// An entry of the metadata quorum's log.
    RaftEntry = 10,
    /// The metadata quorum's vote and term.
    RaftState = 11,
    /// A record batch at the log's end, most of which went to its segment past the journal.
    Bypass = 12,
}

impl EntryKind {
    /// The kind of a byte on disk.
    pub fn from_byte(byte: u8) -> Option<EntryKind> {
        Some(match byte {
            1 => EntryKind::Append,
            2 => EntryKind::Tail,
            3 => EntryKind::Roll,
            4 => EntryKind::Truncate,
            5 => EntryKind::LogStart,
            6 => EntryKind::Swap,
            7 => EntryKind::Create,
            8 => EntryKind::Delete,
            9 => EntryKind::Epoch,
            10 => EntryKind::RaftEntry,
            11 => EntryKind::RaftState,
            12 => EntryKind::Bypass,
            _ => return None,
        })
    }
}

/// A whole entry, as recovery sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it changes.
    pub kind: EntryKind,
    /// Whose log.
    pub log: LogId,
    /// The term of the slot as owner of that log.
    pub owner_epoch: OwnerEpoch,
    /// The header and the body that were appended, one after the other.
    pub payload: &'a [u8],
}

const FLAG_CONTINUES: u8 = 1;
const FLAG_MORE: u8 = 2;

/// An entry or a piece of one, as it lies in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The entry, with this piece's part of the payload.
    pub entry: Entry<'a>,
    /// An earlier piece came before.
    pub continues: bool,
    /// Another piece follows.
    pub more: bool,
}

/// Why the entries of a frame whose checksum holds cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Less is left than a header.
    #[error("an entry's header is cut short")]
    Short,
    /// The payload would reach beyond the frame.
    #[error("an entry of {0} bytes reaches beyond its frame")]
    Length(u32),
    /// Written by a newer build.
    #[error("entry kind {0} is unknown to this build: start the newer version that wrote it")]
    Kind(u8),
    /// Reserved bits are set.
    #[error("an entry has unknown flags {0:#x}: start the newer version that wrote it")]
    Flags(u8),
}

/// Writes the 32 bytes before a piece's payload.
pub fn encode_header(
    kind: EntryKind,
    log: LogId,
    owner_epoch: OwnerEpoch,
    payload_bytes: u32,
    continues: bool,
    more: bool,
) -> [u8; ENTRY_HEADER_BYTES] {
    let mut header = [0; ENTRY_HEADER_BYTES];
    header[0] = kind as u8;
    header[1] = if continues { FLAG_CONTINUES } else { 0 } | if more { FLAG_MORE } else { 0 };
    header[4..8].copy_from_slice(&payload_bytes.to_le_bytes());
    header[8..24].copy_from_slice(&log.topic.0);
    header[24..28].copy_from_slice(&log.partition.0.to_le_bytes());
    header[28..32].copy_from_slice(&owner_epoch.0.to_le_bytes());
    header
}

/// Takes the first piece off `bytes`; gives it and what is left.
pub fn decode(bytes: &[u8]) -> Result<(Piece<'_>, &[u8]), EntryError> {
    let (header, rest) =
        bytes.split_first_chunk::<ENTRY_HEADER_BYTES>().ok_or(EntryError::Short)?;
    let kind = EntryKind::from_byte(header[0]).ok_or(EntryError::Kind(header[0]))?;
    let flags = header[1];
    if flags & !(FLAG_CONTINUES | FLAG_MORE) != 0 || header[2..4] != [0, 0] {
        return Err(EntryError::Flags(flags));
    }
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let payload_bytes = u32::from_le_bytes(word(4));
    let (payload, rest) =
        rest.split_at_checked(payload_bytes as usize).ok_or(EntryError::Length(payload_bytes))?;
    let mut topic = [0; 16];
    topic.copy_from_slice(&header[8..24]);
    let partition = PartitionIndex(i32::from_le_bytes(word(24)));
    let entry = Entry {
        kind,
        log: LogId { topic: TopicId(topic), partition },
        owner_epoch: OwnerEpoch(u32::from_le_bytes(word(28))),
        payload,
    };
    let piece =
        Piece { entry, continues: flags & FLAG_CONTINUES != 0, more: flags & FLAG_MORE != 0 };
    Ok((piece, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: &[u8], continues: bool, more: bool) -> Vec<u8> {
        let log = LogId { topic: TopicId([7; 16]), partition: PartitionIndex(-3) };
        let length = u32::try_from(payload.len()).expect("a small sample");
        let mut bytes =
            encode_header(EntryKind::Roll, log, OwnerEpoch(5), length, continues, more).to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        for (payload, continues, more) in
            [(&b""[..], false, false), (b"abc", true, false), (b"defg", true, true)]
        {
            let mut bytes = sample(payload, continues, more);
            let length = bytes.len();
            for cut in 0..length {
                assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            bytes.extend_from_slice(b"next");
            let (piece, rest) = decode(&bytes).expect("whole");
            assert_eq!(rest, b"next");
            assert_eq!((piece.continues, piece.more), (continues, more));
            assert_eq!(piece.entry.payload, payload);
            assert_eq!(piece.entry.kind, EntryKind::Roll);
            assert_eq!(piece.entry.log.partition, PartitionIndex(-3));
            assert_eq!(piece.entry.owner_epoch, OwnerEpoch(5));
        }
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        let whole = sample(b"abc", false, false);
        for (at, value, expected) in [
            (0, 0, EntryError::Kind(0)),
            (0, 13, EntryError::Kind(13)),
            (1, 4, EntryError::Flags(4)),
            (2, 1, EntryError::Flags(0)),
            (4, 4, EntryError::Length(4)),
            (7, 255, EntryError::Length(0xff00_0003)),
        ] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            assert_eq!(decode(&bytes).err(), Some(expected), "byte {at}");
        }
    }

    #[test]
    fn every_kind_has_its_own_byte() {
        for byte in 0..=u8::MAX {
            if let Some(kind) = EntryKind::from_byte(byte) {
                assert_eq!(kind as u8, byte);
            }
        }
    }
}
