//! `UpdateFeaturesRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct UpdateFeaturesRequest<'a> {
    pub timeout_ms: i32,
    pub feature_updates: Vec<FeatureUpdateKey<'a>>,
    pub validate_only: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for UpdateFeaturesRequest<'_> {
    fn default() -> Self {
        Self {
            timeout_ms: 60000,
            feature_updates: Vec::new(),
            validate_only: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> UpdateFeaturesRequest<'a> {
    pub const KEY: ApiKey = ApiKey::UpdateFeatures;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            timeout_ms: r.i32()?,
            feature_updates: r.structs(true, version, 5, FeatureUpdateKey::decode)?,
            validate_only: if version >= 1 { r.bool()? } else { false },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("UpdateFeaturesRequest", Self::VERSIONS, version)?;
        w.i32(self.timeout_ms);
        w.structs(&self.feature_updates, true, version, FeatureUpdateKey::encode)?;
        if version >= 1 {
            w.bool(self.validate_only);
        } else {
            w.refuse_if(self.validate_only, "validate_only", version)?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct FeatureUpdateKey<'a> {
    pub feature: Cow<'a, str>,
    pub max_version_level: i16,
    pub allow_downgrade: bool,
    pub upgrade_type: i8,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for FeatureUpdateKey<'_> {
    fn default() -> Self {
        Self {
            feature: Cow::Borrowed(""),
            max_version_level: 0,
            allow_downgrade: false,
            upgrade_type: 1,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> FeatureUpdateKey<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            feature: r.string(true)?,
            max_version_level: r.i16()?,
            allow_downgrade: if version <= 0 { r.bool()? } else { false },
            upgrade_type: if version >= 1 { r.i8()? } else { 1 },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.feature, true)?;
        w.i16(self.max_version_level);
        if version <= 0 {
            w.bool(self.allow_downgrade);
        } else {
            w.refuse_if(self.allow_downgrade, "allow_downgrade", version)?;
        }
        if version >= 1 {
            w.i8(self.upgrade_type);
        } else {
            w.refuse_if(self.upgrade_type != 1, "upgrade_type", version)?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
