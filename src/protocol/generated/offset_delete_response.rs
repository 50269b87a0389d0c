//! `OffsetDeleteResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponse<'a> {
    pub error_code: i16,
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetDeleteResponseTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteResponse<'a> {
    pub const KEY: ApiKey = ApiKey::OffsetDelete;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            error_code: r.i16()?,
            throttle_time_ms: r.i32()?,
            topics: r.structs(false, version, 6, OffsetDeleteResponseTopic::decode)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("OffsetDeleteResponse", Self::VERSIONS, version)?;
        w.i16(self.error_code);
        w.i32(self.throttle_time_ms);
        w.structs(&self.topics, false, version, OffsetDeleteResponseTopic::encode)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponseTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<OffsetDeleteResponsePartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteResponseTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(false)?,
            partitions: r.structs(false, version, 6, OffsetDeleteResponsePartition::decode)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, false)?;
        w.structs(&self.partitions, false, version, OffsetDeleteResponsePartition::encode)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponsePartition<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetDeleteResponsePartition<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}
