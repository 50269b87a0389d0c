//! `FindCoordinatorResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct FindCoordinatorResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    pub coordinators: Vec<Coordinator<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for FindCoordinatorResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            node_id: 0,
            host: Cow::Borrowed(""),
            port: 0,
            coordinators: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> FindCoordinatorResponse<'a> {
    pub const KEY: ApiKey = ApiKey::FindCoordinator;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            error_code: if version <= 3 { r.i16()? } else { 0 },
            error_message: if (1..=3).contains(&version) {
                r.string_or_null(flexible, true)?
            } else {
                Some(Cow::Borrowed(""))
            },
            node_id: if version <= 3 { r.i32()? } else { 0 },
            host: if version <= 3 { r.string(flexible)? } else { Cow::Borrowed("") },
            port: if version <= 3 { r.i32()? } else { 0 },
            coordinators: if version >= 4 {
                r.structs(true, version, 14, Coordinator::decode)?
            } else {
                Vec::new()
            },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("FindCoordinatorResponse", Self::VERSIONS, version)?;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 3 {
            w.i16(self.error_code);
        } else {
            w.refuse_if(self.error_code != 0, "error_code", version)?;
        }
        if (1..=3).contains(&version) {
            w.string_or_null(self.error_message.as_deref(), flexible)?;
        }
        if version <= 3 {
            w.i32(self.node_id);
        } else {
            w.refuse_if(self.node_id != 0, "node_id", version)?;
        }
        if version <= 3 {
            w.string(&self.host, flexible)?;
        } else {
            w.refuse_if(!self.host.is_empty(), "host", version)?;
        }
        if version <= 3 {
            w.i32(self.port);
        } else {
            w.refuse_if(self.port != 0, "port", version)?;
        }
        if version >= 4 {
            w.structs(&self.coordinators, true, version, Coordinator::encode)?;
        } else {
            w.refuse_if(!self.coordinators.is_empty(), "coordinators", version)?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Coordinator<'a> {
    pub key: Cow<'a, str>,
    pub node_id: i32,
    pub host: Cow<'a, str>,
    pub port: i32,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for Coordinator<'_> {
    fn default() -> Self {
        Self {
            key: Cow::Borrowed(""),
            node_id: 0,
            host: Cow::Borrowed(""),
            port: 0,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> Coordinator<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            key: r.string(true)?,
            node_id: r.i32()?,
            host: r.string(true)?,
            port: r.i32()?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.key, true)?;
        w.i32(self.node_id);
        w.string(&self.host, true)?;
        w.i32(self.port);
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
