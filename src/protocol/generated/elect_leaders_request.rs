//! `ElectLeadersRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ElectLeadersRequest<'a> {
    pub election_type: i8,
    pub topic_partitions: Option<Vec<TopicPartitions<'a>>>,
    pub timeout_ms: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ElectLeadersRequest<'_> {
    fn default() -> Self {
        Self {
            election_type: 0,
            topic_partitions: Some(Vec::new()),
            timeout_ms: 60000,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ElectLeadersRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ElectLeaders;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            election_type: if version >= 1 { r.i8()? } else { 0 },
            topic_partitions: r.structs_or_null(
                flexible,
                true,
                version,
                3,
                TopicPartitions::decode,
            )?,
            timeout_ms: r.i32()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("ElectLeadersRequest", Self::VERSIONS, version)?;
        if version >= 1 {
            w.i8(self.election_type);
        } else {
            w.refuse_if(self.election_type != 0, "election_type", version)?;
        }
        w.structs_or_null(
            self.topic_partitions.as_deref(),
            flexible,
            version,
            TopicPartitions::encode,
        )?;
        w.i32(self.timeout_ms);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicPartitions<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self {
            topic: r.string(flexible)?,
            partitions: r.array(flexible, 4, Reader::i32)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.string(&self.topic, flexible)?;
        w.array(&self.partitions, flexible, Writer::i32)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
