//! What is durable of a group: its last generation, with the members' subscriptions and assignments.

/// A group's generation as its partition remembers it (Kafka's `GroupMetadataValue`, as plain data).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group's id.
    pub group: String,
    /// `consumer`, `connect`, …; empty for a group that only keeps offsets.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The protocol that the generation has chosen, none for an empty one.
    pub protocol: Option<String>,
    /// The member that assigned, none for an empty generation.
    pub leader: Option<String>,
    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    pub state_since_ms: i64,
    /// The members, in the order of their ids.
    pub members: Vec<MemberMetadata>,
}

/// A member of a durable generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// The client's address, with Kafka's leading slash.
    pub client_host: String,
    /// How long a rebalance waits for it, in milliseconds; -1 stands for the session timeout.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// Its subscription under the chosen protocol.
    pub subscription: Vec<u8>,
    /// Its assignment.
    pub assignment: Vec<u8>,
}
