//! `UnregisterControllerRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnregisterControllerRequest<'a> {
    pub controller_id: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> UnregisterControllerRequest<'a> {
    pub const KEY: ApiKey = ApiKey::UnregisterController;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self { controller_id: r.i32()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("UnregisterControllerRequest", Self::VERSIONS, version)?;
        w.i32(self.controller_id);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
