//! `DescribeUserScramCredentialsResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub results: Vec<DescribeUserScramCredentialsResult<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeUserScramCredentialsResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            results: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> DescribeUserScramCredentialsResponse<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeUserScramCredentials;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            results: r.structs(true, version, 6, DescribeUserScramCredentialsResult::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("DescribeUserScramCredentialsResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.structs(&self.results, true, version, DescribeUserScramCredentialsResult::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResult<'a> {
    pub user: Cow<'a, str>,
    pub error_code: i16,
    pub error_message: Option<Cow<'a, str>>,
    pub credential_infos: Vec<CredentialInfo<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeUserScramCredentialsResult<'_> {
    fn default() -> Self {
        Self {
            user: Cow::Borrowed(""),
            error_code: 0,
            error_message: Some(Cow::Borrowed("")),
            credential_infos: Vec::new(),
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> DescribeUserScramCredentialsResult<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.string(true)?,
            error_code: r.i16()?,
            error_message: r.string_or_null(true, true)?,
            credential_infos: r.structs(true, version, 6, CredentialInfo::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.user, true)?;
        w.i16(self.error_code);
        w.string_or_null(self.error_message.as_deref(), true)?;
        w.structs(&self.credential_infos, true, version, CredentialInfo::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CredentialInfo<'a> {
    pub mechanism: i8,
    pub iterations: i32,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CredentialInfo<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { mechanism: r.i8()?, iterations: r.i32()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.i8(self.mechanism);
        w.i32(self.iterations);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
