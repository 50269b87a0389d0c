//! `ExpireDelegationTokenRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpireDelegationTokenRequest<'a> {
    pub hmac: Cow<'a, [u8]>,
    pub expiry_time_period_ms: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ExpireDelegationTokenRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ExpireDelegationToken;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            hmac: r.bytes(flexible)?,
            expiry_time_period_ms: r.i64()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("ExpireDelegationTokenRequest", Self::VERSIONS, version)?;
        w.bytes(&self.hmac, flexible)?;
        w.i64(self.expiry_time_period_ms);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
