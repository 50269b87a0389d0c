//! `BrokerRegistrationRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, Uuid, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct BrokerRegistrationRequest<'a> {
    pub broker_id: i32,
    pub cluster_id: Cow<'a, str>,
    pub incarnation_id: Uuid,
    pub listeners: Vec<Listener<'a>>,
    pub features: Vec<Feature<'a>>,
    pub rack: Option<Cow<'a, str>>,
    pub is_migrating_zk_broker: bool,
    pub log_dirs: Vec<Uuid>,
    pub previous_broker_epoch: i64,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for BrokerRegistrationRequest<'_> {
    fn default() -> Self {
        Self {
            broker_id: 0,
            cluster_id: Cow::Borrowed(""),
            incarnation_id: Uuid::ZERO,
            listeners: Vec::new(),
            features: Vec::new(),
            rack: Some(Cow::Borrowed("")),
            is_migrating_zk_broker: false,
            log_dirs: Vec::new(),
            previous_broker_epoch: -1,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> BrokerRegistrationRequest<'a> {
    pub const KEY: ApiKey = ApiKey::BrokerRegistration;
    pub const LATEST_STABLE: i16 = 4;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 4 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            broker_id: r.i32()?,
            cluster_id: r.string(true)?,
            incarnation_id: r.uuid()?,
            listeners: r.structs(true, version, 7, Listener::decode)?,
            features: r.structs(true, version, 6, Feature::decode)?,
            rack: r.string_or_null(true, true)?,
            is_migrating_zk_broker: if version >= 1 { r.bool()? } else { false },
            log_dirs: if version >= 2 { r.array(true, 16, Reader::uuid)? } else { Vec::new() },
            previous_broker_epoch: if version >= 3 { r.i64()? } else { -1 },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("BrokerRegistrationRequest", Self::VERSIONS, version)?;
        w.i32(self.broker_id);
        w.string(&self.cluster_id, true)?;
        w.uuid(self.incarnation_id);
        w.structs(&self.listeners, true, version, Listener::encode)?;
        w.structs(&self.features, true, version, Feature::encode)?;
        w.string_or_null(self.rack.as_deref(), true)?;
        if version >= 1 {
            w.bool(self.is_migrating_zk_broker);
        } else {
            w.refuse_if(self.is_migrating_zk_broker, "is_migrating_zk_broker", version)?;
        }
        if version >= 2 {
            w.array(&self.log_dirs, true, Writer::uuid)?;
        }
        if version >= 3 {
            w.i64(self.previous_broker_epoch);
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listener<'a> {
    pub name: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub port: u16,
    pub security_protocol: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Listener<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            host: r.string(true)?,
            port: r.u16()?,
            security_protocol: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.string(&self.host, true)?;
        w.u16(self.port);
        w.i16(self.security_protocol);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Feature<'a> {
    pub name: Cow<'a, str>,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> Feature<'a> {
    pub fn decode(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.string(true)?,
            min_supported_version: r.i16()?,
            max_supported_version: r.i16()?,
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.string(&self.name, true)?;
        w.i16(self.min_supported_version);
        w.i16(self.max_supported_version);
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
