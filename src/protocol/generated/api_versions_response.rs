//! `ApiVersionsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsResponse<'a> {
    pub error_code: i16,
    pub api_keys: Vec<ApiVersion<'a>>,
    pub throttle_time_ms: i32,
    pub supported_features: Vec<SupportedFeatureKey<'a>>,
    pub finalized_features_epoch: i64,
    pub finalized_features: Vec<FinalizedFeatureKey<'a>>,
    pub zk_migration_ready: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ApiVersionsResponse<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ApiVersionsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::ApiVersions;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            error_code: r.i16()?,
            api_keys: r.structs(flexible, version, 6, ApiVersion::decode)?,
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => {
                    it.supported_features =
                        r.structs(true, version, 6, SupportedFeatureKey::decode)?
                }
                1 => it.finalized_features_epoch = r.i64()?,
                2 => {
                    it.finalized_features =
                        r.structs(true, version, 6, FinalizedFeatureKey::decode)?
                }
                3 => it.zk_migration_ready = r.bool()?,
                _ => r.unknown_tag(&mut tags, 4)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("ApiVersionsResponse", Self::VERSIONS, version)?;
        w.i16(self.error_code);
        w.structs(&self.api_keys, flexible, version, ApiVersion::encode)?;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        let has_0 = version >= 3 && !self.supported_features.is_empty();
        let has_1 = version >= 3 && self.finalized_features_epoch != -1;
        let has_2 = version >= 3 && !self.finalized_features.is_empty();
        let has_3 = version >= 3 && self.zk_migration_ready;
        w.tag_count(
            u32::from(has_0) + u32::from(has_1) + u32::from(has_2) + u32::from(has_3),
            self.unknown_tags,
            flexible,
            version,
        )?;
        if has_0 {
            let open = w.tag_begin(0);
            w.structs(&self.supported_features, true, version, SupportedFeatureKey::encode)?;
            w.tag_end(open)?;
        }
        if has_1 {
            let open = w.tag_begin(1);
            w.i64(self.finalized_features_epoch);
            w.tag_end(open)?;
        }
        if has_2 {
            let open = w.tag_begin(2);
            w.structs(&self.finalized_features, true, version, FinalizedFeatureKey::encode)?;
            w.tag_end(open)?;
        }
        if has_3 {
            let open = w.tag_begin(3);
            w.bool(self.zk_migration_ready);
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiVersion<'a> {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ApiVersion<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        Ok(Self {
            api_key: r.i16()?,
            min_version: r.i16()?,
            max_version: r.i16()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.i16(self.api_key);
        w.i16(self.min_version);
        w.i16(self.max_version);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SupportedFeatureKey<'a> {
    pub name: Cow<'a, str>,
    pub min_version: i16,
    pub max_version: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SupportedFeatureKey<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            min_version: r.i16()?,
            max_version: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i16(self.min_version);
        w.i16(self.max_version);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FinalizedFeatureKey<'a> {
    pub name: Cow<'a, str>,
    pub max_version_level: i16,
    pub min_version_level: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FinalizedFeatureKey<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            max_version_level: r.i16()?,
            min_version_level: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i16(self.max_version_level);
        w.i16(self.min_version_level);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
