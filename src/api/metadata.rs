//! Metadata: the brokers, the topics and who leads them, as the client's listener sees them.

use rustc_hash::FxHashSet;

use crate::api::encode::first_error;
use crate::api::find_coordinator;
use crate::api::reply::Reply;
use crate::api::request::RequestContext;
use crate::coordinator::OFFSETS_TOPIC;
use crate::metadata::commands::{Command, check_topic_name};
use crate::metadata::{Broker, Image, Partition, Topic};
use crate::model::{BrokerId, ErrorCode, TopicId};
use crate::protocol::metadata_request::MetadataRequest;
use crate::protocol::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::shard::{AdvertisedListener, Shard};

/// The first version that may ask for topics by id.
const VERSION_ASK_BY_ID: i16 = 12;
/// The first version that tells a missing listener from a missing leader.
const VERSION_LISTENER_NOT_FOUND: i16 = 6;

/// Kafka's topics for its own state (`Topic.INTERNAL_TOPICS`).
const INTERNAL_TOPICS: [&str; 3] = [OFFSETS_TOPIC, "__transaction_state", "__share_group_state"];

/// Authorized operations when nobody asked for them.
pub const OPERATIONS_NOT_ASKED: i32 = i32::MIN;
/// What anybody may do with a topic of a cluster without an authorizer: Kafka's
/// `AclEntry.supportedOperations`, one bit for each `AclOperation`, read to describe configs.
pub const TOPIC_OPERATIONS: i32 =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// The same for the cluster.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// True for a topic that clients should not write to.
pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// The error for a topic that does not exist.
pub fn unknown_topic(name: &str) -> ErrorCode {
    match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    }
}

/// The cluster as a client sees it that came by one listener.
#[derive(Clone, Copy)]
pub struct View<'a> {
    image: &'a Image,
    node_id: BrokerId,
    listener: &'a AdvertisedListener,
}

/// Where a client reaches a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The broker.
    pub id: BrokerId,
    /// Its host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Its rack.
    pub rack: Option<&'a str>,
}

impl<'a> View<'a> {
    /// The view of the client of `context`; `image` is its shard's.
    pub fn new(context: &'a RequestContext, image: &'a Image) -> View<'a> {
        let node_id = context.shard().settings().node_id;
        View { image, node_id, listener: context.listener() }
    }

    /// The view of a client that came by `listener`; `image` is that of `shard`.
    pub fn through(shard: &Shard, image: &'a Image, listener: &'a AdvertisedListener) -> View<'a> {
        View { image, node_id: shard.settings().node_id, listener }
    }

    /// Every broker that can be reached.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint<'a>> {
        let view = *self;
        self.image.brokers().filter_map(move |broker| view.endpoint_of(broker))
    }

    /// The leader of a partition, -1 where it cannot be reached.
    pub fn leader(&self, partition: &Partition) -> i32 {
        if self.endpoint(partition.leader).is_some() { partition.leader.0 } else { -1 }
    }

    /// Those of `brokers` that cannot be reached.
    pub fn offline(&self, brokers: &[BrokerId]) -> Vec<i32> {
        let offline = brokers.iter().filter(|id| self.endpoint(**id).is_none());
        offline.map(|id| id.0).collect()
    }

    /// Where a broker is reached, if it can be.
    pub fn endpoint(&self, id: BrokerId) -> Option<Endpoint<'a>> {
        self.endpoint_of(self.image.broker(id)?)
    }

    fn endpoint_of(&self, broker: &'a Broker) -> Option<Endpoint<'a>> {
        let rack = broker.rack.as_deref();
        if broker.id == self.node_id {
            // What this process was started with: the ports in it are the real ones.
            let AdvertisedListener { host, port, .. } = self.listener;
            return Some(Endpoint { id: broker.id, host, port: *port, rack });
        }
        let listener = broker.listeners.iter().find(|one| *one.name == *self.listener.name)?;
        Some(Endpoint { id: broker.id, host: &listener.host, port: listener.port, rack })
    }

    fn topic(
        &self,
        id: TopicId,
        topic: &'a Topic,
        version: i16,
        operations: i32,
    ) -> MetadataResponseTopic<'a> {
        let partitions = (0..).zip(topic.partitions());
        MetadataResponseTopic {
            name: Some(topic.name().into()),
            topic_id: id,
            is_internal: is_internal(topic.name()),
            partitions: partitions.map(|(at, state)| self.partition(at, state, version)).collect(),
            topic_authorized_operations: operations,
            ..MetadataResponseTopic::default()
        }
    }

    fn partition(
        &self,
        index: i32,
        partition: &Partition,
        version: i16,
    ) -> MetadataResponsePartition<'static> {
        let (replicas, isr) =
            (self.listed(&partition.replicas, version), self.listed(&partition.isr, version));
        let leader = self.leader(partition);
        let code = if leader < 0 {
            match self.image.broker(partition.leader) {
                Some(_) if version >= VERSION_LISTENER_NOT_FOUND => ErrorCode::ListenerNotFound,
                _ => ErrorCode::LeaderNotAvailable,
            }
        } else if replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len() {
            ErrorCode::ReplicaNotAvailable
        } else {
            ErrorCode::None
        };
        MetadataResponsePartition {
            error_code: code.code(),
            partition_index: index,
            leader_id: leader,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: replicas,
            isr_nodes: isr,
            offline_replicas: self.offline(&partition.replicas),
            ..MetadataResponsePartition::default()
        }
    }

    /// Version 0 cannot say which replicas are offline, so it leaves them out.
    fn listed(&self, brokers: &[BrokerId], version: i16) -> Vec<i32> {
        let listed = brokers.iter().filter(|id| version > 0 || self.endpoint(**id).is_some());
        listed.map(|id| id.0).collect()
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    All,
    Names(Vec<&'a str>),
    Ids(Vec<TopicId>),
    /// A version older than the one that can ask for topics by id did so.
    Refused,
}

/// Serves a Metadata request.
pub fn metadata(context: &RequestContext, request: &MetadataRequest<'_>) -> Reply {
    let version = context.version();
    let image = context.shard().image();
    let view = View::new(context, &image);
    let operations = match request.include_topic_authorized_operations {
        true => TOPIC_OPERATIONS,
        false => OPERATIONS_NOT_ASKED,
    };
    let topics = match asked(request, version) {
        Asked::All => {
            image.topics().map(|(id, topic)| view.topic(id, topic, version, operations)).collect()
        }
        Asked::Names(names) => {
            let missing: Vec<&str> =
                names.iter().copied().filter(|name| image.topic_id(name).is_none()).collect();
            if request.allow_auto_topic_creation {
                create(context, &missing);
            }
            let unknown = |name| MetadataResponseTopic {
                is_internal: is_internal(name),
                topic_authorized_operations: operations,
                ..failed(unknown_topic(name), Some(name), TopicId::ZERO)
            };
            let answer = |name| match image.topic_named(name) {
                Some((id, topic)) => view.topic(id, topic, version, operations),
                None => unknown(name),
            };
            names.into_iter().map(answer).collect()
        }
        Asked::Ids(ids) => {
            let answer = |id| match image.topic(id) {
                Some(topic) => view.topic(id, topic, version, operations),
                None => failed(ErrorCode::UnknownTopicId, None, id),
            };
            ids.into_iter().map(answer).collect()
        }
        Asked::Refused => return refuse(context, request),
    };
    answer(context, request, view, topics)
}

fn asked<'a>(request: &'a MetadataRequest<'_>, version: i16) -> Asked<'a> {
    let Some(topics) = &request.topics else { return Asked::All };
    if version == 0 && topics.is_empty() {
        return Asked::All;
    }
    let unnamed = topics.iter().any(|topic| topic.name.is_none());
    let by_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
    if version < VERSION_ASK_BY_ID && (unnamed || by_id) {
        return Asked::Refused;
    }
    let mut seen = FxHashSet::default();
    if by_id || unnamed {
        // As in Kafka, ids win over names; an entry with neither is a topic that nobody knows.
        let ids = topics.iter().map(|topic| topic.topic_id);
        let ids = ids.filter(|id| !(by_id && id.is_zero()));
        return Asked::Ids(ids.filter(|id| seen.insert(*id)).collect());
    }
    let mut seen = FxHashSet::default();
    let names = topics.iter().filter_map(|topic| topic.name.as_deref());
    Asked::Names(names.filter(|name| seen.insert(*name)).collect())
}

/// Asks for the topics that do not exist, if topics may be created so. The answer does not wait:
/// as Kafka's it says that they are unknown, and the client asks again.
fn create(context: &RequestContext, missing: &[&str]) {
    let shard = context.shard();
    if !shard.settings().auto_create_topics || shard.is_stopping() {
        return;
    }
    // As in Kafka, the groups' topic has its own settings however it comes to be created.
    if missing.contains(&OFFSETS_TOPIC) {
        drop(find_coordinator::create_topic(shard));
    }
    // Others that are internal are created by what keeps its state in them.
    let names: Vec<String> = missing
        .iter()
        .filter(|name| check_topic_name(name).is_ok() && !is_internal(name))
        .map(|name| name.to_string())
        .collect();
    if !names.is_empty() {
        drop(shard.command(Command::AutoCreateTopics(names)));
    }
}

fn failed<'a>(code: ErrorCode, name: Option<&'a str>, id: TopicId) -> MetadataResponseTopic<'a> {
    MetadataResponseTopic {
        error_code: code.code(),
        name: name.map(Into::into),
        topic_id: id,
        ..MetadataResponseTopic::default()
    }
}

fn answer<'a>(
    context: &RequestContext,
    request: &MetadataRequest<'_>,
    view: View<'a>,
    topics: Vec<MetadataResponseTopic<'a>>,
) -> Reply {
    let settings = context.shard().settings();
    let brokers = view.endpoints().map(|endpoint| MetadataResponseBroker {
        node_id: endpoint.id.0,
        host: endpoint.host.into(),
        port: endpoint.port.into(),
        rack: endpoint.rack.map(Into::into),
        ..MetadataResponseBroker::default()
    });
    let error = first_error(topics.iter().map(|topic| ErrorCode::from_code(topic.error_code)));
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(settings.cluster_id.as_str().into()),
        // Any broker passes a request for the controller on; this one is certainly alive.
        controller_id: settings.node_id.0,
        topics,
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        },
        ..MetadataResponse::default()
    };
    let responder = context.responder();
    Reply::Done(responder.answer(error, |writer, version| response.encode(writer, version)))
}

fn refuse(context: &RequestContext, request: &MetadataRequest<'_>) -> Reply {
    let code = ErrorCode::InvalidRequest;
    let topics = request.topics.iter().flatten();
    let response = MetadataResponse {
        cluster_id: None,
        topics: topics
            .map(|topic| failed(code, Some(topic.name.as_deref().unwrap_or("")), topic.topic_id))
            .collect(),
        ..MetadataResponse::default()
    };
    let responder = context.responder();
    Reply::Done(responder.answer(code, |writer, version| response.encode(writer, version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Listener, Record, replay};
    use crate::model::{LeaderEpoch, PartitionIndex};
    use crate::protocol::metadata_request::MetadataRequestTopic;

    fn check_asked(version: i16, topics: Option<&[(Option<&str>, u8)]>, expected: Asked<'_>) {
        let entry = |&(name, id): &(Option<&str>, u8)| MetadataRequestTopic {
            name: name.map(|name| name.to_owned().into()),
            topic_id: TopicId([id; 16]),
            ..MetadataRequestTopic::default()
        };
        let topics = topics.map(|topics| topics.iter().map(entry).collect());
        let request = MetadataRequest { topics, ..MetadataRequest::default() };
        assert_eq!(asked(&request, version), expected, "version {version}");
    }

    #[test]
    fn each_version_says_all_in_its_own_way() {
        let none = Asked::Names(Vec::new());
        check_asked(0, Some(&[]), Asked::All);
        check_asked(1, Some(&[]), none);
        check_asked(1, None, Asked::All);
        check_asked(13, None, Asked::All);
        check_asked(13, Some(&[]), Asked::Names(Vec::new()));
    }

    #[test]
    fn topics_are_asked_for_once_by_name_or_by_id() {
        let id = |byte| TopicId([byte; 16]);
        check_asked(9, Some(&[(Some("a"), 0), (Some("a"), 0)]), Asked::Names(vec!["a"]));
        check_asked(12, Some(&[(Some("b"), 0), (Some("a"), 0)]), Asked::Names(vec!["b", "a"]));
        check_asked(12, Some(&[(None, 1), (None, 2), (None, 1)]), Asked::Ids(vec![id(1), id(2)]));
        check_asked(13, Some(&[(Some("a"), 0), (None, 2)]), Asked::Ids(vec![id(2)]));
        check_asked(13, Some(&[(None, 0)]), Asked::Ids(vec![TopicId::ZERO]));
        check_asked(10, Some(&[(Some("a"), 1)]), Asked::Refused);
        check_asked(11, Some(&[(None, 1)]), Asked::Refused);
    }

    #[test]
    fn operations_are_those_of_kafka_without_an_authorizer() {
        assert_eq!(TOPIC_OPERATIONS, 3576);
        assert_eq!(CLUSTER_OPERATIONS, 8096);
    }

    #[test]
    fn unknown_topics_have_kafkas_error() {
        assert_eq!(unknown_topic("fine"), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(unknown_topic("../x"), ErrorCode::InvalidTopicException);
        assert!(is_internal("__consumer_offsets") && !is_internal("consumer_offsets"));
    }

    fn image() -> Image {
        let mut image = Image::default();
        for (id, listener) in [(1, "INSIDE"), (2, "INSIDE"), (3, "OTHER")] {
            let listener = Listener { name: listener.into(), host: "far".into(), port: 9 };
            let broker = Broker {
                id: BrokerId(id),
                incarnation: 1,
                listeners: [listener].into(),
                rack: (id == 2).then(|| "r".into()),
            };
            replay(&mut image, &Record::Broker(broker)).expect("a fresh broker");
        }
        image
    }

    fn led(leader: i32, replicas: &[i32]) -> Partition {
        let replicas = replicas.iter().copied().map(BrokerId).collect();
        let leader_epoch = LeaderEpoch(5);
        Partition { leader: BrokerId(leader), leader_epoch, ..Partition::fresh(replicas) }
    }

    #[test]
    fn brokers_are_seen_through_the_listener() {
        let image = image();
        let listener = AdvertisedListener { name: "INSIDE".into(), host: "me".into(), port: 7 };
        let view = View { image: &image, node_id: BrokerId(1), listener: &listener };
        let endpoint = |id, host, port, rack| Endpoint { id: BrokerId(id), host, port, rack };
        let seen: Vec<Endpoint<'_>> = view.endpoints().collect();
        assert_eq!(seen, [endpoint(1, "me", 7, None), endpoint(2, "far", 9, Some("r"))]);
        for (version, partition, code, leader, replicas, offline) in [
            (13, led(1, &[1, 2]), ErrorCode::None, 1, vec![1, 2], vec![]),
            (13, led(1, &[1, 3]), ErrorCode::None, 1, vec![1, 3], vec![3]),
            (0, led(1, &[1, 3]), ErrorCode::ReplicaNotAvailable, 1, vec![1], vec![3]),
            (6, led(3, &[3]), ErrorCode::ListenerNotFound, -1, vec![3], vec![3]),
            (5, led(3, &[3]), ErrorCode::LeaderNotAvailable, -1, vec![3], vec![3]),
            (13, led(-1, &[1]), ErrorCode::LeaderNotAvailable, -1, vec![1], vec![]),
            (13, led(4, &[4]), ErrorCode::LeaderNotAvailable, -1, vec![4], vec![4]),
        ] {
            let told = view.partition(8, &partition, version);
            let expected = MetadataResponsePartition {
                error_code: code.code(),
                partition_index: 8,
                leader_id: leader,
                leader_epoch: 5,
                isr_nodes: replicas.clone(),
                replica_nodes: replicas,
                offline_replicas: offline,
                ..MetadataResponsePartition::default()
            };
            assert_eq!(told, expected, "version {version}");
        }
    }

    #[test]
    fn a_topic_is_told_with_its_partitions() {
        let mut image = image();
        let id = TopicId([7; 16]);
        replay(&mut image, &Record::Topic { id, name: "__consumer_offsets".into() })
            .expect("a fresh topic");
        let state = led(1, &[1]);
        replay(&mut image, &Record::Partition { topic: id, index: PartitionIndex(0), state })
            .expect("a fresh partition");
        let listener = AdvertisedListener { name: "INSIDE".into(), host: "me".into(), port: 7 };
        let view = View { image: &image, node_id: BrokerId(1), listener: &listener };
        let topic = image.topic(id).expect("just created");
        let told = view.topic(id, topic, 13, TOPIC_OPERATIONS);
        assert!(told.is_internal);
        assert_eq!((told.topic_id, told.partitions.len()), (id, 1));
        assert_eq!(told.topic_authorized_operations, 3576);
    }
}
