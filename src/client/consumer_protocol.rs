//! What consumers of a group tell each other through the coordinator: subscriptions and assignments.
//!
//! Each is a version of two bytes and a message of that version. Versions only add fields at the end, so
//! one that is newer than what is known here is read as the newest known.

use super::error::ClientError;
use super::range_assignor::{RANGE, Subscriber};
use crate::model::ErrorCode;
use crate::protocol::consumer_protocol_assignment::ConsumerProtocolAssignment;
use crate::protocol::consumer_protocol_subscription::ConsumerProtocolSubscription;
use crate::protocol::errors::EncodeError;
use crate::protocol::join_group_response::JoinGroupResponse;
use crate::protocol::reader::Reader;
use crate::protocol::writer::Writer;

/// The version that is written: all that the range assignor needs.
pub const VERSION: i16 = 0;

/// A topic's partition.
pub type Partition = (String, i32);

/// A group that is being formed.
pub struct Joined {
    /// Whether this member assigns the partitions.
    pub is_leader: bool,
    /// The assignor's name.
    pub protocol: String,
    /// Everybody, if this is the leader.
    pub subscribers: Vec<Subscriber>,
}

/// A message with its version before it.
pub fn versioned(
    encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, ClientError> {
    let mut writer = Writer::new(Vec::new());
    writer.i16(VERSION);
    encode(&mut writer)?;
    Ok(writer.into_parts().0)
}

fn body_version(reader: &mut Reader<'_>, newest: i16) -> Result<i16, ClientError> {
    let version = reader.i16().map_err(|_| unreadable())?;
    if version < 0 { Err(unreadable()) } else { Ok(version.min(newest)) }
}

fn unreadable() -> ClientError {
    let message = "another member of the group has sent what no consumer understands";
    ClientError::refused(ErrorCode::InconsistentGroupProtocol, Some(message))
}

/// What the answer to JoinGroup says of the group.
pub fn subscribers(joined: &JoinGroupResponse<'_>) -> Result<Joined, ClientError> {
    let is_leader = joined.leader == joined.member_id;
    let mut subscribers = Vec::with_capacity(joined.members.len());
    for member in &joined.members {
        let mut reader = Reader::new(&member.metadata);
        let version = body_version(&mut reader, ConsumerProtocolSubscription::VERSIONS.max)?;
        let subscription =
            ConsumerProtocolSubscription::decode(&mut reader, version).map_err(|_| unreadable())?;
        subscribers.push(Subscriber {
            member_id: member.member_id.to_string(),
            instance_id: member.group_instance_id.as_deref().map(Into::into),
            topics: subscription.topics.iter().map(|topic| topic.to_string()).collect(),
        });
    }
    let protocol = joined.protocol_name.as_deref().unwrap_or(RANGE).to_owned();
    Ok(Joined { is_leader: is_leader && !joined.skip_assignment, protocol, subscribers })
}

/// The partitions of an assignment; an empty one has none.
pub fn assigned_partitions(bytes: &[u8]) -> Result<Vec<Partition>, ClientError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let version = body_version(&mut reader, ConsumerProtocolAssignment::VERSIONS.max)?;
    let assignment =
        ConsumerProtocolAssignment::decode(&mut reader, version).map_err(|_| unreadable())?;
    let topics = assignment.assigned_partitions.iter();
    let places = topics.flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.topic.to_string(), *partition))
    });
    Ok(places.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::consumer_protocol_assignment::TopicPartition as AssignedTopic;
    use crate::protocol::join_group_response::JoinGroupResponseMember;

    #[test]
    fn assignments_of_any_version_are_read() {
        let topic =
            AssignedTopic { topic: "t".into(), partitions: vec![2, 5], ..Default::default() };
        let assignment =
            ConsumerProtocolAssignment { assigned_partitions: vec![topic], ..Default::default() };
        let bytes = versioned(|writer| assignment.encode(writer, 0)).expect("it can be encoded");
        let expected = vec![("t".to_owned(), 2), ("t".to_owned(), 5)];
        assert_eq!(assigned_partitions(&bytes).expect("it is one"), expected);
        assert_eq!(assigned_partitions(&[]).expect("nothing is assigned"), []);
        // A later version with a field that nobody knows yet.
        let mut later = bytes.clone();
        later[1] = 9;
        later.push(1);
        assert_eq!(assigned_partitions(&later).expect("the rest is ignored"), expected);
        for end in 1..bytes.len() {
            assert!(assigned_partitions(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn the_leader_knows_everybody() {
        let subscription =
            ConsumerProtocolSubscription { topics: vec!["t".into()], ..Default::default() };
        let metadata = versioned(|writer| subscription.encode(writer, 0)).expect("it is fine");
        let member = |id: &'static str| JoinGroupResponseMember {
            member_id: id.into(),
            metadata: metadata.clone().into(),
            ..Default::default()
        };
        let response = JoinGroupResponse {
            leader: "a".into(),
            member_id: "a".into(),
            protocol_name: Some(RANGE.into()),
            members: vec![member("a"), member("b")],
            ..Default::default()
        };
        let joined = subscribers(&response).expect("both are consumers");
        assert!(joined.is_leader);
        let told: Vec<_> =
            joined.subscribers.iter().map(|one| (&*one.member_id, one.topics.len())).collect();
        assert_eq!(told, [("a", 1), ("b", 1)]);
        let strange = JoinGroupResponseMember { metadata: vec![255, 255].into(), ..member("c") };
        assert!(subscribers(&JoinGroupResponse { members: vec![strange], ..response }).is_err());
    }
}
