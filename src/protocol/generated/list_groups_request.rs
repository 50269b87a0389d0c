//! `ListGroupsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListGroupsRequest<'a> {
    pub states_filter: Vec<Cow<'a, str>>,
    pub types_filter: Vec<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ListGroupsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ListGroups;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            states_filter: if version >= 4 { r.strings(true)? } else { Vec::new() },
            types_filter: if version >= 5 { r.strings(true)? } else { Vec::new() },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("ListGroupsRequest", Self::VERSIONS, version)?;
        if version >= 4 {
            w.strings(&self.states_filter, true)?;
        } else {
            w.refuse_if(!self.states_filter.is_empty(), "states_filter", version)?;
        }
        if version >= 5 {
            w.strings(&self.types_filter, true)?;
        } else {
            w.refuse_if(!self.types_filter.is_empty(), "types_filter", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
