//! OffsetForLeaderEpoch: where a leader's term ended, for clients that check for lost records.

use crate::api::encode::{Responder, first_error};
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::model::{ErrorCode, LeaderEpoch, LogId, PartitionIndex};
use crate::protocol::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use crate::protocol::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use crate::shard::{self, EpochEnd, EpochQuery};

/// One topic of the request, for the answer: the partitions, and what was wrong with each.
struct AskedTopic {
    name: String,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Serves an OffsetForLeaderEpoch request.
pub fn offset_for_leader_epoch(
    context: &RequestContext,
    request: &OffsetForLeaderEpochRequest<'_>,
) -> Reply {
    let mut queries = Vec::new();
    let mut asked = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let query = query(context, &topic.topic, partition);
            partitions.push((partition.partition, query.as_ref().err().copied()));
            queries.extend(query);
        }
        asked.push(AskedTopic { name: topic.topic.to_string(), partitions });
    }
    Reply::later(answer(context.responder(), asked, queries))
}

fn query(
    context: &RequestContext,
    topic: &str,
    partition: &OffsetForLeaderPartition<'_>,
) -> Result<EpochQuery, ErrorCode> {
    let image = context.shard().image();
    let topic = image.topic_id(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let log = LogId { topic, partition: PartitionIndex(partition.partition) };
    image.partition(&log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let current = partition.current_leader_epoch;
    Ok(EpochQuery {
        log,
        current: (current != -1).then_some(LeaderEpoch(current)),
        wanted: LeaderEpoch(partition.leader_epoch),
    })
}

async fn answer(responder: Responder, asked: Vec<AskedTopic>, queries: Vec<EpochQuery>) -> Outcome {
    let mut found = shard::epoch_ends(&responder.shard, queries).await.into_iter();
    let mut topics = Vec::with_capacity(asked.len());
    for AskedTopic { name, partitions } in asked {
        let partitions = partitions.into_iter().map(|(index, refused)| {
            let result = match refused {
                Some(code) => Err(code),
                None => found.next().unwrap_or(Err(ErrorCode::UnknownServerError)),
            };
            partition_response(index, result)
        });
        topics.push(OffsetForLeaderTopicResult {
            partitions: partitions.collect(),
            topic: name.into(),
            ..OffsetForLeaderTopicResult::default()
        });
    }
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let error = first_error(partitions.map(|one| ErrorCode::from_code(one.error_code)));
    let response =
        OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn partition_response(
    partition: i32,
    result: Result<EpochEnd, ErrorCode>,
) -> EpochEndOffset<'static> {
    let none = EpochEndOffset { partition, ..EpochEndOffset::default() };
    match result {
        Ok(EpochEnd { epoch, end }) => {
            EpochEndOffset { leader_epoch: epoch.0, end_offset: end.0, ..none }
        }
        Err(code) => EpochEndOffset { error_code: code.code(), ..none },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;

    #[test]
    fn an_error_has_no_epoch_and_no_offset() {
        let found = EpochEnd { epoch: LeaderEpoch(2), end: Offset(40) };
        for (result, expected) in [
            (Ok(found), (0, 2, 40)),
            (Err(ErrorCode::UnknownLeaderEpoch), (75, -1, -1)),
            (Err(ErrorCode::UnknownTopicOrPartition), (3, -1, -1)),
        ] {
            let response = partition_response(6, result);
            let told = (response.error_code, response.leader_epoch, response.end_offset);
            assert_eq!((response.partition, told), (6, expected));
        }
    }
}
