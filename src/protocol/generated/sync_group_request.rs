//! `SyncGroupRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequest<'a> {
    pub group_id: Cow<'a, str>,
    pub generation_id: i32,
    pub member_id: Cow<'a, str>,
    pub group_instance_id: Option<Cow<'a, str>>,
    pub protocol_type: Option<Cow<'a, str>>,
    pub protocol_name: Option<Cow<'a, str>>,
    pub assignments: Vec<SyncGroupRequestAssignment<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SyncGroupRequest<'a> {
    pub const KEY: ApiKey = ApiKey::SyncGroup;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_id: r.string(flexible)?,
            generation_id: r.i32()?,
            member_id: r.string(flexible)?,
            group_instance_id: if version >= 3 { r.string_or_null(flexible, true)? } else { None },
            protocol_type: if version >= 5 { r.string_or_null(true, true)? } else { None },
            protocol_name: if version >= 5 { r.string_or_null(true, true)? } else { None },
            assignments: r.structs(flexible, version, 3, SyncGroupRequestAssignment::decode)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.check("SyncGroupRequest", Self::VERSIONS, version)?;
        w.string(&self.group_id, flexible)?;
        w.i32(self.generation_id);
        w.string(&self.member_id, flexible)?;
        if version >= 3 {
            w.string_or_null(self.group_instance_id.as_deref(), flexible)?;
        } else {
            w.refuse_if(self.group_instance_id.is_some(), "group_instance_id", version)?;
        }
        if version >= 5 {
            w.string_or_null(self.protocol_type.as_deref(), true)?;
        }
        if version >= 5 {
            w.string_or_null(self.protocol_name.as_deref(), true)?;
        }
        w.structs(&self.assignments, flexible, version, SyncGroupRequestAssignment::encode)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequestAssignment<'a> {
    pub member_id: Cow<'a, str>,
    pub assignment: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SyncGroupRequestAssignment<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        Ok(Self {
            member_id: r.string(flexible)?,
            assignment: r.bytes(flexible)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.string(&self.member_id, flexible)?;
        w.bytes(&self.assignment, flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
