//! `AlterUserScramCredentialsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterUserScramCredentialsRequest<'a> {
    pub deletions: Vec<ScramCredentialDeletion<'a>>,
    pub upsertions: Vec<ScramCredentialUpsertion<'a>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> AlterUserScramCredentialsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::AlterUserScramCredentials;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            deletions: r.structs(true, version, 3, ScramCredentialDeletion::decode)?,
            upsertions: r.structs(true, version, 9, ScramCredentialUpsertion::decode)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("AlterUserScramCredentialsRequest", Self::VERSIONS, version)?;
        w.structs(&self.deletions, true, version, ScramCredentialDeletion::encode)?;
        w.structs(&self.upsertions, true, version, ScramCredentialUpsertion::encode)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialDeletion<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ScramCredentialDeletion<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self { name: r.string(true)?, mechanism: r.i8()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i8(self.mechanism);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialUpsertion<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
    pub iterations: i32,
    pub salt: Cow<'a, [u8]>,
    pub salted_password: Cow<'a, [u8]>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> ScramCredentialUpsertion<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            mechanism: r.i8()?,
            iterations: r.i32()?,
            salt: r.bytes(true)?,
            salted_password: r.bytes(true)?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i8(self.mechanism);
        w.i32(self.iterations);
        w.bytes(&self.salt, true)?;
        w.bytes(&self.salted_password, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
