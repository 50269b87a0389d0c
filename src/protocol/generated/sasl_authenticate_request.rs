//! `SaslAuthenticateRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslAuthenticateRequest<'a> {
    pub auth_bytes: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SaslAuthenticateRequest<'a> {
    pub const KEY: ApiKey = ApiKey::SaslAuthenticate;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self { auth_bytes: r.bytes(flexible)?, unknown_tags: r.tags(flexible)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("SaslAuthenticateRequest", Self::VERSIONS, version)?;
        w.bytes(&self.auth_bytes, flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
