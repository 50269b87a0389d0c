//! `MetadataResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponse<'a> {
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker<'a>>,
    pub cluster_id: Option<Cow<'a, str>>,
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic<'a>>,
    pub cluster_authorized_operations: i32,
    pub error_code: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for MetadataResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: -2147483648,
            error_code: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> MetadataResponse<'a> {
    pub const KEY: ApiKey = ApiKey::Metadata;
    pub const LATEST_STABLE: i16 = 13;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 13 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 3 { r.i32()? } else { 0 },
            brokers: r.structs(flexible, version, 10, MetadataResponseBroker::decode)?,
            cluster_id: if version >= 2 { r.string_or_null(flexible, true)? } else { None },
            controller_id: if version >= 1 { r.i32()? } else { -1 },
            topics: r.structs(flexible, version, 8, MetadataResponseTopic::decode)?,
            cluster_authorized_operations: if (8..=10).contains(&version) {
                r.i32()?
            } else {
                -2147483648
            },
            error_code: if version >= 13 { r.i16()? } else { 0 },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.check("MetadataResponse", Self::VERSIONS, version)?;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.structs(&self.brokers, flexible, version, MetadataResponseBroker::encode)?;
        if version >= 2 {
            w.string_or_null(self.cluster_id.as_deref(), flexible)?;
        }
        if version >= 1 {
            w.i32(self.controller_id);
        }
        w.structs(&self.topics, flexible, version, MetadataResponseTopic::encode)?;
        if (8..=10).contains(&version) {
            w.i32(self.cluster_authorized_operations);
        } else {
            w.refuse_if(
                self.cluster_authorized_operations != -2147483648,
                "cluster_authorized_operations",
                version,
            )?;
        }
        if version >= 13 {
            w.i16(self.error_code);
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataResponseBroker<'a> {
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    pub rack: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> MetadataResponseBroker<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            node_id: r.i32()?,
            host: r.string(flexible)?,
            port: r.i32()?,
            rack: if version >= 1 { r.string_or_null(flexible, true)? } else { None },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i32(self.node_id);
        w.string(&self.host, flexible)?;
        w.i32(self.port);
        if version >= 1 {
            w.string_or_null(self.rack.as_deref(), flexible)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponseTopic<'a> {
    pub error_code: i16,
    pub name: Option<Cow<'a, str>>,
    pub topic_id: TopicId,
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition<'a>>,
    pub topic_authorized_operations: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for MetadataResponseTopic<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(Cow::Borrowed("")),
            topic_id: TopicId::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: -2147483648,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> MetadataResponseTopic<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            error_code: r.i16()?,
            name: r.string_or_null(flexible, version >= 12)?,
            topic_id: if version >= 10 { r.topic_id()? } else { TopicId::ZERO },
            is_internal: if version >= 1 { r.bool()? } else { false },
            partitions: r.structs(flexible, version, 18, MetadataResponsePartition::decode)?,
            topic_authorized_operations: if version >= 8 { r.i32()? } else { -2147483648 },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i16(self.error_code);
        w.refuse_if(version < 12 && self.name.is_none(), "name", version)?;
        w.string_or_null(self.name.as_deref(), flexible)?;
        if version >= 10 {
            w.topic_id(self.topic_id);
        }
        if version >= 1 {
            w.bool(self.is_internal);
        }
        w.structs(&self.partitions, flexible, version, MetadataResponsePartition::encode)?;
        if version >= 8 {
            w.i32(self.topic_authorized_operations);
        } else {
            w.refuse_if(
                self.topic_authorized_operations != -2147483648,
                "topic_authorized_operations",
                version,
            )?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponsePartition<'a> {
    pub error_code: i16,
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub offline_replicas: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for MetadataResponsePartition<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> MetadataResponsePartition<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 9;
        Ok(Self {
            error_code: r.i16()?,
            partition_index: r.i32()?,
            leader_id: r.i32()?,
            leader_epoch: if version >= 7 { r.i32()? } else { -1 },
            replica_nodes: r.array(flexible, 4, Reader::i32)?,
            isr_nodes: r.array(flexible, 4, Reader::i32)?,
            offline_replicas: if version >= 5 {
                r.array(flexible, 4, Reader::i32)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 9;
        w.i16(self.error_code);
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        if version >= 7 {
            w.i32(self.leader_epoch);
        }
        w.array(&self.replica_nodes, flexible, Writer::i32)?;
        w.array(&self.isr_nodes, flexible, Writer::i32)?;
        if version >= 5 {
            w.array(&self.offline_replicas, flexible, Writer::i32)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
