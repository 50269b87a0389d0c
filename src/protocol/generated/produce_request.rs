//! `ProduceRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{Records, UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceRequest<'a> {
    pub transactional_id: Option<Cow<'a, str>>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Vec<TopicProduceData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ProduceRequest<'a> {
    pub const KEY: ApiKey = ApiKey::Produce;
    pub const LATEST_STABLE: i16 = 13;
    pub const VERSIONS: VersionRange = VersionRange { min: 3, max: 13 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            transactional_id: r.string_or_null(flexible, true)?,
            acks: r.i16()?,
            timeout_ms: r.i32()?,
            topic_data: r.structs(flexible, version, 3, TopicProduceData::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.check("ProduceRequest", Self::VERSIONS, version)?;
        w.string_or_null(self.transactional_id.as_deref(), flexible)?;
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.structs(&self.topic_data, flexible, version, TopicProduceData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceData<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partition_data: Vec<PartitionProduceData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicProduceData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            name: if version <= 12 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 13 { r.topic_id()? } else { TopicId::ZERO },
            partition_data: r.structs(flexible, version, 6, PartitionProduceData::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version <= 12 {
            w.string(&self.name, flexible)?;
        }
        if version >= 13 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partition_data, flexible, version, PartitionProduceData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionProduceData<'a> {
    pub index: i32,
    pub records: Records<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> PartitionProduceData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            index: r.i32()?,
            records: r.records(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i32(self.index);
        w.records(self.records, flexible, true)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
