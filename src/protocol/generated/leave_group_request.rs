//! `LeaveGroupRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaveGroupRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub member_id: Cow<'a, str>,
    pub members: Vec<MemberIdentity<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> LeaveGroupRequest<'a> {
    pub const KEY: ApiKey = ApiKey::LeaveGroup;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(flexible)?,
            member_id: if version <= 2 { r.string(false)? } else { Cow::Borrowed("") },
            members: if version >= 3 {
                r.structs(flexible, version, 3, MemberIdentity::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.check("LeaveGroupRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, flexible)?;
        if version <= 2 {
            w.string(&self.member_id, false)?;
        } else {
            w.refuse_if(!self.member_id.is_empty(), "member_id", version)?;
        }
        if version >= 3 {
            w.structs(&self.members, flexible, version, MemberIdentity::encode)?;
        } else {
            w.refuse_if(!self.members.is_empty(), "members", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemberIdentity<'a> {
    pub member_id: Cow<'a, str>,
    pub group_instance_id: Option<Cow<'a, str>>,
    pub reason: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> MemberIdentity<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        Ok(Self {
            member_id: r.string(flexible)?,
            group_instance_id: r.string_or_null(flexible, true)?,
            reason: if version >= 5 { r.string_or_null(true, true)? } else { None },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.string(&self.member_id, flexible)?;
        w.string_or_null(self.group_instance_id.as_deref(), flexible)?;
        if version >= 5 {
            w.string_or_null(self.reason.as_deref(), true)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
