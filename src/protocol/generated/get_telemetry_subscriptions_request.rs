//! `GetTelemetrySubscriptionsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetTelemetrySubscriptionsRequest<'a> {
    pub client_instance_id: Uuid,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> GetTelemetrySubscriptionsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::GetTelemetrySubscriptions;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self { client_instance_id: r.uuid()?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("GetTelemetrySubscriptionsRequest", Self::VERSIONS, version)?;
        w.uuid(self.client_instance_id);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
