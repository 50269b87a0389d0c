//! From a frame to its handler: header, version check, decoding, and the one match over the APIs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use thiserror::Error;

use crate::api::encode::Responder;
use crate::api::fetch::SharedSessions;
use crate::api::reply::Reply;
use crate::api::request::RequestContext;
use crate::api::session::Session;
use crate::api::timing::Stage;
use crate::api::versions;
use crate::api::{
    cluster, configs, delete_records, epochs, fetch, find_coordinator, group_admin, groups,
};
use crate::api::{
    list_offsets, log_dirs, metadata, offset_fetch, offsets, produce, producer_ids, topics,
};
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::DecodeError;
use crate::protocol::frame;
use crate::protocol::reader::Reader;
use crate::runtime::Monotonic;
use crate::shard::Shard;

/// A request that cannot be answered: its connection is closed.
#[derive(Debug, Error)]
pub enum BadRequest {
    /// The bytes do not begin as a request does.
    #[error("the request's header does not parse: {0}")]
    Header(#[from] DecodeError),
    /// The bytes behind the header are not what it says.
    #[error("the request does not parse as {api} version {version}: {error}")]
    Body {
        /// Kafka's name of the API.
        api: &'static str,
        /// The version that the header names.
        version: i16,
        /// What is wrong.
        error: DecodeError,
    },
    /// The API is known, and not served by this broker.
    #[error(
        "{api} version {version} is not supported by this broker: clients see in ApiVersions what is"
    )]
    Unsupported {
        /// Kafka's name of the API.
        api: &'static str,
        /// The version asked for.
        version: i16,
    },
}

/// Decodes a body. What follows its last field is ignored, as Kafka does: librdkafka's request for
/// the metadata of all topics is three bytes too long (version 13, librdkafka 2.16).
macro_rules! decode {
    ($body:expr, $version:expr, $module:ident::$request:ident) => {{
        let mut reader = Reader::new($body);
        crate::protocol::$module::$request::decode(&mut reader, $version).map_err(|error| {
            let api = crate::protocol::$module::$request::KEY.name();
            BadRequest::Body { api, version: $version, error }
        })?
    }};
}

/// When a request came, and how long it has waited since.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When its last byte had come.
    pub at: Monotonic,
    /// How long it then waited for room.
    pub queued: Duration,
}

/// Runs the first stage of the request in `bytes`.
pub async fn handle(
    shard: &Rc<Shard>,
    session: &Rc<Session>,
    sessions: &SharedSessions,
    bytes: &[u8],
    arrival: Arrival,
) -> Result<Reply, BadRequest> {
    let (header, body) = frame::request(bytes)?;
    let (api, version) = (header.api_key, header.api_version);
    let served = versions::answered(api);
    let known = served.is_some_and(|range| range.contains(version));
    let responder = Responder {
        shard: shard.clone(),
        api,
        // The client of an unknown ApiVersions version understands version 0.
        version: if known { version } else { 0 },
        correlation_id: header.correlation_id,
        arrived: arrival.at,
        spent: Cell::default(),
    };
    responder.spend(Stage::Queue, arrival.queued);
    let client_id = header.client_id.map(str::to_string);
    let context = RequestContext::new(responder, session.clone(), client_id);
    if !known {
        if api == ApiKey::ApiVersions {
            return Ok(versions::unsupported_version(&context));
        }
        return Err(BadRequest::Unsupported { api: api.name(), version });
    }
    Ok(match api {
        ApiKey::Produce => {
            let request = decode!(body, version, produce_request::ProduceRequest);
            produce::produce(&context, request).await
        }
        ApiKey::Fetch => {
            let request = decode!(body, version, fetch_request::FetchRequest);
            fetch::fetch(&context, sessions, &request)
        }
        ApiKey::ApiVersions => {
            let request = decode!(body, version, api_versions_request::ApiVersionsRequest);
            versions::api_versions(&context, &request)
        }
        ApiKey::ListOffsets => {
            let request = decode!(body, version, list_offsets_request::ListOffsetsRequest);
            list_offsets::list_offsets(&context, &request)
        }
        ApiKey::OffsetForLeaderEpoch => {
            let request = decode!(
                body,
                version,
                offset_for_leader_epoch_request::OffsetForLeaderEpochRequest
            );
            epochs::offset_for_leader_epoch(&context, &request)
        }
        ApiKey::Metadata => {
            let request = decode!(body, version, metadata_request::MetadataRequest);
            metadata::metadata(&context, &request)
        }
        ApiKey::InitProducerId => {
            let request = decode!(body, version, init_producer_id_request::InitProducerIdRequest);
            producer_ids::init_producer_id(&context, &request)
        }
        _ => return handle_group(&context, api, version, body),
    })
}

/// The APIs of consumers in groups.
fn handle_group(
    context: &RequestContext,
    api: ApiKey,
    version: i16,
    body: &[u8],
) -> Result<Reply, BadRequest> {
    Ok(match api {
        ApiKey::FindCoordinator => {
            let request = decode!(body, version, find_coordinator_request::FindCoordinatorRequest);
            find_coordinator::find_coordinator(context, &request)
        }
        ApiKey::JoinGroup => {
            let request = decode!(body, version, join_group_request::JoinGroupRequest);
            groups::join_group(context, &request)
        }
        ApiKey::SyncGroup => {
            let request = decode!(body, version, sync_group_request::SyncGroupRequest);
            groups::sync_group(context, &request)
        }
        ApiKey::Heartbeat => {
            let request = decode!(body, version, heartbeat_request::HeartbeatRequest);
            groups::heartbeat(context, &request)
        }
        ApiKey::LeaveGroup => {
            let request = decode!(body, version, leave_group_request::LeaveGroupRequest);
            groups::leave_group(context, &request)
        }
        ApiKey::OffsetCommit => {
            let request = decode!(body, version, offset_commit_request::OffsetCommitRequest);
            offsets::offset_commit(context, &request)
        }
        ApiKey::OffsetFetch => {
            let request = decode!(body, version, offset_fetch_request::OffsetFetchRequest);
            offset_fetch::offset_fetch(context, &request)
        }
        ApiKey::OffsetDelete => {
            let request = decode!(body, version, offset_delete_request::OffsetDeleteRequest);
            offsets::offset_delete(context, &request)
        }
        ApiKey::ListGroups => {
            let request = decode!(body, version, list_groups_request::ListGroupsRequest);
            group_admin::list(context, &request)
        }
        ApiKey::DescribeGroups => {
            let request = decode!(body, version, describe_groups_request::DescribeGroupsRequest);
            group_admin::describe(context, &request)
        }
        ApiKey::DeleteGroups => {
            let request = decode!(body, version, delete_groups_request::DeleteGroupsRequest);
            group_admin::delete(context, &request)
        }
        _ => return handle_admin(context, api, version, body),
    })
}

/// The APIs of administrators, which are rare.
fn handle_admin(
    context: &RequestContext,
    api: ApiKey,
    version: i16,
    body: &[u8],
) -> Result<Reply, BadRequest> {
    Ok(match api {
        ApiKey::CreateTopics => {
            let request = decode!(body, version, create_topics_request::CreateTopicsRequest);
            topics::create_topics(context, &request)
        }
        ApiKey::DeleteTopics => {
            let request = decode!(body, version, delete_topics_request::DeleteTopicsRequest);
            topics::delete_topics(context, &request)
        }
        ApiKey::DeleteRecords => {
            let request = decode!(body, version, delete_records_request::DeleteRecordsRequest);
            delete_records::delete_records(context, &request)
        }
        ApiKey::CreatePartitions => {
            let request =
                decode!(body, version, create_partitions_request::CreatePartitionsRequest);
            topics::create_partitions(context, &request)
        }
        ApiKey::DescribeConfigs => {
            let request = decode!(body, version, describe_configs_request::DescribeConfigsRequest);
            configs::describe_configs(context, &request)
        }
        ApiKey::AlterConfigs => {
            let request = decode!(body, version, alter_configs_request::AlterConfigsRequest);
            configs::alter_configs(context, &request)
        }
        ApiKey::IncrementalAlterConfigs => {
            let request = decode!(
                body,
                version,
                incremental_alter_configs_request::IncrementalAlterConfigsRequest
            );
            configs::incremental_alter_configs(context, &request)
        }
        ApiKey::DescribeLogDirs => {
            let request = decode!(body, version, describe_log_dirs_request::DescribeLogDirsRequest);
            log_dirs::describe_log_dirs(context, &request)
        }
        ApiKey::ListPartitionReassignments => {
            let request = decode!(
                body,
                version,
                list_partition_reassignments_request::ListPartitionReassignmentsRequest
            );
            cluster::list_partition_reassignments(context, &request)
        }
        ApiKey::DescribeCluster => {
            let request = decode!(body, version, describe_cluster_request::DescribeClusterRequest);
            cluster::describe_cluster(context, &request)
        }
        ApiKey::DescribeTopicPartitions => {
            let request = decode!(
                body,
                version,
                describe_topic_partitions_request::DescribeTopicPartitionsRequest
            );
            cluster::describe_topic_partitions(context, &request)
        }
        _ => return Err(BadRequest::Unsupported { api: api.name(), version }),
    })
}
