//! ListOffsets: the first, the last, and the offset of a time.

use rustc_hash::FxHashSet;

use crate::api::encode::{Responder, first_error};
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::model::{ErrorCode, LeaderEpoch, LogId, PartitionIndex};
use crate::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::protocol::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use crate::shard::{
    self, OffsetFound, OffsetQuery, TIMESTAMP_EARLIEST, TIMESTAMP_EARLIEST_LOCAL,
    TIMESTAMP_EARLIEST_PENDING, TIMESTAMP_LATEST, TIMESTAMP_LATEST_TIERED, TIMESTAMP_MAX,
};

/// The first version whose answer has a leader epoch.
const VERSION_LEADER_EPOCH: i16 = 4;

/// One topic of the request, for the answer: the partitions, and what was wrong with each.
struct AskedTopic {
    name: String,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Serves a ListOffsets request.
pub fn list_offsets(context: &RequestContext, request: &ListOffsetsRequest<'_>) -> Reply {
    let whole = refused_as_a_whole(request);
    let twice = duplicates(&request.topics);
    let mut queries = Vec::new();
    let mut asked = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let duplicate = twice.contains(&(&*topic.name, partition.partition_index));
            let query = match whole {
                Some(code) => Err(code),
                None if duplicate => Err(ErrorCode::InvalidRequest),
                None => query(context, &topic.name, partition),
            };
            partitions.push((partition.partition_index, query.as_ref().err().copied()));
            queries.extend(query);
        }
        asked.push(AskedTopic { name: topic.name.to_string(), partitions });
    }
    Reply::later(answer(context.responder(), asked, queries))
}

/// Who says that it is a replica sees what a consumer does: without others every record is committed.
fn refused_as_a_whole(request: &ListOffsetsRequest<'_>) -> Option<ErrorCode> {
    // Without transactions both isolation levels see the same end.
    (!matches!(request.isolation_level, 0 | 1)).then_some(ErrorCode::InvalidRequest)
}

/// The partitions that stand more than once in the request.
fn duplicates<'a>(topics: &'a [ListOffsetsTopic<'_>]) -> FxHashSet<(&'a str, i32)> {
    let mut seen = FxHashSet::default();
    let mut twice = FxHashSet::default();
    for topic in topics {
        for partition in &topic.partitions {
            let key = (&*topic.name, partition.partition_index);
            if !seen.insert(key) {
                twice.insert(key);
            }
        }
    }
    twice
}

fn query(
    context: &RequestContext,
    topic: &str,
    partition: &ListOffsetsPartition<'_>,
) -> Result<OffsetQuery, ErrorCode> {
    if !understands(context.version(), partition.timestamp) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let image = context.shard().image();
    let topic = image.topic_id(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let log = LogId { topic, partition: PartitionIndex(partition.partition_index) };
    image.partition(&log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let epoch = partition.current_leader_epoch;
    Ok(OffsetQuery {
        log,
        timestamp: partition.timestamp,
        leader_epoch: (epoch != -1).then_some(LeaderEpoch(epoch)),
    })
}

/// Whether a version has that timestamp; the negative ones came one by one
/// (`ReplicaManager.isListOffsetsTimestampUnsupported`).
fn understands(version: i16, timestamp: i64) -> bool {
    match timestamp {
        0.. | TIMESTAMP_LATEST | TIMESTAMP_EARLIEST => true,
        TIMESTAMP_MAX => version >= 7,
        TIMESTAMP_EARLIEST_LOCAL => version >= 8,
        TIMESTAMP_LATEST_TIERED => version >= 9,
        TIMESTAMP_EARLIEST_PENDING => version >= 11,
        _ => false,
    }
}

async fn answer(
    responder: Responder,
    asked: Vec<AskedTopic>,
    queries: Vec<OffsetQuery>,
) -> Outcome {
    let mut found = shard::offsets(&responder.shard, queries).await.into_iter();
    let mut topics = Vec::with_capacity(asked.len());
    for AskedTopic { name, partitions } in asked {
        let partitions = partitions.into_iter().map(|(index, refused)| {
            let result = match refused {
                Some(code) => Err(code),
                None => found.next().unwrap_or(Err(ErrorCode::UnknownServerError)),
            };
            partition_response(index, result, responder.version)
        });
        topics.push(ListOffsetsTopicResponse {
            partitions: partitions.collect(),
            name: name.into(),
            ..ListOffsetsTopicResponse::default()
        });
    }
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let error = first_error(partitions.map(|one| ErrorCode::from_code(one.error_code)));
    let response = ListOffsetsResponse { topics, ..ListOffsetsResponse::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn partition_response(
    index: i32,
    result: Result<OffsetFound, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse<'static> {
    let mut response =
        ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
    match result {
        Ok(found) => {
            response.timestamp = found.timestamp;
            response.offset = found.offset.0;
            if version >= VERSION_LEADER_EPOCH {
                response.leader_epoch = found.leader_epoch.0;
            }
        }
        Err(code) => response.error_code = code.code(),
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;

    fn check_first_version(timestamp: i64, first: Option<i16>) {
        for version in 1..=ListOffsetsRequest::LATEST_STABLE {
            let expected = first.is_some_and(|first| version >= first);
            assert_eq!(understands(version, timestamp), expected, "{timestamp} in {version}");
        }
    }

    #[test]
    fn special_timestamps_have_their_first_versions() {
        for timestamp in [i64::MAX, 1, 0, -1, -2] {
            check_first_version(timestamp, Some(1));
        }
        check_first_version(-3, Some(7));
        check_first_version(-4, Some(8));
        check_first_version(-5, Some(9));
        check_first_version(-6, Some(11));
        check_first_version(-7, None);
        check_first_version(i64::MIN, None);
    }

    #[test]
    fn a_partition_that_stands_twice_is_found() {
        let topic = |name: &'static str, partitions: &[i32]| ListOffsetsTopic {
            name: name.into(),
            partitions: partitions
                .iter()
                .map(|index| ListOffsetsPartition { partition_index: *index, ..Default::default() })
                .collect(),
            ..Default::default()
        };
        let topics =
            [topic("a", &[0, 1, 0]), topic("b", &[0]), topic("a", &[1, 2]), topic("c", &[])];
        let mut twice: Vec<_> = duplicates(&topics).into_iter().collect();
        twice.sort_unstable();
        assert_eq!(twice, [("a", 0), ("a", 1)]);
    }

    #[test]
    fn unknown_isolation_levels_are_refused() {
        for (replica_id, isolation_level, expected) in [
            (-1, 0, None),
            (-1, 1, None),
            (-2, 0, None),
            (0, 0, None),
            (-1, 2, Some(ErrorCode::InvalidRequest)),
        ] {
            let request = ListOffsetsRequest { replica_id, isolation_level, ..Default::default() };
            assert_eq!(refused_as_a_whole(&request), expected);
        }
    }

    #[test]
    fn old_versions_get_no_leader_epoch() {
        let found = OffsetFound { offset: Offset(9), timestamp: 7, leader_epoch: LeaderEpoch(3) };
        for (version, epoch) in [(3, -1), (4, 3)] {
            let response = partition_response(1, Ok(found), version);
            assert_eq!((response.offset, response.timestamp), (9, 7));
            assert_eq!(response.leader_epoch, epoch);
        }
        let response = partition_response(1, Err(ErrorCode::FencedLeaderEpoch), 11);
        assert_eq!((response.error_code, response.offset, response.timestamp), (74, -1, -1));
    }
}
