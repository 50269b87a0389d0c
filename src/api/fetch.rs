//! Fetch: sessions, limits and long polls over the partitions' own shards.
//!
//! The records are never in this shard's hands as bytes: they leave as leases on chunks or as
//! ranges of segment files. A fetch starts when every earlier response of its connection has left,
//! so that a client cannot pin more memory than it reads.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::encode::Responder;
use crate::api::reply::{Answer, Outcome, Part, Reply};
use crate::api::request::RequestContext;
use crate::api::timing::Stage;
use crate::model::topic_config::CompressionType;
use crate::model::{ErrorCode, LeaderEpoch, LogId, Offset, PartitionIndex, ShardId, TopicId};
use crate::protocol::fetch_request::FetchRequest;
use crate::protocol::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use crate::protocol::types::Records;
use crate::shard::fetch_session::{
    Context, FetchSessions, PartitionKey, Said, SessionRequest, TopicRef, Wanted, WantedPlace,
};
use crate::shard::{AnswerHold, FetchPart, FetchTerms, Fetches, Routed, RoutedResult, Shard, Told};
use crate::storage::ReadPart;

/// The first version that knows KAFKA_STORAGE_ERROR.
const VERSION_STORAGE_ERROR: i16 = 6;
/// The first version that may carry zstd.
const VERSION_ZSTD: i16 = 10;
/// The first version that names topics by id.
const VERSION_TOPIC_IDS: i16 = 13;
/// `isolation.level=read_committed`, on the wire.
const ISOLATION_READ_COMMITTED: i8 = 1;

/// The fetch sessions of a shard, shared by its connections.
pub type SharedSessions = Rc<RefCell<FetchSessions>>;

/// A request's bounds and everything else that outlives its frame.
struct Fetching {
    responder: Responder,
    sessions: SharedSessions,
    context: Context,
    terms: FetchTerms,
    read_committed: bool,
}

/// Serves a Fetch request.
pub fn fetch(
    context: &RequestContext,
    sessions: &SharedSessions,
    request: &FetchRequest<'_>,
) -> Reply {
    let responder = context.responder();
    let shard = context.shard();
    if request.replica_id >= 0 || request.replica_state.replica_id >= 0 {
        return Reply::Done(refuse_replica(&responder, request));
    }
    let by_id = context.version() >= VERSION_TOPIC_IDS;
    let session = SessionRequest {
        id: request.session_id,
        epoch: request.session_epoch,
        by_id,
        wanted: wanted(request, by_id),
        forgotten: forgotten(request, by_id),
    };
    let fresh_id = shard.runtime().random() as u32;
    let begun = sessions.borrow_mut().begin(session, shard.runtime().now(), fresh_id);
    let begun = match begun {
        Ok(begun) => begun,
        Err(code) => return Reply::Done(refuse(&responder, code)),
    };
    let bound = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let bytes_max = bound(request.max_bytes).min(shard.settings().fetch_bytes_max);
    let terms = FetchTerms {
        bytes_max,
        bytes_min: bound(request.min_bytes).min(bytes_max),
        wait_max: Duration::from_millis(bound(request.max_wait_ms) as u64),
    };
    if shard.settings().connections_move_to_owner {
        sessions.borrow().each_wanted(&begun, |_, wanted| {
            if let Ok((_, owner)) = resolve(shard, &wanted.key) {
                context.session().asks(owner);
            }
        });
    }
    context.session().fetches_by(begun.session_id());
    let read_committed = request.isolation_level == ISOLATION_READ_COMMITTED;
    let sessions = sessions.clone();
    Reply::in_turn(answer(Fetching { responder, sessions, context: begun, terms, read_committed }))
}

fn topic_ref(name: &str, id: TopicId, by_id: bool) -> TopicRef {
    if by_id { TopicRef::Id(id) } else { TopicRef::Name(name.into()) }
}

fn wanted(request: &FetchRequest<'_>, by_id: bool) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let topic_ref = topic_ref(&topic.topic, topic.topic_id, by_id);
        wanted.extend(topic.partitions.iter().map(|partition| Wanted {
            key: PartitionKey { topic: topic_ref.clone(), partition: partition.partition },
            offset: Offset(partition.fetch_offset),
            bytes_max: partition.partition_max_bytes,
            leader_epoch: partition.current_leader_epoch,
            last_fetched_epoch: partition.last_fetched_epoch,
            told: Told::NOTHING,
        }));
    }
    wanted
}

fn forgotten(request: &FetchRequest<'_>, by_id: bool) -> Vec<PartitionKey> {
    let topics = request.forgotten_topics_data.iter();
    topics
        .flat_map(|topic| {
            let topic_ref = topic_ref(&topic.topic, topic.topic_id, by_id);
            topic
                .partitions
                .iter()
                .map(move |&partition| PartitionKey { topic: topic_ref.clone(), partition })
        })
        .collect()
}

fn refuse(responder: &Responder, code: ErrorCode) -> Outcome {
    let response = FetchResponse { error_code: code.code(), ..FetchResponse::default() };
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// No client may fetch as a replica: it would move the high watermark (CVE-2018-1288).
fn refuse_replica(responder: &Responder, request: &FetchRequest<'_>) -> Outcome {
    let code = ErrorCode::TopicAuthorizationFailed;
    let responses = request
        .topics
        .iter()
        .map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| failed(partition.partition, code))
                .collect(),
            ..FetchableTopicResponse::default()
        })
        .collect();
    let response = FetchResponse { responses, ..FetchResponse::default() };
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// The log that a partition's key means at this moment, and who owns it.
fn resolve(shard: &Shard, key: &PartitionKey) -> Result<(LogId, ShardId), ErrorCode> {
    let image = shard.image();
    let topic = match &key.topic {
        TopicRef::Id(id) if image.topic(*id).is_none() => return Err(ErrorCode::UnknownTopicId),
        TopicRef::Id(id) => *id,
        TopicRef::Name(name) => image.topic_id(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
    };
    let log = LogId { topic, partition: PartitionIndex(key.partition) };
    match image.partition(&log) {
        Some(partition) => Ok((log, shard.placed(log, partition.shard))),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    }
}

/// Clients that do not know zstd get nothing of a topic that names it; what producers have chosen themselves
/// is not looked at.
fn understands_topic(responder: &Responder, topic: TopicId) -> bool {
    responder.version >= VERSION_ZSTD
        || responder.shard.topic_config(topic).compression_type != CompressionType::Zstd
}

/// An old client would take a code that it does not know for an error for ever, this one for a reason to ask again.
fn in_version(code: ErrorCode, version: i16) -> ErrorCode {
    if code == ErrorCode::KafkaStorageError && version < VERSION_STORAGE_ERROR {
        return ErrorCode::NotLeaderOrFollower;
    }
    code
}

fn part(log: LogId, wanted: &Wanted) -> FetchPart {
    let epoch = |epoch: i32| (epoch >= 0).then_some(LeaderEpoch(epoch));
    FetchPart {
        log,
        offset: wanted.offset,
        bytes_max: usize::try_from(wanted.bytes_max).unwrap_or(0),
        leader_epoch: epoch(wanted.leader_epoch),
        last_fetched_epoch: epoch(wanted.last_fetched_epoch),
        told: wanted.told,
    }
}

async fn answer(fetching: Fetching) -> Outcome {
    let Fetching { responder, sessions, context, mut terms, read_committed } = fetching;
    let shard = responder.shard.clone();
    // It began when all earlier responses had left.
    let queued = shard.runtime().turn_began().saturating_since(responder.arrived);
    responder.spend(Stage::Queue, queued.saturating_sub(responder.spent.get().sum()));
    let mut results: Vec<(WantedPlace, RoutedResult)> = Vec::new();
    let mut fetches = Fetches::new(&shard);
    let mut asked = Vec::new();
    sessions.borrow().each_wanted(&context, |place, wanted| match resolve(&shard, &wanted.key) {
        Ok((log, _)) if !understands_topic(&responder, log.topic) => {
            results.push((place, Err(ErrorCode::UnsupportedCompressionType)));
        }
        Ok((log, owner)) => {
            asked.push(place);
            fetches.add(owner, part(log, wanted));
        }
        Err(code) => results.push((place, Err(code))),
    });
    if asked.is_empty() {
        // As in Kafka, partitions that are not there do not end the wait for the others.
        terms.wait_max = Duration::ZERO;
    }
    let (found, time) = fetches.news(terms).await;
    responder.spend(Stage::Hop, time.hop);
    responder.spend(Stage::Poll, time.polled);
    responder.spend(Stage::Read, time.reading);
    results.extend(found.into_iter().map(|(part, result)| (asked[part], result)));
    results.sort_unstable_by_key(|(place, _)| *place);
    let (mut externals, mut holds) = (Vec::new(), Vec::new());
    let mut first_error = ErrorCode::None;
    let mut answered: Vec<(TopicRef, Vec<PartitionData<'static>>)> = Vec::new();
    for (place, result) in results {
        // What the client has left meanwhile is not said.
        let Some(key) = sessions.borrow().key_at(&context, place) else { continue };
        if let (Err(code), ErrorCode::None) = (&result, first_error) {
            first_error = *code;
        }
        if !sessions.borrow_mut().must_say(&context, &key, said(&result)) {
            continue;
        }
        let data = match result {
            Ok(routed) => PartitionData {
                aborted_transactions: read_committed.then(Vec::new),
                ..fetched(key.partition, routed, &mut externals, &mut holds)
            },
            Err(code) => failed(key.partition, in_version(code, responder.version)),
        };
        match answered.last_mut() {
            Some((topic, partitions)) if *topic == key.topic => partitions.push(data),
            _ => answered.push((key.topic, vec![data])),
        }
    }
    let response = FetchResponse {
        session_id: context.session_id(),
        responses: answered.iter().map(topic_response).collect(),
        ..FetchResponse::default()
    };
    let outcome = responder
        .answer_with(first_error, externals, |writer, version| response.encode(writer, version));
    match outcome {
        Outcome::Answer(answer) => Outcome::Answer(Answer { holds, ..answer }),
        other => other,
    }
}

fn topic_response<'a>(
    (topic, partitions): &'a (TopicRef, Vec<PartitionData<'static>>),
) -> FetchableTopicResponse<'a> {
    let (name, topic_id) = match topic {
        TopicRef::Name(name) => (&**name, TopicId::ZERO),
        TopicRef::Id(id) => ("", *id),
    };
    FetchableTopicResponse {
        topic: name.into(),
        topic_id,
        partitions: partitions.clone(),
        ..FetchableTopicResponse::default()
    }
}

fn said(result: &RoutedResult) -> Said {
    match result {
        Ok(routed) => Said::Found(routed.place, routed.len),
        Err(_) => Said::Failure,
    }
}

/// A partition that was read. Without transactions the last stable offset is the high watermark,
/// and nothing is aborted.
fn fetched(
    partition_index: i32,
    routed: Routed,
    externals: &mut Vec<Vec<Part>>,
    holds: &mut Vec<AnswerHold>,
) -> PartitionData<'static> {
    let Routed { place, parts, len, hold } = routed;
    let records = if len == 0 {
        Records::Bytes(&[])
    } else {
        holds.push(hold);
        externals.push(parts.into_iter().map(into_part).collect());
        Records::External { id: (externals.len() - 1) as u32, len: len as u32 }
    };
    let diverging_epoch =
        place.diverging.map_or_else(EpochEndOffset::default, |diverging| EpochEndOffset {
            epoch: diverging.epoch.0,
            end_offset: diverging.end.0,
            ..EpochEndOffset::default()
        });
    PartitionData {
        partition_index,
        high_watermark: place.high_watermark.0,
        last_stable_offset: place.high_watermark.0,
        log_start_offset: place.log_start.0,
        diverging_epoch,
        records,
        ..PartitionData::default()
    }
}

fn into_part(part: ReadPart) -> Part {
    match part {
        ReadPart::Piece(piece) => Part::Piece(piece),
        ReadPart::File(range) => {
            Part::File { file: range.file, offset: range.offset, len: range.bytes as usize }
        }
    }
}

fn failed(partition_index: i32, code: ErrorCode) -> PartitionData<'static> {
    PartitionData {
        partition_index,
        error_code: code.code(),
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted_transactions: None,
        records: Records::Bytes(&[]),
        ..PartitionData::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_knows_it_hears_of_a_failed_disk() {
        let known = ErrorCode::KafkaStorageError;
        for (code, version, expected) in [
            (known, 4, ErrorCode::NotLeaderOrFollower),
            (known, 5, ErrorCode::NotLeaderOrFollower),
            (known, 6, known),
            (known, 18, known),
            (ErrorCode::OffsetOutOfRange, 4, ErrorCode::OffsetOutOfRange),
        ] {
            assert_eq!(in_version(code, version), expected, "{code} in version {version}");
        }
    }
}
