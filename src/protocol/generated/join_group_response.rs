//! `JoinGroupResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub generation_id: i32,
    pub protocol_type: Option<Cow<'a, str>>,
    pub protocol_name: Option<Cow<'a, str>>,
    pub leader: Cow<'a, str>,
    pub skip_assignment: bool,
    pub member_id: Cow<'a, str>,
    pub members: Vec<JoinGroupResponseMember<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for JoinGroupResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(Cow::Borrowed("")),
            leader: Cow::Borrowed(""),
            skip_assignment: false,
            member_id: Cow::Borrowed(""),
            members: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> JoinGroupResponse<'a> {
    pub const KEY: ApiKey = ApiKey::JoinGroup;
    pub const LATEST_STABLE: i16 = 9;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 9 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 2 { r.i32()? } else { 0 },
            error_code: r.i16()?,
            generation_id: r.i32()?,
            protocol_type: if version >= 7 { r.string_or_null(true, true)? } else { None },
            protocol_name: r.string_or_null(flexible, version >= 7)?,
            leader: r.string(flexible)?,
            skip_assignment: if version >= 9 { r.bool()? } else { false },
            member_id: r.string(flexible)?,
            members: r.structs(flexible, version, 4, JoinGroupResponseMember::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.check("JoinGroupResponse", Self::VERSIONS, version)?;
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.i16(self.error_code);
        w.i32(self.generation_id);
        if version >= 7 {
            w.string_or_null(self.protocol_type.as_deref(), true)?;
        }
        w.refuse_if(version < 7 && self.protocol_name.is_none(), "protocol_name", version)?;
        w.string_or_null(self.protocol_name.as_deref(), flexible)?;
        w.string(&self.leader, flexible)?;
        if version >= 9 {
            w.bool(self.skip_assignment);
        } else {
            w.refuse_if(self.skip_assignment, "skip_assignment", version)?;
        }
        w.string(&self.member_id, flexible)?;
        w.structs(&self.members, flexible, version, JoinGroupResponseMember::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinGroupResponseMember<'a> {
    pub member_id: Cow<'a, str>,
    pub group_instance_id: Option<Cow<'a, str>>,
    pub metadata: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> JoinGroupResponseMember<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 6;
        Ok(Self {
            member_id: r.string(flexible)?,
            group_instance_id: if version >= 5 { r.string_or_null(flexible, true)? } else { None },
            metadata: r.bytes(flexible)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 6;
        w.string(&self.member_id, flexible)?;
        if version >= 5 {
            w.string_or_null(self.group_instance_id.as_deref(), flexible)?;
        }
        w.bytes(&self.metadata, flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
