//! Subscriptions and assignments as simulated members write, read and make them.
//!
//! In the user data of an assignment stand its number, how many partitions follow that are the member's,
//! those, and all partitions that the leader knew of: each a topic's id and an index.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::plan::GroupPlan;
use crate::broker::sim::topics::{self, Place};
use crate::model::{LogId, PartitionIndex, TopicId};
use crate::protocol::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as AssignedTopic,
};
use crate::protocol::consumer_protocol_subscription::{
    ConsumerProtocolSubscription, TopicPartition as OwnedTopic,
};
use crate::protocol::join_group_response::JoinGroupResponseMember;
use crate::protocol::reader::Reader;
use crate::protocol::writer::Writer;

/// The oldest version of a subscription that says what its member owns.
const VERSION_OWNED: i16 = 1;
/// A topic's id and a partition's index.
const LOG_BYTES: usize = 20;

/// What a member says of itself. `wish` is different whenever it wants a rebalance.
pub fn subscription(
    plan: &GroupPlan,
    version: i16,
    wish: u64,
    generation: i32,
    owned: &BTreeMap<LogId, Rc<str>>,
) -> Vec<u8> {
    let version = if plan.cooperative { version.max(VERSION_OWNED) } else { version };
    let owned = owned.iter().map(|(log, name)| OwnedTopic {
        topic: name.to_string().into(),
        partitions: vec![log.partition.0],
        ..OwnedTopic::default()
    });
    let message = ConsumerProtocolSubscription {
        topics: plan.topics.iter().map(|number| topics::Plan::of(*number).name.into()).collect(),
        user_data: Some(wish.to_be_bytes().to_vec().into()),
        owned_partitions: if version >= VERSION_OWNED { owned.collect() } else { Vec::new() },
        generation_id: generation,
        ..ConsumerProtocolSubscription::default()
    };
    let mut writer = Writer::new(Vec::new());
    writer.i16(version);
    message.encode(&mut writer, version).expect("a subscription encodes");
    writer.into_parts().0
}

/// A member's part of an assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The leader's number for it, 0 for a member that it did not know.
    pub number: u64,
    pub owned: BTreeMap<LogId, Rc<str>>,
    /// All partitions that the leader knew of.
    pub all: BTreeSet<LogId>,
}

fn encode(number: u64, owned: &[&Place], all: &[&Place]) -> Vec<u8> {
    let mut data = number.to_be_bytes().to_vec();
    data.extend((owned.len() as u32).to_be_bytes());
    for place in owned.iter().chain(all) {
        data.extend(place.log.topic.0);
        data.extend(place.log.partition.0.to_be_bytes());
    }
    let assigned = owned.iter().map(|place| AssignedTopic {
        topic: place.name.to_string().into(),
        partitions: vec![place.log.partition.0],
        ..AssignedTopic::default()
    });
    let message = ConsumerProtocolAssignment {
        assigned_partitions: assigned.collect(),
        user_data: Some(data.into()),
        ..ConsumerProtocolAssignment::default()
    };
    let mut writer = Writer::new(Vec::new());
    writer.i16(0);
    message.encode(&mut writer, 0).expect("an assignment encodes");
    writer.into_parts().0
}

/// Reads what the coordinator passed on; nothing if the leader did not know the member.
pub fn decode(bytes: &[u8]) -> Assignment {
    if bytes.is_empty() {
        return Assignment::default();
    }
    let mut reader = Reader::new(bytes);
    let version = reader.i16().expect("the leader wrote a version");
    let message = ConsumerProtocolAssignment::decode(&mut reader, version);
    let message = message.expect("an assignment comes as the leader wrote it");
    let data = message.user_data.expect("the leader wrote its number");
    let (number, rest) = data.split_first_chunk().expect("the leader wrote its number");
    let (count, rest) = rest.split_first_chunk().expect("the leader wrote a count");
    let mut logs = rest.chunks_exact(LOG_BYTES).map(|chunk| {
        let (topic, index) = chunk.split_first_chunk().expect("a chunk has an id");
        let index = index.try_into().expect("a chunk has an index");
        LogId { topic: TopicId(*topic), partition: PartitionIndex(i32::from_be_bytes(index)) }
    });
    let names = message.assigned_partitions.iter().map(|topic| Rc::from(&*topic.topic));
    let owned = logs.by_ref().take(u32::from_be_bytes(*count) as usize).zip(names).collect();
    Assignment { number: u64::from_be_bytes(*number), owned, all: logs.collect() }
}

/// A member of the group as its leader sees it.
struct Candidate {
    id: String,
    claims: BTreeSet<(String, i32)>,
    given: Vec<usize>,
}

fn candidate(member: &JoinGroupResponseMember<'_>) -> Candidate {
    let mut reader = Reader::new(&member.metadata);
    let version = reader.i16().expect("a member wrote a version");
    let message = ConsumerProtocolSubscription::decode(&mut reader, version);
    let message = message.expect("a subscription comes as its member wrote it");
    let owned = message.owned_partitions.iter();
    let claims = owned.flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.topic.to_string(), *partition))
    });
    let (id, given) = (member.member_id.to_string(), Vec::new());
    Candidate { id, claims: claims.collect(), given }
}

/// The partitions that the group reads.
pub fn wanted<'a>(plan: &GroupPlan, places: &'a [Place]) -> Vec<&'a Place> {
    let reads = |place: &&Place| {
        topics::number_of(&place.name).is_some_and(|number| plan.topics.contains(&number))
    };
    places.iter().filter(reads).collect()
}

/// The assignment of each member. Who has a partition keeps it, if he has not more than his share; in
/// a cooperative group nobody gets what another still has.
pub fn assign(
    plan: &GroupPlan,
    members: &[JoinGroupResponseMember<'_>],
    places: &[Place],
    number: u64,
) -> Vec<(String, Vec<u8>)> {
    let mut candidates: Vec<Candidate> = members.iter().map(candidate).collect();
    let all = wanted(plan, places);
    let share = all.len().div_ceil(candidates.len().max(1));
    for (index, place) in all.iter().enumerate() {
        let claim = (place.name.to_string(), place.log.partition.0);
        let has = candidates.iter().position(|it| it.claims.contains(&claim));
        let keeps = has.filter(|&at| candidates[at].given.len() < share);
        let gets = match keeps {
            None if plan.cooperative && has.is_some() => continue,
            None => (0..candidates.len()).min_by_key(|&at| candidates[at].given.len()),
            keeps => keeps,
        };
        if let Some(gets) = gets {
            candidates[gets].given.push(index);
        }
    }
    let parts = candidates.into_iter().map(|candidate| {
        let owned: Vec<&Place> = candidate.given.iter().map(|&index| all[index]).collect();
        (candidate.id, encode(number, &owned, &all))
    });
    parts.collect()
}
