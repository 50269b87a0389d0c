//! `EnvelopeResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct EnvelopeResponse<'a> {
    pub response_data: Option<Cow<'a, [u8]>>,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> EnvelopeResponse<'a> {
    pub const KEY: ApiKey = ApiKey::Envelope;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            response_data: r.bytes_or_null(true, true)?,
            error_code: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("EnvelopeResponse", Self::VERSIONS, version)?;
        w.bytes_or_null(self.response_data.as_deref(), true)?;
        w.i16(self.error_code);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
