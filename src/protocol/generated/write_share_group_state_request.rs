//! `WriteShareGroupStateRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteShareGroupStateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Vec<WriteStateData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> WriteShareGroupStateRequest<'a> {
    pub const KEY: ApiKey = ApiKey::WriteShareGroupState;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            topics: r.structs(true, version, 18, WriteStateData::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("WriteShareGroupStateRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.structs(&self.topics, true, version, WriteStateData::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteStateData<'a> {
    pub topic_id: TopicId,
    pub partitions: Vec<PartitionData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> WriteStateData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_id: r.topic_id()?,
            partitions: r.structs(true, version, 22, PartitionData::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.topic_id(self.topic_id);
        w.structs(&self.partitions, true, version, PartitionData::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData<'a> {
    pub partition: i32,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    pub start_offset: i64,
    pub delivery_complete_count: i32,
    pub state_batches: Vec<StateBatch<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for PartitionData<'_> {
    fn default() -> Self {
        Self {
            partition: 0,
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: 0,
            delivery_complete_count: -1,
            state_batches: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> PartitionData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            partition: r.i32()?,
            state_epoch: r.i32()?,
            leader_epoch: r.i32()?,
            start_offset: r.i64()?,
            delivery_complete_count: if version >= 1 { r.i32()? } else { -1 },
            state_batches: r.structs(true, version, 20, StateBatch::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition);
        w.i32(self.state_epoch);
        w.i32(self.leader_epoch);
        w.i64(self.start_offset);
        if version >= 1 {
            w.i32(self.delivery_complete_count);
        }
        w.structs(&self.state_batches, true, version, StateBatch::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateBatch<'a> {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_state: i8,
    pub delivery_count: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> StateBatch<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            first_offset: r.i64()?,
            last_offset: r.i64()?,
            delivery_state: r.i8()?,
            delivery_count: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i64(self.first_offset);
        w.i64(self.last_offset);
        w.i8(self.delivery_state);
        w.i16(self.delivery_count);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
