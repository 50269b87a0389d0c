//! Any message by its number: decode it and encode it again, for tests and fuzzing.

use super::errors::{DecodeError, EncodeError};
use super::types::VersionRange;

pub use super::generated::rewrite::MESSAGES;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// What a client sends.
    Request,
    /// What the broker answers.
    Response,
    /// What precedes a request or a response.
    Header,
    /// What is opaque to the broker: the consumers' own messages inside the group protocol.
    Data,
}

/// One message of the definitions.
pub struct MessageRewrite {
    /// Kafka's name.
    pub name: &'static str,
    /// What it is.
    pub kind: MessageKind,
    /// Its API key; -1 for headers and data.
    pub key: i16,
    /// Its versions.
    pub versions: VersionRange,
    /// Decodes a whole message of the first version and encodes it in the second.
    pub rewrite: fn(&[u8], i16, i16) -> Result<Rewritten, DecodeError>,
    /// The message's fields, as Rust's `Debug` prints them.
    pub text: fn(&[u8], i16) -> Result<String, DecodeError>,
}

/// A message that was decoded and encoded again.
pub struct Rewritten {
    /// What encoding gave.
    pub bytes: Result<Vec<u8>, EncodeError>,
    /// What decoding allocated, in bytes.
    pub allocated: usize,
}

/// A row of the table, with two functions that know the message's type.
macro_rules! entry {
    ($module:ident::$name:ident, $kind:expr, $key:expr) => {
        MessageRewrite {
            name: stringify!($name),
            kind: $kind,
            key: $key,
            versions: $module::$name::VERSIONS,
            rewrite: |bytes, version, target| {
                let mut reader = $crate::protocol::reader::Reader::new(bytes);
                let budget = reader.budget();
                let message = $module::$name::decode(&mut reader, version)?;
                reader.finish()?;
                let allocated = budget - reader.budget();
                let mut writer = $crate::protocol::writer::Writer::default();
                let encoded = message.encode(&mut writer, target);
                let bytes = encoded.map(|()| writer.into_parts().0);
                Ok($crate::protocol::rewrite::Rewritten { bytes, allocated })
            },
            text: |bytes, version| {
                let mut reader = $crate::protocol::reader::Reader::new(bytes);
                Ok(format!("{:?}", $module::$name::decode(&mut reader, version)?))
            },
        }
    };
}
pub(super) use entry;

/// Decodes a request or a response of any API and encodes it again.
pub fn decode_any(
    kind: MessageKind,
    key: i16,
    version: i16,
    bytes: &[u8],
) -> Result<Rewritten, DecodeError> {
    let message = MESSAGES
        .iter()
        .find(|message| message.kind == kind && message.key == key)
        .ok_or(DecodeError::UnknownApi(key))?;
    (message.rewrite)(bytes, version, version)
}
