//! `ConsumerProtocolSubscription` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerProtocolSubscription<'a> {
    pub topics: Vec<Cow<'a, str>>,
    pub user_data: Option<Cow<'a, [u8]>>,
    pub owned_partitions: Vec<TopicPartition<'a>>,
    pub generation_id: i32,
    pub rack_id: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ConsumerProtocolSubscription<'_> {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ConsumerProtocolSubscription<'a> {
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            topics: r.strings(false)?,
            user_data: r.bytes_or_null(false, true)?,
            owned_partitions: if version >= 1 {
                r.structs(false, version, 6, TopicPartition::decode)?
            } else {
                Vec::new()
            },
            generation_id: if version >= 2 { r.i32()? } else { -1 },
            rack_id: if version >= 3 { r.string_or_null(false, true)? } else { None },
            unknown_tags: UnknownTags::default(),
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ConsumerProtocolSubscription", Self::VERSIONS, version)?;
        w.strings(&self.topics, false)?;
        w.bytes_or_null(self.user_data.as_deref(), false)?;
        if version >= 1 {
            w.structs(&self.owned_partitions, false, version, TopicPartition::encode)?;
        }
        if version >= 2 {
            w.i32(self.generation_id);
        }
        if version >= 3 {
            w.string_or_null(self.rack_id.as_deref(), false)?;
        }
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
