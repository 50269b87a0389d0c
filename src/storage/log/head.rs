//! The fixed header of a record batch, as far as a log needs it to place and to walk batches.
//!
//! Offsets in the header (big endian): base offset 0, length 8, leader epoch 12, magic 16, CRC 17,
//! attributes 21, last offset delta 23, base timestamp 27, largest timestamp 35, producer id 43,
//! producer epoch 51, first sequence 53, record count 57; records from 61 on.

use super::producers::ProducerBatch;
use crate::model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// The bytes of a batch before its records.
pub const HEAD_BYTES: usize = 61;
/// The bytes that the length field leaves out.
const BEFORE_LENGTH: usize = 12;
const MAGIC: u8 = 2;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The whole batch.
    pub bytes: u32,
    /// The term in which it was written.
    pub leader_epoch: LeaderEpoch,
    /// Its records less one.
    pub last_offset_delta: i32,
    /// Its largest timestamp.
    pub max_timestamp: i64,
    /// Its producer, if that is idempotent.
    pub producer: Option<ProducerBatch>,
}

/// The bytes are not the header of a batch that could be in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record batch")]
pub struct NotABatch;

fn field<const N: usize>(head: &[u8; HEAD_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

impl BatchHead {
    /// Reads a header; checks what walking from batch to batch relies on.
    pub fn read(head: &[u8; HEAD_BYTES]) -> Result<BatchHead, NotABatch> {
        let length = i32::from_be_bytes(field(head, 8));
        let last_offset_delta = i32::from_be_bytes(field(head, 23));
        let base_offset = Offset(i64::from_be_bytes(field(head, 0)));
        let bytes = u32::try_from(length).map_err(|_| NotABatch)? + BEFORE_LENGTH as u32;
        let whole = bytes as usize >= HEAD_BYTES && head[16] == MAGIC;
        if !whole || last_offset_delta < 0 || base_offset.0 < 0 {
            return Err(NotABatch);
        }
        let id = ProducerId(i64::from_be_bytes(field(head, 43)));
        let producer = (id.0 >= 0).then(|| ProducerBatch {
            id,
            epoch: ProducerEpoch(i16::from_be_bytes(field(head, 51))),
            first_sequence: i32::from_be_bytes(field(head, 53)),
            last_offset_delta,
        });
        Ok(BatchHead {
            base_offset,
            bytes,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, 12))),
            last_offset_delta,
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer,
        })
    }

    /// The offset after its last record.
    pub fn next_offset(&self) -> Offset {
        Offset(
            self.base_offset.0.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1),
        )
    }
}

/// Writes the two fields that a log gives a batch, which the batch's CRC leaves out.
pub fn patch(head: &mut [u8; HEAD_BYTES], base_offset: Offset, leader_epoch: LeaderEpoch) {
    head[..8].copy_from_slice(&base_offset.0.to_be_bytes());
    head[12..16].copy_from_slice(&leader_epoch.0.to_be_bytes());
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A batch of `records` records with `body` in place of their bytes; its CRC is right.
    pub fn batch(
        producer: Option<ProducerBatch>,
        records: i32,
        timestamp: i64,
        body: &[u8],
    ) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[8..12].copy_from_slice(&((49 + body.len()) as i32).to_be_bytes());
        bytes[16] = MAGIC;
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes[27..35].copy_from_slice(&timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&timestamp.to_be_bytes());
        let none = ProducerBatch {
            id: ProducerId::NONE,
            epoch: ProducerEpoch(-1),
            first_sequence: -1,
            last_offset_delta: 0,
        };
        let producer = producer.unwrap_or(none);
        bytes[43..51].copy_from_slice(&producer.id.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&producer.epoch.0.to_be_bytes());
        bytes[53..57].copy_from_slice(&producer.first_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&records.to_be_bytes());
        bytes.extend_from_slice(body);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn head(bytes: &[u8]) -> [u8; HEAD_BYTES] {
        *bytes.first_chunk().expect("a whole header")
    }

    #[test]
    fn a_patched_header_is_read_back() {
        let producer = ProducerBatch {
            id: ProducerId(7),
            epoch: ProducerEpoch(2),
            first_sequence: 40,
            last_offset_delta: 4,
        };
        let mut bytes = head(&batch(Some(producer), 5, 99, b"records"));
        patch(&mut bytes, Offset(1 << 40), LeaderEpoch(3));
        let read = BatchHead::read(&bytes).expect("a batch");
        assert_eq!(read.base_offset, Offset(1 << 40));
        assert_eq!(read.next_offset(), Offset((1 << 40) + 5));
        assert_eq!((read.bytes, read.leader_epoch), (68, LeaderEpoch(3)));
        assert_eq!((read.max_timestamp, read.producer), (99, Some(producer)));
        let plain = BatchHead::read(&head(&batch(None, 1, 0, b""))).expect("a batch");
        assert_eq!(plain.producer, None);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let whole = head(&batch(None, 1, 0, b"x"));
        for (at, byte) in [(16, 1), (8, 0x80), (23, 0xff), (0, 0xff), (11, 10)] {
            let mut bytes = whole;
            bytes[at] = byte;
            assert_eq!(BatchHead::read(&bytes), Err(NotABatch), "byte {at}");
        }
    }
}
