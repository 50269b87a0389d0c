//! `DescribeLogDirsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeLogDirsRequest<'a> {
    pub topics: Option<Vec<DescribableLogDirTopic<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeLogDirsRequest<'_> {
    fn default() -> Self {
        Self { topics: Some(Vec::new()), unknown_tags: UnknownTags::default() }
    }
}

impl<'a> DescribeLogDirsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeLogDirs;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            topics: r.structs_or_null(
                flexible,
                true,
                version,
                3,
                DescribableLogDirTopic::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("DescribeLogDirsRequest", Self::VERSIONS, version)?;
        w.structs_or_null(
            self.topics.as_deref(),
            flexible,
            version,
            DescribableLogDirTopic::encode,
        )?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribableLogDirTopic<'a> {
    pub topic: Cow<'a, str>,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DescribableLogDirTopic<'a> {
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
