//! `EnvelopeRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct EnvelopeRequest<'a> {
    pub request_data: Cow<'a, [u8]>,
    pub request_principal: Option<Cow<'a, [u8]>>,
    pub client_host_address: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for EnvelopeRequest<'_> {
    fn default() -> Self {
        Self {
            request_data: Cow::Borrowed(&[]),
            request_principal: Some(Cow::Borrowed(&[])),
            client_host_address: Cow::Borrowed(&[]),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> EnvelopeRequest<'a> {
    pub const KEY: ApiKey = ApiKey::Envelope;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            request_data: r.bytes(true)?,
            request_principal: r.bytes_or_null(true, true)?,
            client_host_address: r.bytes(true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("EnvelopeRequest", Self::VERSIONS, version)?;
        w.bytes(&self.request_data, true)?;
        w.bytes_or_null(self.request_principal.as_deref(), true)?;
        w.bytes(&self.client_host_address, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
