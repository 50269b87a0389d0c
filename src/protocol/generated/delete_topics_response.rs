//! `DeleteTopicsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsResponse<'a> {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DeleteTopicsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::DeleteTopics;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            responses: r.structs(flexible, version, 4, DeletableTopicResult::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.check("DeleteTopicsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.responses, flexible, version, DeletableTopicResult::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeletableTopicResult<'a> {
    pub name: Option<Cow<'a, str>>,
    pub topic_id: TopicId,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DeletableTopicResult<'_> {
    fn default() -> Self {
        Self {
            name: Some(Cow::Borrowed("")),
            topic_id: TopicId::ZERO,
            error_code: 0,
            error_message: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> DeletableTopicResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        Ok(Self {
            name: r.string_or_null(flexible, version >= 6)?,
            topic_id: if version >= 6 { r.topic_id()? } else { TopicId::ZERO },
            error_code: r.i16()?,
            error_message: if version >= 5 { r.string_or_null(true, true)? } else { None },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.refuse_if(version < 6 && self.name.is_none(), "name", version)?;
        w.string_or_null(self.name.as_deref(), flexible)?;
        if version >= 6 {
            w.topic_id(self.topic_id);
        }
        w.i16(self.error_code);
        if version >= 5 {
            w.string_or_null(self.error_message.as_deref(), true)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
