//! `OffsetCommitResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetCommitResponseTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetCommitResponse<'a> {
    pub const KEY: ApiKey = ApiKey::OffsetCommit;
    pub const LATEST_STABLE: i16 = 10;
    pub const VERSIONS: VersionRange = VersionRange { min: 2, max: 10 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 3 { r.i32()? } else { 0 },
            topics: r.structs(flexible, version, 3, OffsetCommitResponseTopic::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        w.check("OffsetCommitResponse", Self::VERSIONS, version)?;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.structs(&self.topics, flexible, version, OffsetCommitResponseTopic::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponseTopic<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<OffsetCommitResponsePartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetCommitResponseTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        Ok(Self {
            name: if version <= 9 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 10 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(flexible, version, 6, OffsetCommitResponsePartition::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        if version <= 9 {
            w.string(&self.name, flexible)?;
        }
        if version >= 10 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partitions, flexible, version, OffsetCommitResponsePartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponsePartition<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetCommitResponsePartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 8;
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 8;
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
