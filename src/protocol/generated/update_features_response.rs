//! `UpdateFeaturesResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct UpdateFeaturesResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub results: Vec<UpdatableFeatureResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for UpdateFeaturesResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            results: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> UpdateFeaturesResponse<'a> {
    pub const KEY: ApiKey = ApiKey::UpdateFeatures;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            results: if version <= 1 {
                r.structs(true, version, 5, UpdatableFeatureResult::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("UpdateFeaturesResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        if version <= 1 {
            w.structs(&self.results, true, version, UpdatableFeatureResult::encode)?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct UpdatableFeatureResult<'a> {
    pub feature: Cow<'a, str>,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for UpdatableFeatureResult<'_> {
    fn default() -> Self {
        Self {
            feature: Cow::Borrowed(""),
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> UpdatableFeatureResult<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            feature: r.string(true)?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.feature, true)?;
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
