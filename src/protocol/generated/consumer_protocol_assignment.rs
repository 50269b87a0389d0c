//! `ConsumerProtocolAssignment` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerProtocolAssignment<'a> {
    pub assigned_partitions: Vec<TopicPartition<'a>>,
    pub user_data: Option<Cow<'a, [u8]>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ConsumerProtocolAssignment<'a> {
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            assigned_partitions: r.structs(false, version, 6, TopicPartition::decode)?,
            user_data: r.bytes_or_null(false, true)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ConsumerProtocolAssignment", Self::VERSIONS, version)?;
        w.structs(&self.assigned_partitions, false, version, TopicPartition::encode)?;
        w.bytes_or_null(self.user_data.as_deref(), false)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartition<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: r.string(false)?,
            partitions: r.array(false, 4, Reader::i32)?,
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.topic, false)?;
        w.array(&self.partitions, false, Writer::i32)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}
