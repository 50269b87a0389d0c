//! OffsetFetch: the offsets that groups have committed.

use std::rc::Rc;

use crate::api::ask_each::ask_each;
use crate::api::encode::{Responder, first_error};
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::coordinator::message::{
    Answer, FetchOffsets, FetchTopic, FetchedOffset, FetchedTopic, Request,
};
use crate::metadata::Image;
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::protocol::offset_fetch_request::OffsetFetchRequest;
use crate::protocol::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::shard::{GroupAnswer, Shard, coordinate};

/// The first version whose response has an error of its own.
const VERSION_GROUP_ERROR: i16 = 2;
/// The first version that asks for many groups.
const VERSION_MANY_GROUPS: i16 = 8;
/// The first version that names topics by id.
const VERSION_BY_ID: i16 = 10;

/// One group that is asked for.
struct AskedGroup {
    id: String,
    /// `None` asks for everything that the group has committed.
    topics: Option<Vec<AskedTopic>>,
}

/// One topic that is asked for.
struct AskedTopic {
    name: String,
    id: TopicId,
    partitions: Vec<i32>,
}

/// One group of an answer.
struct ToldGroup {
    id: String,
    code: ErrorCode,
    topics: Vec<FetchedTopic>,
}

/// Serves an OffsetFetch request.
pub fn offset_fetch(context: &RequestContext, request: &OffsetFetchRequest<'_>) -> Reply {
    let (version, require_stable) = (context.version(), request.require_stable);
    let responder = context.responder();
    let shard = responder.shard.clone();
    let fetched = ask_each(&responder.shard.clone(), asked(request, version), move |group| {
        let (topics, strange) = wanted(&shard.image(), &group, version);
        let fetch = FetchOffsets { group: group.id.clone(), topics, require_stable };
        let answered = coordinate(&shard, &group.id, Request::FetchOffsets(fetch));
        told(shard.clone(), group, strange, answered, version)
    });
    Reply::later(async move {
        let groups = fetched.await;
        answer(&responder, groups)
    })
}

fn asked(request: &OffsetFetchRequest<'_>, version: i16) -> Vec<AskedGroup> {
    if version < VERSION_MANY_GROUPS {
        let topics = request.topics.as_ref().map(|topics| {
            let topic = |topic: &crate::protocol::offset_fetch_request::OffsetFetchRequestTopic<
                '_,
            >| AskedTopic {
                name: topic.name.to_string(),
                id: TopicId::ZERO,
                partitions: topic.partition_indexes.clone(),
            };
            topics.iter().map(topic).collect()
        });
        return vec![AskedGroup { id: request.group_id.to_string(), topics }];
    }
    let groups = request.groups.iter();
    groups
        .map(|group| AskedGroup {
            id: group.group_id.to_string(),
            topics: group.topics.as_ref().map(|topics| {
                let topics = topics.iter();
                topics
                    .map(|topic| AskedTopic {
                        name: topic.name.to_string(),
                        id: topic.topic_id,
                        partitions: topic.partition_indexes.clone(),
                    })
                    .collect()
            }),
        })
        .collect()
}

/// What the coordinator is asked for, and the topics whose id nobody knows.
fn wanted(
    image: &Image,
    group: &AskedGroup,
    version: i16,
) -> (Option<Vec<FetchTopic>>, Vec<FetchedTopic>) {
    let Some(topics) = &group.topics else { return (None, Vec::new()) };
    let mut wanted = Vec::with_capacity(topics.len());
    let mut strange = Vec::new();
    for topic in topics {
        let (name, topic_id) = if version >= VERSION_BY_ID {
            match image.topic(topic.id) {
                Some(found) => (found.name().to_owned(), topic.id),
                None => {
                    strange.push(failed(topic, ErrorCode::UnknownTopicId));
                    continue;
                }
            }
        } else {
            (topic.name.clone(), image.topic_id(&topic.name).unwrap_or(TopicId::ZERO))
        };
        let partitions = topic.partitions.iter().copied().map(PartitionIndex).collect();
        wanted.push(FetchTopic { topic: name, topic_id, partitions });
    }
    (Some(wanted), strange)
}

fn failed(topic: &AskedTopic, code: ErrorCode) -> FetchedTopic {
    let offsets = topic.partitions.iter().map(|&index| FetchedOffset {
        partition: PartitionIndex(index),
        offset: Offset(-1),
        leader_epoch: LeaderEpoch(-1),
        metadata: String::new(),
        code,
    });
    FetchedTopic { topic: topic.name.clone(), topic_id: topic.id, offsets: offsets.collect() }
}

async fn told(
    shard: Rc<Shard>,
    group: AskedGroup,
    strange: Vec<FetchedTopic>,
    answered: GroupAnswer,
    version: i16,
) -> ToldGroup {
    let result = match answered.wait().await {
        Answer::FetchOffsets(result) => result,
        _ => Err(ErrorCode::UnknownServerError),
    };
    match result {
        Ok(mut topics) => {
            if group.topics.is_none() {
                drop_those_of_others(&shard.image(), &mut topics, version);
            }
            topics.extend(strange);
            ToldGroup { id: group.id, code: ErrorCode::None, topics }
        }
        Err(code) => {
            // Version 1 has no other place for a group's error than its partitions.
            let topics = match &group.topics {
                Some(topics) if version < VERSION_GROUP_ERROR => {
                    topics.iter().map(|topic| failed(topic, code)).collect()
                }
                _ => Vec::new(),
            };
            ToldGroup { id: group.id, code, topics }
        }
    }
}

/// Takes out what was committed for a topic that is gone: another may have its name, and none has its
/// id.
fn drop_those_of_others(image: &Image, topics: &mut Vec<FetchedTopic>, version: i16) {
    topics.retain_mut(|topic| {
        let Some(id) = image.topic_id(&topic.topic) else { return version < VERSION_BY_ID };
        let is_its = topic.topic_id.is_zero() || topic.topic_id == id;
        topic.topic_id = id;
        is_its
    });
}

fn answer(responder: &Responder, groups: Vec<ToldGroup>) -> Outcome {
    let error = first_error(groups.iter().map(|group| group.code));
    let response = response(groups, responder.version);
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn response(groups: Vec<ToldGroup>, version: i16) -> OffsetFetchResponse<'static> {
    if version >= VERSION_MANY_GROUPS {
        let groups = groups.into_iter().map(told_group).collect();
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let Some(group) = groups.into_iter().next() else { return OffsetFetchResponse::default() };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.topic.into(),
        partitions: topic.offsets.into_iter().map(old_partition).collect(),
        ..OffsetFetchResponseTopic::default()
    });
    let code = if version < VERSION_GROUP_ERROR { ErrorCode::None } else { group.code };
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: code.code(),
        ..OffsetFetchResponse::default()
    }
}

fn told_group(group: ToldGroup) -> OffsetFetchResponseGroup<'static> {
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopics {
        name: topic.topic.into(),
        topic_id: topic.topic_id,
        partitions: topic.offsets.into_iter().map(new_partition).collect(),
        ..OffsetFetchResponseTopics::default()
    });
    OffsetFetchResponseGroup {
        group_id: group.id.into(),
        topics: topics.collect(),
        error_code: group.code.code(),
        ..OffsetFetchResponseGroup::default()
    }
}

fn old_partition(offset: FetchedOffset) -> OffsetFetchResponsePartition<'static> {
    OffsetFetchResponsePartition {
        partition_index: offset.partition.0,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(offset.metadata.into()),
        error_code: offset.code.code(),
        ..OffsetFetchResponsePartition::default()
    }
}

fn new_partition(offset: FetchedOffset) -> OffsetFetchResponsePartitions<'static> {
    OffsetFetchResponsePartitions {
        partition_index: offset.partition.0,
        committed_offset: offset.offset.0,
        committed_leader_epoch: offset.leader_epoch.0,
        metadata: Some(offset.metadata.into()),
        error_code: offset.code.code(),
        ..OffsetFetchResponsePartitions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing;

    fn topic(name: &str, offsets: &[i64]) -> FetchedTopic {
        let offsets = (0..).zip(offsets).map(|(partition, &offset)| FetchedOffset {
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(3),
            metadata: "m".into(),
            code: ErrorCode::None,
        });
        let topic_id = TopicId([1; 16]);
        FetchedTopic { topic: name.into(), topic_id, offsets: offsets.collect() }
    }

    #[test]
    fn a_group_fails_as_its_version_can_say() {
        let code = ErrorCode::CoordinatorLoadInProgress;
        let topic = AskedTopic { name: "t".into(), id: TopicId::ZERO, partitions: vec![4] };
        let old = ToldGroup { id: "g".into(), code, topics: vec![failed(&topic, code)] };
        let old = response(vec![old], 1);
        assert_eq!((old.error_code, old.topics[0].partitions[0].error_code), (0, 14));
        assert_eq!(old.topics[0].partitions[0].committed_offset, -1);
        let failed = || ToldGroup { id: "g".into(), code, topics: Vec::new() };
        assert_eq!(response(vec![failed()], 7).error_code, 14);
        let new = response(vec![failed(), failed()], 8);
        assert_eq!((new.error_code, new.groups.len(), new.groups[1].error_code), (0, 2, 14));
    }

    #[test]
    fn offsets_are_told_topic_by_topic() {
        let topics = vec![topic("a", &[5, 6]), topic("b", &[7])];
        let group = ToldGroup { id: "g".into(), code: ErrorCode::None, topics };
        let told = response(vec![group], 9);
        let topics: Vec<_> = told.groups[0]
            .topics
            .iter()
            .map(|topic| (&*topic.name, topic.partitions.len()))
            .collect();
        assert_eq!(topics, [("a", 2), ("b", 1)]);
        let one = &told.groups[0].topics[0].partitions[1];
        assert_eq!((one.partition_index, one.committed_offset), (1, 6));
        assert_eq!((one.committed_leader_epoch, one.metadata.as_deref()), (3, Some("m")));
    }

    #[test]
    fn offsets_of_a_topic_that_is_gone_are_not_told_as_anothers() {
        let mut image = testing::image_of_brokers(1);
        testing::create(&mut image, &[("t", 2)]);
        let id = image.topic_id("t").expect("just created");
        for (version, name, its, told) in [
            (9, "t", id, 1),
            (9, "t", TopicId::ZERO, 1),
            (9, "t", TopicId([9; 16]), 0),
            (10, "t", id, 1),
            (10, "t", TopicId([9; 16]), 0),
            (9, "u", TopicId([9; 16]), 1),
            (10, "u", TopicId([9; 16]), 0),
        ] {
            let mut topics = vec![FetchedTopic { topic_id: its, ..topic(name, &[5]) }];
            drop_those_of_others(&image, &mut topics, version);
            assert_eq!(topics.len(), told, "{name} of {its} in version {version}");
        }
    }

    #[test]
    fn topics_are_asked_for_by_their_id_now() {
        let mut image = testing::image_of_brokers(1);
        testing::create(&mut image, &[("t", 2)]);
        let id = image.topic_id("t").expect("just created");
        for (version, name, topic, key, strange) in [
            (9, "t", TopicId::ZERO, Some(("t", id)), 0),
            (9, "u", TopicId::ZERO, Some(("u", TopicId::ZERO)), 0),
            (10, "", id, Some(("t", id)), 0),
            (10, "", TopicId([9; 16]), None, 1),
        ] {
            let topic = AskedTopic { name: name.into(), id: topic, partitions: vec![0] };
            let group = AskedGroup { id: "g".into(), topics: Some(vec![topic]) };
            let (keys, unknown) = wanted(&image, &group, version);
            let keys = keys.expect("some are asked for");
            let keys: Vec<_> = keys.iter().map(|key| (&*key.topic, key.topic_id)).collect();
            assert_eq!((keys, unknown.len()), (key.into_iter().collect(), strange), "{version}");
        }
    }
}
