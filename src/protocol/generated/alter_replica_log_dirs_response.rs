//! `AlterReplicaLogDirsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirsResponse<'a> {
    pub throttle_time_ms: i32,
    pub results: Vec<AlterReplicaLogDirTopicResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterReplicaLogDirsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::AlterReplicaLogDirs;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            results: r.structs(flexible, version, 3, AlterReplicaLogDirTopicResult::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("AlterReplicaLogDirsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.results, flexible, version, AlterReplicaLogDirTopicResult::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirTopicResult<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Vec<AlterReplicaLogDirPartitionResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterReplicaLogDirTopicResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self {
            topic_name: r.string(flexible)?,
            partitions: r.structs(
                flexible,
                version,
                6,
                AlterReplicaLogDirPartitionResult::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.string(&self.topic_name, flexible)?;
        w.structs(&self.partitions, flexible, version, AlterReplicaLogDirPartitionResult::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirPartitionResult<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterReplicaLogDirPartitionResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
