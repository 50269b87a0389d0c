//! `AddPartitionsToTxnResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub results_by_transaction: Vec<AddPartitionsToTxnResult<'a>>,
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnResponse<'a> {
    pub const KEY: ApiKey = ApiKey::AddPartitionsToTxn;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            error_code: if version >= 4 { r.i16()? } else { 0 },
            results_by_transaction: if version >= 4 {
                r.structs(true, version, 3, AddPartitionsToTxnResult::decode)?
            } else {
                Vec::new()
            },
            results_by_topic_v3_and_below: if version <= 3 {
                r.structs(flexible, version, 3, AddPartitionsToTxnTopicResult::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("AddPartitionsToTxnResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        if version >= 4 {
            w.i16(self.error_code);
        }
        if version >= 4 {
            w.structs(
                &self.results_by_transaction,
                true,
                version,
                AddPartitionsToTxnResult::encode,
            )?;
        } else {
            w.refuse_if(
                !self.results_by_transaction.is_empty(),
                "results_by_transaction",
                version,
            )?;
        }
        if version <= 3 {
            w.structs(
                &self.results_by_topic_v3_and_below,
                flexible,
                version,
                AddPartitionsToTxnTopicResult::encode,
            )?;
        } else {
            w.refuse_if(
                !self.results_by_topic_v3_and_below.is_empty(),
                "results_by_topic_v3_and_below",
                version,
            )?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResult<'a> {
    pub transactional_id: Cow<'a, str>,
    pub topic_results: Vec<AddPartitionsToTxnTopicResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.string(true)?,
            topic_results: r.structs(true, version, 3, AddPartitionsToTxnTopicResult::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.transactional_id, true)?;
        w.structs(&self.topic_results, true, version, AddPartitionsToTxnTopicResult::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnTopicResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            name: r.string(flexible)?,
            results_by_partition: r.structs(
                flexible,
                version,
                6,
                AddPartitionsToTxnPartitionResult::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.string(&self.name, flexible)?;
        w.structs(
            &self.results_by_partition,
            flexible,
            version,
            AddPartitionsToTxnPartitionResult::encode,
        )?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnPartitionResult<'a> {
    pub partition_index: i32,
    pub partition_error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnPartitionResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            partition_index: r.i32()?,
            partition_error_code: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.i16(self.partition_error_code);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
