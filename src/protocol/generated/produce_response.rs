//! `ProduceResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceResponse<'a> {
    pub responses: Vec<TopicProduceResponse<'a>>,
    pub throttle_time_ms: i32,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ProduceResponse<'a> {
    pub const KEY: ApiKey = ApiKey::Produce;
    pub const LATEST_STABLE: i16 = 13;
    pub const VERSIONS: VersionRange = VersionRange { min: 3, max: 13 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            responses: r.structs(flexible, version, 3, TopicProduceResponse::decode)?,
            throttle_time_ms: r.i32()?,
            node_endpoints: Vec::new(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 10 => {
                    it.node_endpoints = r.structs(true, version, 11, NodeEndpoint::decode)?
                }
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.check("ProduceResponse", Self::VERSIONS, version)?;
        w.structs(&self.responses, flexible, version, TopicProduceResponse::encode)?;
        w.i32(self.throttle_time_ms);
        if version < 10 {
            w.refuse_if(!self.node_endpoints.is_empty(), "node_endpoints", version)?;
        }
        let has_0 = version >= 10 && !self.node_endpoints.is_empty();
        w.tag_count(u32::from(has_0), self.unknown_tags, flexible, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.structs(&self.node_endpoints, true, version, NodeEndpoint::encode)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceResponse<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partition_responses: Vec<PartitionProduceResponse<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicProduceResponse<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            name: if version <= 12 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 13 { r.topic_id()? } else { TopicId::ZERO },
            partition_responses: r.structs(
                flexible,
                version,
                22,
                PartitionProduceResponse::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        if version <= 12 {
            w.string(&self.name, flexible)?;
        }
        if version >= 13 {
            w.topic_id(self.topic_id);
        }
        w.structs(&self.partition_responses, flexible, version, PartitionProduceResponse::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionProduceResponse<'a> {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<BatchIndexAndErrorMessage<'a>>,
    pub error_message: Option<Cow<'a, str>>,
    pub current_leader: LeaderIdAndEpoch<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for PartitionProduceResponse<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> PartitionProduceResponse<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        let mut it = Self {
            index: r.i32()?,
            error_code: r.i16()?,
            base_offset: r.i64()?,
            log_append_time_ms: r.i64()?,
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            record_errors: if version >= 8 {
                r.structs(flexible, version, 6, BatchIndexAndErrorMessage::decode)?
            } else {
                Vec::new()
            },
            error_message: if version >= 8 { r.string_or_null(flexible, true)? } else { None },
            current_leader: LeaderIdAndEpoch::default(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 10 => it.current_leader = LeaderIdAndEpoch::decode(r, version)?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i32(self.index);
        w.i16(self.error_code);
        w.i64(self.base_offset);
        w.i64(self.log_append_time_ms);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        if version >= 8 {
            w.structs(&self.record_errors, flexible, version, BatchIndexAndErrorMessage::encode)?;
        }
        if version >= 8 {
            w.string_or_null(self.error_message.as_deref(), flexible)?;
        }
        if version < 10 {
            w.refuse_if(
                self.current_leader != LeaderIdAndEpoch::default(),
                "current_leader",
                version,
            )?;
        }
        let has_0 = version >= 10 && self.current_leader != LeaderIdAndEpoch::default();
        w.tag_count(u32::from(has_0), self.unknown_tags, flexible, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            self.current_leader.encode(w, version)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchIndexAndErrorMessage<'a> {
    pub batch_index: i32,
    pub batch_index_error_message: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> BatchIndexAndErrorMessage<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            batch_index: r.i32()?,
            batch_index_error_message: r.string_or_null(flexible, true)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i32(self.batch_index);
        w.string_or_null(self.batch_index_error_message.as_deref(), flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct LeaderIdAndEpoch<'a> {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for LeaderIdAndEpoch<'_> {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1, unknown_tags: UnknownTags::default() }
    }
}

impl<'a> LeaderIdAndEpoch<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { leader_id: r.i32()?, leader_epoch: r.i32()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    pub rack: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> NodeEndpoint<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            node_id: r.i32()?,
            host: r.string(true)?,
            port: r.i32()?,
            rack: r.string_or_null(true, true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.node_id);
        w.string(&self.host, true)?;
        w.i32(self.port);
        w.string_or_null(self.rack.as_deref(), true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
