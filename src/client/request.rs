//! Requests and the responses that answer them, paired by type.

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::VersionRange;
use crate::protocol::writer::Writer;

/// A request of the protocol that knows its response.
pub trait Request {
    /// What the broker answers.
    type Response<'a>;

    /// Which API.
    const KEY: ApiKey;

    /// The versions that this client speaks, none of them unstable.
    const VERSIONS: VersionRange;

    /// Writes the body as `version`.
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads the answer's body as `version`, to its end.
    fn read_response(body: &[u8], version: i16) -> Result<Self::Response<'_>, DecodeError>;
}

/// Pairs the generated messages, where `up to` says so without versions whose shape is another.
macro_rules! pairs {
    ($($request_room:ident :: $request:ident => $response_room:ident :: $response:ident
       $(, up to $max:literal)?;)*) => {
        $(impl Request for crate::protocol::$request_room::$request<'_> {
            type Response<'a> = crate::protocol::$response_room::$response<'a>;

            const KEY: ApiKey = Self::KEY;

            const VERSIONS: VersionRange = {
                let max = Self::LATEST_STABLE;
                $(let max: i16 = if $max < max { $max } else { max };)?
                VersionRange { min: Self::VERSIONS.min, max }
            };

            fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                self.encode(writer, version)
            }

            fn read_response(body: &[u8], version: i16) -> Result<Self::Response<'_>, DecodeError> {
                let mut reader = Reader::new(body);
                let response = crate::protocol::$response_room::$response::decode(&mut reader, version)?;
                reader.finish()?;
                Ok(response)
            }
        })*
    };
}

pairs! {
    api_versions_request::ApiVersionsRequest => api_versions_response::ApiVersionsResponse;
    create_partitions_request::CreatePartitionsRequest => create_partitions_response::CreatePartitionsResponse;
    create_topics_request::CreateTopicsRequest => create_topics_response::CreateTopicsResponse;
    delete_groups_request::DeleteGroupsRequest => delete_groups_response::DeleteGroupsResponse;
    delete_records_request::DeleteRecordsRequest => delete_records_response::DeleteRecordsResponse;
    delete_topics_request::DeleteTopicsRequest => delete_topics_response::DeleteTopicsResponse;
    describe_cluster_request::DescribeClusterRequest => describe_cluster_response::DescribeClusterResponse;
    describe_configs_request::DescribeConfigsRequest => describe_configs_response::DescribeConfigsResponse;
    describe_groups_request::DescribeGroupsRequest => describe_groups_response::DescribeGroupsResponse;
    describe_topic_partitions_request::DescribeTopicPartitionsRequest => describe_topic_partitions_response::DescribeTopicPartitionsResponse;
    fetch_request::FetchRequest => fetch_response::FetchResponse;
    find_coordinator_request::FindCoordinatorRequest => find_coordinator_response::FindCoordinatorResponse, up to 3;
    heartbeat_request::HeartbeatRequest => heartbeat_response::HeartbeatResponse;
    incremental_alter_configs_request::IncrementalAlterConfigsRequest => incremental_alter_configs_response::IncrementalAlterConfigsResponse;
    init_producer_id_request::InitProducerIdRequest => init_producer_id_response::InitProducerIdResponse;
    join_group_request::JoinGroupRequest => join_group_response::JoinGroupResponse;
    leave_group_request::LeaveGroupRequest => leave_group_response::LeaveGroupResponse, up to 2;
    list_config_resources_request::ListConfigResourcesRequest => list_config_resources_response::ListConfigResourcesResponse;
    list_groups_request::ListGroupsRequest => list_groups_response::ListGroupsResponse;
    list_offsets_request::ListOffsetsRequest => list_offsets_response::ListOffsetsResponse;
    list_partition_reassignments_request::ListPartitionReassignmentsRequest => list_partition_reassignments_response::ListPartitionReassignmentsResponse;
    metadata_request::MetadataRequest => metadata_response::MetadataResponse;
    offset_commit_request::OffsetCommitRequest => offset_commit_response::OffsetCommitResponse, up to 9;
    offset_delete_request::OffsetDeleteRequest => offset_delete_response::OffsetDeleteResponse;
    offset_fetch_request::OffsetFetchRequest => offset_fetch_response::OffsetFetchResponse, up to 7;
    offset_for_leader_epoch_request::OffsetForLeaderEpochRequest => offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
    produce_request::ProduceRequest => produce_response::ProduceResponse;
    sync_group_request::SyncGroupRequest => sync_group_response::SyncGroupResponse;
}
