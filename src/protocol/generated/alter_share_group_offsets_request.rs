//! `AlterShareGroupOffsetsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Vec<AlterShareGroupOffsetsRequestTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterShareGroupOffsetsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::AlterShareGroupOffsets;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            topics: r.structs(true, version, 3, AlterShareGroupOffsetsRequestTopic::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("AlterShareGroupOffsetsRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.structs(&self.topics, true, version, AlterShareGroupOffsetsRequestTopic::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Vec<AlterShareGroupOffsetsRequestPartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterShareGroupOffsetsRequestTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.string(true)?,
            partitions: r.structs(
                true,
                version,
                13,
                AlterShareGroupOffsetsRequestPartition::decode,
            )?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.topic_name, true)?;
        w.structs(&self.partitions, true, version, AlterShareGroupOffsetsRequestPartition::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequestPartition<'a> {
    pub partition_index: i32,
    pub start_offset: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterShareGroupOffsetsRequestPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: r.i32()?, start_offset: r.i64()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition_index);
        w.i64(self.start_offset);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
