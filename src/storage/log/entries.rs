//! What the journal's entries of a partition log carry.
//!
//! Little endian, right behind the journal's own entry header:
//!
//! ```text
//! Create     topic name (the rest, UTF-8)
//! Append     segment base i64, position u32, then the record batch as it stands in the segment
//! Bypass     segment base i64, position u32, the header of the record batch that stands there, then
//!            its last bytes, those in the segment's last, partial block; the blocks before are in the file
//! Tail       segment base i64, position u32 (of a whole block), then the bytes from there
//! Roll       base i64 and bytes u32 of the sealed segment, base i64 of the new one
//! LogStart   offset i64
//! Epoch      leader epoch i32, start offset i64
//! Delete     nothing
//! ```

use super::decode::{DecodeError, Decoder};
use crate::model::{LeaderEpoch, Offset};
use crate::record::BATCH_HEADER_BYTES;
use crate::storage::journal::{Entry, EntryKind};

/// The bytes of an Append's or a Tail's header.
pub const PLACE_BYTES: usize = 12;

/// Where bytes stand: a segment and a position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's base offset.
    pub base: Offset,
    /// The position of the first byte.
    pub position: u32,
}

impl Place {
    /// The header of an Append or a Tail.
    pub fn encode(self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..8].copy_from_slice(&self.base.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }
}

/// A change of one partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The log begins.
    Create {
        /// The readable name of its topic.
        topic: &'a str,
    },
    /// A batch at its end.
    Append {
        /// Where it stands.
        place: Place,
        /// The batch.
        batch: &'a [u8],
    },
    /// A batch at its end that went past the journal: once this is durable, the file has all blocks that are
    /// whole with it.
    Bypass {
        /// Where it stands.
        place: Place,
        /// Its header as it stands there.
        header: &'a [u8; BATCH_HEADER_BYTES],
        /// Its bytes in the segment's last, partial block.
        rest: &'a [u8],
    },
    /// The bytes of a partial block that is about to be written again.
    Tail {
        /// Where they stand.
        place: Place,
        /// The bytes up to the segment's end.
        bytes: &'a [u8],
    },
    /// The active segment is sealed, and a new one begins.
    Roll {
        /// The sealed segment.
        sealed: Offset,
        /// Its length.
        sealed_bytes: u32,
        /// The new segment.
        base: Offset,
    },
    /// The log's start moves forward.
    LogStart(Offset),
    /// A leader epoch begins.
    Epoch(LeaderEpoch, Offset),
    /// The log ends.
    Delete,
}

/// The header of a Roll.
pub fn encode_roll(sealed: Offset, sealed_bytes: u32, base: Offset) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&sealed.0.to_le_bytes());
    bytes[8..12].copy_from_slice(&sealed_bytes.to_le_bytes());
    bytes[12..].copy_from_slice(&base.0.to_le_bytes());
    bytes
}

/// The header of an Epoch.
pub fn encode_epoch(epoch: LeaderEpoch, start: Offset) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&epoch.0.to_le_bytes());
    bytes[4..].copy_from_slice(&start.0.to_le_bytes());
    bytes
}

impl<'a> Change<'a> {
    /// Reads an entry that belongs to a partition log.
    pub fn decode(entry: &Entry<'a>) -> Result<Change<'a>, DecodeError> {
        let mut bytes = Decoder::new(entry.payload);
        let change = match entry.kind {
            EntryKind::Create => {
                let topic = std::str::from_utf8(entry.payload)
                    .map_err(|_| DecodeError::Invalid("topic name"))?;
                return Ok(Change::Create { topic });
            }
            EntryKind::Append | EntryKind::Bypass | EntryKind::Tail => {
                let place = Place { base: Offset(bytes.i64()?), position: bytes.u32()? };
                return Ok(match entry.kind {
                    EntryKind::Append => Change::Append { place, batch: bytes.rest() },
                    EntryKind::Bypass => {
                        let header = bytes.bytes(BATCH_HEADER_BYTES)?.first_chunk();
                        let header = header.expect("as many as were asked for");
                        Change::Bypass { place, header, rest: bytes.rest() }
                    }
                    _ => Change::Tail { place, bytes: bytes.rest() },
                });
            }
            EntryKind::Roll => Change::Roll {
                sealed: Offset(bytes.i64()?),
                sealed_bytes: bytes.u32()?,
                base: Offset(bytes.i64()?),
            },
            EntryKind::LogStart => Change::LogStart(Offset(bytes.i64()?)),
            EntryKind::Epoch => Change::Epoch(LeaderEpoch(bytes.i32()?), Offset(bytes.i64()?)),
            EntryKind::Delete => Change::Delete,
            EntryKind::Truncate | EntryKind::Swap | EntryKind::RaftEntry | EntryKind::RaftState => {
                return Err(DecodeError::Invalid("kind of entry for a partition log"));
            }
        };
        if bytes.rest().is_empty() { Ok(change) } else { Err(DecodeError::Invalid("entry length")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogId, OwnerEpoch};

    fn check(kind: EntryKind, payload: &[u8], expected: Change<'_>, shortest: usize) {
        let entry =
            |payload| Entry { kind, log: LogId::default(), owner_epoch: OwnerEpoch(1), payload };
        assert_eq!(Change::decode(&entry(payload)), Ok(expected));
        for cut in 0..shortest {
            assert!(Change::decode(&entry(&payload[..cut])).is_err(), "{kind:?} cut at {cut}");
        }
    }

    #[test]
    fn round_trip_and_truncation_at_every_byte() {
        let place = Place { base: Offset(7), position: 4096 };
        let placed = [&place.encode()[..], b"batch"].concat();
        check(EntryKind::Append, &placed, Change::Append { place, batch: b"batch" }, PLACE_BYTES);
        check(EntryKind::Tail, &placed, Change::Tail { place, bytes: b"batch" }, PLACE_BYTES);
        let header = &[5; BATCH_HEADER_BYTES];
        let bypass = Change::Bypass { place, header, rest: b"rest" };
        let payload = [&place.encode()[..], header, b"rest"].concat();
        check(EntryKind::Bypass, &payload, bypass, PLACE_BYTES + BATCH_HEADER_BYTES);
        let roll = Change::Roll { sealed: Offset(1), sealed_bytes: 2, base: Offset(3) };
        check(EntryKind::Roll, &encode_roll(Offset(1), 2, Offset(3)), roll, 20);
        check(EntryKind::LogStart, &9i64.to_le_bytes(), Change::LogStart(Offset(9)), 8);
        let epoch = Change::Epoch(LeaderEpoch(4), Offset(5));
        check(EntryKind::Epoch, &encode_epoch(LeaderEpoch(4), Offset(5)), epoch, 12);
        check(EntryKind::Create, b"orders", Change::Create { topic: "orders" }, 0);
        check(EntryKind::Delete, b"", Change::Delete, 0);
    }

    #[test]
    fn what_does_not_belong_here_is_an_error() {
        for (kind, payload) in [
            (EntryKind::RaftState, &b""[..]),
            (EntryKind::Swap, b""),
            (EntryKind::Delete, b"x"),
            (EntryKind::LogStart, b"123456789"),
            (EntryKind::Create, b"\xff"),
        ] {
            let entry = Entry { kind, log: LogId::default(), owner_epoch: OwnerEpoch(1), payload };
            assert!(Change::decode(&entry).is_err(), "{kind:?}");
        }
    }
}
