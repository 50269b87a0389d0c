//! `ListOffsetsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsRequest<'a> {
    pub replica_id: i32,
    pub isolation_level: i8,
    pub topics: Vec<ListOffsetsTopic<'a>>,
    pub timeout_ms: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListOffsetsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ListOffsets;
    pub const LATEST_STABLE: i16 = 11;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 11 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            replica_id: r.i32()?,
            isolation_level: if version >= 2 { r.i8()? } else { 0 },
            topics: r.structs(flexible, version, 3, ListOffsetsTopic::decode)?,
            timeout_ms: if version >= 10 { r.i32()? } else { 0 },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.check("ListOffsetsRequest", Self::VERSIONS, version)?;
        w.i32(self.replica_id);
        if version >= 2 {
            w.i8(self.isolation_level);
        } else {
            w.refuse_if(self.isolation_level != 0, "isolation_level", version)?;
        }
        w.structs(&self.topics, flexible, version, ListOffsetsTopic::encode)?;
        if version >= 10 {
            w.i32(self.timeout_ms);
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<ListOffsetsPartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListOffsetsTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            name: r.string(flexible)?,
            partitions: r.structs(flexible, version, 12, ListOffsetsPartition::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible)?;
        w.structs(&self.partitions, flexible, version, ListOffsetsPartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartition<'a> {
    pub partition_index: i32,
    pub current_leader_epoch: i32,
    pub timestamp: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ListOffsetsPartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            current_leader_epoch: -1,
            timestamp: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ListOffsetsPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            partition_index: r.i32()?,
            current_leader_epoch: if version >= 4 { r.i32()? } else { -1 },
            timestamp: r.i64()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.i32(self.partition_index);
        if version >= 4 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.timestamp);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
