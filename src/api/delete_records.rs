//! DeleteRecords: moves the start of partitions forward (KIP-107).

use rustc_hash::FxHashMap;

use crate::api::encode::{Responder, first_error};
use crate::api::metadata::is_internal;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::model::{ErrorCode, LogId, Offset, PartitionIndex};
use crate::protocol::delete_records_request::{DeleteRecordsRequest, DeleteRecordsTopic};
use crate::protocol::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use crate::shard::{self, RecordDeletion};

/// What Kafka answers as the low watermark where there is an error.
const INVALID_LOW_WATERMARK: i64 = -1;

/// One topic of the request, for the answer: the partitions, and what was wrong with each.
struct AskedTopic {
    name: String,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Serves a DeleteRecords request. Its timeout is how long Kafka waits for followers to drop the
/// records, too: there are none.
pub fn delete_records(context: &RequestContext, request: &DeleteRecordsRequest<'_>) -> Reply {
    let mut parts = Vec::new();
    let mut asked: Vec<AskedTopic> = Vec::with_capacity(request.topics.len());
    for (name, partitions) in once_each(&request.topics) {
        let mut told = Vec::with_capacity(partitions.len());
        for (index, before) in partitions {
            let part = part(context, name, index, before);
            told.push((index, part.as_ref().err().copied()));
            parts.extend(part);
        }
        asked.push(AskedTopic { name: name.to_owned(), partitions: told });
    }
    Reply::later(answer(context.responder(), asked, parts))
}

/// Each partition of the request once with the offset that was said last, as Kafka's map has it.
fn once_each<'a>(topics: &'a [DeleteRecordsTopic<'_>]) -> Vec<(&'a str, Vec<(i32, i64)>)> {
    let mut names: FxHashMap<&str, usize> = FxHashMap::default();
    let mut places: FxHashMap<(usize, i32), usize> = FxHashMap::default();
    let mut once: Vec<(&str, Vec<(i32, i64)>)> = Vec::with_capacity(topics.len());
    for topic in topics {
        let at = *names.entry(&*topic.name).or_insert_with(|| {
            once.push((&topic.name, Vec::with_capacity(topic.partitions.len())));
            once.len() - 1
        });
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let partitions = &mut once[at].1;
            let place = *places.entry((at, index)).or_insert_with(|| {
                partitions.push((index, partition.offset));
                partitions.len() - 1
            });
            partitions[place].1 = partition.offset;
        }
    }
    once
}

fn part(
    context: &RequestContext,
    topic: &str,
    partition: i32,
    before: i64,
) -> Result<RecordDeletion, ErrorCode> {
    let image = context.shard().image();
    let id = image.topic_id(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let log = LogId { topic: id, partition: PartitionIndex(partition) };
    image.partition(&log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok(RecordDeletion { log, before: Offset(before) })
}

async fn answer(
    responder: Responder,
    asked: Vec<AskedTopic>,
    parts: Vec<RecordDeletion>,
) -> Outcome {
    let mut deleted = shard::delete_records(&responder.shard, parts).await.into_iter();
    let mut topics = Vec::with_capacity(asked.len());
    for AskedTopic { name, partitions } in asked {
        let partitions = partitions.into_iter().map(|(index, refused)| {
            let result = match refused {
                Some(code) => Err(code),
                None => deleted.next().unwrap_or(Err(ErrorCode::UnknownServerError)),
            };
            partition_result(index, result)
        });
        topics.push(DeleteRecordsTopicResult {
            partitions: partitions.collect(),
            name: name.into(),
            ..DeleteRecordsTopicResult::default()
        });
    }
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let error = first_error(partitions.map(|one| ErrorCode::from_code(one.error_code)));
    let response = DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn partition_result(
    partition_index: i32,
    result: Result<Offset, ErrorCode>,
) -> DeleteRecordsPartitionResult<'static> {
    let (low_watermark, error_code) = match result {
        Ok(start) => (start.0, ErrorCode::None.code()),
        Err(code) => (INVALID_LOW_WATERMARK, code.code()),
    };
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark,
        error_code,
        ..DeleteRecordsPartitionResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::delete_records_request::DeleteRecordsPartition;

    #[test]
    fn what_stands_twice_counts_as_it_stands_last() {
        let topic = |name: &'static str, partitions: &[(i32, i64)]| DeleteRecordsTopic {
            name: name.into(),
            partitions: partitions
                .iter()
                .map(|&(partition_index, offset)| DeleteRecordsPartition {
                    partition_index,
                    offset,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let topics =
            [topic("a", &[(0, 5), (1, 6), (0, 7)]), topic("b", &[]), topic("a", &[(1, 2)])];
        let expected = [("a", vec![(0, 7), (1, 2)]), ("b", vec![])];
        assert_eq!(once_each(&topics), expected);
    }

    #[test]
    fn an_error_has_no_low_watermark() {
        for (result, expected) in [
            (Ok(Offset(0)), (0, 0)),
            (Ok(Offset(9)), (9, 0)),
            (Err(ErrorCode::OffsetOutOfRange), (-1, 1)),
            (Err(ErrorCode::PolicyViolation), (-1, 44)),
        ] {
            let told = partition_result(3, result);
            assert_eq!((told.partition_index, told.low_watermark), (3, expected.0));
            assert_eq!(told.error_code, expected.1);
        }
    }
}
