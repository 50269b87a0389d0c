//! A partition's durable state as one checksummed file, so that a start need not replay its log.
//!
//! Integers are big-endian, a text is its length in bytes (`u16`) and that many bytes, an optional
//! field is a flag byte, 0 or 1, and the field where it is 1:
//!
//! > `KLGP` · version (`u8`) · CRC-32C of all that follows (`u32`) · offset of the first batch that is
//! > not in it (`i64`) · records skipped (`u64`) · count of groups (`u32`), each:
//! >
//! > id · generation, optional: length (`u32`) and the value as the log has it · count of topics
//! > (`u32`), each: name · count of partitions (`u32`), each:
//! >
//! > partition (`i32`) · offset (`i64`) · leader epoch (`i32`) · topic id (16 bytes) · commit time
//! > (`i64`) · expiry time (`i64`), optional · metadata
//!
//! Groups, topics and partitions are in order, so that equal states have equal bytes.

use std::rc::Rc;

use thiserror::Error;

use super::{CoordinatorSettings, GroupPartition};
use crate::coordinator::offsets::Committed;
use crate::coordinator::records::{GroupValue, OffsetValue};
use crate::metadata::codec::{DecodeError, Reader, put_optional, put_text};
use crate::model::{LeaderEpoch, Offset, PartitionIndex};
use crate::record::checksum::crc32c;

const MAGIC: &[u8; 4] = b"KLGP";
const VERSION: u8 = 1;
/// Magic, version and checksum.
const HEADER_BYTES: usize = 9;

/// Why a snapshot is of no use. The log has everything that it had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It is not a snapshot, or one of another version.
    #[error("the snapshot's format is unknown")]
    UnknownFormat,
    /// Its bytes are not what was written.
    #[error("the snapshot's checksum is wrong")]
    Checksum,
    /// It was written wrong.
    #[error("the snapshot is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// It holds a generation that is not in Kafka's format.
    #[error("the snapshot holds an unreadable generation of a group")]
    Generation,
}

impl GroupPartition {
    /// Everything that is durable. `through` is where the log goes on after the last batch that was
    /// replayed or reported as written.
    pub fn snapshot(&self, through: Offset) -> Vec<u8> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.retain(|(_, held)| held.generation.is_some() || held.offsets.durable_count() > 0);
        groups.sort_unstable_by_key(|(id, _)| *id);
        let mut out = Vec::with_capacity(HEADER_BYTES + self.bytes);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&through.0.to_be_bytes());
        out.extend_from_slice(&self.skipped_records.to_be_bytes());
        put_count(&mut out, groups.len());
        for (id, held) in groups {
            put_text(&mut out, id);
            put_optional(&mut out, held.generation.as_ref(), |out, value| {
                put_count(out, value.len());
                out.extend_from_slice(value);
            });
            let mut offsets: Vec<_> = held.offsets.iter().collect();
            offsets.sort_unstable_by_key(|(topic, partition, _)| (*topic, *partition));
            put_count(&mut out, offsets.chunk_by(|a, b| a.0 == b.0).count());
            for topic in offsets.chunk_by(|a, b| a.0 == b.0) {
                put_text(&mut out, topic[0].0);
                put_count(&mut out, topic.len());
                for (_, partition, committed) in topic {
                    put_offset(&mut out, *partition, committed);
                }
            }
        }
        let checksum = crc32c(&out[HEADER_BYTES..]);
        out[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_be_bytes());
        out
    }

    /// The partition as a snapshot has it, still to be given the batches from the offset on that comes
    /// with it.
    pub fn from_snapshot(
        snapshot: &[u8],
        settings: Rc<CoordinatorSettings>,
    ) -> Result<(GroupPartition, Offset), SnapshotError> {
        let (header, body) =
            snapshot.split_first_chunk::<HEADER_BYTES>().ok_or(SnapshotError::UnknownFormat)?;
        let [magic @ .., version, c0, c1, c2, c3] = header;
        if magic != MAGIC || *version != VERSION {
            return Err(SnapshotError::UnknownFormat);
        }
        if crc32c(body) != u32::from_be_bytes([*c0, *c1, *c2, *c3]) {
            return Err(SnapshotError::Checksum);
        }
        let mut partition = GroupPartition::new(settings);
        let mut reader = Reader::new(body);
        let through = Offset(reader.i64()?);
        partition.skipped_records = reader.u64()?;
        for _ in 0..reader.u32()? {
            partition.load_group(&mut reader)?;
        }
        reader.finish()?;
        Ok((partition, through))
    }

    fn load_group(&mut self, reader: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let id = reader.text()?;
        let generation = reader.optional(|reader| {
            let size = reader.u32()?;
            reader.bytes(size as usize)
        })?;
        if let Some(value) = generation {
            GroupValue::decode(value).map_err(|_| SnapshotError::Generation)?;
            self.load(id, |held| held.generation = Some(value.into()));
        }
        for _ in 0..reader.u32()? {
            let topic = reader.text()?;
            for _ in 0..reader.u32()? {
                let (partition, value) = read_offset(reader)?;
                self.load(id, |held| held.offsets.put(topic, partition, &value));
            }
        }
        Ok(())
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("memory's bound is far below four thousand million");
    out.extend_from_slice(&count.to_be_bytes());
}

fn put_offset(out: &mut Vec<u8>, partition: PartitionIndex, committed: &Committed) {
    out.extend_from_slice(&partition.0.to_be_bytes());
    out.extend_from_slice(&committed.offset.0.to_be_bytes());
    out.extend_from_slice(&committed.leader_epoch.0.to_be_bytes());
    out.extend_from_slice(&committed.topic_id.0);
    out.extend_from_slice(&committed.committed_ms.to_be_bytes());
    put_optional(out, committed.expires_ms, |out, expires_ms| {
        out.extend_from_slice(&expires_ms.to_be_bytes());
    });
    put_text(out, &committed.metadata);
}

fn read_offset<'a>(
    reader: &mut Reader<'a>,
) -> Result<(PartitionIndex, OffsetValue<'a>), DecodeError> {
    let partition = PartitionIndex(reader.i32()?);
    let value = OffsetValue {
        offset: Offset(reader.i64()?),
        leader_epoch: LeaderEpoch(reader.i32()?),
        topic_id: reader.topic_id()?,
        committed_ms: reader.i64()?,
        expires_ms: reader.optional(Reader::i64)?,
        metadata: reader.text()?.into(),
    };
    Ok((partition, value))
}
