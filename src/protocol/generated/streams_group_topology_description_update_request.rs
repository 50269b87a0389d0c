//! `StreamsGroupTopologyDescriptionUpdateRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamsGroupTopologyDescriptionUpdateRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub topology_epoch: i32,
    pub topology_description: TopologyDescription<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> StreamsGroupTopologyDescriptionUpdateRequest<'a> {
    pub const KEY: ApiKey = ApiKey::StreamsGroupTopologyDescriptionUpdate;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            member_id: r.string(true)?,
            topology_epoch: r.i32()?,
            topology_description: TopologyDescription::decode(r, version)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("StreamsGroupTopologyDescriptionUpdateRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.string(&self.member_id, true)?;
        w.i32(self.topology_epoch);
        self.topology_description.encode(w, version)?;
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
