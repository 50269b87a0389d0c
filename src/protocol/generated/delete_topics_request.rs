//! `DeleteTopicsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsRequest<'a> {
    pub topics: Vec<DeleteTopicState<'a>>,
    pub topic_names: Vec<Cow<'a, str>>,
    pub timeout_ms: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DeleteTopicsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DeleteTopics;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            topics: if version >= 6 {
                r.structs(true, version, 18, DeleteTopicState::decode)?
            } else {
                Vec::new()
            },
            topic_names: if version <= 5 { r.strings(flexible)? } else { Vec::new() },
            timeout_ms: r.i32()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.check("DeleteTopicsRequest", Self::VERSIONS, version)?;
        if version >= 6 {
            w.structs(&self.topics, true, version, DeleteTopicState::encode)?;
        } else {
            w.refuse_if(!self.topics.is_empty(), "topics", version)?;
        }
        if version <= 5 {
            w.strings(&self.topic_names, flexible)?;
        }
        w.i32(self.timeout_ms);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicState<'a> {
    pub name: Option<Cow<'a, str>>,
    pub topic_id: TopicId,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DeleteTopicState<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string_or_null(true, true)?,
            topic_id: r.topic_id()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string_or_null(self.name.as_deref(), true)?;
        w.topic_id(self.topic_id);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
