//! `ListPartitionReassignmentsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ListPartitionReassignmentsRequest<'a> {
    pub timeout_ms: i32,
    pub topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ListPartitionReassignmentsRequest<'_> {
    fn default() -> Self {
        Self { timeout_ms: 60000, topics: None, unknown_tags: UnknownTags::default() }
    }
}

impl<'a> ListPartitionReassignmentsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ListPartitionReassignments;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            timeout_ms: r.i32()?,
            topics: r.structs_or_null(
                true,
                true,
                version,
                3,
                ListPartitionReassignmentsTopics::decode,
            )?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ListPartitionReassignmentsRequest", Self::VERSIONS, version)?;
        w.i32(self.timeout_ms);
        w.structs_or_null(
            self.topics.as_deref(),
            true,
            version,
            ListPartitionReassignmentsTopics::encode,
        )?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPartitionReassignmentsTopics<'a> {
    pub name: Cow<'a, str>,
    pub partition_indexes: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListPartitionReassignmentsTopics<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            partition_indexes: r.array(true, 4, Reader::i32)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.array(&self.partition_indexes, true, Writer::i32)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
