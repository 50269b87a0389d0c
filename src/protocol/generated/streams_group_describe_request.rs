//! `StreamsGroupDescribeRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamsGroupDescribeRequest<'a> {
    pub group_ids: Vec<Cow<'a, str>>,
    pub include_authorized_operations: bool,
    pub include_topology_description: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> StreamsGroupDescribeRequest<'a> {
    pub const KEY: ApiKey = ApiKey::StreamsGroupDescribe;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_ids: r.strings(true)?,
            include_authorized_operations: r.bool()?,
            include_topology_description: if version >= 1 { r.bool()? } else { false },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("StreamsGroupDescribeRequest", Self::VERSIONS, version)?;
        w.strings(&self.group_ids, true)?;
        w.bool(self.include_authorized_operations);
        if version >= 1 {
            w.bool(self.include_topology_description);
        } else {
            w.refuse_if(
                self.include_topology_description,
                "include_topology_description",
                version,
            )?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
