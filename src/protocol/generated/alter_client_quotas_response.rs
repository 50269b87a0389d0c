//! `AlterClientQuotasResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotasResponse<'a> {
    pub throttle_time_ms: i32,
    pub entries: Vec<EntryData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterClientQuotasResponse<'a> {
    pub const KEY: ApiKey = ApiKey::AlterClientQuotas;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            entries: r.structs(flexible, version, 5, EntryData::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("AlterClientQuotasResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.entries, flexible, version, EntryData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct EntryData<'a> {
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub entity: Vec<EntityData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for EntryData<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            entity: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> EntryData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            error_code: r.i16()?,
            error_message: r.string_or_null(flexible, true)?,
            entity: r.structs(flexible, version, 3, EntityData::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), flexible)?;
        w.structs(&self.entity, flexible, version, EntityData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct EntityData<'a> {
    pub entity_type: Cow<'a, str>,
    pub entity_name: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for EntityData<'_> {
    fn default() -> Self {
        Self {
            entity_type: Cow::Borrowed(""),
            entity_name: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> EntityData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            entity_type: r.string(flexible)?,
            entity_name: r.string_or_null(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible)?;
        w.string_or_null(self.entity_name.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
