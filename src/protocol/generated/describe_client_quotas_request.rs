//! `DescribeClientQuotasRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeClientQuotasRequest<'a> {
    pub components: Vec<ComponentData<'a>>,
    pub strict: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DescribeClientQuotasRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeClientQuotas;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            components: r.structs(flexible, version, 4, ComponentData::decode)?,
            strict: r.bool()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("DescribeClientQuotasRequest", Self::VERSIONS, version)?;
        w.structs(&self.components, flexible, version, ComponentData::encode)?;
        w.bool(self.strict);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ComponentData<'a> {
    pub entity_type: Cow<'a, str>,
    pub match_type: i8,
    pub r#match: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ComponentData<'_> {
    fn default() -> Self {
        Self {
            entity_type: Cow::Borrowed(""),
            match_type: 0,
            r#match: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ComponentData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            entity_type: r.string(flexible)?,
            match_type: r.i8()?,
            r#match: r.string_or_null(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible)?;
        w.i8(self.match_type);
        w.string_or_null(self.r#match.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
