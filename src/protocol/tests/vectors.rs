//! Bytes and values that Kafka's own classes wrote, for every message and every version.
//!
//! `tests/vectors/java/WireMessages.java` describes the file and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;

use crate::protocol::api_key::ApiKey;
use crate::protocol::reader::Reader;
use crate::protocol::rewrite::{MESSAGES, MessageKind, MessageRewrite};

const FILE: &[u8] = include_bytes!("../../../tests/vectors/wire-messages.bin.gz");

/// The fillings of a message, in the order of their numbers.
const FILLINGS: [&str; 6] = ["default", "full", "null", "least", "long", "tags"];
/// This bit of a filling says that Kafka translated the newest version's vector.
const TRANSLATED: u8 = 0x80;
/// What Kafka refuses to translate has no bytes.
const REFUSED: u64 = 0;

/// What Kafka wrote for one message, version and filling.
pub struct Vector {
    pub message: &'static MessageRewrite,
    pub version: i16,
    pub filling: u8,
    /// Of the values' text; for a translation of its bytes.
    pub digest: u64,
    pub bytes: Vec<u8>,
}

impl Vector {
    pub fn is_translation(&self) -> bool {
        self.filling & TRANSLATED != 0
    }

    pub fn title(&self) -> String {
        let filling = FILLINGS[usize::from(self.filling & !TRANSLATED)];
        format!("{} v{} {filling}", self.message.name, self.version)
    }
}

/// Every vector of the file.
pub fn all() -> &'static [Vector] {
    static VECTORS: OnceLock<Vec<Vector>> = OnceLock::new();
    VECTORS.get_or_init(load)
}

fn load() -> Vec<Vector> {
    let mut file = Vec::new();
    GzDecoder::new(FILE).read_to_end(&mut file).expect("the committed file is a gzip file");
    let mut reader = Reader::new(&file);
    let mut vectors = Vec::new();
    while !reader.rest().is_empty() {
        vectors.push(next(&mut reader).expect("the committed file is well-formed"));
    }
    vectors
}

fn next(reader: &mut Reader<'_>) -> Result<Vector, crate::protocol::errors::DecodeError> {
    let name_length = usize::try_from(reader.i8()?).expect("names are short");
    let name = reader.take(name_length)?;
    let message = MESSAGES
        .iter()
        .find(|message| message.name.as_bytes() == name)
        .unwrap_or_else(|| panic!("no message {}", String::from_utf8_lossy(name)));
    let version = reader.i16()?;
    let filling = reader.i8()?.cast_unsigned();
    let digest = reader.i64()?.cast_unsigned();
    let bytes = reader.bytes(false)?.into_owned();
    Ok(Vector { message, version, filling, digest, bytes })
}

/// FNV-1a with 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The versions of an API for which Kafka's own request and response bytes are here. A version
/// outside of this set must not be advertised.
pub(crate) fn vector_versions(api: ApiKey) -> BTreeSet<i16> {
    let of = |kind| {
        all()
            .iter()
            .filter(|vector| vector.message.kind == kind && vector.message.key == api.wire())
            .filter(|vector| !vector.is_translation())
            .map(|vector| vector.version)
            .collect::<BTreeSet<i16>>()
    };
    &of(MessageKind::Request) & &of(MessageKind::Response)
}

fn flexible_from(message: &MessageRewrite) -> i16 {
    let info = || ApiKey::from_wire(message.key).expect("requests and responses have a key").info();
    match (message.kind, message.name) {
        (MessageKind::Request, _) => info().request_flexible_from,
        (MessageKind::Response, _) => info().response_flexible_from,
        (MessageKind::Header, "RequestHeader") => 2,
        (MessageKind::Header, _) => 1,
        (MessageKind::Data, _) => i16::MAX,
    }
}

#[test]
fn every_version_of_every_message_has_its_vectors() {
    let mut fillings: BTreeMap<(&str, i16), BTreeSet<u8>> = BTreeMap::new();
    for vector in all().iter().filter(|vector| !vector.is_translation()) {
        fillings.entry((vector.message.name, vector.version)).or_default().insert(vector.filling);
    }
    for message in &MESSAGES {
        for version in message.versions.min..=message.versions.max {
            let present = fillings.remove(&(message.name, version)).unwrap_or_default();
            // Only flexible versions have unknown tags.
            let expected = if version >= flexible_from(message) { 0..6 } else { 0..5 };
            assert!(present.into_iter().eq(expected), "{} v{version}", message.name);
        }
    }
    assert!(fillings.is_empty(), "vectors of versions that are not generated: {fillings:?}");
    for api in ApiKey::ALL {
        let versions = api.versions();
        assert!(vector_versions(api).into_iter().eq(versions.min..=versions.max), "{api:?}");
    }
}

#[test]
fn kafkas_bytes_decode_to_kafkas_values_and_encode_to_the_same_bytes() {
    for vector in all().iter().filter(|vector| !vector.is_translation()) {
        let title = vector.title();
        let rewritten = (vector.message.rewrite)(&vector.bytes, vector.version, vector.version)
            .unwrap_or_else(|error| panic!("{title}: {error}"));
        let bytes = rewritten.bytes.unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(bytes == vector.bytes, "{title}: encoded\n{bytes:?}\n{:?}", vector.bytes);
        let text = (vector.message.text)(&vector.bytes, vector.version).expect("decoded before");
        assert_eq!(digest(text.as_bytes()), vector.digest, "{title}: {text}");
    }
}

#[test]
fn other_versions_get_or_refuse_a_value_as_kafka_does() {
    let newest: BTreeMap<(&str, i16, u8), &Vector> = all()
        .iter()
        .filter(|vector| !vector.is_translation())
        .map(|vector| ((vector.message.name, vector.version, vector.filling), vector))
        .collect();
    let mut refused = 0;
    for vector in all().iter().filter(|vector| vector.is_translation()) {
        let message = vector.message;
        let from = message.versions.max;
        let source = newest[&(message.name, from, vector.filling & !TRANSLATED)];
        let rewritten = (message.rewrite)(&source.bytes, from, vector.version)
            .unwrap_or_else(|error| panic!("{}: {error}", source.title()));
        match rewritten.bytes {
            Ok(bytes) => {
                assert_eq!(digest(&bytes), vector.digest, "{} from v{from}", vector.title())
            }
            Err(error) => {
                assert_eq!(vector.digest, REFUSED, "{} from v{from}: {error}", vector.title());
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "Kafka refuses some: {refused}");
}

#[test]
fn a_message_cut_at_any_byte_is_refused() {
    for vector in all().iter().filter(|vector| !vector.is_translation()) {
        // Every byte of short messages; of long ones the first 2,000 and a hundred more.
        let length = vector.bytes.len();
        let cuts = (0..length.min(2_000)).chain((2_000..length).step_by(length / 100 + 1));
        for cut in cuts {
            let result =
                (vector.message.rewrite)(&vector.bytes[..cut], vector.version, vector.version);
            assert!(result.is_err(), "{} cut at {cut} of {length}", vector.title());
        }
        let mut longer = vector.bytes.clone();
        longer.push(0);
        let result = (vector.message.rewrite)(&longer, vector.version, vector.version);
        assert!(result.is_err(), "{} with one byte more", vector.title());
    }
}
