//! `AllocateProducerIdsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct AllocateProducerIdsRequest<'a> {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for AllocateProducerIdsRequest<'_> {
    fn default() -> Self {
        Self { broker_id: 0, broker_epoch: -1, unknown_tags: UnknownTags::default() }
    }
}

impl<'a> AllocateProducerIdsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::AllocateProducerIds;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self { broker_id: r.i32()?, broker_epoch: r.i64()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("AllocateProducerIdsRequest", Self::VERSIONS, version)?;
        w.i32(self.broker_id);
        w.i64(self.broker_epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
