//! `OffsetDeleteRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Vec<OffsetDeleteRequestTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteRequest<'a> {
    pub const KEY: ApiKey = ApiKey::OffsetDelete;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(false)?,
            topics: r.structs(false, version, 6, OffsetDeleteRequestTopic::decode)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("OffsetDeleteRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, false)?;
        w.structs(&self.topics, false, version, OffsetDeleteRequestTopic::encode)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<OffsetDeleteRequestPartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteRequestTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(false)?,
            partitions: r.structs(false, version, 4, OffsetDeleteRequestPartition::decode)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, false)?;
        w.structs(&self.partitions, false, version, OffsetDeleteRequestPartition::encode)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestPartition<'a> {
    pub partition_index: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteRequestPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: r.i32()?, unknown_tags: UnknownTags::default() })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition_index);
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}
