//! `CreateTopicsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTopicsResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<CreatableTopicResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CreateTopicsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::CreateTopics;
    pub const LATEST_STABLE: i16 = 7;
    pub const VERSIONS: VersionRange = VersionRange { min: 2, max: 7 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            topics: r.structs(flexible, version, 6, CreatableTopicResult::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        w.check("CreateTopicsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.topics, flexible, version, CreatableTopicResult::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicResult<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub topic_config_error_code: i16,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub configs: Option<Vec<CreatableTopicConfigs<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for CreatableTopicResult<'_> {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed(""),
            topic_id: TopicId::ZERO,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            topic_config_error_code: 0,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> CreatableTopicResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        let mut it = Self {
            name: r.string(flexible)?,
            topic_id: if version >= 7 { r.topic_id()? } else { TopicId::ZERO },
            error_code: r.i16()?,
            error_message: r.string_or_null(flexible, true)?,
            topic_config_error_code: 0,
            num_partitions: if version >= 5 { r.i32()? } else { -1 },
            replication_factor: if version >= 5 { r.i16()? } else { -1 },
            configs: if version >= 5 {
                r.structs_or_null(true, true, version, 6, CreatableTopicConfigs::decode)?
            } else {
                Some(Vec::new())
            },
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.topic_config_error_code = r.i16()?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        w.string(&self.name, flexible)?;
        if version >= 7 {
            w.topic_id(self.topic_id);
        }
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), flexible)?;
        if version >= 5 {
            w.i32(self.num_partitions);
        }
        if version >= 5 {
            w.i16(self.replication_factor);
        }
        if version >= 5 {
            w.structs_or_null(
                self.configs.as_deref(),
                true,
                version,
                CreatableTopicConfigs::encode,
            )?;
        }
        let has_0 = version >= 5 && self.topic_config_error_code != 0;
        w.tag_count(u32::from(has_0), self.unknown_tags, flexible, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.i16(self.topic_config_error_code);
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfigs<'a> {
    pub name: Cow<'a, str>,
    pub value: Option<Cow<'a, str>>,
    pub read_only: bool,
    pub config_source: i8,
    pub is_sensitive: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for CreatableTopicConfigs<'_> {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed(""),
            value: Some(Cow::Borrowed("")),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> CreatableTopicConfigs<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            value: r.string_or_null(true, true)?,
            read_only: r.bool()?,
            config_source: r.i8()?,
            is_sensitive: r.bool()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.string_or_null(self.value.as_deref(), true)?;
        w.bool(self.read_only);
        w.i8(self.config_source);
        w.bool(self.is_sensitive);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
