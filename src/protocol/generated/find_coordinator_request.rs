//! `FindCoordinatorRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindCoordinatorRequest<'a> {
    pub key: Cow<'a, str>,
    pub key_type: i8,
    pub coordinator_keys: Vec<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FindCoordinatorRequest<'a> {
    pub const KEY: ApiKey = ApiKey::FindCoordinator;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            key: if version <= 3 { r.string(flexible)? } else { Cow::Borrowed("") },
            key_type: if version >= 1 { r.i8()? } else { 0 },
            coordinator_keys: if version >= 4 { r.strings(true)? } else { Vec::new() },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("FindCoordinatorRequest", Self::VERSIONS, version)?;
        if version <= 3 {
            w.string(&self.key, flexible)?;
        } else {
            w.refuse_if(!self.key.is_empty(), "key", version)?;
        }
        if version >= 1 {
            w.i8(self.key_type);
        } else {
            w.refuse_if(self.key_type != 0, "key_type", version)?;
        }
        if version >= 4 {
            w.strings(&self.coordinator_keys, true)?;
        } else {
            w.refuse_if(!self.coordinator_keys.is_empty(), "coordinator_keys", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
