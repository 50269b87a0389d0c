//! A raw socket that speaks the generated codec, and as much nonsense as a test wants.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use klamm::model::TopicId;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm::protocol::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm::protocol::errors::{DecodeError, EncodeError};
use klamm::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::protocol::frame::{self, RequestHeader};
use klamm::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm::protocol::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::protocol::produce_response::PartitionProduceResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::types::Records;
use klamm::protocol::writer::Writer;
use klamm::record::{BatchBuilder, BatchOptions};

use crate::support::Broker;

/// How long a broker may take to answer or to close: a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tries enough for what takes a moment on a busy machine; each is a round trip.
const TRIES: usize = 20_000;

/// A request of the codec and the response that answers it.
pub trait Ask {
    /// What answers it.
    type Answer;
    /// Which API.
    const KEY: ApiKey;
    /// Writes the body.
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
    /// Reads the answer's body to its end.
    fn read(body: &'static [u8], version: i16) -> Result<Self::Answer, DecodeError>;
}

/// Pairs the messages of every API that is served.
macro_rules! apis {
    ($($request_room:ident :: $request:ident => $response_room:ident :: $response:ident;)*) => {
        $(impl Ask for klamm::protocol::$request_room::$request<'_> {
            type Answer = klamm::protocol::$response_room::$response<'static>;
            const KEY: ApiKey = klamm::protocol::$request_room::$request::KEY;

            fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                self.encode(writer, version)
            }

            fn read(body: &'static [u8], version: i16) -> Result<Self::Answer, DecodeError> {
                let mut reader = Reader::new(body);
                let answer = klamm::protocol::$response_room::$response::decode(&mut reader, version)?;
                reader.finish()?;
                Ok(answer)
            }
        })*

        /// A request that is the codec's default in every field.
        pub fn default_request(api: ApiKey, version: i16, correlation_id: i32) -> Vec<u8> {
            $(if api == klamm::protocol::$request_room::$request::KEY {
                let request = klamm::protocol::$request_room::$request::default();
                return request_frame(&request, version, correlation_id);
            })*
            panic!("no request of {} is paired with its response here", api.name());
        }

        /// Reads an answer to its end.
        pub fn check_answer(api: ApiKey, version: i16, body: &'static [u8]) -> Result<(), DecodeError> {
            $(if api == klamm::protocol::$request_room::$request::KEY {
                return klamm::protocol::$request_room::$request::read(body, version).map(drop);
            })*
            Err(DecodeError::UnknownApi(api.wire()))
        }
    };
}

apis! {
    alter_configs_request::AlterConfigsRequest => alter_configs_response::AlterConfigsResponse;
    api_versions_request::ApiVersionsRequest => api_versions_response::ApiVersionsResponse;
    create_partitions_request::CreatePartitionsRequest => create_partitions_response::CreatePartitionsResponse;
    create_topics_request::CreateTopicsRequest => create_topics_response::CreateTopicsResponse;
    delete_groups_request::DeleteGroupsRequest => delete_groups_response::DeleteGroupsResponse;
    delete_records_request::DeleteRecordsRequest => delete_records_response::DeleteRecordsResponse;
    delete_topics_request::DeleteTopicsRequest => delete_topics_response::DeleteTopicsResponse;
    describe_cluster_request::DescribeClusterRequest => describe_cluster_response::DescribeClusterResponse;
    describe_configs_request::DescribeConfigsRequest => describe_configs_response::DescribeConfigsResponse;
    describe_groups_request::DescribeGroupsRequest => describe_groups_response::DescribeGroupsResponse;
    describe_log_dirs_request::DescribeLogDirsRequest => describe_log_dirs_response::DescribeLogDirsResponse;
    describe_topic_partitions_request::DescribeTopicPartitionsRequest => describe_topic_partitions_response::DescribeTopicPartitionsResponse;
    fetch_request::FetchRequest => fetch_response::FetchResponse;
    find_coordinator_request::FindCoordinatorRequest => find_coordinator_response::FindCoordinatorResponse;
    heartbeat_request::HeartbeatRequest => heartbeat_response::HeartbeatResponse;
    incremental_alter_configs_request::IncrementalAlterConfigsRequest => incremental_alter_configs_response::IncrementalAlterConfigsResponse;
    init_producer_id_request::InitProducerIdRequest => init_producer_id_response::InitProducerIdResponse;
    join_group_request::JoinGroupRequest => join_group_response::JoinGroupResponse;
    leave_group_request::LeaveGroupRequest => leave_group_response::LeaveGroupResponse;
    list_groups_request::ListGroupsRequest => list_groups_response::ListGroupsResponse;
    list_offsets_request::ListOffsetsRequest => list_offsets_response::ListOffsetsResponse;
    list_partition_reassignments_request::ListPartitionReassignmentsRequest => list_partition_reassignments_response::ListPartitionReassignmentsResponse;
    metadata_request::MetadataRequest => metadata_response::MetadataResponse;
    offset_commit_request::OffsetCommitRequest => offset_commit_response::OffsetCommitResponse;
    offset_delete_request::OffsetDeleteRequest => offset_delete_response::OffsetDeleteResponse;
    offset_fetch_request::OffsetFetchRequest => offset_fetch_response::OffsetFetchResponse;
    offset_for_leader_epoch_request::OffsetForLeaderEpochRequest => offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
    produce_request::ProduceRequest => produce_response::ProduceResponse;
    sync_group_request::SyncGroupRequest => sync_group_response::SyncGroupResponse;
}

/// A request as it goes over the wire, its length first.
pub fn request_frame<R: Ask>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    request_frame_by("wire", request, version, correlation_id)
}

/// The same by a client of another name.
pub fn request_frame_by<R: Ask>(
    client_id: &str,
    request: &R,
    version: i16,
    correlation_id: i32,
) -> Vec<u8> {
    let header = RequestHeader {
        api_key: R::KEY,
        api_version: version,
        correlation_id,
        client_id: Some(client_id),
    };
    let mut writer = frame::begin_request(Vec::new(), header).expect("the header can be written");
    request.write(&mut writer, version).expect("the request has that version");
    frame::finish(writer).expect("the request fits a frame").bytes
}

/// A connection that does what a test says.
pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    /// Connects.
    pub fn connect(broker: &Broker) -> Wire {
        let stream = TcpStream::connect(broker.bootstrap()).expect("the broker accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Wire { stream, correlation_id: 0 }
    }

    /// Sends bytes as they are; a broker that has closed already is no error.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends a request without waiting for its answer.
    pub fn send<R: Ask>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let bytes = request_frame(request, version, self.correlation_id);
        self.send_bytes(&bytes);
    }

    /// The next answer, without its length; `None` when the broker has closed the connection.
    pub fn receive_frame(&mut self) -> Option<&'static [u8]> {
        let mut size = [0; 4];
        if !self.read_exact(&mut size) {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a length")];
        assert!(self.read_exact(&mut bytes), "the broker closed inside an answer");
        // A test is short: its answers may live as long as the process.
        Some(bytes.leak())
    }

    /// The answer to the request just sent.
    pub fn receive<R: Ask>(&mut self, version: i16) -> R::Answer {
        let expected = self.correlation_id;
        self.receive_as::<R>(version, expected)
    }

    /// The next answer, which is to the request with this correlation id.
    pub fn receive_as<R: Ask>(&mut self, version: i16, correlation_id: i32) -> R::Answer {
        let bytes = self.receive_frame().expect("an answer, not a closed connection");
        let (answered, body) = frame::response(bytes, R::KEY, version).expect("a response header");
        assert_eq!(answered, correlation_id);
        R::read(body, version).expect("an answer of that version")
    }

    /// The next answer, to whichever of several requests.
    pub fn receive_next<R: Ask>(&mut self, version: i16) -> R::Answer {
        let bytes = self.receive_frame().expect("an answer, not a closed connection");
        let (_, body) = frame::response(bytes, R::KEY, version).expect("a response header");
        R::read(body, version).expect("an answer of that version")
    }

    /// Sends a request and takes its answer.
    pub fn ask<R: Ask>(&mut self, request: &R, version: i16) -> R::Answer {
        self.send(request, version);
        self.receive::<R>(version)
    }

    /// Insists that the broker closes the connection and answers nothing before.
    pub fn assert_closed(&mut self, why: &str) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!("{why}: the broker answered"),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{why}: the broker did not close: {error}"),
        }
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> bool {
        match self.stream.read_exact(bytes) {
            Ok(()) => true,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                false
            }
            Err(error) => panic!("the broker neither answers nor closes: {error}"),
        }
    }

    /// Creates a topic and returns its id.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&'static str, &'static str)],
    ) -> TopicId {
        let config = |&(name, value): &(&'static str, &'static str)| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
            ..CreatableTopicConfig::default()
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let answer = self.ask(&request, 7);
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        let id = answer.topics[0].topic_id;
        self.await_partitions(name, partitions);
        id
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, name: &str) {
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: Some(name.into()), ..Default::default() }],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let answer = self.ask(&request, 6);
        assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
    }

    /// Asks until every partition of a topic can be read: the first leader takes a moment.
    fn await_partitions(&mut self, name: &str, partitions: i32) {
        let is_led = |wire: &mut Wire, index| wire.offset_result(name, index, -1).0 == 0;
        for _ in 0..TRIES {
            if (0..partitions).all(|index| is_led(self, index)) {
                return;
            }
        }
        panic!("{name} has no leaders");
    }

    /// Produces `records` as they are to one partition, with all acknowledgements.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        records: &[u8],
        version: i16,
    ) -> PartitionProduceResponse<'static> {
        let request = produce_request(topic, partition, records);
        let mut answer = self.ask(&request, version);
        answer.responses.remove(0).partition_responses.remove(0)
    }

    /// ListOffsets for a partition: error, offset, timestamp.
    pub fn offset_result(&mut self, topic: &str, index: i32, timestamp: i64) -> (i16, i64, i64) {
        let partition =
            ListOffsetsPartition { partition_index: index, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.ask(&request, 11);
        let found = &answer.topics[0].partitions[0];
        (found.error_code, found.offset, found.timestamp)
    }

    /// The log end offset of a partition.
    pub fn end_offset(&mut self, topic: &str, index: i32) -> i64 {
        let (error, offset, _) = self.offset_result(topic, index, -1);
        assert_eq!(error, 0, "{topic}-{index}");
        offset
    }
}

/// A Produce request for one partition.
pub fn produce_request<'a>(
    topic: &'a str,
    partition: i32,
    records: &'a [u8],
) -> ProduceRequest<'a> {
    let data = PartitionProduceData {
        index: partition,
        records: Records::Bytes(records),
        ..Default::default()
    };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

/// A Fetch request by name and id for one partition, without a session, that answers at once.
pub fn fetch_request<'a>(
    topic: &'a str,
    id: TopicId,
    partition: i32,
    offset: i64,
) -> FetchRequest<'a> {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: topic.into(),
        topic_id: id,
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest { max_wait_ms: 0, min_bytes: 1, topics: vec![topic], ..FetchRequest::default() }
}

/// A batch with these values and no keys, all of the present.
pub fn batch(values: &[&str]) -> Vec<u8> {
    batch_of(BatchOptions::default(), values)
}

/// A batch with these values and no keys, all of the present.
pub fn batch_of(options: BatchOptions, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for value in values {
        builder.append(now_ms(), None, Some(value.as_bytes()), &[]);
    }
    builder.finish()
}

/// The wall clock.
pub fn now_ms() -> i64 {
    klamm::client::wall_clock_ms()
}
