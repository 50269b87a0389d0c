//! `FetchRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct FetchRequest<'a> {
    pub cluster_id: Option<Cow<'a, str>>,
    pub replica_id: i32,
    pub replica_state: ReplicaState<'a>,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub isolation_level: i8,
    pub session_id: i32,
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic<'a>>,
    pub forgotten_topics_data: Vec<ForgottenTopic<'a>>,
    pub rack_id: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for FetchRequest<'_> {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 2147483647,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: Cow::Borrowed(""),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> FetchRequest<'a> {
    pub const KEY: ApiKey = ApiKey::Fetch;
    pub const LATEST_STABLE: i16 = 18;
    pub const VERSIONS: VersionRange = VersionRange { min: 4, max: 18 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            cluster_id: None,
            replica_id: if version <= 14 { r.i32()? } else { -1 },
            replica_state: ReplicaState::default(),
            max_wait_ms: r.i32()?,
            min_bytes: r.i32()?,
            max_bytes: r.i32()?,
            isolation_level: r.i8()?,
            session_id: if version >= 7 { r.i32()? } else { 0 },
            session_epoch: if version >= 7 { r.i32()? } else { -1 },
            topics: r.structs(flexible, version, 3, FetchTopic::decode)?,
            forgotten_topics_data: if version >= 7 {
                r.structs(flexible, version, 3, ForgottenTopic::decode)?
            } else {
                Vec::new()
            },
            rack_id: if version >= 11 { r.string(flexible)? } else { Cow::Borrowed("") },
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.cluster_id = r.string_or_null(true, true)?,
                1 if version >= 15 => it.replica_state = ReplicaState::decode(r, version)?,
                _ => r.unknown_tag(&mut tags, 2)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        w.check("FetchRequest", Self::VERSIONS, version)?;
        if version <= 14 {
            w.i32(self.replica_id);
        } else {
            w.refuse_if(self.replica_id != -1, "replica_id", version)?;
        }
        w.i32(self.max_wait_ms);
        w.i32(self.min_bytes);
        w.i32(self.max_bytes);
        w.i8(self.isolation_level);
        if version >= 7 {
            w.i32(self.session_id);
        }
        if version >= 7 {
            w.i32(self.session_epoch);
        }
        w.structs(&self.topics, flexible, version, FetchTopic::encode)?;
        if version >= 7 {
            w.structs(&self.forgotten_topics_data, flexible, version, ForgottenTopic::encode)?;
        } else {
            w.refuse_if(!self.forgotten_topics_data.is_empty(), "forgotten_topics_data", version)?;
        }
        if version >= 11 {
            w.string(&self.rack_id, flexible)?;
        }
        let has_0 = version >= 12 && self.cluster_id.is_some();
        if version < 15 {
            w.refuse_if(self.replica_state != ReplicaState::default(), "replica_state", version)?;
        }
        let has_1 = version >= 15 && self.replica_state != ReplicaState::default();
        w.tag_count(u32::from(has_0) + u32::from(has_1), self.unknown_tags, flexible, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.string_or_null(self.cluster_id.as_deref(), true)?;
            w.tag_end(open)?;
        }
        if has_1 {
            let open = w.tag_begin(1);
            self.replica_state.encode(w, version)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaState<'a> {
    pub replica_id: i32,
    pub replica_epoch: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ReplicaState<'_> {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1, unknown_tags: UnknownTags::default() }
    }
}

impl<'a> ReplicaState<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { replica_id: r.i32()?, replica_epoch: r.i64()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.replica_id);
        w.i64(self.replica_epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchTopic<'a> {
    pub topic: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<FetchPartition<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FetchTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        Ok(Self {
            topic: if version <= 12 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 13 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(flexible, version, 16, FetchPartition::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version <= 12 {
            w.string(&self.topic, flexible)?;
        }
        if version >= 13 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partitions, flexible, version, FetchPartition::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct FetchPartition<'a> {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    pub replica_directory_id: Uuid,
    pub high_watermark: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for FetchPartition<'_> {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9223372036854775807,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> FetchPartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self {
            partition: r.i32()?,
            current_leader_epoch: if version >= 9 { r.i32()? } else { -1 },
            fetch_offset: r.i64()?,
            last_fetched_epoch: if version >= 12 { r.i32()? } else { -1 },
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            partition_max_bytes: r.i32()?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9223372036854775807,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 17 => it.replica_directory_id = r.uuid()?,
                1 if version >= 18 => it.high_watermark = r.i64()?,
                _ => r.unknown_tag(&mut tags, 2)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        w.i32(self.partition);
        if version >= 9 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.fetch_offset);
        if version >= 12 {
            w.i32(self.last_fetched_epoch);
        } else {
            w.refuse_if(self.last_fetched_epoch != -1, "last_fetched_epoch", version)?;
        }
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.i32(self.partition_max_bytes);
        let has_0 = version >= 17 && self.replica_directory_id != Uuid::ZERO;
        let has_1 = version >= 18 && self.high_watermark != 9223372036854775807;
        w.tag_count(u32::from(has_0) + u32::from(has_1), self.unknown_tags, flexible, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.uuid(self.replica_directory_id);
            w.tag_end(open)?;
        }
        if has_1 {
            let open = w.tag_begin(1);
            w.i64(self.high_watermark);
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForgottenTopic<'a> {
    pub topic: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ForgottenTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        Ok(Self {
            topic: if version <= 12 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 13 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.array(flexible, 4, Reader::i32)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        if version <= 12 {
            w.string(&self.topic, flexible)?;
        }
        if version >= 13 {
            w.topic_id(self.topic_id);
        }
        w.array(&self.partitions, flexible, Writer::i32)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
