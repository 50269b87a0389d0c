//! `StreamsGroupHeartbeatRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct StreamsGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub endpoint_information_epoch: i32,
    pub instance_id: Option<Cow<'a, str>>,
    pub rack_id: Option<Cow<'a, str>>,
    pub rebalance_timeout_ms: i32,
    pub topology: Option<Topology<'a>>,
    pub active_tasks: Option<Vec<TaskIds<'a>>>,
    pub standby_tasks: Option<Vec<TaskIds<'a>>>,
    pub warmup_tasks: Option<Vec<TaskIds<'a>>>,
    pub process_id: Option<Cow<'a, str>>,
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Option<Vec<KeyValue<'a>>>,
    pub task_offsets: Option<Vec<TaskOffset<'a>>>,
    pub task_end_offsets: Option<Vec<TaskOffset<'a>>>,
    pub shutdown_application: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for StreamsGroupHeartbeatRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Cow::Borrowed(""),
            member_id: Cow::Borrowed(""),
            member_epoch: 0,
            endpoint_information_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            topology: None,
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            process_id: None,
            user_endpoint: None,
            client_tags: None,
            task_offsets: None,
            task_end_offsets: None,
            shutdown_application: false,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> StreamsGroupHeartbeatRequest<'a> {
    pub const KEY: ApiKey = ApiKey::StreamsGroupHeartbeat;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            member_id: r.string(true)?,
            member_epoch: r.i32()?,
            endpoint_information_epoch: r.i32()?,
            instance_id: r.string_or_null(true, true)?,
            rack_id: r.string_or_null(true, true)?,
            rebalance_timeout_ms: r.i32()?,
            topology: r.struct_or_null(version, Topology::decode)?,
            active_tasks: r.structs_or_null(true, true, version, 3, TaskIds::decode)?,
            standby_tasks: r.structs_or_null(true, true, version, 3, TaskIds::decode)?,
            warmup_tasks: r.structs_or_null(true, true, version, 3, TaskIds::decode)?,
            process_id: r.string_or_null(true, true)?,
            user_endpoint: r.struct_or_null(version, Endpoint::decode)?,
            client_tags: r.structs_or_null(true, true, version, 3, KeyValue::decode)?,
            task_offsets: r.structs_or_null(true, true, version, 14, TaskOffset::decode)?,
            task_end_offsets: r.structs_or_null(true, true, version, 14, TaskOffset::decode)?,
            shutdown_application: r.bool()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("StreamsGroupHeartbeatRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.string(&self.member_id, true)?;
        w.i32(self.member_epoch);
        w.i32(self.endpoint_information_epoch);
        w.string_or_null(self.instance_id.as_deref(), true)?;
        w.string_or_null(self.rack_id.as_deref(), true)?;
        w.i32(self.rebalance_timeout_ms);
        w.struct_or_null(self.topology.as_ref(), version, Topology::encode)?;
        w.structs_or_null(self.active_tasks.as_deref(), true, version, TaskIds::encode)?;
        w.structs_or_null(self.standby_tasks.as_deref(), true, version, TaskIds::encode)?;
        w.structs_or_null(self.warmup_tasks.as_deref(), true, version, TaskIds::encode)?;
        w.string_or_null(self.process_id.as_deref(), true)?;
        w.struct_or_null(self.user_endpoint.as_ref(), version, Endpoint::encode)?;
        w.structs_or_null(self.client_tags.as_deref(), true, version, KeyValue::encode)?;
        w.structs_or_null(self.task_offsets.as_deref(), true, version, TaskOffset::encode)?;
        w.structs_or_null(self.task_end_offsets.as_deref(), true, version, TaskOffset::encode)?;
        w.bool(self.shutdown_application);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topology<'a> {
    pub epoch: i32,
    pub subtopologies: Vec<Subtopology<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Topology<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: r.i32()?,
            subtopologies: r.structs(true, version, 8, Subtopology::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.epoch);
        w.structs(&self.subtopologies, true, version, Subtopology::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub source_topics: Vec<Cow<'a, str>>,
    pub source_topic_regex: Vec<Cow<'a, str>>,
    pub state_changelog_topics: Vec<TopicInfo<'a>>,
    pub repartition_sink_topics: Vec<Cow<'a, str>>,
    pub repartition_source_topics: Vec<TopicInfo<'a>>,
    pub copartition_groups: Vec<CopartitionGroup<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Subtopology<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.string(true)?,
            source_topics: r.strings(true)?,
            source_topic_regex: r.strings(true)?,
            state_changelog_topics: r.structs(true, version, 9, TopicInfo::decode)?,
            repartition_sink_topics: r.strings(true)?,
            repartition_source_topics: r.structs(true, version, 9, TopicInfo::decode)?,
            copartition_groups: r.structs(true, version, 4, CopartitionGroup::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.subtopology_id, true)?;
        w.strings(&self.source_topics, true)?;
        w.strings(&self.source_topic_regex, true)?;
        w.structs(&self.state_changelog_topics, true, version, TopicInfo::encode)?;
        w.strings(&self.repartition_sink_topics, true)?;
        w.structs(&self.repartition_source_topics, true, version, TopicInfo::encode)?;
        w.structs(&self.copartition_groups, true, version, CopartitionGroup::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CopartitionGroup<'a> {
    pub source_topics: Vec<i16>,
    pub source_topic_regex: Vec<i16>,
    pub repartition_source_topics: Vec<i16>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CopartitionGroup<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            source_topics: r.array(true, 2, Reader::i16)?,
            source_topic_regex: r.array(true, 2, Reader::i16)?,
            repartition_source_topics: r.array(true, 2, Reader::i16)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.array(&self.source_topics, true, Writer::i16)?;
        w.array(&self.source_topic_regex, true, Writer::i16)?;
        w.array(&self.repartition_source_topics, true, Writer::i16)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyValue<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> KeyValue<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { key: r.string(true)?, value: r.string(true)?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.key, true)?;
        w.string(&self.value, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicInfo<'a> {
    pub name: Cow<'a, str>,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Vec<KeyValue<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopicInfo<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            partitions: r.i32()?,
            replication_factor: r.i16()?,
            topic_configs: r.structs(true, version, 3, KeyValue::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i32(self.partitions);
        w.i16(self.replication_factor);
        w.structs(&self.topic_configs, true, version, KeyValue::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Endpoint<'a> {
    pub host: Cow<'a, str>,
    pub port: u16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Endpoint<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { host: r.string(true)?, port: r.u16()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.host, true)?;
        w.u16(self.port);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskOffset<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partition: i32,
    pub offset: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TaskOffset<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.string(true)?,
            partition: r.i32()?,
            offset: r.i64()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.subtopology_id, true)?;
        w.i32(self.partition);
        w.i64(self.offset);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskIds<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub partitions: Vec<i32>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TaskIds<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.string(true)?,
            partitions: r.array(true, 4, Reader::i32)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.subtopology_id, true)?;
        w.array(&self.partitions, true, Writer::i32)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
