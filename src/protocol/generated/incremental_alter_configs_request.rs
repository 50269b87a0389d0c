//! `IncrementalAlterConfigsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncrementalAlterConfigsRequest<'a> {
    pub resources: Vec<AlterConfigsResource<'a>>,
    pub validate_only: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> IncrementalAlterConfigsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            resources: r.structs(flexible, version, 4, AlterConfigsResource::decode)?,
            validate_only: r.bool()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("IncrementalAlterConfigsRequest", Self::VERSIONS, version)?;
        w.structs(&self.resources, flexible, version, AlterConfigsResource::encode)?;
        w.bool(self.validate_only);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsResource<'a> {
    pub resource_type: i8,
    pub resource_name: Cow<'a, str>,
    pub configs: Vec<AlterableConfig<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterConfigsResource<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            resource_type: r.i8()?,
            resource_name: r.string(flexible)?,
            configs: r.structs(flexible, version, 4, AlterableConfig::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible)?;
        w.structs(&self.configs, flexible, version, AlterableConfig::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterableConfig<'a> {
    pub name: Cow<'a, str>,
    pub config_operation: i8,
    pub value: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for AlterableConfig<'_> {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed(""),
            config_operation: 0,
            value: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> AlterableConfig<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            name: r.string(flexible)?,
            config_operation: r.i8()?,
            value: r.string_or_null(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.string(&self.name, flexible)?;
        w.i8(self.config_operation);
        w.string_or_null(self.value.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
