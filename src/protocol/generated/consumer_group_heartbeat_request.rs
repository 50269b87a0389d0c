//! `ConsumerGroupHeartbeatRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub instance_id: Option<Cow<'a, str>>,
    pub rack_id: Option<Cow<'a, str>>,
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<Vec<Cow<'a, str>>>,
    pub subscribed_topic_regex: Option<Cow<'a, str>>,
    pub server_assignor: Option<Cow<'a, str>>,
    pub topic_partitions: Option<Vec<TopicPartitions<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ConsumerGroupHeartbeatRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Cow::Borrowed(""),
            member_id: Cow::Borrowed(""),
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            subscribed_topic_names: None,
            subscribed_topic_regex: None,
            server_assignor: None,
            topic_partitions: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ConsumerGroupHeartbeatRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            member_id: r.string(true)?,
            member_epoch: r.i32()?,
            instance_id: r.string_or_null(true, true)?,
            rack_id: r.string_or_null(true, true)?,
            rebalance_timeout_ms: r.i32()?,
            subscribed_topic_names: r.strings_or_null(true, true)?,
            subscribed_topic_regex: if version >= 1 { r.string_or_null(true, true)? } else { None },
            server_assignor: r.string_or_null(true, true)?,
            topic_partitions: r.structs_or_null(
                true,
                true,
                version,
                18,
                TopicPartitions::decode,
            )?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ConsumerGroupHeartbeatRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.string(&self.member_id, true)?;
        w.i32(self.member_epoch);
        w.string_or_null(self.instance_id.as_deref(), true)?;
        w.string_or_null(self.rack_id.as_deref(), true)?;
        w.i32(self.rebalance_timeout_ms);
        w.strings_or_null(self.subscribed_topic_names.as_deref(), true)?;
        if version >= 1 {
            w.string_or_null(self.subscribed_topic_regex.as_deref(), true)?;
        } else {
            w.refuse_if(self.subscribed_topic_regex.is_some(), "subscribed_topic_regex", version)?;
        }
        w.string_or_null(self.server_assignor.as_deref(), true)?;
        w.structs_or_null(
            self.topic_partitions.as_deref(),
            true,
            version,
            TopicPartitions::encode,
        )?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions<'a> {
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicPartitions<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_id: r.topic_id()?,
            partitions: r.array(true, 4, Reader::i32)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.topic_id(self.topic_id);
        w.array(&self.partitions, true, Writer::i32)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
