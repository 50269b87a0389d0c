//! Where inputs begin: Kafka's own bytes, the shipped configuration, frames as the journal writes them.

use std::io::Read;

use flate2::read::GzDecoder;
use klamm::model::{LogId, OwnerEpoch};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::errors::DecodeError;
use klamm::protocol::reader::Reader;
use klamm::protocol::rewrite::{MESSAGES, MessageKind, MessageRewrite};
use klamm::record::BatchView;
use klamm::storage::journal::entry::{EntryKind, Sequence, encode_header};
use klamm::storage::journal::frame::{
    FRAME_HEADER_BYTES, FrameHeader, JournalIdentity, frame_bytes, seal,
};

const WIRE_MESSAGES: &[u8] = include_bytes!("../../../tests/vectors/wire-messages.bin.gz");
const RECORD_BATCHES: &[u8] = include_bytes!("../../../tests/vectors/record-batches.bin.gz");
const CONFIGS: [&[u8]; 2] = [
    include_bytes!("../../../config/server.properties"),
    include_bytes!("../../../src/config/stock-server.properties"),
];
const BROKER_KEYS: &str = include_str!("../../../src/config/kafka-4.4.0-broker.tsv");
/// Longer seeds only slow everything down.
const SEED_BYTES_MAX: usize = 4 << 10;
/// A translation of another vector is no message of its version.
const TRANSLATED: u8 = 0x80;

fn unzip(file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("the committed file is a gzip file");
    bytes
}

/// A message that Kafka's own classes wrote.
struct Vector {
    /// Its index among all messages.
    message: usize,
    version: i16,
    bytes: Vec<u8>,
}

impl Vector {
    fn of(&self) -> &'static MessageRewrite {
        &MESSAGES[self.message]
    }
}

/// Kafka's vectors that are no translations; `tests/vectors/java/WireMessages.java` describes the file.
fn vectors() -> Vec<Vector> {
    let file = unzip(WIRE_MESSAGES);
    let mut reader = Reader::new(&file);
    let mut vectors = Vec::new();
    while !reader.rest().is_empty() {
        let (vector, filling) = vector(&mut reader).expect("the committed file is well-formed");
        if filling & TRANSLATED == 0 && vector.bytes.len() <= SEED_BYTES_MAX {
            vectors.push(vector);
        }
    }
    vectors
}

fn vector(reader: &mut Reader<'_>) -> Result<(Vector, u8), DecodeError> {
    let name_length = usize::try_from(reader.i8()?).expect("names are short");
    let name = reader.take(name_length)?;
    let message = MESSAGES.iter().position(|message| message.name.as_bytes() == name);
    let message = message.expect("every message of the file is known");
    let version = reader.i16()?;
    let filling = reader.i8()?.cast_unsigned();
    let _digest = reader.i64()?;
    let bytes = reader.bytes(false)?.into_owned();
    Ok((Vector { message, version, bytes }, filling))
}

/// Inputs of the target `message`.
pub fn messages() -> Vec<Vec<u8>> {
    let input = |vector: Vector| {
        let version = vector.version - vector.of().versions.min;
        [&[vector.message as u8, version as u8][..], &vector.bytes].concat()
    };
    vectors().into_iter().map(input).collect()
}

/// A request of every API and version and filling, without its length: header and body.
pub fn requests() -> Vec<(ApiKey, i16, Vec<u8>)> {
    let requests = vectors().into_iter().filter(|vector| vector.of().kind == MessageKind::Request);
    requests
        .map(|Vector { message, version, bytes }| {
            let key = MESSAGES[message].key;
            let api = ApiKey::from_wire(key).expect("requests have a key");
            let mut frame = Vec::with_capacity(bytes.len() + 16);
            frame.extend_from_slice(&key.to_be_bytes());
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&[0, 0, 0, 7, 0, 1, b'x']);
            if api.request_header_version(version) >= 2 {
                frame.push(0);
            }
            frame.extend_from_slice(&bytes);
            (api, version, frame)
        })
        .collect()
}

/// Batches that Kafka's own classes built, found by their checksums.
pub fn batches() -> Vec<Vec<u8>> {
    let file = unzip(RECORD_BATCHES);
    let mut batches = Vec::new();
    let mut at = 0;
    while at < file.len() {
        match BatchView::parse(&file[at..]) {
            Ok(view) if view.crc_is_valid() => {
                let batch = &file[at..at + view.size_bytes];
                at += batch.len();
                if batch.len() <= SEED_BYTES_MAX {
                    batches.push(batch.to_vec());
                }
            }
            _ => at += 1,
        }
    }
    batches
}

/// Inputs of the target `record_batch`.
pub fn record_batches() -> Vec<Vec<u8>> {
    let batches = batches().into_iter();
    batches
        .zip((1..).step_by(2))
        .map(|(batch, choice)| [&[choice as u8][..], &batch].concat())
        .collect()
}

/// Inputs of the target `journal_frame`: a frame with every kind of entry, and its entries alone.
pub fn journal_frames() -> Vec<Vec<u8>> {
    let mut payload = Vec::new();
    let mut count = 0;
    for kind in (0..=u8::MAX).filter_map(EntryKind::from_byte) {
        let body = [kind as u8; 40];
        let (continues, more) = (count % 3 == 1, count % 3 == 0);
        let length = body.len() as u32;
        payload.extend(encode_header(
            kind,
            LogId::default(),
            OwnerEpoch(1),
            length,
            continues,
            more,
        ));
        payload.extend_from_slice(&body);
        count += 1;
    }
    let header = FrameHeader {
        identity: JournalIdentity { directory: Default::default(), slot: 0, epoch: 1 },
        file: 0,
        entry_count: count,
        generation: 1,
        file_offset: 0,
        first: Sequence(1),
        durable_through: Sequence(0),
        payload_bytes: payload.len() as u32,
        previous_crc: 0,
    };
    let mut frame = vec![0; frame_bytes(payload.len()) as usize];
    frame[FRAME_HEADER_BYTES..][..payload.len()].copy_from_slice(&payload);
    seal(&mut frame, &header);
    vec![frame, payload]
}

/// Inputs of the target `config_file`: the shipped files, every key of Kafka's, and overrides.
pub fn config_files() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = CONFIGS.iter().map(|file| file.to_vec()).collect();
    let keys = BROKER_KEYS.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (key, _, default) = (fields.next()?, fields.next()?, fields.next()?);
        Some((key, default.strip_prefix('=').unwrap_or("1")))
    });
    let mut all = String::new();
    for (key, value) in keys {
        let line = format!("{key}={value}\n");
        all += &line;
        seeds.push(line.into_bytes());
    }
    seeds.push(all.into_bytes());
    seeds.push(
        b"log.dirs=/x\nnum.shards : 3\\\n4\n\0shard.cpus=0-2,5\nmemory.bytes=99999999".to_vec(),
    );
    seeds.push(b"! remark\nlisteners=A\\u003a//[::1]:1,B://h:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n".to_vec());
    seeds
}
