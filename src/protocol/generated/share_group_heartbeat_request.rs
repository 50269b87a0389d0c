//! `ShareGroupHeartbeatRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareGroupHeartbeatRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub member_epoch: i32,
    pub rack_id: Option<Cow<'a, str>>,
    pub subscribed_topic_names: Option<Vec<Cow<'a, str>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ShareGroupHeartbeatRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ShareGroupHeartbeat;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(true)?,
            member_id: r.string(true)?,
            member_epoch: r.i32()?,
            rack_id: r.string_or_null(true, true)?,
            subscribed_topic_names: r.strings_or_null(true, true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ShareGroupHeartbeatRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, true)?;
        w.string(&self.member_id, true)?;
        w.i32(self.member_epoch);
        w.string_or_null(self.rack_id.as_deref(), true)?;
        w.strings_or_null(self.subscribed_topic_names.as_deref(), true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
