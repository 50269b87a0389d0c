//! `StreamsGroupDescribeResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamsGroupDescribeResponse<'a> {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> StreamsGroupDescribeResponse<'a> {
    pub const KEY: ApiKey = ApiKey::StreamsGroupDescribe;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            groups: r.structs(true, version, 20, DescribedGroup::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("StreamsGroupDescribeResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.structs(&self.groups, true, version, DescribedGroup::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup<'a> {
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub group_id: Cow<'a, str>,
    pub group_state: Cow<'a, str>,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub topology: Option<Topology<'a>>,
    pub members: Vec<Member<'a>>,
    pub authorized_operations: i32,
    pub topology_description: Option<TopologyDescription<'a>>,
    pub topology_description_status: i8,
    pub assignor_name: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribedGroup<'_> {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: Cow::Borrowed(""),
            group_state: Cow::Borrowed(""),
            group_epoch: 0,
            assignment_epoch: 0,
            topology: None,
            members: Vec::new(),
            authorized_operations: -2147483648,
            topology_description: None,
            topology_description_status: 0,
            assignor_name: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> DescribedGroup<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            group_id: r.string(true)?,
            group_state: r.string(true)?,
            group_epoch: r.i32()?,
            assignment_epoch: r.i32()?,
            topology: r.struct_or_null(version, Topology::decode)?,
            members: r.structs(true, version, 28, Member::decode)?,
            authorized_operations: r.i32()?,
            topology_description: if version >= 1 {
                r.struct_or_null(version, TopologyDescription::decode)?
            } else {
                None
            },
            topology_description_status: if version >= 1 { r.i8()? } else { 0 },
            assignor_name: if version >= 1 { r.string_or_null(true, true)? } else { None },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.string(&self.group_id, true)?;
        w.string(&self.group_state, true)?;
        w.i32(self.group_epoch);
        w.i32(self.assignment_epoch);
        w.struct_or_null(self.topology.as_ref(), version, Topology::encode)?;
        w.structs(&self.members, true, version, Member::encode)?;
        w.i32(self.authorized_operations);
        if version >= 1 {
            w.struct_or_null(
                self.topology_description.as_ref(),
                version,
                TopologyDescription::encode,
            )?;
        } else {
            w.refuse_if(self.topology_description.is_some(), "topology_description", version)?;
        }
        if version >= 1 {
            w.i8(self.topology_description_status);
        } else {
            w.refuse_if(
                self.topology_description_status != 0,
                "topology_description_status",
                version,
            )?;
        }
        if version >= 1 {
            w.string_or_null(self.assignor_name.as_deref(), true)?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topology<'a> {
    pub epoch: i32,
    pub subtopologies: Option<Vec<Subtopology<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Topology<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: r.i32()?,
            subtopologies: r.structs_or_null(true, true, version, 6, Subtopology::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.epoch);
        w.structs_or_null(self.subtopologies.as_deref(), true, version, Subtopology::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub source_topics: Vec<Cow<'a, str>>,
    pub repartition_sink_topics: Vec<Cow<'a, str>>,
    pub state_changelog_topics: Vec<TopicInfo<'a>>,
    pub repartition_source_topics: Vec<TopicInfo<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Subtopology<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.string(true)?,
            source_topics: r.strings(true)?,
            repartition_sink_topics: r.strings(true)?,
            state_changelog_topics: r.structs(true, version, 9, TopicInfo::decode)?,
            repartition_source_topics: r.structs(true, version, 9, TopicInfo::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.subtopology_id, true)?;
        w.strings(&self.source_topics, true)?;
        w.strings(&self.repartition_sink_topics, true)?;
        w.structs(&self.state_changelog_topics, true, version, TopicInfo::encode)?;
        w.structs(&self.repartition_source_topics, true, version, TopicInfo::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member<'a> {
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub instance_id: Option<Cow<'a, str>>,
    pub rack_id: Option<Cow<'a, str>>,
    pub client_id: Cow<'a, str>,
    pub client_host: Cow<'a, str>,
    pub topology_epoch: i32,
    pub process_id: Cow<'a, str>,
    pub user_endpoint: Option<Endpoint<'a>>,
    pub client_tags: Vec<KeyValue<'a>>,
    pub task_offsets: Vec<TaskOffset<'a>>,
    pub task_end_offsets: Vec<TaskOffset<'a>>,
    pub assignment: Assignment<'a>,
    pub target_assignment: Assignment<'a>,
    pub is_classic: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Member<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.string(true)?,
            member_epoch: r.i32()?,
            instance_id: r.string_or_null(true, true)?,
            rack_id: r.string_or_null(true, true)?,
            client_id: r.string(true)?,
            client_host: r.string(true)?,
            topology_epoch: r.i32()?,
            process_id: r.string(true)?,
            user_endpoint: r.struct_or_null(version, Endpoint::decode)?,
            client_tags: r.structs(true, version, 3, KeyValue::decode)?,
            task_offsets: r.structs(true, version, 14, TaskOffset::decode)?,
            task_end_offsets: r.structs(true, version, 14, TaskOffset::decode)?,
            assignment: Assignment::decode(r, version)?,
            target_assignment: Assignment::decode(r, version)?,
            is_classic: r.bool()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.member_id, true)?;
        w.i32(self.member_epoch);
        w.string_or_null(self.instance_id.as_deref(), true)?;
        w.string_or_null(self.rack_id.as_deref(), true)?;
        w.string(&self.client_id, true)?;
        w.string(&self.client_host, true)?;
        w.i32(self.topology_epoch);
        w.string(&self.process_id, true)?;
        w.struct_or_null(self.user_endpoint.as_ref(), version, Endpoint::encode)?;
        w.structs(&self.client_tags, true, version, KeyValue::encode)?;
        w.structs(&self.task_offsets, true, version, TaskOffset::encode)?;
        w.structs(&self.task_end_offsets, true, version, TaskOffset::encode)?;
        self.assignment.encode(w, version)?;
        self.target_assignment.encode(w, version)?;
        w.bool(self.is_classic);
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
pub struct Assignment<'a> {
    pub active_tasks: Vec<TaskIds<'a>>,
    pub standby_tasks: Vec<TaskIds<'a>>,
    pub warmup_tasks: Vec<TaskIds<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Assignment<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            active_tasks: r.structs(true, version, 3, TaskIds::decode)?,
            standby_tasks: r.structs(true, version, 3, TaskIds::decode)?,
            warmup_tasks: r.structs(true, version, 3, TaskIds::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.structs(&self.active_tasks, true, version, TaskIds::encode)?;
        w.structs(&self.standby_tasks, true, version, TaskIds::encode)?;
        w.structs(&self.warmup_tasks, true, version, TaskIds::encode)?;
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
pub struct TopologyDescription<'a> {
    pub subtopologies: Vec<TopologyDescriptionSubtopology<'a>>,
    pub global_stores: Vec<TopologyDescriptionGlobalStore<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopologyDescription<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopologies: r.structs(true, version, 3, TopologyDescriptionSubtopology::decode)?,
            global_stores: r.structs(true, version, 15, TopologyDescriptionGlobalStore::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.structs(&self.subtopologies, true, version, TopologyDescriptionSubtopology::encode)?;
        w.structs(&self.global_stores, true, version, TopologyDescriptionGlobalStore::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionSubtopology<'a> {
    pub subtopology_id: Cow<'a, str>,
    pub nodes: Vec<TopologyDescriptionNode<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopologyDescriptionSubtopology<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.string(true)?,
            nodes: r.structs(true, version, 7, TopologyDescriptionNode::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.subtopology_id, true)?;
        w.structs(&self.nodes, true, version, TopologyDescriptionNode::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionNode<'a> {
    pub name: Cow<'a, str>,
    pub node_type: i8,
    pub source_topics: Vec<Cow<'a, str>>,
    pub sink_topic: Option<Cow<'a, str>>,
    pub stores: Vec<Cow<'a, str>>,
    pub successors: Vec<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopologyDescriptionNode<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            node_type: r.i8()?,
            source_topics: r.strings(true)?,
            sink_topic: r.string_or_null(true, true)?,
            stores: r.strings(true)?,
            successors: r.strings(true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i8(self.node_type);
        w.strings(&self.source_topics, true)?;
        w.string_or_null(self.sink_topic.as_deref(), true)?;
        w.strings(&self.stores, true)?;
        w.strings(&self.successors, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionGlobalStore<'a> {
    pub source: TopologyDescriptionNode<'a>,
    pub processor: TopologyDescriptionNode<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> TopologyDescriptionGlobalStore<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            source: TopologyDescriptionNode::decode(r, version)?,
            processor: TopologyDescriptionNode::decode(r, version)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        self.source.encode(w, version)?;
        self.processor.encode(w, version)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
