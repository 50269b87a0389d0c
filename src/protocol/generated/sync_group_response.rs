//! `SyncGroupResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub protocol_type: Option<Cow<'a, str>>,
    pub protocol_name: Option<Cow<'a, str>>,
    pub assignment: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> SyncGroupResponse<'a> {
    pub const KEY: ApiKey = ApiKey::SyncGroup;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            error_code: r.i16()?,
            protocol_type: if version >= 5 { r.string_or_null(true, true)? } else { None },
            protocol_name: if version >= 5 { r.string_or_null(true, true)? } else { None },
            assignment: r.bytes(flexible)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 4;
        w.check("SyncGroupResponse", Self::VERSIONS, version)?;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.i16(self.error_code);
        if version >= 5 {
            w.string_or_null(self.protocol_type.as_deref(), true)?;
        }
        if version >= 5 {
            w.string_or_null(self.protocol_name.as_deref(), true)?;
        }
        w.bytes(&self.assignment, flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
