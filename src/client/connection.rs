//! One connection to a broker: versions negotiated, requests in order, answers bounded.
//!
//! Requests may be pipelined: [`Connection::send`] returns when the bytes are with the kernel, and
//! [`Connection::receive`] takes the answers in the order of the requests. A receive that is dropped
//! half way loses nothing: what came in stays with the connection.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::error::ClientError;
use super::request::Request;
use crate::model::ErrorCode;
use crate::protocol::api_key::ApiKey;
use crate::protocol::api_versions_request::ApiVersionsRequest;
use crate::protocol::api_versions_response::ApiVersionsResponse;
use crate::protocol::errors::DecodeError;
use crate::protocol::frame::{self, RequestHeader, SIZE_BYTES};
use crate::protocol::types::VersionRange;

/// The most that one answer may take: Kafka's `fetch.max.bytes` is 50 MiB, a first batch may be larger.
pub const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// What a read asks for at least; memory grows with what arrived, never with what was announced.
const READ_BYTES: usize = 64 << 10;

/// A request that has no answer yet.
struct Outstanding {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
}

/// A connection to one broker.
pub struct Connection {
    address: Address,
    client_id: String,
    stream: TcpStream,
    versions: FxHashMap<i16, VersionRange>,
    correlation_id: i32,
    outstanding: VecDeque<Outstanding>,
    received: Vec<u8>,
    buffer: Vec<u8>,
}

/// The bytes of an answer to an `R`.
pub struct Answer<R> {
    address: Address,
    bytes: Vec<u8>,
    body_at: usize,
    version: i16,
    request: PhantomData<R>,
}

impl<R: Request> Answer<R> {
    /// The answer as a message that borrows from the bytes.
    pub fn decode(&self) -> Result<R::Response<'_>, ClientError> {
        R::read_response(&self.bytes[self.body_at..], self.version)
            .map_err(|source| answer_error(&self.address, R::KEY, source))
    }

    /// The version of the request and of this answer.
    pub fn version(&self) -> i16 {
        self.version
    }
}

fn answer_error(address: &Address, api: ApiKey, source: DecodeError) -> ClientError {
    ClientError::Answer { address: address.to_string(), api: api.name(), source }
}

impl Connection {
    /// Connects to `address` and learns which versions its broker speaks.
    pub async fn connect(
        address: &Address,
        client_id: &str,
        patience: Duration,
    ) -> Result<Connection, ClientError> {
        let deadline = Instant::now() + patience;
        let connect = |source| ClientError::Connect { address: address.to_string(), source };
        let stream =
            timeout_at(deadline, TcpStream::connect((address.host.as_str(), address.port)))
                .await
                .map_err(|_| connect(io::ErrorKind::TimedOut.into()))?
                .map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let mut connection = Connection {
            address: address.clone(),
            client_id: client_id.to_owned(),
            stream,
            versions: FxHashMap::default(),
            correlation_id: 0,
            outstanding: VecDeque::new(),
            received: Vec::new(),
            buffer: Vec::new(),
        };
        connection.negotiate(deadline).await?;
        Ok(connection)
    }

    /// The broker's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks with the newest version; a broker that lacks it answers in version 0 with those it has (KIP-511).
    async fn negotiate(&mut self, deadline: Instant) -> Result<(), ClientError> {
        let mut version = ApiVersionsRequest::LATEST_STABLE;
        loop {
            let request = ApiVersionsRequest {
                client_software_name: "klamm".into(),
                client_software_version: env!("CARGO_PKG_VERSION").into(),
                cluster_id: None,
                ..ApiVersionsRequest::default()
            };
            let request = if version < 3 { ApiVersionsRequest::default() } else { request };
            self.send_as(&request, version).await?;
            let (bytes, body_at, _) = self.receive_frame(deadline).await?;
            let body = &bytes[body_at..];
            let error = body
                .first_chunk()
                .map_or(ErrorCode::None, |code| ErrorCode::from_code(i16::from_be_bytes(*code)));
            let refused = error == ErrorCode::UnsupportedVersion;
            let read_as = if refused { 0 } else { version };
            let answer = ApiVersionsRequest::read_response(body, read_as)
                .map_err(|source| answer_error(&self.address, ApiKey::ApiVersions, source))?;
            if !refused {
                return self.accept_versions(&answer);
            }
            version = older_version(&answer, version)
                .ok_or_else(|| self.unsupported(ApiKey::ApiVersions))?;
        }
    }

    fn accept_versions(&mut self, answer: &ApiVersionsResponse<'_>) -> Result<(), ClientError> {
        let error = ErrorCode::from_code(answer.error_code);
        if !error.is_none() {
            return Err(ClientError::refused(error, None));
        }
        let range = |api: &crate::protocol::api_versions_response::ApiVersion<'_>| {
            (api.api_key, VersionRange { min: api.min_version, max: api.max_version })
        };
        self.versions = answer.api_keys.iter().map(range).collect();
        Ok(())
    }

    fn unsupported(&self, api: ApiKey) -> ClientError {
        ClientError::Unsupported { address: self.address.to_string(), api: api.name() }
    }

    /// The newest version of `R` that both sides speak.
    pub fn version_of<R: Request>(&self) -> Result<i16, ClientError> {
        let theirs = self.versions.get(&R::KEY.wire());
        theirs
            .map(|theirs| (theirs.min.max(R::VERSIONS.min), theirs.max.min(R::VERSIONS.max)))
            .and_then(|(min, max)| (min <= max).then_some(max))
            .ok_or_else(|| self.unsupported(R::KEY))
    }

    /// True where the broker has the API in any version.
    pub fn has_api(&self, api: ApiKey) -> bool {
        self.versions.contains_key(&api.wire())
    }

    /// Sends a request without waiting for its answer; [`receive`](Self::receive) takes it later.
    pub async fn send<R: Request>(&mut self, request: &R) -> Result<(), ClientError> {
        let version = self.version_of::<R>()?;
        self.send_as(request, version).await
    }

    /// Sends a request that gets no answer: a Produce with acks=0.
    pub async fn send_unanswered<R: Request>(&mut self, request: &R) -> Result<(), ClientError> {
        self.send(request).await?;
        self.outstanding.pop_back();
        Ok(())
    }

    async fn send_as<R: Request>(&mut self, request: &R, version: i16) -> Result<(), ClientError> {
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let header = RequestHeader {
            api_key: R::KEY,
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(&self.client_id),
        };
        let mut writer = frame::begin_request(std::mem::take(&mut self.buffer), header)?;
        request.write(&mut writer, version)?;
        let frame = frame::finish(writer)?;
        let correlation_id = self.correlation_id;
        self.outstanding.push_back(Outstanding { correlation_id, api: R::KEY, version });
        let sent = self.stream.write_all(&frame.bytes).await;
        self.buffer = frame.bytes;
        sent.map_err(|source| self.broken(source))
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { address: self.address.to_string(), source }
    }

    /// Takes the answer to the oldest request without one, which has to be an `R`.
    pub async fn receive<R: Request>(
        &mut self,
        patience: Duration,
    ) -> Result<Answer<R>, ClientError> {
        let next = self.outstanding.front().map(|next| next.api);
        assert_eq!(next, Some(R::KEY), "answers are taken in the order of their requests");
        let (bytes, body_at, version) = self.receive_frame(Instant::now() + patience).await?;
        let address = self.address.clone();
        Ok(Answer { address, bytes, body_at, version, request: PhantomData })
    }

    /// Sends a request and waits for its answer; nothing else may be outstanding.
    pub async fn call<R: Request>(
        &mut self,
        request: &R,
        patience: Duration,
    ) -> Result<Answer<R>, ClientError> {
        self.send(request).await?;
        self.receive(patience).await
    }

    /// The frame, where its body begins, and the version that it was asked in.
    async fn receive_frame(
        &mut self,
        deadline: Instant,
    ) -> Result<(Vec<u8>, usize, i16), ClientError> {
        let began = Instant::now();
        let next = self.outstanding.front().expect("an answer is taken after its request was sent");
        let (api, version, expected) = (next.api, next.version, next.correlation_id);
        let size = loop {
            let size = frame::size(&self.received, RESPONSE_BYTES_MAX)
                .map_err(|source| answer_error(&self.address, api, source))?;
            if let Some(size) = size
                && self.received.len() >= SIZE_BYTES + size
            {
                break size;
            }
            self.received.reserve(READ_BYTES);
            let read = timeout_at(deadline, self.stream.read_buf(&mut self.received)).await;
            let read = read.map_err(|_| ClientError::NoAnswer {
                address: self.address.to_string(),
                api: api.name(),
                waited_ms: began.elapsed().as_millis(),
            })?;
            if read.map_err(|source| self.broken(source))? == 0 {
                return Err(ClientError::Closed(self.address.to_string()));
            }
        };
        let rest = self.received.split_off(SIZE_BYTES + size);
        let bytes = std::mem::replace(&mut self.received, rest);
        self.outstanding.pop_front();
        let (found, body) = frame::response(&bytes[SIZE_BYTES..], api, version)
            .map_err(|source| answer_error(&self.address, api, source))?;
        if found != expected {
            return Err(ClientError::Correlation {
                address: self.address.to_string(),
                found,
                expected,
            });
        }
        let body_at = bytes.len() - body.len();
        Ok((bytes, body_at, version))
    }
}

/// The newest version of ApiVersions below `refused` that the broker says it has.
fn older_version(answer: &ApiVersionsResponse<'_>, refused: i16) -> Option<i16> {
    let theirs = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions.wire());
    // A broker of before KIP-511 sends no list at all.
    let newest = theirs.map_or(0, |range| range.max_version);
    (refused > 0).then(|| newest.clamp(0, refused - 1))
}
