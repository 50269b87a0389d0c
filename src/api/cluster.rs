//! DescribeCluster, DescribeTopicPartitions and ListPartitionReassignments.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::api::encode::first_error;
use crate::api::metadata::{
    CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS, View, is_internal, unknown_topic,
};
use crate::api::reply::Reply;
use crate::api::request::RequestContext;
use crate::metadata::{Image, Topic};
use crate::model::{BrokerId, ErrorCode, TopicId};
use crate::protocol::describe_cluster_request::DescribeClusterRequest;
use crate::protocol::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use crate::protocol::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use crate::protocol::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use crate::protocol::list_partition_reassignments_response::ListPartitionReassignmentsResponse;

/// `EndpointType.BROKER` on the wire.
const ENDPOINT_BROKER: i8 = 1;
/// `EndpointType.CONTROLLER` on the wire.
const ENDPOINT_CONTROLLER: i8 = 2;

/// Serves a DescribeCluster request.
pub fn describe_cluster(context: &RequestContext, request: &DescribeClusterRequest<'_>) -> Reply {
    let image = context.shard().image();
    let refused = refused_endpoint(request.endpoint_type);
    let response = match &refused {
        Some((code, message)) => DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(message.as_str().into()),
            ..DescribeClusterResponse::default()
        },
        None => cluster(context, request, View::new(context, &image)),
    };
    let code = refused.as_ref().map_or(ErrorCode::None, |(code, _)| *code);
    let responder = context.responder();
    Reply::Done(responder.answer(code, |writer, version| response.encode(writer, version)))
}

/// Clients come by broker listeners, and only brokers answer there (KIP-919).
fn refused_endpoint(endpoint_type: i8) -> Option<(ErrorCode, String)> {
    match endpoint_type {
        ENDPOINT_BROKER => None,
        ENDPOINT_CONTROLLER => Some((
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
             type CONTROLLER"
                .into(),
        )),
        other => {
            Some((ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")))
        }
    }
}

fn cluster<'a>(
    context: &'a RequestContext,
    request: &DescribeClusterRequest<'_>,
    view: View<'a>,
) -> DescribeClusterResponse<'a> {
    let settings = context.shard().settings();
    // A registered broker is never fenced yet, so asking for those too changes nothing.
    let brokers = view.endpoints().map(|endpoint| DescribeClusterBroker {
        broker_id: endpoint.id.0,
        host: endpoint.host.into(),
        port: endpoint.port.into(),
        rack: endpoint.rack.map(Into::into),
        ..DescribeClusterBroker::default()
    });
    DescribeClusterResponse {
        error_message: None,
        endpoint_type: ENDPOINT_BROKER,
        cluster_id: settings.cluster_id.as_str().into(),
        controller_id: settings.node_id.0,
        brokers: brokers.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        },
        ..DescribeClusterResponse::default()
    }
}

/// One topic on a page: the partitions that the page has room for.
#[derive(Debug, PartialEq, Eq)]
struct PagedTopic<'a> {
    name: &'a str,
    found: Option<(TopicId, &'a Topic, Range<usize>)>,
}

/// One answer's worth of topics, and where the next one begins.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page<'a> {
    topics: Vec<PagedTopic<'a>>,
    next: Option<(&'a str, usize)>,
}

/// Where a page begins: a topic's name and a partition of it.
type Start<'a> = (&'a str, usize);

/// Serves a DescribeTopicPartitions request.
pub fn describe_topic_partitions(
    context: &RequestContext,
    request: &DescribeTopicPartitionsRequest<'_>,
) -> Reply {
    let image = context.shard().image();
    let Some(start) = start(request) else { return refuse(context, request) };
    let most = context.shard().settings().described_partitions_max;
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let room = asked.min(most).max(1);
    let page = if request.topics.is_empty() {
        let names = image.topics_from(start.0).map(|(_, topic)| topic.name());
        page(&image, names, start, room)
    } else {
        let names: BTreeSet<&str> = request.topics.iter().map(|topic| &*topic.name).collect();
        page(&image, names.range(start.0..).copied(), start, room)
    };
    let view = View::new(context, &image);
    let next_cursor = page.next.map(|(name, partition)| Cursor {
        topic_name: name.into(),
        partition_index: partition as i32,
        ..Cursor::default()
    });
    let topics: Vec<_> = page.topics.into_iter().map(|topic| described(topic, view)).collect();
    let error = first_error(topics.iter().map(|topic| ErrorCode::from_code(topic.error_code)));
    let response = DescribeTopicPartitionsResponse { topics, next_cursor, ..Default::default() };
    let responder = context.responder();
    Reply::Done(responder.answer(error, |writer, version| response.encode(writer, version)))
}

/// Where the request wants to begin; `None` for a cursor that makes no sense.
fn start<'a>(request: &'a DescribeTopicPartitionsRequest<'_>) -> Option<Start<'a>> {
    let Some(cursor) = &request.cursor else { return Some(("", 0)) };
    let name = &*cursor.topic_name;
    let named = request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == name);
    let partition = usize::try_from(cursor.partition_index).ok()?;
    named.then_some((name, partition))
}

/// Fills a page with `room` partitions of the topics `names`, which are sorted and begin with the
/// start's (`KRaftMetadataCache.describeTopicResponse`).
fn page<'a>(
    image: &'a Image,
    names: impl Iterator<Item = &'a str>,
    start: Start<'_>,
    mut room: usize,
) -> Page<'a> {
    let mut page = Page::default();
    for name in names {
        if room == 0 {
            page.next = Some((name, 0));
            break;
        }
        let Some((id, topic)) = image.topic_named(name) else {
            page.topics.push(PagedTopic { name, found: None });
            continue;
        };
        let count = topic.partitions().len();
        let first = if name == start.0 { start.1.min(count) } else { 0 };
        let end = count.min(first.saturating_add(room));
        room -= end - first;
        page.topics.push(PagedTopic { name, found: Some((id, topic, first..end)) });
        if end < count {
            page.next = Some((name, end));
            break;
        }
    }
    page
}

fn described<'a>(
    topic: PagedTopic<'a>,
    view: View<'a>,
) -> DescribeTopicPartitionsResponseTopic<'a> {
    let answered = DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.into()),
        is_internal: is_internal(topic.name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    };
    let Some((id, found, range)) = topic.found else {
        let code = unknown_topic(topic.name);
        return DescribeTopicPartitionsResponseTopic { error_code: code.code(), ..answered };
    };
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| id.0).collect();
    let partitions = range.clone().zip(&found.partitions()[range]).map(|(index, state)| {
        DescribeTopicPartitionsResponsePartition {
            partition_index: index as i32,
            leader_id: view.leader(state),
            leader_epoch: state.leader_epoch.0,
            replica_nodes: ids(&state.replicas),
            isr_nodes: ids(&state.isr),
            // Replicas outside the ISR are never eligible here.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: view.offline(&state.replicas),
            ..DescribeTopicPartitionsResponsePartition::default()
        }
    });
    DescribeTopicPartitionsResponseTopic {
        topic_id: id,
        partitions: partitions.collect(),
        ..answered
    }
}

fn refuse(context: &RequestContext, request: &DescribeTopicPartitionsRequest<'_>) -> Reply {
    let code = ErrorCode::InvalidRequest;
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some((&*topic.name).into()),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    let response =
        DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() };
    let responder = context.responder();
    Reply::Done(responder.answer(code, |writer, version| response.encode(writer, version)))
}

/// Serves a ListPartitionReassignments request: nothing can start one yet, so whatever topics and
/// partitions are asked for, none is under way. As in Kafka, unknown ones are no error.
pub fn list_partition_reassignments(
    context: &RequestContext,
    _request: &ListPartitionReassignmentsRequest<'_>,
) -> Reply {
    let response = ListPartitionReassignmentsResponse { error_message: None, ..Default::default() };
    let responder = context.responder();
    let code = ErrorCode::None;
    Reply::Done(responder.answer(code, |writer, version| response.encode(writer, version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Partition, Record, replay};
    use crate::model::PartitionIndex;
    use crate::protocol::describe_topic_partitions_request::{self as asking, TopicRequest};

    fn image(topics: &[(&str, i32)]) -> Image {
        let mut image = Image::default();
        for (number, (name, count)) in (1..).zip(topics) {
            let topic = TopicId([number; 16]);
            let created = Record::Topic { id: topic, name: (*name).into() };
            replay(&mut image, &created).expect("a fresh topic");
            for index in 0..*count {
                let state = Partition::fresh(vec![BrokerId(1)]);
                let record = Record::Partition { topic, index: PartitionIndex(index), state };
                replay(&mut image, &record).expect("the next partition");
            }
        }
        image
    }

    type Told<'a> = (&'a str, Option<Range<usize>>);

    fn check_page(
        names: &[&str],
        start: Start<'_>,
        room: usize,
        topics: &[Told<'_>],
        next: Option<(&str, usize)>,
    ) {
        let image = image(&[("a", 3), ("b", 2), ("c", 1)]);
        let page = page(&image, names.iter().copied(), start, room);
        let told: Vec<Told<'_>> = page
            .topics
            .iter()
            .map(|topic| (topic.name, topic.found.as_ref().map(|(_, _, range)| range.clone())))
            .collect();
        assert_eq!(told, topics);
        assert_eq!(page.next, next);
    }

    #[test]
    fn pages_hold_as_many_partitions_as_they_have_room_for() {
        let all = ["a", "b", "c"];
        let (a, b, c) = (("a", Some(0..3)), ("b", Some(0..2)), ("c", Some(0..1)));
        check_page(&all, ("", 0), 100, &[a.clone(), b.clone(), c.clone()], None);
        check_page(&all, ("", 0), 6, &[a.clone(), b.clone(), c.clone()], None);
        check_page(&all, ("", 0), 5, &[a.clone(), b.clone()], Some(("c", 0)));
        check_page(&all, ("", 0), 4, &[a.clone(), ("b", Some(0..1))], Some(("b", 1)));
        check_page(&all[1..], ("b", 1), 4, &[("b", Some(1..2)), c.clone()], None);
        check_page(&all, ("", 0), 1, &[("a", Some(0..1))], Some(("a", 1)));
        check_page(&all, ("a", 9), 2, &[("a", Some(3..3)), b.clone()], Some(("c", 0)));
        check_page(&["a", "x", "c"], ("", 0), 4, &[a.clone(), ("x", None), c], None);
        check_page(&["a", "x"], ("", 0), 3, &[a], Some(("x", 0)));
        check_page(&[], ("", 0), 3, &[], None);
    }

    #[test]
    fn every_partition_is_on_exactly_one_page() {
        let image = image(&[("a", 3), ("b", 2), ("c", 1)]);
        for room in 1..8 {
            let mut seen = Vec::new();
            let mut start = ("", 0);
            loop {
                let names = image.topics_from(start.0).map(|(_, topic)| topic.name());
                let page = page(&image, names, start, room);
                for topic in page.topics {
                    let (_, _, range) = topic.found.expect("only topics that exist");
                    seen.extend(range.map(|index| (topic.name, index)));
                }
                match page.next {
                    Some(next) => start = next,
                    None => break,
                }
            }
            assert_eq!(seen, [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0)]);
        }
    }

    #[test]
    fn a_cursor_has_to_make_sense() {
        for (topics, cursor, expected) in [
            (&[][..], None, Some(("", 0))),
            (&[], Some(("x", 4)), Some(("x", 4))),
            (&["a", "b"], Some(("b", 0)), Some(("b", 0))),
            (&["a"], Some(("b", 0)), None),
            (&["a"], Some(("a", -1)), None),
        ] {
            let named =
                |name: &&'static str| TopicRequest { name: (*name).into(), ..Default::default() };
            let cursor = cursor.map(|(name, partition_index)| asking::Cursor {
                topic_name: name.into(),
                partition_index,
                ..Default::default()
            });
            let topics = topics.iter().map(named).collect();
            let request = DescribeTopicPartitionsRequest { topics, cursor, ..Default::default() };
            assert_eq!(start(&request), expected);
        }
    }

    #[test]
    fn only_broker_endpoints_answer_here() {
        let refused = |endpoint| refused_endpoint(endpoint).map(|(code, _)| code);
        assert_eq!(refused(1), None);
        assert_eq!(refused(2), Some(ErrorCode::MismatchedEndpointType));
        assert_eq!(refused(0), Some(ErrorCode::UnsupportedEndpointType));
        assert_eq!(refused(3), Some(ErrorCode::UnsupportedEndpointType));
    }
}
