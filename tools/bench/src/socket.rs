//! One connection to a broker of the Kafka protocol: a greeting that blocks, then frames both ways.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use klamm::client::Address;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::api_versions_response::ApiVersionsResponse;
use klamm::protocol::errors::EncodeError;
use klamm::protocol::frame::{self, RequestHeader, SIZE_BYTES};
use klamm::protocol::reader::Reader;
use klamm::protocol::writer::Writer;

use crate::connection::Connection;

/// What the tool calls itself.
pub const CLIENT_ID: &str = "klamm-bench";
/// The largest answer that is taken.
const ANSWER_BYTES_MAX: usize = 256 << 20;
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

/// A connection whose other end has greeted.
#[derive(Debug)]
pub struct Socket {
    /// Its bytes.
    pub connection: Connection,
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
        let connection = Connection::open(address, patience)?;
        let mut socket = Socket { connection, versions: Versions { produce: 0, fetch: 0 } };
        socket.versions = socket.negotiate().with_context(|| format!("greeting {address}"))?;
        socket.connection.never_block()?;
        Ok(socket)
    }

    fn negotiate(&mut self) -> Result<Versions> {
        let body = ApiVersionsRequest::default();
        let frame =
            request(Vec::new(), (ApiKey::ApiVersions, 0), 0, |writer| body.encode(writer, 0))?;
        self.connection.send(&[&frame.bytes])?;
        let range = loop {
            match self.next_frame()? {
                Some(range) => break range,
                None => self.connection.wait()?,
            }
        };
        let end = range.end;
        let (_, body) =
            frame::response(&self.connection.received()[range], ApiKey::ApiVersions, 0)?;
        let answer = ApiVersionsResponse::decode(&mut Reader::new(body), 0)?;
        ensure!(answer.error_code == 0, "it refuses ApiVersions with error {}", answer.error_code);
        let newest = |key: ApiKey, ours: i16| {
            let theirs = answer.api_keys.iter().find(|api| api.api_key == key.wire());
            let theirs = theirs.ok_or_else(|| anyhow!("it has no {}", key.name()))?;
            ensure!(theirs.min_version <= ours, "it is too new for this tool's {}", key.name());
            Ok(theirs.max_version.min(ours))
        };
        let versions = Versions {
            produce: newest(ApiKey::Produce, PRODUCE_VERSION_MAX)?,
            fetch: newest(ApiKey::Fetch, FETCH_VERSION_MAX)?,
        };
        self.connection.consume(end);
        Ok(versions)
    }

    /// Where the next frame lies in what was received, without its size; consume up to its end after that.
    pub fn next_frame(&self) -> Result<Option<std::ops::Range<usize>>> {
        let arrived = self.connection.received();
        let size = frame::size(arrived, ANSWER_BYTES_MAX).with_context(|| {
            format!("{} answers with bytes that are not Kafka's", self.connection.address())
        })?;
        let range = size.map(|size| SIZE_BYTES..SIZE_BYTES + size);
        Ok(range.filter(|range| range.end <= arrived.len()))
    }
}
