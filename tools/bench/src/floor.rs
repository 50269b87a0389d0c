//! `floor`: what the tool itself costs, against a server in the same process that acknowledges at once.
//!
//! The server parses a frame's size and header and answers; it looks at no record. What is measured is
//! therefore loopback TCP, the kernel's wake-ups, and this tool.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use klamm::client::Address;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_response::{ApiVersion, ApiVersionsResponse};
use klamm::protocol::frame::{self, SIZE_BYTES};
use klamm::protocol::produce_request::ProduceRequest;
use klamm::protocol::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use klamm::protocol::reader::Reader;

use crate::accounting::Accounts;
use crate::cluster::Topic;
use crate::poller::Poller;

/// The listener among the sockets.
const LISTENER: u64 = u64::MAX;
/// No request is larger.
const REQUEST_BYTES_MAX: usize = 256 << 20;

/// A server that acknowledges at once.
pub struct Floor {
    address: Address,
    thread_id: i32,
}

struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    filled: usize,
}

impl Floor {
    /// Starts it on a free port of the loopback; it ends with the process.
    pub fn start() -> Result<Floor> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let (told, tells) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().name("floor".to_owned()).spawn(move || {
            let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
            if told.send(thread_id).is_ok()
                && let Err(error) = serve(&listener)
            {
                eprintln!("the floor's server: {error:#}");
            }
        })?;
        let thread_id = tells.recv().context("the floor's server did not start")?;
        Ok(Floor { address: Address { host: "127.0.0.1".to_owned(), port }, thread_id })
    }

    /// A topic that it pretends to have.
    pub fn topic(&self, partitions: usize) -> Topic {
        let leaders = vec![self.address.clone(); partitions];
        Topic { name: "floor".to_owned(), leaders, is_new: false }
    }

    /// Its thread alone.
    pub fn accounts(&self) -> Accounts {
        Accounts { thread: Some(self.thread_id), ..Accounts::default() }
    }
}

fn serve(listener: &TcpListener) -> Result<()> {
    let mut poller = Poller::new()?;
    poller.add(listener.as_fd(), LISTENER)?;
    let mut peers: BTreeMap<u64, Peer> = BTreeMap::new();
    let mut next = 0;
    let mut answer = Vec::new();
    loop {
        poller.wait(Some(Duration::from_secs(3600)))?;
        let ready: Vec<_> = poller.ready().collect();
        for one in ready {
            if one.token == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    poller.add(stream.as_fd(), next)?;
                    peers.insert(next, Peer { stream, received: Vec::new(), filled: 0 });
                    next += 1;
                }
            } else if let Some(peer) = peers.get_mut(&one.token)
                && peer.serve(&mut answer).is_err()
            {
                // The client is gone, or sent nonsense, which only a test does.
                peers.remove(&one.token);
            }
        }
    }
}

impl Peer {
    fn serve(&mut self, answer: &mut Vec<u8>) -> Result<()> {
        loop {
            if self.received.len() < self.filled + (64 << 10) {
                self.received.resize((self.filled * 2).max(128 << 10), 0);
            }
            match self.stream.read(&mut self.received[self.filled..]) {
                Ok(0) => anyhow::bail!("closed"),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            let mut at = 0;
            while let Some(size) = frame::size(&self.received[at..self.filled], REQUEST_BYTES_MAX)?
                && at + SIZE_BYTES + size <= self.filled
            {
                let from = at + SIZE_BYTES;
                at = from + size;
                *answer = respond(&self.received[from..at], std::mem::take(answer))?;
                send(&mut self.stream, answer)?;
            }
            self.received.copy_within(at..self.filled, 0);
            self.filled -= at;
        }
    }
}

/// An answer is small: a socket that has no room for it has a peer that does not read.
fn send(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                rustix::thread::sched_yield();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The answer to one request; nothing for a Produce with acks=0.
fn respond(request: &[u8], mut buffer: Vec<u8>) -> Result<Vec<u8>> {
    let (header, body) = frame::request(request)?;
    let (key, version, id) = (header.api_key, header.api_version, header.correlation_id);
    if key == ApiKey::Produce {
        let request = ProduceRequest::decode(&mut Reader::new(body), version)?;
        if request.acks == 0 {
            buffer.clear();
            return Ok(buffer);
        }
        let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
            name: topic.name.clone(),
            partition_responses: topic
                .partition_data
                .iter()
                .map(|part| PartitionProduceResponse {
                    index: part.index,
                    // No log, no offsets: -1 says so, as an idempotent broker does of a duplicate.
                    base_offset: -1,
                    ..PartitionProduceResponse::default()
                })
                .collect(),
            ..TopicProduceResponse::default()
        });
        let response =
            ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() };
        let mut writer = frame::begin_response(buffer, key, version, id)?;
        response.encode(&mut writer, version)?;
        return Ok(frame::finish(writer)?.bytes);
    }
    let range = |key: ApiKey, max_version: i16| ApiVersion {
        api_key: key.wire(),
        min_version: 0,
        max_version,
        ..ApiVersion::default()
    };
    let response = ApiVersionsResponse {
        api_keys: vec![range(ApiKey::Produce, 12), range(ApiKey::Fetch, 12)],
        ..ApiVersionsResponse::default()
    };
    let mut writer = frame::begin_response(buffer, ApiKey::ApiVersions, 0, id)?;
    response.encode(&mut writer, 0)?;
    Ok(frame::finish(writer)?.bytes)
}
