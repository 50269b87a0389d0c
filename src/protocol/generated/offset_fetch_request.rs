//! `OffsetFetchRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub topics: Option<Vec<OffsetFetchRequestTopic<'a>>>,
    pub groups: Vec<OffsetFetchRequestGroup<'a>>,
    pub require_stable: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for OffsetFetchRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Cow::Borrowed(""),
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> OffsetFetchRequest<'a> {
    pub const KEY: ApiKey = ApiKey::OffsetFetch;
    pub const LATEST_STABLE: i16 = 10;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 10 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: if version <= 7 { r.string(flexible)? } else { Cow::Borrowed("") },
            topics: if version <= 7 {
                r.structs_or_null(
                    flexible,
                    version >= 2,
                    version,
                    3,
                    OffsetFetchRequestTopic::decode,
                )?
            } else {
                Some(Vec::new())
            },
            groups: if version >= 8 {
                r.structs(true, version, 3, OffsetFetchRequestGroup::decode)?
            } else {
                Vec::new()
            },
            require_stable: if version >= 7 { r.bool()? } else { false },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.check("OffsetFetchRequest", Self::VERSIONS, version)?;
        if version <= 7 {
            w.string(&self.group_id, flexible)?;
        } else {
            w.refuse_if(!self.group_id.is_empty(), "group_id", version)?;
        }
        if version <= 7 {
            w.refuse_if(version < 2 && self.topics.is_none(), "topics", version)?;
            w.structs_or_null(
                self.topics.as_deref(),
                flexible,
                version,
                OffsetFetchRequestTopic::encode,
            )?;
        } else {
            w.refuse_if(!self.topics.as_ref().is_some_and(Vec::is_empty), "topics", version)?;
        }
        if version >= 8 {
            w.structs(&self.groups, true, version, OffsetFetchRequestGroup::encode)?;
        } else {
            w.refuse_if(!self.groups.is_empty(), "groups", version)?;
        }
        if version >= 7 {
            w.bool(self.require_stable);
        } else {
            w.refuse_if(self.require_stable, "require_stable", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopic<'a> {
    pub name: Cow<'a, str>,
    pub partition_indexes: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchRequestTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            name: r.string(flexible)?,
            partition_indexes: r.array(flexible, 4, Reader::i32)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible)?;
        w.array(&self.partition_indexes, flexible, Writer::i32)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequestGroup<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Option<Cow<'a, str>>,
    pub member_epoch: i32,
    pub topics: Option<Vec<OffsetFetchRequestTopics<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for OffsetFetchRequestGroup<'_> {
    fn default() -> Self {
        Self {
            group_id: Cow::Borrowed(""),
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> OffsetFetchRequestGroup<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.string(true)?,
            member_id: if version >= 9 { r.string_or_null(true, true)? } else { None },
            member_epoch: if version >= 9 { r.i32()? } else { -1 },
            topics: r.structs_or_null(true, true, version, 3, OffsetFetchRequestTopics::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.group_id, true)?;
        if version >= 9 {
            w.string_or_null(self.member_id.as_deref(), true)?;
        }
        if version >= 9 {
            w.i32(self.member_epoch);
        }
        w.structs_or_null(self.topics.as_deref(), true, version, OffsetFetchRequestTopics::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopics<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partition_indexes: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> OffsetFetchRequestTopics<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if version <= 9 { r.string(true)? } else { Cow::Borrowed("") },
            topic_id: if version >= 10 { r.topic_id()? } else { TopicId::ZERO },
            partition_indexes: r.array(true, 4, Reader::i32)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if version <= 9 {
            w.string(&self.name, true)?;
        }
        if version >= 10 {
            w.topic_id(self.topic_id);
        }
        w.array(&self.partition_indexes, true, Writer::i32)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
