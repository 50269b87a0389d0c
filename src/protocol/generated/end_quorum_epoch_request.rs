//! `EndQuorumEpochRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndQuorumEpochRequest<'a> {
    pub cluster_id: Option<Cow<'a, str>>,
    pub topics: Vec<TopicData<'a>>,
    pub leader_endpoints: Vec<LeaderEndpoint<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> EndQuorumEpochRequest<'a> {
    pub const KEY: ApiKey = ApiKey::EndQuorumEpoch;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            cluster_id: r.string_or_null(flexible, true)?,
            topics: r.structs(flexible, version, 3, TopicData::decode)?,
            leader_endpoints: if version >= 1 {
                r.structs(true, version, 5, LeaderEndpoint::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.check("EndQuorumEpochRequest", Self::VERSIONS, version)?;
        w.string_or_null(self.cluster_id.as_deref(), flexible)?;
        w.structs(&self.topics, flexible, version, TopicData::encode)?;
        if version >= 1 {
            w.structs(&self.leader_endpoints, true, version, LeaderEndpoint::encode)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
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
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub preferred_successors: Vec<i32>,
    pub preferred_candidates: Vec<ReplicaInfo<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> PartitionData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 1;
        Ok(Self {
            partition_index: r.i32()?,
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
            preferred_successors: if version <= 0 {
                r.array(false, 4, Reader::i32)?
            } else {
                Vec::new()
            },
            preferred_candidates: if version >= 1 {
                r.structs(true, version, 21, ReplicaInfo::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 1;
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        if version <= 0 {
            w.array(&self.preferred_successors, false, Writer::i32)?;
        }
        if version >= 1 {
            w.structs(&self.preferred_candidates, true, version, ReplicaInfo::encode)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplicaInfo<'a> {
    pub candidate_id: i32,
    pub candidate_directory_id: Uuid,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ReplicaInfo<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            candidate_id: r.i32()?,
            candidate_directory_id: r.uuid()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.candidate_id);
        w.uuid(self.candidate_directory_id);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaderEndpoint<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> LeaderEndpoint<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            host: r.string(true)?,
            port: r.u16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.string(&self.host, true)?;
        w.u16(self.port);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
