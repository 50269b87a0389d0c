//! `BrokerHeartbeatRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct BrokerHeartbeatRequest<'a> {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub current_metadata_offset: i64,
    pub want_fence: bool,
    pub want_shut_down: bool,
    pub offline_log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for BrokerHeartbeatRequest<'_> {
    fn default() -> Self {
        Self {
            broker_id: 0,
            broker_epoch: -1,
            current_metadata_offset: 0,
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> BrokerHeartbeatRequest<'a> {
    pub const KEY: ApiKey = ApiKey::BrokerHeartbeat;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            broker_id: r.i32()?,
            broker_epoch: r.i64()?,
            current_metadata_offset: r.i64()?,
            want_fence: r.bool()?,
            want_shut_down: r.bool()?,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 if version >= 1 => it.offline_log_dirs = r.array(true, 16, Reader::uuid)?,
                1 if version >= 2 => {
                    it.cordoned_log_dirs = r.array_or_null(true, true, 16, Reader::uuid)?
                }
                _ => r.unknown_tag(&mut tags, 2)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("BrokerHeartbeatRequest", Self::VERSIONS, version)?;
        w.i32(self.broker_id);
        w.i64(self.broker_epoch);
        w.i64(self.current_metadata_offset);
        w.bool(self.want_fence);
        w.bool(self.want_shut_down);
        if version < 1 {
            w.refuse_if(!self.offline_log_dirs.is_empty(), "offline_log_dirs", version)?;
        }
        let has_0 = version >= 1 && !self.offline_log_dirs.is_empty();
        if version < 2 {
            w.refuse_if(self.cordoned_log_dirs.is_some(), "cordoned_log_dirs", version)?;
        }
        let has_1 = version >= 2 && self.cordoned_log_dirs.is_some();
        w.tag_count(u32::from(has_0) + u32::from(has_1), self.unknown_tags, true, version)?;
        if has_0 {
            let open = w.tag_begin(0);
            w.array(&self.offline_log_dirs, true, Writer::uuid)?;
            w.tag_end(open)?;
        }
        if has_1 {
            let open = w.tag_begin(1);
            w.array_or_null(self.cordoned_log_dirs.as_deref(), true, Writer::uuid)?;
            w.tag_end(open)?;
        }
        w.unknown_tags(self.unknown_tags);
        Ok(())
    }
}
