//! Lying lengths, the limits, and what each mistake is called.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::api_versions_response::{ApiVersion, ApiVersionsResponse};
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use crate::protocol::frame::{self, RequestHeader, Stretch};
use crate::protocol::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::protocol::offset_fetch_request::OffsetFetchRequest;
use crate::protocol::reader::Reader;
use crate::protocol::types::Records;
use crate::protocol::writer::{External, Writer};

fn metadata(bytes: &[u8], version: i16) -> Result<MetadataRequest<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let request = MetadataRequest::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(request)
}

#[test]
fn hostile_metadata_requests_get_their_errors() {
    let million = vec![0; 2_500_000];
    let mut too_many = vec![0, 0x0f, 0x42, 0x41];
    too_many.extend_from_slice(&million);
    let mut long_string = vec![2, 0x81, 0x80, 0x02];
    long_string.extend_from_slice(&million[..40_000]);
    let truncated = |needed, left| DecodeError::Truncated { needed, left };
    for (name, version, bytes, error) in [
        ("nothing", 0, &[][..], truncated(4, 0)),
        (
            "a lying count",
            0,
            &[0x7f, 0xff, 0xff, 0xff, 0, 0],
            DecodeError::TooManyElements(0x7fff_ffff),
        ),
        ("a count over what is left", 0, &[0, 0, 0, 9, 0, 0, 0, 0], truncated(18, 4)),
        ("an array over Kafka's limit", 0, &too_many, DecodeError::TooManyElements(1_000_001)),
        ("a null array in v0", 0, &[0xff; 4], DecodeError::UnexpectedNull(-1)),
        ("a negative count in v0", 0, &[0x80, 0, 0, 0], DecodeError::UnexpectedNull(-0x8000_0000)),
        ("a null name in v1", 1, &[0, 0, 0, 1, 0xff, 0xff], DecodeError::UnexpectedNull(-1)),
        ("a name that is not UTF-8", 1, &[0, 0, 0, 1, 0, 1, 0xff], DecodeError::InvalidUtf8),
        ("a name that ends early", 1, &[0, 0, 0, 1, 0, 9, b'a'], truncated(9, 1)),
        ("a string over Kafka's limit", 9, &long_string, DecodeError::StringTooLong(0x8000)),
        (
            "a varint of six bytes",
            9,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 1],
            DecodeError::VarintTooLong,
        ),
        ("a varint over 32 bits", 9, &[0xff, 0xff, 0xff, 0xff, 0x1f], DecodeError::VarintTooLong),
        ("bytes left over", 0, &[0, 0, 0, 0, 7], DecodeError::TrailingBytes(1)),
        ("an old version", -1, &[0, 0, 0, 0], DecodeError::UnsupportedVersion(-1)),
        ("a future version", 14, &[0, 0, 0, 0], DecodeError::UnsupportedVersion(14)),
        ("10,001 tags", 9, &[0, 0, 0, 0, 0x91, 0x4e], DecodeError::TooManyTags(10_001)),
        ("a tag twice", 9, &[0, 0, 0, 0, 2, 5, 0, 5, 0], DecodeError::TagOrder(5)),
        ("tags that fall", 9, &[0, 0, 0, 0, 2, 5, 0, 4, 0], DecodeError::TagOrder(4)),
        ("a tag over the end", 9, &[0, 0, 0, 0, 1, 5, 3, 1], truncated(3, 1)),
    ] {
        assert_eq!(metadata(bytes, version), Err(error), "{name}");
    }
}

#[test]
fn known_tags_keep_to_their_size_and_version() {
    // ApiVersionsResponse v3: error code, no APIs, throttle time, then tagged fields.
    let decode = |tags: &[u8]| {
        let bytes = [&[0, 0, 1, 0, 0, 0, 0][..], tags].concat();
        ApiVersionsResponse::decode(&mut Reader::new(&bytes), 3)
            .map(|response| response.finalized_features_epoch)
    };
    assert_eq!(decode(&[1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 9]), Ok(9));
    assert_eq!(decode(&[1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0]), Err(DecodeError::TagSize));
    assert_eq!(decode(&[1, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9]), Err(DecodeError::TagSize));
    // FetchRequest v12 does not have tag 1, the replica state of v15.
    let fetch = [&[0; 17][..], &[0; 8], &[1, 1, 1], &[1, 1, 0]].concat();
    let error = crate::protocol::fetch_request::FetchRequest::decode(&mut Reader::new(&fetch), 12);
    assert_eq!(error, Err(DecodeError::TagVersion(1)));
}

#[test]
fn a_message_cannot_allocate_beyond_its_budget() {
    // A million empty names: two bytes each on the wire and many in memory.
    let mut bytes = vec![0, 0x0f, 0x42, 0x40];
    bytes.resize(2_000_004, 0);
    let mut reader = Reader::new(&bytes);
    assert_eq!(MetadataRequest::decode(&mut reader, 0), Err(DecodeError::OverBudget));
    let mut reader = Reader::with_budget(&bytes, usize::MAX);
    assert_eq!(
        MetadataRequest::decode(&mut reader, 0).map(|it| it.topics.map(|all| all.len())),
        Ok(Some(1_000_000))
    );
    // Honest requests fit: ten thousand topics with names of three letters.
    let topics = (0..10_000)
        .map(|_| MetadataRequestTopic { name: Some("abc".into()), ..Default::default() });
    let request = MetadataRequest { topics: Some(topics.collect()), ..Default::default() };
    for version in 0..=MetadataRequest::VERSIONS.max {
        let mut writer = Writer::default();
        request.encode(&mut writer, version).expect("expressible in every version");
        let (bytes, _) = writer.into_parts();
        assert_eq!(metadata(&bytes, version).as_ref(), Ok(&request), "v{version}");
    }
}

#[test]
fn arrays_within_arrays_have_a_bound_together() {
    // OffsetFetch v1: so many topics, each with a million partitions.
    for (topics, expected) in [(3, Ok(3)), (5, Err(DecodeError::TooManyElements(1_000_000)))] {
        let mut bytes = vec![0, 1, b'g', 0, 0, 0, topics];
        for _ in 0..topics {
            bytes.extend([0, 1, b't', 0, 0x0f, 0x42, 0x40]);
            bytes.resize(bytes.len() + 4_000_000, 0);
        }
        let decoded = OffsetFetchRequest::decode(&mut Reader::new(&bytes), 1);
        assert_eq!(decoded.map(|it| it.topics.map_or(0, |all| all.len())), expected);
    }
}

#[test]
fn values_that_a_version_cannot_carry_are_refused() {
    let encode =
        |request: &MetadataRequest<'_>, version| request.encode(&mut Writer::default(), version);
    let all = MetadataRequest { topics: None, ..Default::default() };
    let error = EncodeError::Inexpressible { field: "topics", version: 0 };
    assert_eq!(encode(&all, 0), Err(error));
    assert_eq!(encode(&all, 1), Ok(()));
    let no_creation = MetadataRequest { allow_auto_topic_creation: false, ..Default::default() };
    let error = EncodeError::Inexpressible { field: "allow_auto_topic_creation", version: 3 };
    assert_eq!(encode(&no_creation, 3), Err(error));
    assert_eq!(encode(&no_creation, 4), Ok(()));
    let long = MetadataRequestTopic { name: Some("x".repeat(0x8000).into()), ..Default::default() };
    let long = MetadataRequest { topics: Some(vec![long]), ..Default::default() };
    assert_eq!(encode(&long, 9), Err(EncodeError::TooLong(0x8000)));
    let version = EncodeError::UnsupportedVersion { message: "MetadataRequest", version: 99 };
    assert_eq!(encode(&all, 99), Err(version));
}

#[test]
fn frame_sizes_are_checked_before_anything_is_read() {
    for (received, expected) in [
        (&[][..], Ok(None)),
        (&[0, 0, 0], Ok(None)),
        (&[0, 0, 0, 0], Ok(Some(0))),
        (&[0, 0, 0, 100], Ok(Some(100))),
        (&[0, 0, 0, 101], Err(DecodeError::FrameSize { size: 101, max: 100 })),
        (&[0xff; 4], Err(DecodeError::FrameSize { size: -1, max: 100 })),
    ] {
        assert_eq!(frame::size(received, 100), expected, "{received:?}");
    }
}

#[test]
fn a_request_goes_through_its_frame() {
    for (api_key, api_version, client_id) in [
        (ApiKey::Metadata, 8, Some("zürich")),
        (ApiKey::Metadata, 9, Some("")),
        (ApiKey::ApiVersions, 4, None),
    ] {
        let header = RequestHeader { api_key, api_version, correlation_id: -7, client_id };
        let mut writer = frame::begin_request(vec![1, 2, 3], header).expect("a valid header");
        writer.i32(42);
        let sent = frame::finish(writer).expect("a small frame");
        let size = frame::size(&sent.bytes, 1_000).expect("a valid size");
        assert_eq!(size, Some(sent.bytes.len() - 4));
        assert_eq!(frame::request(&sent.bytes[4..]), Ok((header, &[0, 0, 0, 42][..])));
        for cut in 4..sent.bytes.len() - 4 {
            assert!(frame::request(&sent.bytes[4..cut]).is_err(), "{api_key:?} cut at {cut}");
        }
    }
    assert_eq!(frame::request(&[0, 4, 0, 0]), Err(DecodeError::UnknownApi(4)));
}

#[test]
fn external_records_are_counted_and_leave_a_gap() {
    let partition =
        |index, records| PartitionData { partition_index: index, records, ..Default::default() };
    let answer = |first, second| FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: Cow::Borrowed("events"),
            partitions: vec![
                partition(0, first),
                partition(1, Records::Null),
                partition(2, second),
            ],
            ..Default::default()
        }],
        ..Default::default()
    };
    let (first, second) = ([1; 300], [2; 7]);
    for version in 4..=12 {
        let encode = |response: FetchResponse<'_>| {
            let mut writer = frame::begin_response(Vec::new(), ApiKey::Fetch, version, 5)
                .expect("a valid header");
            response.encode(&mut writer, version).expect("expressible");
            frame::finish(writer).expect("a small frame")
        };
        let copied = encode(answer(Records::Bytes(&first), Records::Bytes(&second)));
        let external = encode(answer(
            Records::External { id: 0, len: 300 },
            Records::External { id: 1, len: 7 },
        ));
        assert_eq!(external.wire_bytes(), copied.bytes.len());
        let mut sent = Vec::new();
        for stretch in external.stretches() {
            match stretch {
                Stretch::Bytes(bytes) => sent.extend_from_slice(bytes),
                Stretch::External(External { id: 0, .. }) => sent.extend_from_slice(&first),
                Stretch::External(_) => sent.extend_from_slice(&second),
            }
        }
        assert_eq!(sent, copied.bytes, "v{version}");
        let (correlation_id, body) =
            frame::response(&sent[4..], ApiKey::Fetch, version).expect("a valid header");
        assert_eq!(correlation_id, 5);
        let mut reader = Reader::new(body);
        let decoded = FetchResponse::decode(&mut reader, version).expect("what was encoded");
        assert_eq!(decoded.responses[0].partitions[2].records, Records::Bytes(&second));
    }
}

#[test]
fn api_versions_answers_every_version_with_the_oldest_header() {
    let api = ApiVersion { api_key: 18, min_version: 0, max_version: 4, ..Default::default() };
    let response = ApiVersionsResponse { api_keys: vec![api], ..Default::default() };
    for version in 0..=4 {
        let mut writer = frame::begin_response(Vec::new(), ApiKey::ApiVersions, version, 9)
            .expect("a valid header");
        response.encode(&mut writer, version).expect("expressible");
        let sent = frame::finish(writer).expect("a small frame");
        assert_eq!(sent.bytes[4..10], [0, 0, 0, 9, 0, 0], "v{version}: id, then the error code");
    }
}
