//! `TxnOffsetCommitResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<TxnOffsetCommitResponseTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TxnOffsetCommitResponse<'a> {
    pub const KEY: ApiKey = ApiKey::TxnOffsetCommit;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            topics: r.structs(flexible, version, 3, TxnOffsetCommitResponseTopic::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("TxnOffsetCommitResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.topics, flexible, version, TxnOffsetCommitResponseTopic::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponseTopic<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<TxnOffsetCommitResponsePartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TxnOffsetCommitResponseTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            name: if version <= 5 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 6 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(
                flexible,
                version,
                6,
                TxnOffsetCommitResponsePartition::decode,
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
        w.structs(&self.partitions, flexible, version, TxnOffsetCommitResponsePartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponsePartition<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TxnOffsetCommitResponsePartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
