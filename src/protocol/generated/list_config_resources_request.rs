//! `ListConfigResourcesRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListConfigResourcesRequest<'a> {
    pub resource_types: Vec<i8>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListConfigResourcesRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ListConfigResources;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            resource_types: if version >= 1 { r.array(true, 1, Reader::i8)? } else { Vec::new() },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ListConfigResourcesRequest", Self::VERSIONS, version)?;
        if version >= 1 {
            w.array(&self.resource_types, true, Writer::i8)?;
        } else {
            w.refuse_if(!self.resource_types.is_empty(), "resource_types", version)?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
