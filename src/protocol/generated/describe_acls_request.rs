//! `DescribeAclsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsRequest<'a> {
    pub resource_type_filter: i8,
    pub resource_name_filter: Option<Cow<'a, str>>,
    pub pattern_type_filter: i8,
    pub principal_filter: Option<Cow<'a, str>>,
    pub host_filter: Option<Cow<'a, str>>,
    pub operation: i8,
    pub permission_type: i8,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeAclsRequest<'_> {
    fn default() -> Self {
        Self {
            resource_type_filter: 0,
            resource_name_filter: Some(Cow::Borrowed("")),
            pattern_type_filter: 3,
            principal_filter: Some(Cow::Borrowed("")),
            host_filter: Some(Cow::Borrowed("")),
            operation: 0,
            permission_type: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> DescribeAclsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeAcls;
    pub const LATEST_STABLE: i16 = 3;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            resource_type_filter: r.i8()?,
            resource_name_filter: r.string_or_null(flexible, true)?,
            pattern_type_filter: r.i8()?,
            principal_filter: r.string_or_null(flexible, true)?,
            host_filter: r.string_or_null(flexible, true)?,
            operation: r.i8()?,
            permission_type: r.i8()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("DescribeAclsRequest", Self::VERSIONS, version)?;
        w.i8(self.resource_type_filter);
        w.string_or_null(self.resource_name_filter.as_deref(), flexible)?;
        w.i8(self.pattern_type_filter);
        w.string_or_null(self.principal_filter.as_deref(), flexible)?;
        w.string_or_null(self.host_filter.as_deref(), flexible)?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
