//! Fetch over raw sockets: limits, long polls, sessions, topic ids and leader epochs.

use std::time::Duration;

use klamm::model::{ErrorCode, TopicId};
use klamm::protocol::fetch_request::{FetchPartition, FetchRequest, ForgottenTopic};
use klamm::protocol::fetch_response::{FetchResponse, PartitionData};
use klamm::record::{DecompressionCaps, split};

use crate::support::Broker;
use crate::wire::{Wire, batch, fetch_request};

/// By name, with sessions, with the diverging epoch, by id, and the newest.
const VERSIONS: [i16; 6] = [4, 7, 11, 12, 13, 18];

/// The values from `offset` to the end of a partition.
pub fn values(wire: &mut Wire, topic: &str, id: TopicId, offset: i64) -> Vec<String> {
    values_of(&one(&wire.ask(&fetch_request(topic, id, 0, offset), 16)))
}

fn one(answer: &FetchResponse<'static>) -> PartitionData<'static> {
    assert_eq!(answer.error_code, 0);
    answer.responses[0].partitions[0].clone()
}

/// The values of whole batches.
pub fn values_of(partition: &PartitionData<'_>) -> Vec<String> {
    assert_eq!(partition.error_code, 0);
    let mut values = Vec::new();
    for batch in split(partition.records.bytes()) {
        let batch = batch.expect("a whole batch");
        assert!(batch.crc_is_valid());
        let opened = batch.open(DecompressionCaps::default()).expect("a readable batch");
        for record in batch.records(&opened) {
            let value = record.expect("a record").value.expect("a value").to_vec();
            values.push(String::from_utf8(value).expect("text"));
        }
    }
    values
}

/// A request as `version` can say it.
fn as_version<'a>(mut request: FetchRequest<'a>, version: i16) -> FetchRequest<'a> {
    for topic in &mut request.topics {
        if version >= 13 {
            topic.topic = "".into();
        } else {
            topic.topic_id = TopicId::ZERO;
        }
    }
    request
}

fn ask(wire: &mut Wire, request: &FetchRequest<'_>, version: i16) -> FetchResponse<'static> {
    wire.ask(&as_version(request.clone(), version), version)
}

#[test]
fn an_offset_inside_of_a_batch_gets_the_whole_batch() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    wire.produce("t", 0, &batch(&["a", "b", "c"]), 9);
    wire.produce("t", 0, &batch(&["d", "e"]), 9);
    for version in VERSIONS {
        for (offset, expected) in [
            (0, &["a", "b", "c", "d", "e"][..]),
            (1, &["a", "b", "c", "d", "e"]),
            (2, &["a", "b", "c", "d", "e"]),
            (3, &["d", "e"]),
            (4, &["d", "e"]),
            (5, &[]),
        ] {
            let partition = one(&ask(&mut wire, &fetch_request("t", id, 0, offset), version));
            assert_eq!(values_of(&partition), expected, "offset {offset}, version {version}");
            assert_eq!((partition.high_watermark, partition.last_stable_offset), (5, 5));
            assert_eq!(partition.aborted_transactions, None);
            let committed =
                FetchRequest { isolation_level: 1, ..fetch_request("t", id, 0, offset) };
            let partition = one(&ask(&mut wire, &committed, version));
            assert_eq!(values_of(&partition), expected);
            assert_eq!(partition.aborted_transactions, Some(Vec::new()));
        }
    }
}

/// Records of each partition of an answer, by partition.
fn counts(answer: &FetchResponse<'static>) -> Vec<(i32, usize)> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|one| (one.partition_index, values_of(one).len())).collect()
}

#[test]
fn limits_hold_but_the_first_batch_always_comes() {
    let broker = Broker::start(&["num.shards=2"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 4, &[]);
    let large = "x".repeat(10_000);
    for partition in 0..4 {
        for _ in 0..3 {
            wire.produce("t", partition, &batch(&[&large]), 9);
        }
    }
    let size = batch(&[&large]).len() as i32;
    let all = |partitions: &[i32], partition_max: i32, max: i32| {
        let mut request = fetch_request("t", id, 0, 0);
        request.max_bytes = max;
        request.topics[0].partitions = partitions
            .iter()
            .map(|&partition| FetchPartition {
                partition,
                fetch_offset: 0,
                partition_max_bytes: partition_max,
                ..FetchPartition::default()
            })
            .collect();
        request
    };
    for version in VERSIONS {
        for (order, partition_max, max, expected) in [
            // Whole batches, as many as fit the partition's bound.
            (&[0, 1][..], size * 2, 1 << 20, vec![(0, 2), (1, 2)]),
            (&[0, 1], size * 3 - 1, 1 << 20, vec![(0, 2), (1, 2)]),
            // The first batch comes whatever the bounds say, and only the first.
            (&[0, 1], 1, 1 << 20, vec![(0, 1), (1, 0)]),
            (&[3, 2, 1, 0], 1, 1, vec![(3, 1), (2, 0), (1, 0), (0, 0)]),
            (&[1, 0], 0, 0, vec![(1, 1), (0, 0)]),
            // The response's bound holds over all partitions.
            (&[0], 1 << 20, size * 2, vec![(0, 2)]),
        ] {
            let answer = ask(&mut wire, &all(order, partition_max, max), version);
            let what = format!("{order:?} {partition_max} {max}, version {version}");
            assert_eq!(counts(&answer), expected, "{what}");
        }
        let answer = ask(&mut wire, &all(&[2, 0, 3, 1], 1 << 20, size * 5), version);
        let found = counts(&answer);
        assert_eq!(found.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2, 0, 3, 1]);
        let sum: usize = found.iter().map(|(_, count)| count).sum();
        assert!((3..=5).contains(&sum), "{found:?}, version {version}");
        assert_eq!(found[0].1, 3, "the first partition comes first: {found:?}");
    }
}

#[test]
fn a_long_poll_ends_by_bytes_or_by_time() {
    let broker = Broker::start(&[]);
    let (mut reader, mut writer) = (Wire::connect(&broker), Wire::connect(&broker));
    let id = writer.create_topic("t", 1, &[]);
    let records = batch(&["a"]);
    let poll = |offset, min_bytes, max_wait_ms| FetchRequest {
        min_bytes,
        max_wait_ms,
        ..fetch_request("t", id, 0, offset)
    };
    let mut offset = 0;
    for version in VERSIONS {
        // Far longer than the test may take: it ends because records come.
        let request = as_version(poll(offset, 1, 600_000), version);
        reader.send(&request, version);
        writer.produce("t", 0, &records, 9);
        assert_eq!(values_of(&one(&reader.receive::<FetchRequest<'_>>(version))), ["a"]);
        // Two batches are enough, one is not.
        let request = as_version(poll(offset + 1, records.len() as i32 + 1, 600_000), version);
        reader.send(&request, version);
        writer.produce("t", 0, &records, 9);
        writer.produce("t", 0, &records, 9);
        assert_eq!(values_of(&one(&reader.receive::<FetchRequest<'_>>(version))), ["a", "a"]);
        offset += 3;
    }
    for (min_bytes, max_wait_ms, least) in [(1, 300, 300), (0, 600_000, 0), (1, 0, 0)] {
        let began = crate::wire::now_ms();
        let answer = one(&ask(&mut reader, &poll(offset, min_bytes, max_wait_ms), 12));
        let took = crate::wire::now_ms() - began;
        assert!(values_of(&answer).is_empty());
        assert!((least - 1..30_000).contains(&took), "{min_bytes} {max_wait_ms}: {took} ms");
    }
    // Nothing to wait for: Kafka answers at once.
    let empty = FetchRequest { topics: Vec::new(), ..poll(0, 1, 600_000) };
    assert!(reader.ask(&empty, 12).responses.is_empty());
    // As in Kafka, a partition that is not there does not end the wait for another, and is not waited for alone; an
    // error of one that is there is said at once.
    let unknown = || FetchPartition { partition: 9, ..FetchPartition::default() };
    let mut mixed = poll(offset, 1, 300);
    mixed.topics[0].partitions.push(unknown());
    let began = crate::wire::now_ms();
    let answer = ask(&mut reader, &mixed, 12);
    assert!(crate::wire::now_ms() - began >= 299);
    assert_eq!(answer.responses[0].partitions[1].error_code, 3);
    let mut alone = poll(offset, 1, 600_000);
    alone.topics[0].partitions = vec![unknown()];
    assert_eq!(one(&ask(&mut reader, &alone, 12)).error_code, 3);
    let out_of_range = one(&ask(&mut reader, &poll(offset + 1, 1, 600_000), 12));
    assert_eq!(out_of_range.error_code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!((out_of_range.high_watermark, out_of_range.log_start_offset), (-1, -1));
}

#[test]
fn a_client_that_leaves_a_long_poll_costs_nothing() {
    let broker = Broker::start(&[]);
    let mut writer = Wire::connect(&broker);
    let id = writer.create_topic("t", 1, &[]);
    let poll = FetchRequest { max_wait_ms: i32::MAX, ..fetch_request("t", id, 0, 0) };
    for _ in 0..50 {
        Wire::connect(&broker).send(&as_version(poll.clone(), 12), 12);
    }
    assert_eq!(writer.produce("t", 0, &batch(&["a"]), 9).error_code, 0);
    assert_eq!(values(&mut writer, "t", id, 0), ["a"]);
}

#[test]
fn places_that_do_not_exist_have_kafkas_errors() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    wire.produce("t", 0, &batch(&["a", "b"]), 9);
    let code = |answer: FetchResponse<'_>| {
        assert_eq!(answer.error_code, 0);
        ErrorCode::from_code(answer.responses[0].partitions[0].error_code)
    };
    for version in VERSIONS {
        for offset in [3, 1000, -1, i64::MAX, i64::MIN] {
            let answer = ask(&mut wire, &fetch_request("t", id, 0, offset), version);
            assert_eq!(code(answer), ErrorCode::OffsetOutOfRange, "{offset} in {version}");
        }
        for partition in [1, -1, i32::MAX] {
            let answer = ask(&mut wire, &fetch_request("t", id, partition, 0), version);
            assert_eq!(code(answer), ErrorCode::UnknownTopicOrPartition);
        }
        let unknown = if version >= 13 {
            ErrorCode::UnknownTopicId
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        for (name, id) in [("nobody", TopicId([7; 16])), ("../x", TopicId::ZERO)] {
            let answer = ask(&mut wire, &fetch_request(name, id, 0, 0), version);
            assert_eq!(code(answer), unknown, "version {version}");
        }
        if version >= 9 {
            for (epoch, expected) in [
                (-1, ErrorCode::None),
                (0, ErrorCode::None),
                (1, ErrorCode::UnknownLeaderEpoch),
                (i32::MAX, ErrorCode::UnknownLeaderEpoch),
            ] {
                let mut request = fetch_request("t", id, 0, 0);
                request.topics[0].partitions[0].current_leader_epoch = epoch;
                assert_eq!(code(ask(&mut wire, &request, version)), expected, "epoch {epoch}");
            }
        }
    }
    let recreated = deleted_and_created_again(&mut wire);
    assert_ne!(recreated, id);
    assert_eq!(code(ask(&mut wire, &fetch_request("", id, 0, 0), 13)), ErrorCode::UnknownTopicId);
    assert!(values(&mut wire, "t", recreated, 0).is_empty());
}

fn deleted_and_created_again(wire: &mut Wire) -> TopicId {
    use klamm::protocol::delete_topics_request::DeleteTopicsRequest;
    let request = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(wire.ask(&request, 4).responses[0].error_code, 0);
    wire.create_topic("t", 1, &[])
}

#[test]
fn nobody_fetches_as_a_replica() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    wire.produce("t", 0, &batch(&["a"]), 9);
    for version in VERSIONS {
        for replica in [0, 1, 2, i32::MAX] {
            let mut request = fetch_request("t", id, 0, 0);
            if version >= 15 {
                request.replica_state.replica_id = replica;
            } else {
                request.replica_id = replica;
            }
            let answer = ask(&mut wire, &request, version);
            let code = ErrorCode::from_code(answer.responses[0].partitions[0].error_code);
            assert_eq!(code, ErrorCode::TopicAuthorizationFailed, "version {version}");
            assert!(answer.responses[0].partitions[0].records.bytes().is_empty());
        }
    }
    assert_eq!(wire.end_offset("t", 0), 1);
}

#[test]
fn a_reader_with_another_history_is_told_where_it_diverges() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    wire.produce("t", 0, &batch(&["a", "b"]), 9);
    for version in [12, 16] {
        for (last_epoch, offset, code, diverging) in [
            (0, 1, ErrorCode::None, None),
            (0, 2, ErrorCode::None, None),
            (0, 3, ErrorCode::None, Some((0, 2))),
            // An epoch that the log never had.
            (5, 1, ErrorCode::OffsetOutOfRange, None),
        ] {
            let mut request = fetch_request("t", id, 0, offset);
            request.topics[0].partitions[0].last_fetched_epoch = last_epoch;
            let partition = one(&ask(&mut wire, &request, version));
            let told = partition.diverging_epoch;
            let told = (told.epoch >= 0).then_some((told.epoch, told.end_offset));
            let told = (ErrorCode::from_code(partition.error_code), told);
            assert_eq!(told, (code, diverging), "epoch {last_epoch}, offset {offset}");
            let empty = partition.records.bytes().is_empty();
            assert_eq!(empty, (last_epoch, offset) != (0, 1));
        }
    }
}

/// The partitions that an answer names, with their number of records.
fn session(
    wire: &mut Wire,
    version: i16,
    id: i32,
    epoch: i32,
    request: FetchRequest<'_>,
) -> (ErrorCode, i32, Vec<(i32, usize)>) {
    let request = FetchRequest { session_id: id, session_epoch: epoch, ..request };
    let answer = ask(wire, &request, version);
    (ErrorCode::from_code(answer.error_code), answer.session_id, counts(&answer))
}

#[test]
fn sessions_remember_and_say_only_what_changed() {
    let broker = Broker::start(&[]);
    for version in [7, 12, 13, 18] {
        let mut wire = Wire::connect(&broker);
        let name = format!("t{version}");
        let topic = wire.create_topic(&name, 2, &[]);
        let both = || {
            let mut request = fetch_request(&name, topic, 0, 0);
            let one = FetchPartition { partition: 1, ..request.topics[0].partitions[0].clone() };
            request.topics[0].partitions.push(one);
            request
        };
        let none = || FetchRequest { topics: Vec::new(), ..both() };
        let ok = ErrorCode::None;
        let (code, id, told) = session(&mut wire, version, 0, 0, both());
        assert_eq!((code, told), (ok, vec![(0, 0), (1, 0)]), "version {version}");
        assert!(id > 0);
        assert_eq!(session(&mut wire, version, id, 1, none()), (ok, id, vec![]));
        wire.produce(&name, 1, &batch(&["a"]), 9);
        assert_eq!(session(&mut wire, version, id, 2, none()), (ok, id, vec![(1, 1)]));
        // The session's position moves with what the client says of it.
        let moved = || fetch_request(&name, topic, 1, 1);
        assert_eq!(session(&mut wire, version, id, 3, moved()), (ok, id, vec![]));
        let forget = FetchRequest {
            forgotten_topics_data: vec![ForgottenTopic {
                topic: if version < 13 { name.as_str().into() } else { "".into() },
                topic_id: if version < 13 { TopicId::ZERO } else { topic },
                partitions: vec![1],
                ..ForgottenTopic::default()
            }],
            ..none()
        };
        assert_eq!(session(&mut wire, version, id, 4, forget), (ok, id, vec![]));
        wire.produce(&name, 1, &batch(&["b"]), 9);
        wire.produce(&name, 0, &batch(&["c"]), 9);
        assert_eq!(session(&mut wire, version, id, 5, none()), (ok, id, vec![(0, 1)]));
        let wrong = ErrorCode::InvalidFetchSessionEpoch;
        assert_eq!(session(&mut wire, version, id, 5, none()).0, wrong);
        assert_eq!(session(&mut wire, version, id, 77, none()).0, wrong);
        let unknown = ErrorCode::FetchSessionIdNotFound;
        assert_eq!(session(&mut wire, version, id ^ 1, 1, none()).0, unknown);
        // The last request ends the session and is answered without one.
        assert_eq!(session(&mut wire, version, id, -1, both()), (ok, 0, vec![(0, 1), (1, 2)]));
        assert_eq!(session(&mut wire, version, id, 6, none()).0, unknown);
    }
}

/// With two shards a connection is on the wrong one half of the time, and moves after some requests.
#[test]
fn a_session_moves_with_its_connection() {
    let broker = Broker::start(&["num.shards=2"]);
    let mut first = Wire::connect(&broker);
    let topic = first.create_topic("t", 2, &[]);
    for connection in 0..8 {
        let (mut wire, partition) = (Wire::connect(&broker), connection % 2);
        let end = i64::from(connection / 2);
        let mut request = fetch_request("t", topic, partition, end);
        request.max_wait_ms = 0;
        let (code, id, _) = session(&mut wire, 18, 0, 0, request.clone());
        assert_eq!(code, ErrorCode::None);
        for epoch in 1..200 {
            let next = FetchRequest { topics: Vec::new(), ..request.clone() };
            let answer = session(&mut wire, 18, id, epoch, next);
            assert_eq!(answer, (ErrorCode::None, id, vec![]), "connection {connection}");
        }
        first.produce("t", partition, &batch(&["a"]), 9);
        let next = FetchRequest { topics: Vec::new(), ..request.clone() };
        let told = session(&mut wire, 18, id, 200, next);
        assert_eq!(told, (ErrorCode::None, id, vec![(partition, 1)]));
    }
}

#[test]
fn a_session_by_name_does_not_become_one_by_id() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let topic = wire.create_topic("t", 1, &[]);
    let request = || fetch_request("t", topic, 0, 0);
    let (_, id, _) = session(&mut wire, 12, 0, 0, request());
    let (code, ..) = session(&mut wire, 13, id, 1, request());
    assert_eq!(code, ErrorCode::FetchSessionTopicIdError);
}

#[test]
fn fetched_bytes_wait_for_a_reader_that_reads_later() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 1, &[]);
    let large = "x".repeat(500_000);
    wire.produce("t", 0, &batch(&[&large]), 9);
    let mut slow = Wire::connect(&broker);
    for _ in 0..64 {
        slow.send(&as_version(fetch_request("t", id, 0, 0), 12), 12);
    }
    // Nobody reads these 32 MB, and the others do not notice.
    let began = crate::wire::now_ms();
    wire.produce("t", 0, &batch(&["b"]), 9);
    assert!(
        Duration::from_millis((crate::wire::now_ms() - began) as u64) < Duration::from_secs(20)
    );
    for _ in 0..64 {
        let bytes = slow.receive_frame().expect("an answer, not a closed connection");
        assert!(bytes.len() > 500_000);
    }
}
