//! OffsetCommit and OffsetDelete: how far a group has come, written down and forgotten.

use std::borrow::Cow;

use crate::api::encode::Responder;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::api::timing::Stage;
use crate::coordinator::message::{Answer, Commit, CommitPart, DeleteOffsets, MemberRef, Request};
use crate::metadata::Image;
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::protocol::offset_commit_request::OffsetCommitRequest;
use crate::protocol::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::offset_delete_request::OffsetDeleteRequest;
use crate::protocol::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::shard::coordinate;

/// The first version of OffsetCommit that names topics by id.
const VERSION_COMMIT_BY_ID: i16 = 10;
/// The first version of OffsetCommit that tells an unknown group from a wrong generation.
const VERSION_COMMIT_UNKNOWN_GROUP: i16 = 9;

/// One topic of a request, for the answer: its partitions, and what was wrong with each before the
/// coordinator was asked.
struct AskedTopic {
    name: String,
    id: TopicId,
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Puts the coordinator's codes, which are those of the good partitions in order, into their places.
fn settle(asked: &mut [AskedTopic], codes: Vec<ErrorCode>) -> ErrorCode {
    let mut codes = codes.into_iter();
    let mut first_error = ErrorCode::None;
    for (_, code) in asked.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let told = code.unwrap_or_else(|| codes.next().unwrap_or(ErrorCode::UnknownServerError));
        *code = Some(told);
        if first_error.is_none() {
            first_error = told;
        }
    }
    first_error
}

/// The name and the id of a topic that a request names, by id where `by_id` says so.
fn topic<'a>(
    image: &'a Image,
    name: &'a str,
    id: TopicId,
    by_id: bool,
) -> Result<(&'a str, TopicId), ErrorCode> {
    if by_id {
        let found = image.topic(id).ok_or(ErrorCode::UnknownTopicId)?;
        return Ok((found.name(), id));
    }
    let id = image.topic_id(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((name, id))
}

fn partition(image: &Image, topic: TopicId, index: i32) -> Result<PartitionIndex, ErrorCode> {
    let partition = PartitionIndex(index);
    let known = image.topic(topic).and_then(|topic| topic.partition(partition));
    known.map(|_| partition).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// Serves an OffsetCommit request.
pub fn offset_commit(context: &RequestContext, request: &OffsetCommitRequest<'_>) -> Reply {
    let responder = context.responder();
    let (mut asked, offsets) = commit_parts(&context.shard().image(), request, context.version());
    if offsets.is_empty() {
        let first_error = settle(&mut asked, Vec::new());
        return Reply::Done(answer_commit(&responder, asked, first_error));
    }
    let commit = Commit {
        member: MemberRef {
            group: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.as_deref().map(Into::into),
            generation: request.generation_id_or_member_epoch,
        },
        retention_ms: Some(request.retention_time_ms).filter(|span| *span >= 0),
        offsets,
    };
    let answered = context.coordinate_often(&request.group_id, Request::Commit(commit));
    Reply::later(async move {
        let codes = match responder.waiting(Stage::Coordinator, answered.wait()).await {
            Answer::Commit(codes) => codes,
            _ => Vec::new(),
        };
        let told = codes.into_iter().map(|code| commit_code(code, responder.version));
        let first_error = settle(&mut asked, told.collect());
        answer_commit(&responder, asked, first_error)
    })
}

/// The partitions as asked for, and those that the coordinator is to be asked about.
fn commit_parts(
    image: &Image,
    request: &OffsetCommitRequest<'_>,
    version: i16,
) -> (Vec<AskedTopic>, Vec<CommitPart>) {
    let mut asked = Vec::with_capacity(request.topics.len());
    let mut offsets = Vec::new();
    for one in &request.topics {
        let found = topic(image, &one.name, one.topic_id, version >= VERSION_COMMIT_BY_ID);
        let mut partitions = Vec::with_capacity(one.partitions.len());
        for part in &one.partitions {
            let good = found.and_then(|(name, id)| {
                let partition = partition(image, id, part.partition_index)?;
                Ok(CommitPart {
                    topic: name.to_owned(),
                    topic_id: id,
                    partition,
                    offset: Offset(part.committed_offset),
                    leader_epoch: LeaderEpoch(part.committed_leader_epoch),
                    metadata: part.committed_metadata.as_deref().unwrap_or_default().to_owned(),
                })
            });
            partitions.push((part.partition_index, good.as_ref().err().copied()));
            offsets.extend(good);
        }
        asked.push(AskedTopic { name: one.name.to_string(), id: one.topic_id, partitions });
    }
    (asked, offsets)
}

/// What a client of that version understands.
fn commit_code(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        ErrorCode::GroupIdNotFound if version < VERSION_COMMIT_UNKNOWN_GROUP => {
            ErrorCode::IllegalGeneration
        }
        code => code,
    }
}

fn answer_commit(responder: &Responder, asked: Vec<AskedTopic>, first_error: ErrorCode) -> Outcome {
    let topics = asked.into_iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.into(),
        topic_id: topic.id,
        partitions: topic
            .partitions
            .into_iter()
            .map(|(partition_index, code)| OffsetCommitResponsePartition {
                partition_index,
                error_code: code.unwrap_or(ErrorCode::UnknownServerError).code(),
                ..OffsetCommitResponsePartition::default()
            })
            .collect(),
        ..OffsetCommitResponseTopic::default()
    });
    let response =
        OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() };
    responder.answer(first_error, |writer, version| response.encode(writer, version))
}

/// Serves an OffsetDelete request.
pub fn offset_delete(context: &RequestContext, request: &OffsetDeleteRequest<'_>) -> Reply {
    let responder = context.responder();
    let (mut asked, partitions) = delete_parts(&context.shard().image(), request);
    let group = request.group_id.to_string();
    if group.is_empty() {
        return Reply::Done(answer_delete(&responder, Err(ErrorCode::InvalidGroupId)));
    }
    let delete = Request::DeleteOffsets(DeleteOffsets { group, partitions });
    let answered = coordinate(context.shard(), &request.group_id, delete);
    Reply::later(async move {
        let result = match answered.wait().await {
            Answer::DeleteOffsets(result) => result,
            _ => Err(ErrorCode::UnknownServerError),
        };
        let settled = result.map(|codes| {
            let first_error = settle(&mut asked, codes);
            (asked, first_error)
        });
        answer_delete(&responder, settled)
    })
}

fn delete_parts(
    image: &Image,
    request: &OffsetDeleteRequest<'_>,
) -> (Vec<AskedTopic>, Vec<(String, PartitionIndex)>) {
    let mut asked = Vec::with_capacity(request.topics.len());
    let mut wanted = Vec::new();
    for one in &request.topics {
        let found = topic(image, &one.name, TopicId::ZERO, false);
        let mut partitions = Vec::with_capacity(one.partitions.len());
        for part in &one.partitions {
            let good = found.and_then(|(name, id)| {
                Ok((name.to_owned(), partition(image, id, part.partition_index)?))
            });
            partitions.push((part.partition_index, good.as_ref().err().copied()));
            wanted.extend(good);
        }
        asked.push(AskedTopic { name: one.name.to_string(), id: TopicId::ZERO, partitions });
    }
    (asked, wanted)
}

fn answer_delete(
    responder: &Responder,
    result: Result<(Vec<AskedTopic>, ErrorCode), ErrorCode>,
) -> Outcome {
    let (code, first_error, asked) = match result {
        Ok((asked, first_error)) => (ErrorCode::None, first_error, asked),
        Err(code) => (code, code, Vec::new()),
    };
    let topics = asked.into_iter().map(|topic| OffsetDeleteResponseTopic {
        name: Cow::Owned(topic.name),
        partitions: topic
            .partitions
            .into_iter()
            .map(|(partition_index, code)| OffsetDeleteResponsePartition {
                partition_index,
                error_code: code.unwrap_or(ErrorCode::UnknownServerError).code(),
                ..OffsetDeleteResponsePartition::default()
            })
            .collect(),
        ..OffsetDeleteResponseTopic::default()
    });
    let response = OffsetDeleteResponse {
        error_code: code.code(),
        topics: topics.collect(),
        ..OffsetDeleteResponse::default()
    };
    responder.answer(first_error, |writer, version| response.encode(writer, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing;
    use crate::protocol::offset_commit_request::{
        OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };

    fn image() -> Image {
        let mut image = testing::image_of_brokers(1);
        testing::create(&mut image, &[("t", 2)]);
        image
    }

    fn request(name: &str, id: TopicId) -> OffsetCommitRequest<'static> {
        let partitions = [1, 2].map(|partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 5,
            committed_metadata: None,
            ..Default::default()
        });
        let topic = OffsetCommitRequestTopic {
            name: name.to_owned().into(),
            topic_id: id,
            partitions: partitions.to_vec(),
            ..Default::default()
        };
        OffsetCommitRequest { topics: vec![topic], ..Default::default() }
    }

    #[test]
    fn unknown_topics_and_partitions_are_told_apart_by_version() {
        let image = image();
        let id = image.topic_id("t").expect("just created");
        let unknown = Some(ErrorCode::UnknownTopicOrPartition);
        for (version, name, topic, good, expected) in [
            (9, "t", TopicId::ZERO, 1, [None, unknown]),
            (9, "u", TopicId::ZERO, 0, [unknown, unknown]),
            (10, "", id, 1, [None, unknown]),
            (10, "", TopicId([9; 16]), 0, [Some(ErrorCode::UnknownTopicId); 2]),
        ] {
            let (asked, offsets) = commit_parts(&image, &request(name, topic), version);
            let codes: Vec<_> = asked[0].partitions.iter().map(|(_, code)| *code).collect();
            assert_eq!(
                (codes.as_slice(), offsets.len()),
                (&expected[..], good),
                "{name} {version}"
            );
            for part in offsets {
                assert_eq!((&*part.topic, part.topic_id, &*part.metadata), ("t", id, ""));
            }
        }
    }

    #[test]
    fn codes_find_their_places() {
        let unknown = Some(ErrorCode::UnknownTopicOrPartition);
        let topic = |partitions| AskedTopic { name: "t".into(), id: TopicId::ZERO, partitions };
        let mut asked = [topic(vec![(0, None), (1, unknown)]), topic(vec![(2, None)])];
        let first_error = settle(&mut asked, vec![ErrorCode::None, ErrorCode::IllegalGeneration]);
        assert_eq!(first_error, ErrorCode::UnknownTopicOrPartition);
        let codes: Vec<_> =
            asked.iter().flat_map(|topic| &topic.partitions).map(|(_, code)| *code).collect();
        assert_eq!(codes, [Some(ErrorCode::None), unknown, Some(ErrorCode::IllegalGeneration)]);
        assert_eq!(commit_code(ErrorCode::GroupIdNotFound, 8), ErrorCode::IllegalGeneration);
        assert_eq!(commit_code(ErrorCode::GroupIdNotFound, 9), ErrorCode::GroupIdNotFound);
    }
}
