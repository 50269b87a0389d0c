//! `ShareGroupDescribeRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareGroupDescribeRequest<'a> {
    pub group_ids: Vec<Cow<'a, str>>,
    pub include_authorized_operations: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ShareGroupDescribeRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ShareGroupDescribe;
    pub const LATEST_STABLE: i16 = 1;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            group_ids: r.strings(true)?,
            include_authorized_operations: r.bool()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ShareGroupDescribeRequest", Self::VERSIONS, version)?;
        w.strings(&self.group_ids, true)?;
        w.bool(self.include_authorized_operations);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
