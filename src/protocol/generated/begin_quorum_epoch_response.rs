//! `BeginQuorumEpochResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeginQuorumEpochResponse<'a> {
    pub error_code: i16,
    pub topics: Vec<TopicData<'a>>,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> BeginQuorumEpochResponse<'a> {
    pub const KEY: ApiKey = ApiKey::BeginQuorumEpoch;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            error_code: r.i16()?,
            topics: r.structs(flexible, version, 3, TopicData::decode)?,
            node_endpoints: Vec::new(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.node_endpoints = r.structs(true, version, 8, NodeEndpoint::decode)?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("BeginQuorumEpochResponse", Self::VERSIONS, version)?;
        w.i16(self.error_code);
        w.structs(&self.topics, flexible, version, TopicData::encode)?;
        if version < 1 {
            w.refuse_if(!self.node_endpoints.is_empty(), "node_endpoints", version)?;
        }
        let has_0 = version >= 1 && !self.node_endpoints.is_empty();
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
pub struct TopicData<'a> {
    pub topic_name: Cow<'a, str>,
    pub partitions: Vec<PartitionData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            topic_name: r.string(flexible)?,
            partitions: r.structs(flexible, version, 14, PartitionData::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.string(&self.topic_name, flexible)?;
        w.structs(&self.partitions, flexible, version, PartitionData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> PartitionData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> NodeEndpoint<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            node_id: r.i32()?,
            host: r.string(true)?,
            port: r.u16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.node_id);
        w.string(&self.host, true)?;
        w.u16(self.port);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
