//! `FetchSnapshotResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{Records, UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchSnapshotResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub topics: Vec<TopicSnapshot<'a>>,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FetchSnapshotResponse<'a> {
    pub const KEY: ApiKey = ApiKey::FetchSnapshot;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            topics: r.structs(true, version, 3, TopicSnapshot::decode)?,
            node_endpoints: Vec::new(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 1 => {
                    it.node_endpoints = r.structs(true, version, 8, NodeEndpoint::decode)?
                }
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("FetchSnapshotResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.structs(&self.topics, true, version, TopicSnapshot::encode)?;
        if version < 1 {
            w.refuse_if(!self.node_endpoints.is_empty(), "node_endpoints", version)?;
        }
        let has_0 = version >= 1 && !self.node_endpoints.is_empty();
        w.tag_count(u32::from(has_0), self.unknown_tags, true, version)?;
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
pub struct TopicSnapshot<'a> {
    pub name: Cow<'a, str>,
    pub partitions: Vec<PartitionSnapshot<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicSnapshot<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            partitions: r.structs(true, version, 37, PartitionSnapshot::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.structs(&self.partitions, true, version, PartitionSnapshot::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionSnapshot<'a> {
    pub index: i32,
    pub error_code: i16,
    pub snapshot_id: SnapshotId<'a>,
    pub current_leader: LeaderIdAndEpoch<'a>,
    pub size: i64,
    pub position: i64,
    pub unaligned_records: Records<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> PartitionSnapshot<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut it = Self {
            index: r.i32()?,
            error_code: r.i16()?,
            snapshot_id: SnapshotId::decode(r, version)?,
            current_leader: LeaderIdAndEpoch::default(),
            size: r.i64()?,
            position: r.i64()?,
            unaligned_records: r.records(true, false)?,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.current_leader = LeaderIdAndEpoch::decode(r, version)?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.index);
        w.i16(self.error_code);
        self.snapshot_id.encode(w, version)?;
        w.i64(self.size);
        w.i64(self.position);
        w.records(self.unaligned_records, true, false)?;
        let has_0 = self.current_leader != LeaderIdAndEpoch::default();
        w.tag_count(u32::from(has_0), self.unknown_tags, true, version)?;
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
pub struct SnapshotId<'a> {
    pub end_offset: i64,
    pub epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SnapshotId<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { end_offset: r.i64()?, epoch: r.i32()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i64(self.end_offset);
        w.i32(self.epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaderIdAndEpoch<'a> {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
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
