//! `SaslHandshakeRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslHandshakeRequest<'a> {
    pub mechanism: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SaslHandshakeRequest<'a> {
    pub const KEY: ApiKey = ApiKey::SaslHandshake;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self { mechanism: r.string(false)?, unknown_tags: UnknownTags::default() })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("SaslHandshakeRequest", Self::VERSIONS, version)?;
        w.string(&self.mechanism, false)?;
        w.tags(self.unknown_tags, false, version)?;
        Ok(())
    }
}
