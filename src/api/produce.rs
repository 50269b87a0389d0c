//! Produce: validate each batch, append it in order, answer when it is as durable as promised.

use bytes::Bytes;

use crate::api::encode::Responder;
use crate::api::metadata::is_internal;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::api::timing::Stage;
use crate::model::limits::RECORD_FAULTS_LISTED_MAX;
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId, Offset, PartitionIndex, TopicId};
use crate::protocol::produce_request::{PartitionProduceData, ProduceRequest};
use crate::protocol::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use crate::record::{Compression, InvalidBatch, ProduceRules, StoredAs, recompress, validate};
use crate::runtime::Runtime;
use crate::shard::{AppendFailure, Appended, Appends, AppendsDone, SentAppends};

/// The first version that names topics by id.
const VERSION_TOPIC_IDS: i16 = 13;
/// The first version that may carry zstd.
const VERSION_ZSTD: i16 = 7;

/// The largest batch that is compressed between two turns of its shard; larger ones, and those that have to be
/// decompressed first, go to a thread of their own.
const COMPRESSED_IN_TURN_BYTES_MAX: usize = 8 * KIB;

/// What Kafka's own administration tools call themselves: they may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// One partition of the request, for the answer.
struct Asked {
    index: i32,
    faults: Vec<(i32, Option<String>)>,
}

/// One topic of the request, for the answer.
struct AskedTopic {
    name: String,
    id: TopicId,
    partitions: Vec<Asked>,
}

/// Serves a Produce request; the batches are in their logs, or on their way there, on return.
pub async fn produce(context: &RequestContext, request: ProduceRequest<'_>) -> Reply {
    let began = context.shard().runtime().turn_began();
    let acks = request.acks;
    let whole = refused_as_a_whole(&request);
    let may_write_internal = context.client_id() == Some(ADMIN_CLIENT_ID);
    let mut appends = Appends::new(context.shard(), acks);
    let mut asked = Vec::with_capacity(request.topic_data.len());
    let mut faults_left = RECORD_FAULTS_LISTED_MAX;
    for topic in &request.topic_data {
        let found = context.topic(&topic.name, topic.topic_id, VERSION_TOPIC_IDS);
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for data in &topic.partition_data {
            let mut one = Asked { index: data.index, faults: Vec::new() };
            // As Kafka: what is not there is said first.
            match found.and_then(|id| whole.map_or(Ok(id), Err)) {
                Ok(id) if !may_write_internal && is_internal_topic(context, id) => {
                    appends.refuse(internal_refusal(context, id));
                }
                Ok(id) => append(context, &mut appends, id, data, &mut one, &mut faults_left).await,
                Err(code) => appends.refuse(code.into()),
            }
            partitions.push(one);
        }
        asked.push(AskedTopic { name: topic.name.to_string(), id: topic.topic_id, partitions });
    }
    let sent = appends.send();
    let responder = context.responder();
    // Memory, or the turn of the partition, was waited for.
    let queued = context.shard().runtime().turn_began().saturating_since(began);
    responder.spend(Stage::Queue, queued);
    if acks == 0 {
        return Reply::later(unanswered(sent));
    }
    Reply::later(answer(responder, asked, sent))
}

fn is_internal_topic(context: &RequestContext, id: TopicId) -> bool {
    context.shard().image().topic(id).is_some_and(|topic| is_internal(topic.name()))
}

fn internal_refusal(context: &RequestContext, id: TopicId) -> AppendFailure {
    let image = context.shard().image();
    let name = image.topic(id).map_or("", |topic| topic.name());
    let message = Some(format!("Cannot append to internal topic {name}"));
    AppendFailure { message, ..ErrorCode::InvalidTopicException.into() }
}

fn refused_as_a_whole(request: &ProduceRequest<'_>) -> Option<ErrorCode> {
    if request.transactional_id.is_some() {
        // Transactions do not exist yet, so nothing is accepted that could not be undone.
        return Some(ErrorCode::InvalidRequest);
    }
    (!matches!(request.acks, -1..=1)).then_some(ErrorCode::InvalidRequiredAcks)
}

/// Validates one batch and hands it to its partition.
async fn append(
    context: &RequestContext,
    appends: &mut Appends,
    topic: TopicId,
    data: &PartitionProduceData<'_>,
    asked: &mut Asked,
    faults_left: &mut usize,
) {
    let shard = context.shard();
    let log = LogId { topic, partition: PartitionIndex(data.index) };
    if shard.image().partition(&log).is_none() {
        return appends.refuse(ErrorCode::UnknownTopicOrPartition.into());
    }
    let config = shard.topic_config(topic);
    let rules = ProduceRules {
        zstd_permitted: context.version() >= VERSION_ZSTD,
        ..ProduceRules::of_topic(&config, shard.runtime().wall_clock_ms())
    };
    let batch = data.records.bytes();
    let accepted = match validate(batch, &rules) {
        Ok(accepted) => accepted,
        Err(invalid) => return appends.refuse(refusal(&invalid, asked, faults_left)),
    };
    context.session().asks(shard.owner(log));
    let codec = accepted.header.compression;
    if let Some(stored) = StoredAs::of_topic(&config).filter(|stored| stored.codec != codec) {
        // On its own: room for it would be in every connection's future.
        let recompressed = Box::pin(recompressed(shard.runtime(), batch, codec, rules, stored));
        return match recompressed.await {
            Ok(batch) => appends.add(log, &batch, || batch.clone()).await,
            Err(invalid) => appends.refuse(refusal(&invalid, asked, faults_left)),
        };
    }
    if accepted.max_timestamp == accepted.header.max_timestamp {
        return appends.add(log, batch, || Bytes::copy_from_slice(batch)).await;
    }
    let mut corrected = batch.to_vec();
    crate::record::batch::set_max_timestamp(&mut corrected, accepted.max_timestamp);
    let corrected = Bytes::from(corrected);
    appends.add(log, &corrected, || corrected.clone()).await;
}

/// The batch in the codec of its topic.
async fn recompressed(
    runtime: &Runtime,
    batch: &[u8],
    codec: Compression,
    rules: ProduceRules,
    stored: StoredAs,
) -> Result<Bytes, InvalidBatch> {
    let is_quick = codec == Compression::None && batch.len() <= COMPRESSED_IN_TURN_BYTES_MAX;
    let batch = if is_quick {
        recompress(batch, &rules, stored)
    } else {
        let batch = batch.to_vec();
        runtime.blocking(move || recompress(&batch, &rules, stored)).await
    };
    batch.map(Bytes::from)
}

/// Kafka's error for a refused batch, and the records that it names (KIP-467).
fn refusal(invalid: &InvalidBatch, asked: &mut Asked, faults_left: &mut usize) -> AppendFailure {
    let code = match invalid {
        InvalidBatch::Magic(_) => ErrorCode::InvalidRecord,
        InvalidBatch::Corrupt(_) | InvalidBatch::Crc { .. } => ErrorCode::CorruptMessage,
        InvalidBatch::TooLarge { .. } => ErrorCode::MessageTooLarge,
        InvalidBatch::Codec(_) => ErrorCode::UnsupportedCompressionType,
        InvalidBatch::Timestamps(_) => ErrorCode::InvalidTimestamp,
        InvalidBatch::Missing
        | InvalidBatch::MoreThanOne
        | InvalidBatch::Header(_)
        | InvalidBatch::Malformed { .. }
        | InvalidBatch::Compressed(_)
        | InvalidBatch::Records { .. } => ErrorCode::InvalidRecord,
    };
    if let InvalidBatch::Records { faults: list, .. } | InvalidBatch::Timestamps(list) = invalid {
        let listed = &list[..list.len().min(*faults_left)];
        *faults_left -= listed.len();
        asked.faults = listed.iter().map(|fault| (fault.index, fault.message.clone())).collect();
    }
    AppendFailure { message: Some(invalid.to_string()), ..code.into() }
}

/// With acks=0 there is no response; after an error the connection is closed, as Kafka does, so
/// that the producer learns of it.
async fn unanswered(sent: SentAppends) -> Outcome {
    if sent.wait().await.iter().any(Result::is_err) {
        return Outcome::Close("a batch that was sent with acks=0 was refused");
    }
    Outcome::Silent
}

async fn answer(responder: Responder, asked: Vec<AskedTopic>, sent: SentAppends) -> Outcome {
    let AppendsDone { results, took, hop } = sent.wait_timed().await;
    responder.spend(Stage::Hop, hop);
    responder.spend(Stage::Journal, took.saturating_sub(hop));
    let mut results = results.into_iter();
    let mut first_error = ErrorCode::None;
    let responses = asked
        .iter()
        .map(|topic| {
            let partition_responses = topic
                .partitions
                .iter()
                .map(|asked| {
                    let result =
                        results.next().unwrap_or(Err(ErrorCode::UnknownServerError.into()));
                    if let (Err(failure), ErrorCode::None) = (&result, first_error) {
                        first_error = failure.code;
                    }
                    partition_response(asked, result)
                })
                .collect();
            TopicProduceResponse {
                name: topic.name.as_str().into(),
                topic_id: topic.id,
                partition_responses,
                ..TopicProduceResponse::default()
            }
        })
        .collect();
    let response = ProduceResponse { responses, ..ProduceResponse::default() };
    responder.answer(first_error, |writer, version| response.encode(writer, version))
}

fn partition_response(
    asked: &Asked,
    result: Result<Appended, AppendFailure>,
) -> PartitionProduceResponse<'_> {
    match result {
        Ok(appended) => PartitionProduceResponse {
            index: asked.index,
            base_offset: appended.base_offset.0,
            log_append_time_ms: appended.log_append_time.unwrap_or(-1),
            log_start_offset: appended.log_start.0,
            ..PartitionProduceResponse::default()
        },
        Err(failure) => PartitionProduceResponse {
            index: asked.index,
            error_code: failure.code.code(),
            base_offset: Offset(-1).0,
            log_append_time_ms: -1,
            log_start_offset: failure.log_start.0,
            record_errors: asked
                .faults
                .iter()
                .map(|(index, message)| BatchIndexAndErrorMessage {
                    batch_index: *index,
                    batch_index_error_message: message.as_deref().map(Into::into),
                    ..BatchIndexAndErrorMessage::default()
                })
                .collect(),
            error_message: failure.message.map(Into::into),
            ..PartitionProduceResponse::default()
        },
    }
}
