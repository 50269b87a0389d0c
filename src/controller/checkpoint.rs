//! The quorum's checkpoint: one file that holds everything up to a position of its journal.
//!
//! Integers are big-endian. The file is written whole, beside the old one, and renamed.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `KLAMMQRM` |
//! | 2 | format version, 1 |
//! | 4 | CRC-32C of everything behind it |
//! | 8 | start epoch of the journal that goes on from here |
//! | 8 | the last sequence of that journal that this file covers; 0: none |
//! | 16 | base index and base term: the image is what the log made up to there |
//! | … | hard state and configuration, as in `raft_codec.rs` |
//! | 4 + n | the image: a batch of records as in `metadata/record.rs`, its length before it |
//! | 4 + … | the entries behind the base: their count, and each with its length before it |

use raft::eraftpb::Entry;

use super::quorum_log::{LogGap, QuorumLog};
use super::raft_codec::{
    ENTRY_HEADER_BYTES, decode_entry, put_conf_state, put_entry_header, put_hard_state,
    read_conf_state, read_hard_state,
};
use crate::metadata::codec::{DecodeError, Reader};
use crate::metadata::record::{Record, decode_batch, encode_batch};
use crate::record::checksum::crc32c;
use crate::storage::journal::Sequence;

const MAGIC: &[u8; 8] = b"KLAMMQRM";
const FORMAT_VERSION: u16 = 1;
/// Bytes before the checksummed part.
const PREFIX_BYTES: usize = 14;

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The start epoch of the journal that goes on from here.
    pub epoch: u64,
    /// What of that journal is covered.
    pub covered: Sequence,
    /// The records of the image at the log's base.
    pub image: Vec<Record>,
    /// Raft's state, and the entries behind the base.
    pub log: QuorumLog,
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no checkpoint at all, or cut short.
    #[error("it is not a checkpoint of the metadata")]
    NotACheckpoint,
    /// A newer build wrote it.
    #[error("its format {0} is unknown to this build: start the version that wrote it")]
    Version(u16),
    /// Its bytes have changed since they were written.
    #[error("its checksum does not hold")]
    Checksum,
    /// It says what no build writes.
    #[error("it cannot be read: {0}")]
    Content(#[from] DecodeError),
    /// Its entries leave a gap.
    #[error(transparent)]
    Gap(#[from] LogGap),
}

impl Checkpoint {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let image = encode_batch(&self.image);
        let mut out = Vec::with_capacity(image.len() + 1024);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        for number in [self.epoch, self.covered.0, self.log.base_index, self.log.base_term] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        put_hard_state(&mut out, &self.log.hard_state);
        put_conf_state(&mut out, &self.log.conf_state);
        put_length(&mut out, image.len());
        out.extend_from_slice(&image);
        put_length(&mut out, self.log.entries.len());
        for entry in &self.log.entries {
            put_entry(&mut out, entry);
        }
        let crc = crc32c(&out[PREFIX_BYTES..]);
        out[PREFIX_BYTES - 4..PREFIX_BYTES].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// Reads the file's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.bytes(MAGIC.len()).map_err(|_| CheckpointError::NotACheckpoint)?;
        if magic != MAGIC || bytes.len() < PREFIX_BYTES {
            return Err(CheckpointError::NotACheckpoint);
        }
        let version = reader.u16()?;
        if version != FORMAT_VERSION {
            return Err(CheckpointError::Version(version));
        }
        if reader.u32()? != crc32c(&bytes[PREFIX_BYTES..]) {
            return Err(CheckpointError::Checksum);
        }
        let (epoch, covered) = (reader.u64()?, Sequence(reader.u64()?));
        let mut log = QuorumLog {
            base_index: reader.u64()?,
            base_term: reader.u64()?,
            hard_state: read_hard_state(&mut reader)?,
            conf_state: read_conf_state(&mut reader)?,
            entries: Vec::new(),
        };
        let length = reader.u32()? as usize;
        let image = decode_batch(reader.bytes(length)?)?;
        for _ in 0..reader.u32()? {
            let length = reader.u32()? as usize;
            log.put(decode_entry(reader.bytes(length)?)?)?;
        }
        reader.finish()?;
        Ok(Checkpoint { epoch, covered, image, log })
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("limits keep the metadata far below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_length(out, ENTRY_HEADER_BYTES + entry.context.len() + entry.data.len());
    put_entry_header(out, entry);
    out.extend_from_slice(&entry.data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TopicId;
    use raft::eraftpb::HardState;

    fn sample() -> Checkpoint {
        let mut log = QuorumLog {
            base_index: 7,
            base_term: 2,
            hard_state: HardState { term: 3, vote: 1, commit: 8, ..HardState::default() },
            ..QuorumLog::fresh(vec![1])
        };
        for index in 8..11 {
            let mut entry = Entry { index, term: 3, ..Entry::default() };
            entry.data = vec![index as u8; index as usize].into();
            log.put(entry).expect("follows");
        }
        let image = vec![
            Record::Cluster { id: "c".into() },
            Record::Topic { id: TopicId([1; 16]), name: "t".into() },
        ];
        Checkpoint { epoch: 5, covered: Sequence(9), image, log }
    }

    #[test]
    fn a_checkpoint_round_trips() {
        assert_eq!(Checkpoint::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn a_cut_or_changed_checkpoint_is_refused() {
        let bytes = sample().encode();
        for cut in 0..bytes.len() {
            assert!(Checkpoint::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for position in 0..bytes.len() {
            let mut mutant = bytes.clone();
            mutant[position] ^= 0x10;
            assert!(Checkpoint::decode(&mutant).is_err(), "changed at {position}");
        }
    }

    #[test]
    fn content_behind_a_good_checksum_is_still_judged() {
        let bytes = sample().encode();
        for position in PREFIX_BYTES..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut mutant = bytes.clone();
                mutant[position] ^= change;
                let crc = crc32c(&mutant[PREFIX_BYTES..]);
                mutant[PREFIX_BYTES - 4..PREFIX_BYTES].copy_from_slice(&crc.to_be_bytes());
                if let Ok(read) = Checkpoint::decode(&mutant) {
                    assert_eq!(read.encode(), mutant);
                }
            }
        }
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = sample().encode();
        bytes[9] = 2;
        assert_eq!(Checkpoint::decode(&bytes), Err(CheckpointError::Version(2)));
    }
}
