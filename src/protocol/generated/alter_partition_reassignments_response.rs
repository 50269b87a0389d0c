//! `AlterPartitionReassignmentsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct AlterPartitionReassignmentsResponse<'a> {
    pub throttle_time_ms: i32,
    pub allow_replication_factor_change: bool,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub responses: Vec<ReassignableTopicResponse<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for AlterPartitionReassignmentsResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            allow_replication_factor_change: true,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            responses: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> AlterPartitionReassignmentsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::AlterPartitionReassignments;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            allow_replication_factor_change: if version >= 1 { r.bool()? } else { true },
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            responses: r.structs(true, version, 3, ReassignableTopicResponse::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("AlterPartitionReassignmentsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        if version >= 1 {
            w.bool(self.allow_replication_factor_change);
        }
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.structs(&self.responses, true, version, ReassignableTopicResponse::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignableTopicResponse<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<ReassignablePartitionResponse<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ReassignableTopicResponse<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            partitions: r.structs(true, version, 8, ReassignablePartitionResponse::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.structs(&self.partitions, true, version, ReassignablePartitionResponse::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReassignablePartitionResponse<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ReassignablePartitionResponse<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ReassignablePartitionResponse<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
