//! `UpdateRaftVoterResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateRaftVoterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub current_leader: CurrentLeader<'a>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> UpdateRaftVoterResponse<'a> {
    pub const KEY: ApiKey = ApiKey::UpdateRaftVoter;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        let mut it = Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            current_leader: CurrentLeader::default(),
            unknown_tags: UnknownTags::default(),
        };
        let mut tags = r.tag_section(true)?;
        while let Some(tag) = r.tag(&mut tags)? {
            match tag {
                0 => it.current_leader = CurrentLeader::decode(r, version)?,
                _ => r.unknown_tag(&mut tags, 1)?,
            }
        }
        it.unknown_tags = tags.unknown();
        Ok(it)
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("UpdateRaftVoterResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        let has_0 = self.current_leader != CurrentLeader::default();
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

#[derive(Debug, Clone, PartialEq)]
pub struct CurrentLeader<'a> {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for CurrentLeader<'_> {
    fn default() -> Self {
        Self {
            leader_id: -1,
            leader_epoch: -1,
            host: Cow::Borrowed(""),
            port: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> CurrentLeader<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
            host: r.string(true)?,
            port: r.i32()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.string(&self.host, true)?;
        w.i32(self.port);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
