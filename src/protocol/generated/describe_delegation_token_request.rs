//! `DescribeDelegationTokenRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct DescribeDelegationTokenRequest<'a> {
    pub owners: Option<Vec<DescribeDelegationTokenOwner<'a>>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for DescribeDelegationTokenRequest<'_> {
    fn default() -> Self {
        Self { owners: Some(Vec::new()), unknown_tags: UnknownTags::default() }
    }
}

impl<'a> DescribeDelegationTokenRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeDelegationToken;
    pub const LATEST_STABLE: i16 = 3;
    pub const VERSIONS: VersionRange = VersionRange { min: 1, max: 3 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 2;
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            owners: r.structs_or_null(
                flexible,
                true,
                version,
                3,
                DescribeDelegationTokenOwner::decode,
            )?,
            unknown_tags: r.tags(flexible)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let flexible = version >= 2;
        w.check("DescribeDelegationTokenRequest", Self::VERSIONS, version)?;
        w.structs_or_null(
            self.owners.as_deref(),
            flexible,
            version,
            DescribeDelegationTokenOwner::encode,
        )?;
        w.tags(self.unknown_tags, flexible, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeDelegationTokenOwner<'a> {
    pub principal_type: Cow<'a, str>,
    pub principal_name: Cow<'a, str>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DescribeDelegationTokenOwner<'a> {
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
