//! What goes around a message: the frame's size and the header.
//!
//! A frame is a size (4 bytes, big-endian, not counting itself), a header, and a body. A request's
//! header starts with the API key (2), its version (2) and the correlation id (4); the client id
//! follows, and in flexible versions tagged fields. A response's header is the correlation id, and
//! in flexible versions tagged fields.

use std::borrow::Cow;

use super::api_key::ApiKey;
use super::errors::{DecodeError, EncodeError};
use super::reader::Reader;
use super::request_header::RequestHeader as WireRequestHeader;
use super::response_header::ResponseHeader as WireResponseHeader;
use super::writer::{External, Writer};

/// The bytes of a frame's size.
pub const SIZE_BYTES: usize = 4;

/// What a request says before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// Which API.
    pub api_key: ApiKey,
    /// Which version of it; not checked against anything.
    pub api_version: i16,
    /// What the response repeats.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

/// A frame to send: its bytes from the size on, and the places where other bytes belong.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Everything that is in memory.
    pub bytes: Vec<u8>,
    /// What is sent from elsewhere, in the order of the wire.
    pub externals: Vec<External>,
}

/// A stretch of a frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// Bytes of the frame.
    Bytes(&'a [u8]),
    /// Bytes from elsewhere.
    External(External),
}

/// The size of the frame whose first bytes are `received`, without the size field itself; `None`
/// while its four bytes are not complete.
pub fn size(received: &[u8], max: usize) -> Result<Option<usize>, DecodeError> {
    let Some(size) = received.first_chunk::<SIZE_BYTES>() else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(*size);
    match usize::try_from(size) {
        Ok(size) if size <= max => Ok(Some(size)),
        _ => Err(DecodeError::FrameSize { size: i64::from(size), max }),
    }
}

/// Parses a request's header and returns it with the body. `frame` comes without its size field.
///
/// The header of a version that does not exist is parsed by the rules of the newest one, as the
/// answer to an unknown ApiVersions version needs it.
pub fn request(frame: &[u8]) -> Result<(RequestHeader<'_>, &[u8]), DecodeError> {
    let mut start = Reader::new(frame);
    let api_key = ApiKey::try_from(start.i16()?)?;
    let api_version = start.i16()?;
    let mut reader = Reader::new(frame);
    let version = api_key.request_header_version(api_version);
    let header = WireRequestHeader::decode(&mut reader, version)?;
    let client_id = match header.client_id {
        // Decoding always borrows.
        Some(Cow::Borrowed(client_id)) => Some(client_id),
        Some(Cow::Owned(_)) | None => None,
    };
    let correlation_id = header.correlation_id;
    Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, reader.rest()))
}

/// Parses a response's header and returns the correlation id with the body. `frame` comes without
/// its size field.
pub fn response(
    frame: &[u8],
    api_key: ApiKey,
    api_version: i16,
) -> Result<(i32, &[u8]), DecodeError> {
    let mut reader = Reader::new(frame);
    let version = api_key.response_header_version(api_version);
    let header = WireResponseHeader::decode(&mut reader, version)?;
    Ok((header.correlation_id, reader.rest()))
}

/// Begins a request in `buffer`, whose old content is dropped; encode the body into the writer and
/// call [`finish`].
pub fn begin_request(buffer: Vec<u8>, header: RequestHeader<'_>) -> Result<Writer, EncodeError> {
    let mut writer = begin(buffer);
    let version = header.api_key.request_header_version(header.api_version);
    let wire = WireRequestHeader {
        request_api_key: header.api_key.wire(),
        request_api_version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.map(Cow::Borrowed),
        ..WireRequestHeader::default()
    };
    wire.encode(&mut writer, version)?;
    Ok(writer)
}

/// Begins a response in `buffer`, whose old content is dropped; encode the body into the writer
/// and call [`finish`].
pub fn begin_response(
    buffer: Vec<u8>,
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
) -> Result<Writer, EncodeError> {
    let mut writer = begin(buffer);
    let version = api_key.response_header_version(api_version);
    WireResponseHeader { correlation_id, ..WireResponseHeader::default() }
        .encode(&mut writer, version)?;
    Ok(writer)
}

fn begin(mut buffer: Vec<u8>) -> Writer {
    buffer.clear();
    let mut writer = Writer::new(buffer);
    writer.i32(0);
    writer
}

/// Ends a frame that was begun here: writes its size, which counts what is sent from elsewhere.
pub fn finish(mut writer: Writer) -> Result<Frame, EncodeError> {
    let size = writer.len() - SIZE_BYTES as u64;
    let size = i32::try_from(size).map_err(|_| EncodeError::FrameTooLarge(size))?;
    writer.patch_i32(0, size);
    let (bytes, externals) = writer.into_parts();
    Ok(Frame { bytes, externals })
}

impl Frame {
    /// The bytes and the externals in the order in which they go out.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        let mut start = 0;
        let mut stretches = Vec::with_capacity(2 * self.externals.len() + 1);
        for external in &self.externals {
            stretches.push(Stretch::Bytes(&self.bytes[start..external.position]));
            stretches.push(Stretch::External(*external));
            start = external.position;
        }
        stretches.push(Stretch::Bytes(&self.bytes[start..]));
        stretches.into_iter().filter(|stretch| *stretch != Stretch::Bytes(&[]))
    }

    /// How many bytes go out in all, with the size field and the externals.
    pub fn wire_bytes(&self) -> usize {
        let external: usize = self.externals.iter().map(|external| external.len as usize).sum();
        self.bytes.len() + external
    }
}
