//! `TxnOffsetCommitRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequest<'a> {
    pub transactional_id: Cow<'a, str>,
    pub group_id: Cow<'a, str>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub generation_id_or_member_epoch: i32,
    pub member_id: Cow<'a, str>,
    pub group_instance_id: Option<Cow<'a, str>>,
    pub topics: Vec<TxnOffsetCommitRequestTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for TxnOffsetCommitRequest<'_> {
    fn default() -> Self {
        Self {
            transactional_id: Cow::Borrowed(""),
            group_id: Cow::Borrowed(""),
            producer_id: 0,
            producer_epoch: 0,
            generation_id_or_member_epoch: -1,
            member_id: Cow::Borrowed(""),
            group_instance_id: None,
            topics: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> TxnOffsetCommitRequest<'a> {
    pub const KEY: ApiKey = ApiKey::TxnOffsetCommit;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            transactional_id: r.string(flexible)?,
            group_id: r.string(flexible)?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            generation_id_or_member_epoch: if version >= 3 { r.i32()? } else { -1 },
            member_id: if version >= 3 { r.string(true)? } else { Cow::Borrowed("") },
            group_instance_id: if version >= 3 { r.string_or_null(true, true)? } else { None },
            topics: r.structs(flexible, version, 3, TxnOffsetCommitRequestTopic::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("TxnOffsetCommitRequest", Self::VERSIONS, version)?;
        w.string(&self.transactional_id, flexible)?;
        w.string(&self.group_id, flexible)?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        if version >= 3 {
            w.i32(self.generation_id_or_member_epoch);
        } else {
            w.refuse_if(
                self.generation_id_or_member_epoch != -1,
                "generation_id_or_member_epoch",
                version,
            )?;
        }
        if version >= 3 {
            w.string(&self.member_id, true)?;
        } else {
            w.refuse_if(!self.member_id.is_empty(), "member_id", version)?;
        }
        if version >= 3 {
            w.string_or_null(self.group_instance_id.as_deref(), true)?;
        } else {
            w.refuse_if(self.group_instance_id.is_some(), "group_instance_id", version)?;
        }
        w.structs(&self.topics, flexible, version, TxnOffsetCommitRequestTopic::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitRequestTopic<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<TxnOffsetCommitRequestPartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TxnOffsetCommitRequestTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            name: if version <= 5 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 6 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(
                flexible,
                version,
                14,
                TxnOffsetCommitRequestPartition::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        if version <= 5 {
            w.string(&self.name, flexible)?;
        }
        if version >= 6 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partitions, flexible, version, TxnOffsetCommitRequestPartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequestPartition<'a> {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub committed_metadata: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for TxnOffsetCommitRequestPartition<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> TxnOffsetCommitRequestPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            committed_leader_epoch: if version >= 2 { r.i32()? } else { -1 },
            committed_metadata: r.string_or_null(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 2 {
            w.i32(self.committed_leader_epoch);
        }
        w.string_or_null(self.committed_metadata.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
