//! What a group's coordinator is asked and what it answers: owned values that can cross cores.
//!
//! One request concerns one group, except [`Request::List`]; a client's request for many groups is
//! taken apart by its handler, because each group may live on another shard. Every answer that can
//! be a failure carries Kafka's error code.

use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};

/// A waiting request: the coordinator names it when it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A request to the coordinator of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// JoinGroup.
    Join(Join),
    /// SyncGroup.
    Sync(Sync),
    /// Heartbeat.
    Heartbeat(MemberRef),
    /// LeaveGroup.
    Leave(Leave),
    /// OffsetCommit.
    Commit(Commit),
    /// OffsetFetch for one group.
    FetchOffsets(FetchOffsets),
    /// OffsetDelete.
    DeleteOffsets(DeleteOffsets),
    /// DescribeGroups for one group.
    Describe(String),
    /// DeleteGroups for one group.
    Delete(String),
    /// ListGroups: all groups of this part of the coordinator.
    List(ListFilter),
}

impl Request {
    /// The answer to a request that is refused as a whole.
    pub fn refused(&self, code: ErrorCode) -> Answer {
        match self {
            Request::Join(join) => Answer::Join(Joined {
                code,
                generation: -1,
                protocol_type: None,
                protocol: None,
                leader: String::new(),
                member_id: join.member_id.clone(),
                members: Vec::new(),
                skip_assignment: false,
            }),
            Request::Sync(_) => Answer::Sync(Synced {
                code,
                protocol_type: None,
                protocol: None,
                assignment: Vec::new(),
            }),
            Request::Heartbeat(_) => Answer::Heartbeat(code),
            Request::Leave(_) => Answer::Leave(Left { code, members: Vec::new() }),
            Request::Commit(commit) => Answer::Commit(vec![code; commit.offsets.len()]),
            Request::FetchOffsets(_) => Answer::FetchOffsets(Err(code)),
            Request::DeleteOffsets(_) => Answer::DeleteOffsets(Err(code)),
            Request::Describe(_) => Answer::Describe(Err(code)),
            Request::Delete(_) => Answer::Delete(code),
            Request::List(_) => Answer::List(Err(code)),
        }
    }
}

/// The answer to the request of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Request::Join`].
    Join(Joined),
    /// To [`Request::Sync`].
    Sync(Synced),
    /// To [`Request::Heartbeat`].
    Heartbeat(ErrorCode),
    /// To [`Request::Leave`].
    Leave(Left),
    /// To [`Request::Commit`]: a code for each partition, in the request's order.
    Commit(Vec<ErrorCode>),
    /// To [`Request::FetchOffsets`].
    FetchOffsets(Result<Vec<FetchedTopic>, ErrorCode>),
    /// To [`Request::DeleteOffsets`]: a code for each partition, in the request's order.
    DeleteOffsets(Result<Vec<ErrorCode>, ErrorCode>),
    /// To [`Request::Describe`].
    Describe(Result<Description, ErrorCode>),
    /// To [`Request::Delete`].
    Delete(ErrorCode),
    /// To [`Request::List`].
    List(Result<Vec<Listed>, ErrorCode>),
}

/// A member that joins a group or joins it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The group.
    pub group: String,
    /// The member's id, empty for a new one.
    pub member_id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// The client's address, with Kafka's leading slash.
    pub client_host: String,
    /// The id that a new member without one gets: client id (or instance id), `-` and a UUID.
    pub fresh_member_id: String,
    /// `consumer`, `connect`, …
    pub protocol_type: String,
    /// The protocols that the member supports, the best first, each with its opaque subscription.
    pub protocols: Vec<(String, Vec<u8>)>,
    /// How long the member may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// How long a rebalance waits for the member, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Why it joins (KIP-800).
    pub reason: Option<String>,
    /// Whether a new member is told its id first (KIP-394: JoinGroup from version 4 on).
    pub requires_known_member_id: bool,
    /// Whether the leader may be told to skip the assignment (KIP-814: from version 9 on).
    pub supports_skipping_assignment: bool,
}

/// The answer to a member that joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// What went wrong.
    pub code: ErrorCode,
    /// The group's generation, -1 on failure.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The protocol that the group has chosen.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: String,
    /// The member's id.
    pub member_id: String,
    /// All members, for the leader; empty for the others.
    pub members: Vec<JoinedMember>,
    /// Whether the leader is to skip the assignment (KIP-814).
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// Its subscription under the chosen protocol.
    pub metadata: Vec<u8>,
}

/// A member that waits for its assignment; the leader brings everyone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Who asks.
    pub member: MemberRef,
    /// The protocol type that the member believes in, from version 5 on.
    pub protocol_type: Option<String>,
    /// The protocol that the member believes in, from version 5 on.
    pub protocol: Option<String>,
    /// The assignments by member id, from the leader only.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// The answer to a member that synchronised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// What went wrong.
    pub code: ErrorCode,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The group's protocol.
    pub protocol: Option<String>,
    /// The member's assignment.
    pub assignment: Vec<u8>,
}

/// A member of a generation of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRef {
    /// The group.
    pub group: String,
    /// The member's id, empty for a consumer that is in no group.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// The generation that the member believes in, negative for none.
    pub generation: i32,
}

/// Members that leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// The group.
    pub group: String,
    /// Who leaves: the member id (may be empty for a static member), and the instance id.
    pub members: Vec<LeavingMember>,
}

/// One member that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMember {
    /// Its id; may be empty for a static member.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// Why it leaves (KIP-800).
    pub reason: Option<String>,
}

/// The answer to members that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What went wrong with the request as a whole.
    pub code: ErrorCode,
    /// A code for each member, in the request's order.
    pub members: Vec<ErrorCode>,
}

/// Offsets to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Who commits.
    pub member: MemberRef,
    /// How long to keep them, in milliseconds, where the client says so (versions 2 to 4).
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub offsets: Vec<CommitPart>,
}

/// One partition's offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPart {
    /// The topic's name.
    pub topic: String,
    /// The topic's id, from the metadata.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: PartitionIndex,
    /// The offset.
    pub offset: Offset,
    /// The leader epoch of the last record consumed, -1 for none.
    pub leader_epoch: LeaderEpoch,
    /// What the client wants to remember with it.
    pub metadata: String,
}

/// Committed offsets that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOffsets {
    /// The group.
    pub group: String,
    /// The topics with the partitions that are asked for, or none for all that have an offset.
    pub topics: Option<Vec<FetchTopic>>,
    /// Whether an offset that a transaction is about to commit is refused (RequireStable).
    pub require_stable: bool,
}

/// A topic whose offsets are asked for. Its name stands once, however many partitions there are: a
/// client may send a long one with a million of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// The topic's name.
    pub topic: String,
    /// The topic's id now; an offset committed for another topic of this name is not returned.
    pub topic_id: TopicId,
    /// The partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// The offsets of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    /// The topic's name.
    pub topic: String,
    /// The id that was asked for; without a list of topics the one that the first offset was committed
    /// for. The nil id where it is not known.
    pub topic_id: TopicId,
    /// The offsets, in the order of the request.
    pub offsets: Vec<FetchedOffset>,
}

/// A committed offset, or -1 with empty metadata where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: PartitionIndex,
    /// The offset, -1 for none.
    pub offset: Offset,
    /// The leader epoch that was committed with it, -1 for none.
    pub leader_epoch: LeaderEpoch,
    /// What the client wanted to remember.
    pub metadata: String,
    /// What went wrong with this partition.
    pub code: ErrorCode,
}

/// Committed offsets to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOffsets {
    /// The group.
    pub group: String,
    /// The partitions.
    pub partitions: Vec<(String, PartitionIndex)>,
}

/// Which groups to list; an empty list means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// States by Kafka's names, compared without regard to case.
    pub states: Vec<String>,
    /// Types by Kafka's names (`classic`, `consumer`, …), compared without regard to case.
    pub types: Vec<String>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub group: String,
    /// Its protocol type.
    pub protocol_type: String,
    /// Its state, by Kafka's name.
    pub state: &'static str,
    /// Its type, by Kafka's name.
    pub group_type: &'static str,
}

/// What an administrator sees of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its state, by Kafka's name.
    pub state: &'static str,
    /// Its protocol type.
    pub protocol_type: String,
    /// The protocol, empty unless the group is stable.
    pub protocol: String,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// What an administrator sees of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// Its subscription under the chosen protocol, empty unless the group is stable.
    pub metadata: Vec<u8>,
    /// Its assignment, empty unless the group is stable.
    pub assignment: Vec<u8>,
}
