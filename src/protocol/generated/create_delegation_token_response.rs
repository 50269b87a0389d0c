//! `CreateDelegationTokenResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateDelegationTokenResponse<'a> {
    pub error_code: i16,
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
    pub token_requester_principal_type: Cow<'a, str>,
    pub token_requester_principal_name: Cow<'a, str>,
    pub issue_timestamp_ms: i64,
    pub expiry_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub token_id: Cow<'a, str>,
    pub hmac: Cow<'a, [u8]>,
    pub throttle_time_ms: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CreateDelegationTokenResponse<'a> {
    pub const KEY: ApiKey = ApiKey::CreateDelegationToken;
    pub const LATEST_STABLE: i16 = 3;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            error_code: r.i16()?,
            principal_type: r.string(flexible)?,
            principal_name: r.string(flexible)?,
            token_requester_principal_type: if version >= 3 {
                r.string(true)?
            } else {
                Cow::Borrowed("")
            },
            token_requester_principal_name: if version >= 3 {
                r.string(true)?
            } else {
                Cow::Borrowed("")
            },
            issue_timestamp_ms: r.i64()?,
            expiry_timestamp_ms: r.i64()?,
            max_timestamp_ms: r.i64()?,
            token_id: r.string(flexible)?,
            hmac: r.bytes(flexible)?,
            throttle_time_ms: r.i32()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("CreateDelegationTokenResponse", Self::VERSIONS, version)?;
        w.i16(self.error_code);
        w.string(&self.principal_type, flexible)?;
        w.string(&self.principal_name, flexible)?;
        if version >= 3 {
            w.string(&self.token_requester_principal_type, true)?;
        } else {
            w.refuse_if(
                !self.token_requester_principal_type.is_empty(),
                "token_requester_principal_type",
                version,
            )?;
        }
        if version >= 3 {
            w.string(&self.token_requester_principal_name, true)?;
        } else {
            w.refuse_if(
                !self.token_requester_principal_name.is_empty(),
                "token_requester_principal_name",
                version,
            )?;
        }
        w.i64(self.issue_timestamp_ms);
        w.i64(self.expiry_timestamp_ms);
        w.i64(self.max_timestamp_ms);
        w.string(&self.token_id, flexible)?;
        w.bytes(&self.hmac, flexible)?;
        w.i32(self.throttle_time_ms);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
