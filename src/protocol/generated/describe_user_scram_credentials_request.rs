//! `DescribeUserScramCredentialsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsRequest<'a> {
    pub users: Option<Vec<UserName<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeUserScramCredentialsRequest<'_> {
    fn default() -> Self {
        Self { users: Some(Vec::new()), unknown_tags: UnknownTags::default() }
    }
}

impl<'a> DescribeUserScramCredentialsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeUserScramCredentials;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            users: r.structs_or_null(true, true, version, 2, UserName::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("DescribeUserScramCredentialsRequest", Self::VERSIONS, version)?;
        w.structs_or_null(self.users.as_deref(), true, version, UserName::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserName<'a> {
    pub name: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> UserName<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { name: r.string(true)?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
