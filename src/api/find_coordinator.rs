//! FindCoordinator: which broker coordinates a group, creating the groups' topic at the first one.

use crate::api::encode::{Responder, first_error};
use crate::api::metadata::View;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::partition::partition_of;
use crate::metadata::commands::{self, Command, CreateTopics, NewTopic};
use crate::model::{BrokerId, ErrorCode};
use crate::protocol::find_coordinator_request::FindCoordinatorRequest;
use crate::protocol::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use crate::shard::{AdvertisedListener, Shard};

/// The first version that asks for many keys.
const VERSION_MANY_KEYS: i16 = 4;

/// What a key names (Kafka's `CoordinatorType`).
const KEY_GROUP: i8 = 0;
const KEY_TRANSACTION: i8 = 1;

/// The most replicas that an internal topic gets where nobody says how many.
const REPLICATION_FACTOR_UNSET_MAX: usize = 3;

/// Where a coordinator is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    id: BrokerId,
    host: String,
    port: u16,
}

/// Serves a FindCoordinator request.
pub fn find_coordinator(context: &RequestContext, request: &FindCoordinatorRequest<'_>) -> Reply {
    let keys: Vec<String> = if context.version() >= VERSION_MANY_KEYS {
        request.coordinator_keys.iter().map(|key| key.to_string()).collect()
    } else {
        vec![request.key.to_string()]
    };
    let (responder, listener) = (context.responder(), context.listener().clone());
    if let Some(code) = refusal(request.key_type) {
        let found = keys.into_iter().map(|key| (key, Err(code))).collect();
        return Reply::Done(answer(&responder, found));
    }
    if has_topic(context.shard()) || keys.is_empty() {
        return Reply::Done(answer_places(&responder, &listener, keys));
    }
    let created = create_topic(context.shard());
    Reply::later(async move {
        created.await;
        answer_places(&responder, &listener, keys)
    })
}

/// Why no key of the type has a coordinator.
fn refusal(key_type: i8) -> Option<ErrorCode> {
    match key_type {
        KEY_GROUP => None,
        // As Kafka, while it cannot create the topic that its transactions need.
        KEY_TRANSACTION => Some(ErrorCode::CoordinatorNotAvailable),
        // Share groups' (2), as Kafka without them, and what nobody knows.
        _ => Some(ErrorCode::InvalidRequest),
    }
}

fn has_topic(shard: &Shard) -> bool {
    shard.image().topic_id(OFFSETS_TOPIC).is_some()
}

/// Asks the controller for the groups' topic; another request may do so at the same time.
pub(super) fn create_topic(shard: &Shard) -> impl Future<Output = ()> + 'static {
    let terms = shard.settings().groups.offsets_topic;
    let brokers = shard.image().brokers().len().min(REPLICATION_FACTOR_UNSET_MAX);
    let topic = NewTopic {
        partition_count: terms.partition_count,
        replication_factor: terms.replication_factor.unwrap_or(brokers as i16),
        configs: [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", terms.segment_bytes.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), Some(value)))
        .to_vec(),
        ..NewTopic::named(OFFSETS_TOPIC)
    };
    let command = CreateTopics { topics: vec![topic], validate_only: false };
    let decided = shard.command(Command::CreateTopics(command));
    async move {
        let Ok(commands::Reply::CreateTopics(results)) = decided.await else { return };
        for result in results.into_iter().filter_map(|one| one.result.err()) {
            if result.code != ErrorCode::TopicAlreadyExists {
                tracing::warn!(error = %result, "{OFFSETS_TOPIC} cannot be created, so no group can be coordinated: check offsets.topic.* in the configuration");
            }
        }
    }
}

fn answer_places(
    responder: &Responder,
    listener: &AdvertisedListener,
    keys: Vec<String>,
) -> Outcome {
    let nodes = nodes(&responder.shard, listener);
    let found = keys.into_iter().map(|key| {
        // Without the topic there is no partition and so no node.
        let partition = partition_of(&key, nodes.len().max(1) as i32);
        let node = nodes.get(partition.0 as usize).and_then(Option::as_ref);
        (key, node.ok_or(ErrorCode::CoordinatorNotAvailable))
    });
    answer(responder, found.collect())
}

/// The brokers that lead the partitions of the groups' topic, as the client's listener sees them.
fn nodes(shard: &Shard, listener: &AdvertisedListener) -> Vec<Option<Node>> {
    let image = shard.image();
    let Some((_, topic)) = image.topic_named(OFFSETS_TOPIC) else { return Vec::new() };
    let view = View::through(shard, &image, listener);
    let partitions = topic.partitions().iter();
    partitions
        .map(|partition| {
            let endpoint = view.endpoint(partition.leader)?;
            Some(Node { id: endpoint.id, host: endpoint.host.to_owned(), port: endpoint.port })
        })
        .collect()
}

fn answer(responder: &Responder, found: Vec<(String, Result<&Node, ErrorCode>)>) -> Outcome {
    let error = first_error(found.iter().filter_map(|(_, place)| place.as_ref().err().copied()));
    let response = response(found, responder.version);
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn response(
    found: Vec<(String, Result<&Node, ErrorCode>)>,
    version: i16,
) -> FindCoordinatorResponse<'_> {
    let mut coordinators = found.into_iter().map(|(key, place)| {
        let code = place.err().unwrap_or(ErrorCode::None);
        // "no node" in Kafka.
        let (id, host, port) =
            place.map_or((-1, "", -1), |node| (node.id.0, &*node.host, i32::from(node.port)));
        Coordinator {
            key: key.into(),
            node_id: id,
            host: host.into(),
            port,
            error_code: code.code(),
            error_message: Some(if code.is_none() { "" } else { code.message() }.into()),
            ..Coordinator::default()
        }
    });
    if version >= VERSION_MANY_KEYS {
        let coordinators = coordinators.collect();
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let Some(one) = coordinators.next() else { return FindCoordinatorResponse::default() };
    let message = if one.error_code == 0 { Some("NONE".into()) } else { one.error_message };
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..FindCoordinatorResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_have_a_coordinator() {
        for (key_type, expected) in [
            (KEY_GROUP, None),
            (KEY_TRANSACTION, Some(ErrorCode::CoordinatorNotAvailable)),
            (2, Some(ErrorCode::InvalidRequest)),
            (9, Some(ErrorCode::InvalidRequest)),
        ] {
            assert_eq!(refusal(key_type), expected, "type {key_type}");
        }
    }

    #[test]
    fn old_versions_say_it_beside_many_keys() {
        let node = &Node { id: BrokerId(7), host: "h".into(), port: 9092 };
        let old = response(vec![("g".into(), Ok(node))], 3);
        assert_eq!((old.node_id, &*old.host, old.port, old.error_code), (7, "h", 9092, 0));
        assert_eq!((old.error_message.as_deref(), old.coordinators.len()), (Some("NONE"), 0));
        let lost = response(vec![("g".into(), Err(ErrorCode::CoordinatorNotAvailable))], 0);
        assert_eq!((lost.node_id, &*lost.host, lost.port, lost.error_code), (-1, "", -1, 15));
        let places = vec![("g".into(), Ok(node)), ("h".into(), Err(ErrorCode::InvalidRequest))];
        let new = response(places, 4);
        let told: Vec<_> = new
            .coordinators
            .iter()
            .map(|one| (&*one.key, one.node_id, one.port, one.error_code))
            .collect();
        assert_eq!(told, [("g", 7, 9092, 0), ("h", -1, -1, 42)]);
    }
}
