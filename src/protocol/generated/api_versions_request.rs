//! `ApiVersionsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsRequest<'a> {
    pub client_software_name: Cow<'a, str>,
    pub client_software_version: Cow<'a, str>,
    pub cluster_id: Option<Cow<'a, str>>,
    pub node_id: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ApiVersionsRequest<'_> {
    fn default() -> Self {
        Self {
            client_software_name: Cow::Borrowed(""),
            client_software_version: Cow::Borrowed(""),
            cluster_id: None,
            node_id: -1,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ApiVersionsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ApiVersions;
    pub const LATEST_STABLE: i16 = 5;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 5 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 3;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            client_software_name: if version >= 3 { r.string(true)? } else { Cow::Borrowed("") },
            client_software_version: if version >= 3 { r.string(true)? } else { Cow::Borrowed("") },
            cluster_id: if version >= 5 { r.string_or_null(true, true)? } else { None },
            node_id: if version >= 5 { r.i32()? } else { -1 },
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 3;
        w.check("ApiVersionsRequest", Self::VERSIONS, version)?;
        if version >= 3 {
            w.string(&self.client_software_name, true)?;
        }
        if version >= 3 {
            w.string(&self.client_software_version, true)?;
        }
        if version >= 5 {
            w.string_or_null(self.cluster_id.as_deref(), true)?;
        }
        if version >= 5 {
            w.i32(self.node_id);
        }
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
