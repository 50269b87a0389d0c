//! `InitProducerIdRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdRequest<'a> {
    pub transactional_id: Option<Cow<'a, str>>,
    pub transaction_timeout_ms: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub enable2_pc: bool,
    pub keep_prepared_txn: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for InitProducerIdRequest<'_> {
    fn default() -> Self {
        Self {
            transactional_id: Some(Cow::Borrowed("")),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            enable2_pc: false,
            keep_prepared_txn: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> InitProducerIdRequest<'a> {
    pub const KEY: ApiKey = ApiKey::InitProducerId;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            transactional_id: r.string_or_null(flexible, true)?,
            transaction_timeout_ms: r.i32()?,
            producer_id: if version >= 3 { r.i64()? } else { -1 },
            producer_epoch: if version >= 3 { r.i16()? } else { -1 },
            enable2_pc: if version >= 6 { r.bool()? } else { false },
            keep_prepared_txn: if version >= 6 { r.bool()? } else { false },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("InitProducerIdRequest", Self::VERSIONS, version)?;
        w.string_or_null(self.transactional_id.as_deref(), flexible)?;
        w.i32(self.transaction_timeout_ms);
        if version >= 3 {
            w.i64(self.producer_id);
        } else {
            w.refuse_if(self.producer_id != -1, "producer_id", version)?;
        }
        if version >= 3 {
            w.i16(self.producer_epoch);
        } else {
            w.refuse_if(self.producer_epoch != -1, "producer_epoch", version)?;
        }
        if version >= 6 {
            w.bool(self.enable2_pc);
        } else {
            w.refuse_if(self.enable2_pc, "enable2_pc", version)?;
        }
        if version >= 6 {
            w.bool(self.keep_prepared_txn);
        } else {
            w.refuse_if(self.keep_prepared_txn, "keep_prepared_txn", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
