//! The APIs of the protocol: names, versions, and which header goes with which version.

pub use super::generated::api_keys::ApiKey;
use super::types::VersionRange;

/// What Kafka's definitions say about an API as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersionInfo {
    /// Kafka's name, without `Request`.
    pub name: &'static str,
    /// The versions that can be decoded and encoded.
    pub versions: VersionRange,
    /// The newest version that Kafka calls stable; never advertise a later one.
    pub latest_stable: i16,
    /// False for what only controllers serve.
    pub on_broker: bool,
    /// The first request version with compact lengths and tagged fields; `i16::MAX` for never.
    pub request_flexible_from: i16,
    /// The first response version with compact lengths and tagged fields; `i16::MAX` for never.
    pub response_flexible_from: i16,
}

impl ApiKey {
    /// The number on the wire.
    pub const fn wire(self) -> i16 {
        self as i16
    }

    /// Kafka's name, without `Request`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The versions that can be decoded and encoded.
    pub const fn versions(self) -> VersionRange {
        self.info().versions
    }

    /// The newest version that may be advertised.
    pub const fn latest_stable(self) -> i16 {
        self.info().latest_stable
    }

    /// True for what a broker serves, be it for clients or for other brokers.
    pub const fn is_on_broker(self) -> bool {
        self.info().on_broker
    }

    /// The version of the request header that precedes a request of `version`, also of one that
    /// does not exist yet.
    pub const fn request_header_version(self, version: i16) -> i16 {
        if version >= self.info().request_flexible_from { 2 } else { 1 }
    }

    /// The version of the response header that precedes a response of `version`.
    ///
    /// ApiVersions always answers with version 0: its client does not know yet what the broker
    /// understands (KIP-511).
    pub const fn response_header_version(self, version: i16) -> i16 {
        match self {
            ApiKey::ApiVersions => 0,
            _ if version >= self.info().response_flexible_from => 1,
            _ => 0,
        }
    }
}

impl TryFrom<i16> for ApiKey {
    type Error = super::errors::DecodeError;

    fn try_from(key: i16) -> Result<ApiKey, Self::Error> {
        ApiKey::from_wire(key).ok_or(super::errors::DecodeError::UnknownApi(key))
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn headers_follow_the_body_except_for_api_versions() {
        for (api, version, request, response) in [
            (ApiKey::ApiVersions, 0, 1, 0),
            (ApiKey::ApiVersions, 3, 2, 0),
            (ApiKey::ApiVersions, i16::MAX, 2, 0),
            (ApiKey::Metadata, 8, 1, 0),
            (ApiKey::Metadata, 9, 2, 1),
            (ApiKey::SaslHandshake, 1, 1, 0),
            (ApiKey::OffsetDelete, 0, 1, 0),
            (ApiKey::CreateTopics, 5, 2, 1),
        ] {
            assert_eq!(api.request_header_version(version), request, "{api:?} {version}");
            assert_eq!(api.response_header_version(version), response, "{api:?} {version}");
        }
    }

    #[test]
    fn keys_and_versions_are_those_of_the_definitions() {
        for api in ApiKey::ALL {
            assert_eq!(ApiKey::from_wire(api.wire()), Some(api));
            assert!(api.versions().contains(api.latest_stable()), "{api:?}");
        }
        assert_eq!(ApiKey::from_wire(4), None);
        assert_eq!(ApiKey::InitProducerId.versions().max, 6);
        assert_eq!(ApiKey::InitProducerId.latest_stable(), 5);
    }
}
