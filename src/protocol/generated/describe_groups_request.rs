//! `DescribeGroupsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeGroupsRequest<'a> {
    pub groups: Vec<Cow<'a, str>>,
    pub include_authorized_operations: bool,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DescribeGroupsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeGroups;
    pub const LATEST_STABLE: i16 = 6;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 6 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 5;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            groups: r.strings(flexible)?,
            include_authorized_operations: if version >= 3 { r.bool()? } else { false },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 5;
        w.check("DescribeGroupsRequest", Self::VERSIONS, version)?;
        w.strings(&self.groups, flexible)?;
        if version >= 3 {
            w.bool(self.include_authorized_operations);
        } else {
            w.refuse_if(
                self.include_authorized_operations,
                "include_authorized_operations",
                version,
            )?;
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
