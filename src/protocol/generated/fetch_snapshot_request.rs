//! `FetchSnapshotRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct FetchSnapshotRequest<'a> {
    pub cluster_id: Option<Cow<'a, str>>,
    pub replica_id: i32,
    pub max_bytes: i32,
    pub topics: Vec<TopicSnapshot<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for FetchSnapshotRequest<'_> {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            max_bytes: 2147483647,
            topics: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> FetchSnapshotRequest<'a> {
    pub const KEY: ApiKey = ApiKey::FetchSnapshot;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            cluster_id: None,
            replica_id: r.i32()?,
            max_bytes: r.i32()?,
            topics: r.structs(true, version, 3, TopicSnapshot::decode)?,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.cluster_id = r.string_or_null(true, true)?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("FetchSnapshotRequest", Self::VERSIONS, version)?;
        w.i32(self.replica_id);
        w.i32(self.max_bytes);
        w.structs(&self.topics, true, version, TopicSnapshot::encode)?;
        let has_0 = self.cluster_id.is_some();
        w.tag_count(u32::from(has_0), self.unknown_tags, true, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.string_or_null(self.cluster_id.as_deref(), true)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicSnapshot<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<PartitionSnapshot<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicSnapshot<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            partitions: r.structs(true, version, 30, PartitionSnapshot::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.structs(&self.partitions, true, version, PartitionSnapshot::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionSnapshot<'a> {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub snapshot_id: SnapshotId<'a>,
    pub position: i64,
    pub replica_directory_id: Uuid,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> PartitionSnapshot<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut it = Self {
            partition: r.i32()?,
            current_leader_epoch: r.i32()?,
            snapshot_id: SnapshotId::decode(r, version)?,
            position: r.i64()?,
            replica_directory_id: Uuid::ZERO,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 1 => it.replica_directory_id = r.uuid()?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition);
        w.i32(self.current_leader_epoch);
        self.snapshot_id.encode(w, version)?;
        w.i64(self.position);
        let has_0 = version >= 1 && self.replica_directory_id != Uuid::ZERO;
        w.tag_count(u32::from(has_0), self.unknown_tags, true, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.uuid(self.replica_directory_id);
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SnapshotId<'a> {
    pub end_offset: i64,
    pub epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SnapshotId<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { end_offset: r.i64()?, epoch: r.i32()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i64(self.end_offset);
        w.i32(self.epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
