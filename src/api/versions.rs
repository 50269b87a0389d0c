//! ApiVersions, and the one table of what this broker serves.

use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::metadata::commands::METADATA_VERSION_FEATURE;
use crate::model::ErrorCode;
use crate::protocol::api_key::ApiKey;
use crate::protocol::api_versions_request::ApiVersionsRequest;
use crate::protocol::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::protocol::types::VersionRange;

/// Every API that is served, in order of its key. What is not here is not advertised.
pub const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
    ApiKey::DescribeTopicPartitions,
];

/// The versions of an API that are advertised; `None` for an API that is not served.
///
/// Produce is advertised from 0, as Kafka does: librdkafka looks at that to decide whether the
/// broker knows its compression codecs. Its versions 0 to 2 are refused.
pub fn advertised(api: ApiKey) -> Option<VersionRange> {
    let min = match api {
        ApiKey::Produce => 0,
        _ => api.versions().min,
    };
    SERVED.contains(&api).then_some(VersionRange { min, max: api.latest_stable() })
}

/// The versions of an API that are answered.
pub fn answered(api: ApiKey) -> Option<VersionRange> {
    SERVED
        .contains(&api)
        .then(|| VersionRange { min: api.versions().min, max: api.latest_stable() })
}

/// Serves an ApiVersions request of a known version.
pub fn api_versions(context: &RequestContext, request: &ApiVersionsRequest<'_>) -> Reply {
    let version = context.version();
    let (name, software) = (&request.client_software_name, &request.client_software_version);
    if version >= 3 && !(is_software_text(name) && is_software_text(software)) {
        return answer(context, ErrorCode::InvalidRequest, Vec::new());
    }
    if version >= 3 {
        context.session().set_software(name, software);
    }
    let settings = context.shard().settings();
    let other_cluster =
        request.cluster_id.as_deref().is_some_and(|cluster| cluster != settings.cluster_id);
    let other_node = request.node_id >= 0 && request.node_id != settings.node_id.0;
    if version >= 5 && (other_cluster || other_node) {
        return answer(context, ErrorCode::RebootstrapRequired, Vec::new());
    }
    answer(context, ErrorCode::None, served())
}

/// Answers an ApiVersions request of an unknown version: by version 0, whose range the client
/// finds in the answer.
pub fn unsupported_version(context: &RequestContext) -> Reply {
    let range = advertised(ApiKey::ApiVersions);
    let keys = range.map(|range| api_version(ApiKey::ApiVersions, range)).into_iter().collect();
    answer(context, ErrorCode::UnsupportedVersion, keys)
}

fn served() -> Vec<ApiVersion<'static>> {
    SERVED.iter().filter_map(|&api| advertised(api).map(|range| api_version(api, range))).collect()
}

fn api_version(api: ApiKey, range: VersionRange) -> ApiVersion<'static> {
    ApiVersion {
        api_key: api.wire(),
        min_version: range.min,
        max_version: range.max,
        ..ApiVersion::default()
    }
}

/// The oldest level of `metadata.version` that Kafka supports (3.3-IV3), and with it every client that asks.
const METADATA_VERSION_MIN: i16 = 7;

fn answer(context: &RequestContext, code: ErrorCode, api_keys: Vec<ApiVersion<'static>>) -> Reply {
    let mut response =
        ApiVersionsResponse { error_code: code.code(), api_keys, ..ApiVersionsResponse::default() };
    if code.is_none() && context.version() >= 3 {
        let image = context.shard().image();
        response.finalized_features_epoch = image.features_epoch();
        for (name, level) in image.features() {
            response.supported_features.push(SupportedFeatureKey {
                name: name.to_string().into(),
                min_version: if name == METADATA_VERSION_FEATURE {
                    METADATA_VERSION_MIN
                } else {
                    1
                },
                max_version: level,
                ..SupportedFeatureKey::default()
            });
            response.finalized_features.push(FinalizedFeatureKey {
                name: name.to_string().into(),
                min_version_level: level,
                max_version_level: level,
                ..FinalizedFeatureKey::default()
            });
        }
    }
    let outcome: Outcome =
        context.responder().answer(code, |writer, version| response.encode(writer, version));
    Reply::Done(outcome)
}

/// Kafka's pattern for a client's software name and version:
/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::tests::vectors::vector_versions;

    #[test]
    fn every_answered_version_has_kafkas_own_bytes() {
        for &api in SERVED {
            let range = answered(api).expect("a served API has versions");
            let vectors = vector_versions(api);
            let missing: Vec<i16> =
                (range.min..=range.max).filter(|version| !vectors.contains(version)).collect();
            assert_eq!(missing, [0_i16; 0], "versions of {} without a vector", api.name());
        }
    }

    #[test]
    fn software_texts_follow_kafkas_pattern() {
        for (text, valid) in [
            ("apache-kafka-java", true),
            ("4.4.0", true),
            ("a", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a b", false),
            ("ü", false),
        ] {
            assert_eq!(is_software_text(text), valid, "{text:?}");
        }
    }

    #[test]
    fn what_is_served_is_advertised_once_in_order() {
        assert!(SERVED.windows(2).all(|pair| pair[0].wire() < pair[1].wire()));
        assert_eq!(advertised(ApiKey::Produce).map(|range| range.min), Some(0));
        assert_eq!(answered(ApiKey::Produce).map(|range| range.min), Some(3));
        assert_eq!(advertised(ApiKey::InitProducerId).map(|range| range.max), Some(5));
        assert_eq!(advertised(ApiKey::AddPartitionsToTxn), None);
    }
}
