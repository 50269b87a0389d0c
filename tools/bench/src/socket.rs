//! One connection to a broker: a handshake that blocks, then frames both ways that never do.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use klamm::client::Address;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::api_versions_response::ApiVersionsResponse;
use klamm::protocol::errors::EncodeError;
use klamm::protocol::frame::{self, RequestHeader, SIZE_BYTES};
use klamm::protocol::reader::Reader;
use klamm::protocol::writer::Writer;

/// What the tool calls itself.
pub const CLIENT_ID: &str = "klamm-bench";
/// The largest answer that is taken.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// What is read at once.
const READ_BYTES: usize = 64 << 10;
/// The newest versions with topics by name.
const PRODUCE_VERSION_MAX: i16 = 12;
const FETCH_VERSION_MAX: i16 = 12;

/// The versions that one broker and this tool both speak.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// Of Produce.
    pub produce: i16,
    /// Of Fetch.
    pub fetch: i16,
}

/// A connected socket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    address: Address,
    unsent: Vec<u8>,
    unsent_at: usize,
    received: Vec<u8>,
    filled: usize,
    /// What was agreed on.
    pub versions: Versions,
}

/// A request's frame up to its body; `encode` writes that.
pub fn request(
    buffer: Vec<u8>,
    (api_key, api_version): (ApiKey, i16),
    correlation_id: i32,
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<frame::Frame> {
    let header = RequestHeader { api_key, api_version, correlation_id, client_id: Some(CLIENT_ID) };
    let mut writer = frame::begin_request(buffer, header)?;
    encode(&mut writer)?;
    Ok(frame::finish(writer)?)
}

impl Socket {
    /// Connects, and asks which versions the broker speaks.
    pub fn connect(address: &Address, patience: Duration) -> Result<Socket> {
        let stream = open(address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let versions = Versions { produce: 0, fetch: 0 };
        let (unsent, received) = (Vec::new(), Vec::new());
        let mut socket = Socket {
            stream,
            address: address.clone(),
            unsent,
            unsent_at: 0,
            received,
            filled: 0,
            versions,
        };
        socket.versions = socket.negotiate().with_context(|| format!("greeting {address}"))?;
        socket.stream.set_nonblocking(true)?;
        Ok(socket)
    }

    fn negotiate(&mut self) -> Result<Versions> {
        let body = ApiVersionsRequest::default();
        let frame =
            request(Vec::new(), (ApiKey::ApiVersions, 0), 0, |writer| body.encode(writer, 0))?;
        self.stream.write_all(&frame.bytes)?;
        let mut size = [0; SIZE_BYTES];
        self.stream.read_exact(&mut size).context("no answer")?;
        let size = frame::size(&size, 1 << 20)?.unwrap_or(0);
        let mut answer = vec![0; size];
        self.stream.read_exact(&mut answer).context("half an answer")?;
        let (_, body) = frame::response(&answer, ApiKey::ApiVersions, 0)?;
        let answer = ApiVersionsResponse::decode(&mut Reader::new(body), 0)?;
        ensure!(answer.error_code == 0, "it refuses ApiVersions with error {}", answer.error_code);
        let newest = |key: ApiKey, ours: i16| {
            let theirs = answer.api_keys.iter().find(|api| api.api_key == key.wire());
            let theirs = theirs.ok_or_else(|| anyhow!("it has no {}", key.name()))?;
            ensure!(theirs.min_version <= ours, "it is too new for this tool's {}", key.name());
            Ok(theirs.max_version.min(ours))
        };
        Ok(Versions {
            produce: newest(ApiKey::Produce, PRODUCE_VERSION_MAX)?,
            fetch: newest(ApiKey::Fetch, FETCH_VERSION_MAX)?,
        })
    }

    /// For [`Poller::add`](crate::poller::Poller::add).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// True while bytes wait for room: nothing more should be sent.
    pub fn is_blocked(&self) -> bool {
        self.unsent_at < self.unsent.len()
    }

    /// Sends these parts after what still waits; what does not fit is kept for [`flush`](Self::flush).
    pub fn send(&mut self, parts: &[&[u8]]) -> Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut sent = 0;
        while !self.is_blocked() && sent < total {
            let mut skipped = sent;
            let slices: Vec<IoSlice<'_>> = parts
                .iter()
                .filter_map(|part| {
                    let from = skipped.min(part.len());
                    skipped -= from;
                    (from < part.len()).then(|| IoSlice::new(&part[from..]))
                })
                .take(64)
                .collect();
            match self.stream.write_vectored(&slices) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
        if sent < total {
            if !self.is_blocked() {
                self.unsent.clear();
                self.unsent_at = 0;
            }
            for part in parts {
                let from = sent.min(part.len());
                sent -= from;
                self.unsent.extend_from_slice(&part[from..]);
            }
        }
        Ok(())
    }

    /// Sends more of what waits.
    pub fn flush(&mut self) -> Result<()> {
        while self.is_blocked() {
            match self.stream.write(&self.unsent[self.unsent_at..]) {
                Ok(count) => self.unsent_at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error)),
            }
        }
        Ok(())
    }

    /// Reads once; true if there may be more. Frames that are complete then come from [`next_frame`](Self::next_frame).
    pub fn fill(&mut self) -> Result<bool> {
        let wanted = self.filled + READ_BYTES;
        if self.received.len() < wanted {
            // Grows with what arrived, never with what was announced.
            self.received.resize(wanted.max(self.filled * 2).min(self.filled + (4 << 20)), 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => bail!("{} closed the connection", self.address),
            Ok(count) => {
                self.filled += count;
                Ok(self.filled == self.received.len())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// The range of the first frame at or after `from` in [`received`](Self::received), without its size.
    pub fn next_frame(&self, from: usize) -> Result<Option<std::ops::Range<usize>>> {
        let arrived = &self.received[from..self.filled];
        let size = frame::size(arrived, ANSWER_BYTES_MAX)
            .with_context(|| format!("{} answers with bytes that are not Kafka's", self.address))?;
        let range = size.map(|size| from + SIZE_BYTES..from + SIZE_BYTES + size);
        Ok(range.filter(|range| range.end <= self.filled))
    }

    /// What has arrived and was not consumed.
    pub fn received(&self) -> &[u8] {
        &self.received[..self.filled]
    }

    /// Drops everything before `to`.
    pub fn consume(&mut self, to: usize) {
        if to > 0 {
            self.received.copy_within(to..self.filled, 0);
            self.filled -= to;
        }
    }

    fn broken(&self, error: io::Error) -> anyhow::Error {
        anyhow!("the connection to {} broke: {error}", self.address)
    }
}

fn open(address: &Address, patience: Duration) -> Result<TcpStream> {
    let candidates = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .with_context(|| format!("{} has no address", address.host))?;
    let mut last = anyhow!("{} has no address", address.host);
    for candidate in candidates {
        match TcpStream::connect_timeout(&candidate, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = anyhow!("cannot connect to {address}: {error}"),
        }
    }
    Err(last)
}
