//! `ResponseHeader` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseHeader<'a> {
    pub correlation_id: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ResponseHeader<'a> {
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        Ok(Self { correlation_id: r.i32()?, unknown_tags: r.tags(flexible)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("ResponseHeader", Self::VERSIONS, version)?;
        w.i32(self.correlation_id);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
