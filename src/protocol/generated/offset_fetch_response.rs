//! `OffsetFetchResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetFetchResponseTopic<'a>>,
    pub error_code: i16,
    pub groups: Vec<OffsetFetchResponseGroup<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchResponse<'a> {
    pub const KEY: ApiKey = ApiKey::OffsetFetch;
    pub const LATEST_STABLE: i16 = 10;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 10 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 3 { r.i32()? } else { 0 },
            topics: if version <= 7 {
                r.structs(flexible, version, 3, OffsetFetchResponseTopic::decode)?
            } else {
                Vec::new()
            },
            error_code: if (2..=7).contains(&version) { r.i16()? } else { 0 },
            groups: if version >= 8 {
                r.structs(true, version, 5, OffsetFetchResponseGroup::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.check("OffsetFetchResponse", Self::VERSIONS, version)?;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 7 {
            w.structs(&self.topics, flexible, version, OffsetFetchResponseTopic::encode)?;
        } else {
            w.refuse_if(!self.topics.is_empty(), "topics", version)?;
        }
        if (2..=7).contains(&version) {
            w.i16(self.error_code);
        }
        if version >= 8 {
            w.structs(&self.groups, true, version, OffsetFetchResponseGroup::encode)?;
        } else {
            w.refuse_if(!self.groups.is_empty(), "groups", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<OffsetFetchResponsePartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchResponseTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            name: r.string(flexible)?,
            partitions: r.structs(flexible, version, 16, OffsetFetchResponsePartition::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible)?;
        w.structs(&self.partitions, flexible, version, OffsetFetchResponsePartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Cow<'a, str>>,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for OffsetFetchResponsePartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Cow::Borrowed("")),
            error_code: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> OffsetFetchResponsePartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: if version >= 5 { r.i32()? } else { -1 },
            metadata: r.string_or_null(flexible, true)?,
            error_code: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 5 {
            w.i32(self.committed_leader_epoch);
        }
        w.string_or_null(self.metadata.as_deref(), flexible)?;
        w.i16(self.error_code);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseGroup<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Vec<OffsetFetchResponseTopics<'a>>,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchResponseGroup<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.string(true)?,
            topics: r.structs(true, version, 3, OffsetFetchResponseTopics::decode)?,
            error_code: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.group_id, true)?;
        w.structs(&self.topics, true, version, OffsetFetchResponseTopics::encode)?;
        w.i16(self.error_code);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopics<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<OffsetFetchResponsePartitions<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchResponseTopics<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if version <= 9 { r.string(true)? } else { Cow::Borrowed("") },
            topic_id: if version >= 10 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(true, version, 20, OffsetFetchResponsePartitions::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if version <= 9 {
            w.string(&self.name, true)?;
        }
        if version >= 10 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partitions, true, version, OffsetFetchResponsePartitions::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartitions<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<Cow<'a, str>>,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for OffsetFetchResponsePartitions<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Cow::Borrowed("")),
            error_code: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> OffsetFetchResponsePartitions<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: r.i32()?,
            metadata: r.string_or_null(true, true)?,
            error_code: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        w.i32(self.committed_leader_epoch);
        w.string_or_null(self.metadata.as_deref(), true)?;
        w.i16(self.error_code);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
