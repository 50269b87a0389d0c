//! `AddPartitionsToTxnRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnRequest<'a> {
    pub transactions: Vec<AddPartitionsToTxnTransaction<'a>>,
    pub v3_and_below_transactional_id: Cow<'a, str>,
    pub v3_and_below_producer_id: i64,
    pub v3_and_below_producer_epoch: i16,
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnRequest<'a> {
    pub const KEY: ApiKey = ApiKey::AddPartitionsToTxn;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            transactions: if version >= 4 {
                r.structs(true, version, 14, AddPartitionsToTxnTransaction::decode)?
            } else {
                Vec::new()
            },
            v3_and_below_transactional_id: if version <= 3 {
                r.string(flexible)?
            } else {
                Cow::Borrowed("")
            },
            v3_and_below_producer_id: if version <= 3 { r.i64()? } else { 0 },
            v3_and_below_producer_epoch: if version <= 3 { r.i16()? } else { 0 },
            v3_and_below_topics: if version <= 3 {
                r.structs(flexible, version, 3, AddPartitionsToTxnTopic::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("AddPartitionsToTxnRequest", Self::VERSIONS, version)?;
        if version >= 4 {
            w.structs(&self.transactions, true, version, AddPartitionsToTxnTransaction::encode)?;
        } else {
            w.refuse_if(!self.transactions.is_empty(), "transactions", version)?;
        }
        if version <= 3 {
            w.string(&self.v3_and_below_transactional_id, flexible)?;
        } else {
            w.refuse_if(
                !self.v3_and_below_transactional_id.is_empty(),
                "v3_and_below_transactional_id",
                version,
            )?;
        }
        if version <= 3 {
            w.i64(self.v3_and_below_producer_id);
        } else {
            w.refuse_if(self.v3_and_below_producer_id != 0, "v3_and_below_producer_id", version)?;
        }
        if version <= 3 {
            w.i16(self.v3_and_below_producer_epoch);
        } else {
            w.refuse_if(
                self.v3_and_below_producer_epoch != 0,
                "v3_and_below_producer_epoch",
                version,
            )?;
        }
        if version <= 3 {
            w.structs(
                &self.v3_and_below_topics,
                flexible,
                version,
                AddPartitionsToTxnTopic::encode,
            )?;
        } else {
            w.refuse_if(!self.v3_and_below_topics.is_empty(), "v3_and_below_topics", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTransaction<'a> {
    pub transactional_id: Cow<'a, str>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub verify_only: bool,
    pub topics: Vec<AddPartitionsToTxnTopic<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnTransaction<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.string(true)?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            verify_only: r.bool()?,
            topics: r.structs(true, version, 3, AddPartitionsToTxnTopic::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.transactional_id, true)?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.verify_only);
        w.structs(&self.topics, true, version, AddPartitionsToTxnTopic::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopic<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AddPartitionsToTxnTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            name: r.string(flexible)?,
            partitions: r.array(flexible, 4, Reader::i32)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.string(&self.name, flexible)?;
        w.array(&self.partitions, flexible, Writer::i32)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
