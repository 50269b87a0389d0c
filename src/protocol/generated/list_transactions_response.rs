//! `ListTransactionsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListTransactionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub unknown_state_filters: Vec<Cow<'a, str>>,
    pub transaction_states: Vec<TransactionState<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListTransactionsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::ListTransactions;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            unknown_state_filters: r.strings(true)?,
            transaction_states: r.structs(true, version, 11, TransactionState::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ListTransactionsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.strings(&self.unknown_state_filters, true)?;
        w.structs(&self.transaction_states, true, version, TransactionState::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionState<'a> {
    pub transactional_id: Cow<'a, str>,
    pub producer_id: i64,
    pub transaction_state: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TransactionState<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.string(true)?,
            producer_id: r.i64()?,
            transaction_state: r.string(true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.transactional_id, true)?;
        w.i64(self.producer_id);
        w.string(&self.transaction_state, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
