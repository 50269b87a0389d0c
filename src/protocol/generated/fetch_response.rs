//! `FetchResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::model::ids::TopicId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{Records, UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse<'a>>,
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FetchResponse<'a> {
    pub const KEY: ApiKey = ApiKey::Fetch;
    pub const LATEST_STABLE: i16 = 18;
    pub const VERSIONS: VersionRange = VersionRange { min: 4, max: 18 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            throttle_time_ms: r.i32()?,
            error_code: if version >= 7 { r.i16()? } else { 0 },
            session_id: if version >= 7 { r.i32()? } else { 0 },
            responses: r.structs(flexible, version, 3, FetchableTopicResponse::decode)?,
            node_endpoints: Vec::new(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 16 => {
                    it.node_endpoints = r.structs(true, version, 11, NodeEndpoint::decode)?
                }
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        w.check("FetchResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        if version >= 7 {
            w.i16(self.error_code);
        }
        if version >= 7 {
            w.i32(self.session_id);
        } else {
            w.refuse_if(self.session_id != 0, "session_id", version)?;
        }
        w.structs(&self.responses, flexible, version, FetchableTopicResponse::encode)?;
        if version < 16 {
            w.refuse_if(!self.node_endpoints.is_empty(), "node_endpoints", version)?;
        }
        let has_0 = version >= 16 && !self.node_endpoints.is_empty();
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
pub struct FetchableTopicResponse<'a> {
    pub topic: Cow<'a, str>,
    pub topic_id: TopicId,
    pub partitions: Vec<PartitionData<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> FetchableTopicResponse<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        Ok(Self {
            topic: if version <= 12 { r.string(flexible)? } else { Cow::Borrowed("") },
            topic_id: if version >= 13 { r.topic_id()? } else { TopicId::ZERO },
            partitions: r.structs(flexible, version, 30, PartitionData::decode)?,
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
        w.structs(&self.partitions, flexible, version, PartitionData::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub diverging_epoch: EpochEndOffset<'a>,
    pub current_leader: LeaderIdAndEpoch<'a>,
    pub snapshot_id: SnapshotId<'a>,
    pub aborted_transactions: Option<Vec<AbortedTransaction<'a>>>,
    pub preferred_read_replica: i32,
    pub records: Records<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for PartitionData<'_> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: Records::Null,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> PartitionData<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        let mut it = Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            high_watermark: r.i64()?,
            last_stable_offset: r.i64()?,
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: r.structs_or_null(
                flexible,
                true,
                version,
                16,
                AbortedTransaction::decode,
            )?,
            preferred_read_replica: if version >= 11 { r.i32()? } else { -1 },
            records: r.records(flexible, true)?,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(flexible)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.diverging_epoch = EpochEndOffset::decode(r, version)?,
                1 => it.current_leader = LeaderIdAndEpoch::decode(r, version)?,
                2 => it.snapshot_id = SnapshotId::decode(r, version)?,
                _ => r.unknown_tag(&mut tags, 3)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.i64(self.high_watermark);
        w.i64(self.last_stable_offset);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.structs_or_null(
            self.aborted_transactions.as_deref(),
            flexible,
            version,
            AbortedTransaction::encode,
        )?;
        if version >= 11 {
            w.i32(self.preferred_read_replica);
        } else {
            w.refuse_if(self.preferred_read_replica != -1, "preferred_read_replica", version)?;
        }
        w.records(self.records, flexible, true)?;
        if version < 12 {
            w.refuse_if(
                self.diverging_epoch != EpochEndOffset::default(),
                "diverging_epoch",
                version,
            )?;
        }
        let has_0 = version >= 12 && self.diverging_epoch != EpochEndOffset::default();
        if version < 12 {
            w.refuse_if(
                self.current_leader != LeaderIdAndEpoch::default(),
                "current_leader",
                version,
            )?;
        }
        let has_1 = version >= 12 && self.current_leader != LeaderIdAndEpoch::default();
        if version < 12 {
            w.refuse_if(self.snapshot_id != SnapshotId::default(), "snapshot_id", version)?;
        }
        let has_2 = version >= 12 && self.snapshot_id != SnapshotId::default();
        w.tag_count(
            u32::from(has_0) + u32::from(has_1) + u32::from(has_2),
            self.unknown_tags,
            flexible,
            version,
        )?;
        if has_0 {
            let open = w.tag_begin(0);
            self.diverging_epoch.encode(w, version)?;
            w.tag_end(open)?;
        }
        if has_1 {
            let open = w.tag_begin(1);
            self.current_leader.encode(w, version)?;
            w.tag_end(open)?;
        }
        if has_2 {
            let open = w.tag_begin(2);
            self.snapshot_id.encode(w, version)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset<'a> {
    pub epoch: i32,
    pub end_offset: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for EpochEndOffset<'_> {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1, unknown_tags: UnknownTags::default() }
    }
}

impl<'a> EpochEndOffset<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { epoch: r.i32()?, end_offset: r.i64()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.epoch);
        w.i64(self.end_offset);
        w.tags(self.unknown_tags, true, version)?;
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

#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotId<'a> {
    pub end_offset: i64,
    pub epoch: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for SnapshotId<'_> {
    fn default() -> Self {
        Self { end_offset: -1, epoch: -1, unknown_tags: UnknownTags::default() }
    }
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
pub struct AbortedTransaction<'a> {
    pub producer_id: i64,
    pub first_offset: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AbortedTransaction<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 12;
        Ok(Self { producer_id: r.i64()?, first_offset: r.i64()?, unknown_tags: r.tags(flexible)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 12;
        w.i64(self.producer_id);
        w.i64(self.first_offset);
        w.tags(self.unknown_tags, flexible, version)?;
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
