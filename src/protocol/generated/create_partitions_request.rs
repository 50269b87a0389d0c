//! `CreatePartitionsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsRequest<'a> {
    pub topics: Vec<CreatePartitionsTopic<'a>>,
    pub timeout_ms: i32,
    pub validate_only: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CreatePartitionsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::CreatePartitions;
    pub const LATEST_STABLE: i16 = 3;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            topics: r.structs(flexible, version, 7, CreatePartitionsTopic::decode)?,
            timeout_ms: r.i32()?,
            validate_only: r.bool()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("CreatePartitionsRequest", Self::VERSIONS, version)?;
        w.structs(&self.topics, flexible, version, CreatePartitionsTopic::encode)?;
        w.i32(self.timeout_ms);
        w.bool(self.validate_only);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreatePartitionsTopic<'a> {
    pub name: Cow<'a, str>,
    pub count: i32,
    pub assignments: Option<Vec<CreatePartitionsAssignment<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for CreatePartitionsTopic<'_> {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed(""),
            count: 0,
            assignments: Some(Vec::new()),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> CreatePartitionsTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self {
            name: r.string(flexible)?,
            count: r.i32()?,
            assignments: r.structs_or_null(
                flexible,
                true,
                version,
                2,
                CreatePartitionsAssignment::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible)?;
        w.i32(self.count);
        w.structs_or_null(
            self.assignments.as_deref(),
            flexible,
            version,
            CreatePartitionsAssignment::encode,
        )?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsAssignment<'a> {
    pub broker_ids: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CreatePartitionsAssignment<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self { broker_ids: r.array(flexible, 4, Reader::i32)?, unknown_tags: r.tags(flexible)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.array(&self.broker_ids, flexible, Writer::i32)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
