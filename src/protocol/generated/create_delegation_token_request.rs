//! `CreateDelegationTokenRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct CreateDelegationTokenRequest<'a> {
    pub owner_principal_type: Option<Cow<'a, str>>,
    pub owner_principal_name: Option<Cow<'a, str>>,
    pub renewers: Vec<CreatableRenewers<'a>>,
    pub max_lifetime_ms: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for CreateDelegationTokenRequest<'_> {
    fn default() -> Self {
        Self {
            owner_principal_type: Some(Cow::Borrowed("")),
            owner_principal_name: Some(Cow::Borrowed("")),
            renewers: Vec::new(),
            max_lifetime_ms: 0,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> CreateDelegationTokenRequest<'a> {
    pub const KEY: ApiKey = ApiKey::CreateDelegationToken;
    pub const LATEST_STABLE: i16 = 3;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            owner_principal_type: if version >= 3 {
                r.string_or_null(true, true)?
            } else {
                Some(Cow::Borrowed(""))
            },
            owner_principal_name: if version >= 3 {
                r.string_or_null(true, true)?
            } else {
                Some(Cow::Borrowed(""))
            },
            renewers: r.structs(flexible, version, 3, CreatableRenewers::decode)?,
            max_lifetime_ms: r.i64()?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("CreateDelegationTokenRequest", Self::VERSIONS, version)?;
        if version >= 3 {
            w.string_or_null(self.owner_principal_type.as_deref(), true)?;
        } else {
            w.refuse_if(
                self.owner_principal_type.as_deref() != Some(""),
                "owner_principal_type",
                version,
            )?;
        }
        if version >= 3 {
            w.string_or_null(self.owner_principal_name.as_deref(), true)?;
        } else {
            w.refuse_if(
                self.owner_principal_name.as_deref() != Some(""),
                "owner_principal_name",
                version,
            )?;
        }
        w.structs(&self.renewers, flexible, version, CreatableRenewers::encode)?;
        w.i64(self.max_lifetime_ms);
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableRenewers<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> CreatableRenewers<'a> {
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        Ok(Self {
            principal_type: r.string(flexible)?,
            principal_name: r.string(flexible)?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.string(&self.principal_type, flexible)?;
        w.string(&self.principal_name, flexible)?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}
