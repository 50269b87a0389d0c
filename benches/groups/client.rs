//! Requests of consumers and members, and an asynchronous connection that sends them.

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use klamm::model::ids::TopicId;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::protocol::find_coordinator_request::FindCoordinatorRequest;
use klamm::protocol::find_coordinator_response::FindCoordinatorResponse;
use klamm::protocol::frame;
use klamm::protocol::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::protocol::reader::Reader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{self, request};

/// Topics by name, and no session.
pub const FETCH_VERSION: i16 = 11;
/// With a member's generation and the offset's leader epoch.
pub const COMMIT_VERSION: i16 = 7;
const FIND_COORDINATOR_VERSION: i16 = 2;
/// The longest answer that these programs expect.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// A connection of a task, with one request in flight.
pub struct Connection {
    stream: TcpStream,
    response: Vec<u8>,
}

impl Connection {
    /// Connects, with small requests sent at once.
    pub async fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, response: Vec::new() })
    }

    /// Sends a frame and reads the response's frame, without its size.
    pub async fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        let size = self.stream.read_i32().await.context("reading a response")?;
        let size = usize::try_from(size)?;
        ensure!(size <= RESPONSE_BYTES_MAX, "a response of {size} bytes");
        self.response.resize(size, 0);
        self.stream.read_exact(&mut self.response).await?;
        Ok(&self.response)
    }
}

/// A fetch of one partition from `offset` on that waits up to 500 ms for a byte.
pub fn fetch_request(topic: &str, partition: i32, offset: i64) -> Result<Vec<u8>> {
    let fetch = FetchRequest {
        replica_id: -1,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            topic_id: TopicId::ZERO,
            partitions: vec![FetchPartition {
                partition,
                current_leader_epoch: -1,
                fetch_offset: offset,
                log_start_offset: -1,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    request(ApiKey::Fetch, FETCH_VERSION, |writer| fetch.encode(writer, FETCH_VERSION))
}

/// A commit of one offset by nobody in particular, as a consumer without a group's assignment.
pub fn commit_request(group: &str, topic: &str, offset: i64) -> Result<Vec<u8>> {
    let commit = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: offset,
                committed_leader_epoch: -1,
                committed_metadata: Some(Cow::Borrowed("")),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    request(ApiKey::OffsetCommit, COMMIT_VERSION, |writer| commit.encode(writer, COMMIT_VERSION))
}

/// Waits until the broker knows a coordinator for groups, whose topic it may have to create.
pub fn await_coordinator(bootstrap: &str) -> Result<()> {
    let find = FindCoordinatorRequest { key: "bench".into(), ..FindCoordinatorRequest::default() };
    let version = FIND_COORDINATOR_VERSION;
    let find = request(ApiKey::FindCoordinator, version, |writer| find.encode(writer, version))?;
    let mut connection = wire::Connection::open(bootstrap)?;
    for _ in 0..100 {
        let response = connection.call(&find)?;
        let (_, body) = frame::response(response, ApiKey::FindCoordinator, version)?;
        if FindCoordinatorResponse::decode(&mut Reader::new(body), version)?.error_code == 0 {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    anyhow::bail!("no coordinator after 10 s")
}

/// Without a broker: the requests can be built.
pub fn check_smoke() -> Result<()> {
    let bytes = fetch_request("topic", 0, 0)?.len() + commit_request("group", "topic", 1)?.len();
    ensure!(bytes > 100, "requests have bytes");
    println!("groups: a fetch and a commit take {bytes} bytes");
    Ok(())
}
