//! What every record carries, so that whoever reads it can say what became of it.
//!
//! A value begins with a stamp, all integers little-endian; filler follows:
//!
//! > CRC-32C of what follows (4) · magic `KB` (2) · producer (2) · run (4) · partition (4) ·
//! > sequence within producer and partition, from 0 (8) · intended send time in ns of the run's clock (8)

use klamm::record::checksum::crc32c;

use crate::chance::Chance;
use crate::clock::Nanos;

/// The stamp's size: no record is smaller.
pub const STAMP_BYTES: usize = 32;
const MAGIC: [u8; 2] = *b"KB";
/// Filler that records take their slices from.
const FILLER_BYTES: usize = 1 << 20;
/// Compressible filler alternates random and repeated bytes within such a cell.
const CELL_BYTES: usize = 64;

/// Who sent a record, as which one, and when it should have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run: records of others on the same topic are not this run's business.
    pub run: u32,
    /// The connection that sent it.
    pub producer: u16,
    /// Where it was sent to.
    pub partition: u32,
    /// Counts from 0 for each producer and partition.
    pub sequence: u64,
    /// The intended send time.
    pub intended: Nanos,
}

/// Why a value is not a record of this tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unstamped {
    /// It was not written by this tool.
    Foreign,
    /// It was, and its bytes have changed since.
    Corrupt,
}

impl Stamp {
    /// Reads the stamp of `value` and checks every byte of it.
    #[inline]
    pub fn read(value: &[u8]) -> Result<Stamp, Unstamped> {
        let Some((stamp, _)) = value.split_first_chunk::<STAMP_BYTES>() else {
            return Err(Unstamped::Foreign);
        };
        if stamp[4..6] != MAGIC {
            return Err(Unstamped::Foreign);
        }
        let crc = u32::from_le_bytes([stamp[0], stamp[1], stamp[2], stamp[3]]);
        if crc != crc32c(&value[4..]) {
            return Err(Unstamped::Corrupt);
        }
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| stamp[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| stamp[at + i]));
        Ok(Stamp {
            run: u32_at(8),
            producer: u16::from_le_bytes([stamp[6], stamp[7]]),
            partition: u32_at(12),
            sequence: u64_at(16),
            intended: u64_at(24),
        })
    }
}

/// Makes values.
#[derive(Debug)]
pub struct Payload {
    filler: Vec<u8>,
    value: Vec<u8>,
}

impl Payload {
    /// `compressibility` is the share of each value that repeats, from 0 to 1.
    pub fn new(seed: u64, compressibility: f64) -> Payload {
        let mut chance = Chance::new(seed);
        let random_bytes = ((1.0 - compressibility) * CELL_BYTES as f64).round() as usize;
        let mut filler = Vec::with_capacity(FILLER_BYTES);
        while filler.len() < FILLER_BYTES {
            let place = filler.len() % CELL_BYTES;
            filler.push(if place < random_bytes { chance.bits() as u8 } else { b'-' });
        }
        Payload { filler, value: Vec::new() }
    }

    /// The value of `size_bytes`, at least [`STAMP_BYTES`], that carries `stamp`.
    #[inline]
    pub fn value(&mut self, stamp: &Stamp, size_bytes: usize) -> &[u8] {
        let value = &mut self.value;
        value.clear();
        value.extend_from_slice(&[0; 4]);
        value.extend_from_slice(&MAGIC);
        value.extend_from_slice(&stamp.producer.to_le_bytes());
        value.extend_from_slice(&stamp.run.to_le_bytes());
        value.extend_from_slice(&stamp.partition.to_le_bytes());
        value.extend_from_slice(&stamp.sequence.to_le_bytes());
        value.extend_from_slice(&stamp.intended.to_le_bytes());
        // A stride that is no multiple of a cell: neighbours differ, and compress no better together.
        let mut at = (stamp.sequence as usize).wrapping_mul(8191) % self.filler.len();
        while value.len() < size_bytes {
            let take = (size_bytes - value.len()).min(self.filler.len() - at);
            value.extend_from_slice(&self.filler[at..at + take]);
            at = 0;
        }
        let crc = crc32c(&value[4..]);
        value[..4].copy_from_slice(&crc.to_le_bytes());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp =
        Stamp { run: 0xdead_beef, producer: 513, partition: 7, sequence: 1 << 40, intended: 99 };

    #[test]
    fn a_stamp_is_read_as_written() {
        let mut payload = Payload::new(1, 0.5);
        for size in [STAMP_BYTES, 100, 1024, 3 << 20] {
            let value = payload.value(&STAMP, size);
            assert_eq!(value.len(), size);
            assert_eq!(Stamp::read(value), Ok(STAMP), "{size}");
        }
    }

    #[test]
    fn every_changed_bit_is_found() {
        let mut payload = Payload::new(1, 0.0);
        let value = payload.value(&STAMP, 100).to_vec();
        for at in 0..value.len() * 8 {
            let mut changed = value.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(Stamp::read(&changed).is_err(), "bit {at}");
        }
        for length in 0..value.len() {
            assert!(Stamp::read(&value[..length]).is_err(), "cut at {length}");
        }
        assert_eq!(Stamp::read(b"hello"), Err(Unstamped::Foreign));
    }
}
