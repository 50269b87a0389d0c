//! Bytes that are no request: each ends its own connection and nothing else.

use klamm::protocol::api_key::ApiKey;
use klamm::protocol::frame;
use klamm::protocol::metadata_request::MetadataRequest;
use klamm::protocol::produce_request::ProduceRequest;
use klamm::protocol::reader::Reader;

use crate::healthy::Healthy;
use crate::support::Broker;
use crate::vitals::resident_bytes;
use crate::wire::{Wire, batch, produce_request, request_frame};

/// A body with its length before it.
pub fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes()[..], body].concat()
}

/// A request header of version 2, without a client id, and a body.
fn flexible(api: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(api.wire().to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0xff, 0xff, 0]);
    bytes.extend(body);
    framed(&bytes)
}

/// A request header of version 1, without a client id, and a body.
fn inflexible(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(api.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0xff, 0xff]);
    bytes.extend(body);
    framed(&bytes)
}

/// Garbage that looks random and is the same in every run.
fn garbage(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(&mut next).take(count).collect()
}

/// What is sent, and why the connection is closed without an answer.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    const MANY: [u8; 4] = [0x7f, 0xff, 0xff, 0xff];
    /// The unsigned varint of 2^31 - 1.
    const MANY_COMPACT: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
    let metadata = request_frame(&MetadataRequest::default(), 12, 1);
    let (metadata_key, fetch) = (ApiKey::Metadata.wire(), ApiKey::Fetch);
    vec![
        ("a frame of 2 GiB", MANY.to_vec()),
        ("a frame one byte over the maximum", (104_857_601_i32).to_be_bytes().to_vec()),
        ("a frame of length -1", (-1_i32).to_be_bytes().to_vec()),
        ("a frame of the smallest length", i32::MIN.to_be_bytes().to_vec()),
        ("an empty frame", vec![0, 0, 0, 0]),
        ("a frame too short for a header", framed(&[0, 3, 0, 1])),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a TLS hello", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &garbage(506)].concat()),
        ("an SSH banner", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("garbage in a frame", framed(&garbage(1000))),
        ("an unknown API", inflexible(9999, 0, &[])),
        ("a negative API", inflexible(-1, 0, &[])),
        ("an API that only brokers use", inflexible(56, 0, &[0; 32])),
        ("an API that is not served", inflexible(ApiKey::EndTxn.wire(), 0, &[0; 32])),
        ("an unknown version", inflexible(metadata_key, 99, &[])),
        ("a negative version", inflexible(metadata_key, -1, &[])),
        ("a version that Kafka has dropped", inflexible(ApiKey::Produce.wire(), 2, &[0; 32])),
        ("a client id longer than the frame", framed(&[0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff])),
        ("a negative client id length", framed(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe, 0])),
        ("an array of 2^31 - 1", inflexible(metadata_key, 1, &MANY)),
        ("a compact array of 2^31 - 2", flexible(ApiKey::Metadata, 12, &MANY_COMPACT)),
        (
            "as many tagged fields",
            flexible(fetch, 13, &{
                let mut body = vec![0; 21];
                body.extend([1, 1, 1]);
                body.extend(MANY_COMPACT);
                body
            }),
        ),
        (
            "a tagged field longer than the frame",
            flexible(ApiKey::Metadata, 12, &{
                let mut body = vec![0, 0, 0, 1, 77];
                body.extend(MANY_COMPACT);
                body
            }),
        ),
        ("a varint of six bytes", flexible(ApiKey::Metadata, 12, &[0xff; 6])),
        ("a string that is not UTF-8", inflexible(metadata_key, 1, &[0, 0, 0, 1, 0, 1, 0xff])),
        ("a topic name that is null", inflexible(metadata_key, 1, &[0, 0, 0, 1, 0xff, 0xff])),
        ("a request cut in its body", framed(&metadata[4..metadata.len() - 1])),
    ]
}

#[test]
fn what_is_no_request_ends_its_connection_only() {
    let broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    for (what, bytes) in malformed() {
        let mut wire = Wire::connect(&broker);
        wire.send_bytes(&bytes);
        wire.assert_closed(what);
        healthy.assert_beating();
    }
    healthy.stop_and_check();
}

#[test]
fn requests_before_garbage_get_their_responses() {
    const GOOD: i32 = 12;
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("before", 1, &[]);
    let records = batch(&["kept"]);
    let request = produce_request("before", 0, &records);
    let mut produced = 0;
    for (what, garbage) in malformed() {
        let good = (1..=GOOD).flat_map(|number| request_frame(&request, 9, number));
        let bytes: Vec<u8> = good.chain(garbage).collect();
        let mut pipelined = Wire::connect(&broker);
        pipelined.send_bytes(&bytes);
        for number in 1..=GOOD {
            let answer = pipelined.receive_frame().unwrap_or_else(|| panic!("{what}: {number}"));
            let (correlation_id, _) =
                frame::response(answer, ProduceRequest::KEY, 9).expect("a header");
            assert_eq!(correlation_id, number, "{what}");
        }
        pipelined.assert_closed(what);
        produced += i64::from(GOOD);
        assert_eq!(wire.end_offset("before", 0), produced, "{what}");
    }
}

#[test]
fn a_request_that_does_not_parse_is_named_in_the_log() {
    /// Tries enough for a line to come through on a busy machine; each is a round trip.
    const TRIES: usize = 20_000;
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("asked", 1, &[]);
    let metadata = request_frame(&MetadataRequest::default(), 12, 1);
    let mut cut = Wire::connect(&broker);
    cut.send_bytes(&framed(&metadata[4..metadata.len() - 1]));
    cut.assert_closed("a request cut in its body");
    let said = (0..TRIES).any(|_| {
        wire.end_offset("asked", 0);
        broker.log().contains("the request does not parse as Metadata version 12")
    });
    assert!(said, "{}", broker.log());
}

#[test]
fn an_announced_length_allocates_nothing() {
    let broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    let before = resident_bytes(&broker);
    let connections: Vec<Wire> = (0..100)
        .map(|_| {
            let mut wire = Wire::connect(&broker);
            // The largest frame that is permitted, of which nothing but a header comes.
            wire.send_bytes(&104_857_600_i32.to_be_bytes());
            wire.send_bytes(&[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff]);
            wire
        })
        .collect();
    for _ in 0..100 {
        let mut wire = Wire::connect(&broker);
        wire.send_bytes(&i32::MAX.to_be_bytes());
        wire.assert_closed("a frame of 2 GiB");
    }
    healthy.assert_beating();
    let grown = resident_bytes(&broker).saturating_sub(before);
    // 100 frames of 100 MiB would be 10 GB; what the connections themselves take is far below this.
    assert!(grown < 48 << 20, "the broker grew by {grown} bytes");
    drop(connections);
    healthy.stop_and_check();
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_by_version_0() {
    let broker = Broker::start(&[]);
    for version in [6, 99, i16::MAX, -1] {
        let mut wire = Wire::connect(&broker);
        wire.send_bytes(&flexible(ApiKey::ApiVersions, version, &[2, b'x', 2, b'1', 0]));
        let bytes = wire.receive_frame().expect("an answer, not a closed connection");
        let (correlation_id, body) =
            frame::response(bytes, ApiKey::ApiVersions, 0).expect("a header of version 0");
        assert_eq!(correlation_id, 1);
        let mut reader = Reader::new(body);
        let answer =
            klamm::protocol::api_versions_response::ApiVersionsResponse::decode(&mut reader, 0)
                .expect("a body of version 0");
        reader.finish().expect("nothing behind it");
        assert_eq!(answer.error_code, 35);
        let range = |api: &klamm::protocol::api_versions_response::ApiVersion<'_>| {
            (api.api_key, api.min_version, api.max_version)
        };
        assert_eq!(answer.api_keys.iter().map(range).collect::<Vec<_>>(), [(18, 0, 5)]);
    }
}

#[test]
fn requests_may_come_in_any_pieces_or_not_at_all() {
    let broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("pieces", 1, &[]);
    let records = batch(&["whole"]);
    let request = produce_request("pieces", 0, &records);
    let bytes = request_frame(&request, 9, 77);
    for at in 0..bytes.len() {
        let mut half = Wire::connect(&broker);
        half.send_bytes(&bytes[..at]);
        half.finish_sending();
        half.assert_closed("half a frame");
    }
    healthy.assert_beating();
    assert_eq!(wire.end_offset("pieces", 0), 0, "half a request appends nothing");
    let mut slow = Wire::connect(&broker);
    for byte in bytes.chunks(1) {
        slow.send_bytes(byte);
    }
    let answer = slow.receive_frame().expect("an answer, not a closed connection");
    let (correlation_id, _) = frame::response(answer, ProduceRequest::KEY, 9).expect("a header");
    assert_eq!(correlation_id, 77);
    assert_eq!(wire.end_offset("pieces", 0), 1);
    // Two requests and a half in one segment, then the other half.
    let thrice = [&bytes[..], &bytes, &bytes].concat();
    let (front, back) = thrice.split_at(bytes.len() * 5 / 2);
    slow.send_bytes(front);
    assert!(slow.receive_frame().is_some() && slow.receive_frame().is_some());
    slow.send_bytes(back);
    assert!(slow.receive_frame().is_some());
    assert_eq!(wire.end_offset("pieces", 0), 4);
    healthy.stop_and_check();
}
