//! `MetadataRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequest<'a> {
    pub topics: Option<Vec<MetadataRequestTopic<'a>>>,
    pub allow_auto_topic_creation: bool,
    pub include_cluster_authorized_operations: bool,
    pub include_topic_authorized_operations: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for MetadataRequest<'_> {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> MetadataRequest<'a> {
    pub const KEY: ApiKey = ApiKey::Metadata;
    pub const LATEST_STABLE: i16 = 13;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 13 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            topics: r.structs_or_null(
                flexible,
                version >= 1,
                version,
                2,
                MetadataRequestTopic::decode,
            )?,
            allow_auto_topic_creation: if version >= 4 { r.bool()? } else { true },
            include_cluster_authorized_operations: if (8..=10).contains(&version) {
                r.bool()?
            } else {
                false
            },
            include_topic_authorized_operations: if version >= 8 { r.bool()? } else { false },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.check("MetadataRequest", Self::VERSIONS, version)?;
        w.refuse_if(version < 1 && self.topics.is_none(), "topics", version)?;
        w.structs_or_null(self.topics.as_deref(), flexible, version, MetadataRequestTopic::encode)?;
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        } else {
            w.refuse_if(!self.allow_auto_topic_creation, "allow_auto_topic_creation", version)?;
        }
        if (8..=10).contains(&version) {
            w.bool(self.include_cluster_authorized_operations);
        } else {
            w.refuse_if(
                self.include_cluster_authorized_operations,
                "include_cluster_authorized_operations",
                version,
            )?;
        }
        if version >= 8 {
            w.bool(self.include_topic_authorized_operations);
        } else {
            w.refuse_if(
                self.include_topic_authorized_operations,
                "include_topic_authorized_operations",
                version,
            )?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequestTopic<'a> {
    pub topic_id: TopicId,
    pub name: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for MetadataRequestTopic<'_> {
    fn default() -> Self {
        Self {
            topic_id: TopicId::ZERO,
            name: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> MetadataRequestTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            topic_id: if version >= 10 { r.topic_id()? } else { TopicId::ZERO },
            name: r.string_or_null(flexible, version >= 10)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version >= 10 {
            w.topic_id(self.topic_id);
        }
        w.refuse_if(version < 10 && self.name.is_none(), "name", version)?;
        w.string_or_null(self.name.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
