//! A member of a group over a raw socket, which does what a test says and nothing by itself.

use std::borrow::Cow;

use klamm::model::ErrorCode;
use klamm::protocol::find_coordinator_request::FindCoordinatorRequest;
use klamm::protocol::heartbeat_request::HeartbeatRequest;
use klamm::protocol::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm::protocol::join_group_response::JoinGroupResponse;
use klamm::protocol::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use klamm::protocol::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::protocol::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm::protocol::offset_fetch_response::OffsetFetchResponseGroup;
use klamm::protocol::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm::protocol::sync_group_response::SyncGroupResponse;

use crate::support::Broker;
use crate::wire::Wire;

/// Tries enough for what takes a moment on a busy machine; each is a round trip.
const TRIES: usize = 1_000_000;
/// The least session that Kafka's defaults allow.
pub const SESSION_MS_MIN: i32 = 6_000;
/// The longest one.
pub const SESSION_MS_MAX: i32 = 1_800_000;

/// One member, or somebody who says to be one.
pub struct Member {
    pub wire: Wire,
    pub group: String,
    pub id: String,
    pub instance: Option<&'static str>,
    pub generation: i32,
    /// The protocols with their subscriptions.
    pub protocols: Vec<(&'static str, Vec<u8>)>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
}

impl Member {
    /// Somebody who is in no group yet, as soon as the broker coordinates it.
    pub fn stranger(broker: &Broker, group: &str) -> Member {
        let mut wire = Wire::connect(broker);
        await_coordinator(&mut wire, group);
        Member {
            wire,
            group: group.to_owned(),
            id: String::new(),
            instance: None,
            generation: -1,
            protocols: vec![("range", subscription(&["t"]))],
            session_timeout_ms: SESSION_MS_MAX,
            rebalance_timeout_ms: 60_000,
        }
    }

    /// A static one.
    pub fn stranger_named(broker: &Broker, group: &str, instance: &'static str) -> Member {
        Member { instance: Some(instance), ..Member::stranger(broker, group) }
    }

    /// A member of a generation in which it is alone, with its assignment.
    pub fn alone(broker: &Broker, group: &str) -> Member {
        let mut member = Member::stranger(broker, group);
        assert_eq!(member.join_twice(), ErrorCode::None, "{group}");
        assert_eq!(member.sync_as_leader(&[]), ErrorCode::None, "{group}");
        member
    }

    /// Members of one generation, which has no assignment yet.
    pub fn gather(broker: &Broker, group: &str, count: usize) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        while members.len() < count {
            let mut newcomer = Member::stranger(broker, group);
            newcomer.ask_for_id();
            newcomer.begin_join(9);
            if !members.is_empty() {
                members[0].await_heartbeat(ErrorCode::RebalanceInProgress);
            }
            members.iter_mut().for_each(|member| member.begin_join(9));
            members.push(newcomer);
            for member in &mut members {
                let joined = member.end_join(9);
                assert_eq!(ErrorCode::from_code(joined.error_code), ErrorCode::None);
            }
        }
        members
    }

    pub fn join_request(&self) -> JoinGroupRequest<'static> {
        let protocol = |(name, metadata): &(&'static str, Vec<u8>)| JoinGroupRequestProtocol {
            name: (*name).into(),
            metadata: metadata.clone().into(),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: self.group.clone().into(),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            member_id: self.id.clone().into(),
            group_instance_id: self.instance.map(Into::into),
            protocol_type: "consumer".into(),
            protocols: self.protocols.iter().map(protocol).collect(),
            ..Default::default()
        }
    }

    /// Sends a JoinGroup whose answer waits for others.
    pub fn begin_join(&mut self, version: i16) {
        let request = self.join_request();
        self.wire.send(&request, version);
    }

    /// The answer to it; the member is what it says.
    pub fn end_join(&mut self, version: i16) -> JoinGroupResponse<'static> {
        let joined = self.wire.receive::<JoinGroupRequest<'_>>(version);
        match ErrorCode::from_code(joined.error_code) {
            ErrorCode::None | ErrorCode::MemberIdRequired => {
                self.id = joined.member_id.to_string();
                self.generation = joined.generation_id;
            }
            _ => {}
        }
        joined
    }

    pub fn join(&mut self, version: i16) -> JoinGroupResponse<'static> {
        self.begin_join(version);
        self.end_join(version)
    }

    /// Joins as clients do: for an id, then with it.
    pub fn join_twice(&mut self) -> ErrorCode {
        self.ask_for_id();
        ErrorCode::from_code(self.join(9).error_code)
    }

    /// Gets the id with which it is to join.
    pub fn ask_for_id(&mut self) {
        let first = self.join(9);
        assert_eq!(ErrorCode::from_code(first.error_code), ErrorCode::MemberIdRequired);
        assert!(!self.id.is_empty());
    }

    pub fn sync(&mut self, assignments: &[(&str, Vec<u8>)]) -> SyncGroupResponse<'static> {
        self.begin_sync(assignments);
        self.wire.receive::<SyncGroupRequest<'_>>(5)
    }

    pub fn begin_sync(&mut self, assignments: &[(&str, Vec<u8>)]) {
        let assignment = |(id, bytes): &(&str, Vec<u8>)| SyncGroupRequestAssignment {
            member_id: (*id).to_owned().into(),
            assignment: bytes.clone().into(),
            ..Default::default()
        };
        let request = SyncGroupRequest {
            group_id: self.group.clone().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            group_instance_id: self.instance.map(Into::into),
            protocol_type: Some("consumer".into()),
            protocol_name: Some(self.protocols[0].0.into()),
            assignments: assignments.iter().map(assignment).collect(),
            ..Default::default()
        };
        self.wire.send(&request, 5);
    }

    /// Assigns everything to itself, and something to these.
    pub fn sync_as_leader(&mut self, others: &[&str]) -> ErrorCode {
        let id = self.id.clone();
        let all = others.iter().copied().chain([&*id]);
        let assignments: Vec<_> = all.map(|id| (id, vec![0, 0])).collect();
        ErrorCode::from_code(self.sync(&assignments).error_code)
    }

    pub fn heartbeat(&mut self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: self.group.clone().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            group_instance_id: self.instance.map(Into::into),
            ..Default::default()
        };
        ErrorCode::from_code(self.wire.ask(&request, 4).error_code)
    }

    /// Sends heartbeats until one is answered so.
    pub fn await_heartbeat(&mut self, expected: ErrorCode) {
        let answered = (0..TRIES).any(|_| self.heartbeat() == expected);
        assert!(answered, "no heartbeat is answered {expected}");
    }

    /// Sends heartbeats until it is asked to join again.
    pub fn await_rebalance(&mut self) {
        self.await_heartbeat(ErrorCode::RebalanceInProgress);
    }

    /// Commits an offset of partition 0 of `topic` in a version that names it.
    pub fn commit(&mut self, topic: &str, offset: i64, metadata: &str) -> ErrorCode {
        let request = self.commit_request(topic, &[0], offset, metadata);
        let answer = self.wire.ask(&request, 9);
        ErrorCode::from_code(answer.topics[0].partitions[0].error_code)
    }

    pub fn commit_request(
        &self,
        topic: &str,
        partitions: &[i32],
        offset: i64,
        metadata: &str,
    ) -> OffsetCommitRequest<'static> {
        let partition = |&partition_index: &i32| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: offset,
            committed_metadata: Some(metadata.to_owned().into()),
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: topic.to_owned().into(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        };
        OffsetCommitRequest {
            group_id: self.group.clone().into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone().into(),
            group_instance_id: self.instance.map(Into::into),
            topics: vec![topic],
            ..Default::default()
        }
    }

    /// Lets members leave, each by its id and instance id; the code of each.
    pub fn leave(&mut self, members: &[(&str, Option<&'static str>)]) -> Vec<ErrorCode> {
        let member = |(id, instance): &(&str, Option<&'static str>)| MemberIdentity {
            member_id: (*id).to_owned().into(),
            group_instance_id: instance.map(Into::into),
            ..Default::default()
        };
        let request = LeaveGroupRequest {
            group_id: self.group.clone().into(),
            members: members.iter().map(member).collect(),
            ..Default::default()
        };
        let answer = self.wire.ask(&request, 5);
        if answer.error_code != 0 {
            return vec![ErrorCode::from_code(answer.error_code)];
        }
        answer.members.iter().map(|member| ErrorCode::from_code(member.error_code)).collect()
    }
}

/// Asks until the broker coordinates the group: its topic is created at the first question.
pub fn await_coordinator(wire: &mut Wire, group: &str) {
    let key: Cow<'_, str> = group.to_owned().into();
    let request = FindCoordinatorRequest { coordinator_keys: vec![key], ..Default::default() };
    let found = (0..TRIES).any(|_| wire.ask(&request, 4).coordinators[0].error_code == 0);
    assert!(found, "nobody coordinates");
    // The partition's leader takes a moment more.
    let served = (0..TRIES).any(|_| fetch(wire, &[(group, Some(&[]))])[0].error_code == 0);
    assert!(served, "the coordinator does not answer");
}

/// A group with the topics and partitions that are asked for, or with none for all.
pub type GroupAsked<'a> = (&'a str, Option<&'a [(&'a str, &'a [i32])]>);

/// OffsetFetch in version 9.
pub fn fetch(wire: &mut Wire, groups: &[GroupAsked<'_>]) -> Vec<OffsetFetchResponseGroup<'static>> {
    let topic = |(name, partitions): &(&str, &[i32])| OffsetFetchRequestTopics {
        name: (*name).to_owned().into(),
        partition_indexes: partitions.to_vec(),
        ..Default::default()
    };
    let group = |(id, topics): &GroupAsked<'_>| OffsetFetchRequestGroup {
        group_id: (*id).to_owned().into(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        member_epoch: -1,
        ..Default::default()
    };
    let groups = groups.iter().map(group).collect();
    wire.ask(&OffsetFetchRequest { groups, ..Default::default() }, 9).groups
}

/// A consumer's subscription as Kafka's clients write it: version 0, topics, no user data.
pub fn subscription(topics: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend([0xff; 4]);
    bytes
}
