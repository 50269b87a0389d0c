//! `BrokerRegistrationResponse` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct BrokerRegistrationResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub broker_epoch: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for BrokerRegistrationResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            broker_epoch: -1,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> BrokerRegistrationResponse<'a> {
    pub const KEY: ApiKey = ApiKey::BrokerRegistration;
    pub const LATEST_STABLE: i16 = 4;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 4 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            broker_epoch: r.i64()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("BrokerRegistrationResponse", Self::VERSIONS, version)?;
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.i64(self.broker_epoch);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
