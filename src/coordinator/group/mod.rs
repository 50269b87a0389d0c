//! One classic group: who is in it, and the generation that they agree on.
//!
//! A pure state machine in the semantics of Kafka 4.4's `ClassicGroup` and the classic parts of its
//! `GroupMetadataManager`. Its offsets are not in here.

mod metadata;
mod settings;
mod state;

use super::message::{
    Answer, Description, Join, Joined, Leave, Left, Listed, MemberRef, Sync, Synced, Ticket,
};
use crate::model::ErrorCode;
use crate::runtime::Monotonic;

pub use metadata::{GroupMetadata, MemberMetadata};
pub use settings::GroupSettings;
pub use state::State;

/// A write that a group has asked for; a number is never used twice by one [`Group`] value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersistId(pub u64);

/// What can happen to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody joins.
    Join(Ticket, Join),
    /// A member asks for its assignment.
    Sync(Ticket, Sync),
    /// A member shows that it lives.
    Heartbeat(Ticket, MemberRef),
    /// Members leave.
    Leave(Ticket, Leave),
    /// The group's deadline has come.
    Timeout,
    /// The write that an [`Action::Persist`] asked for is durable, or has failed. Writes end in the
    /// order in which they were asked for.
    Persisted(PersistId, Result<(), ErrorCode>),
    /// Nobody waits for this answer any more; the member stays until its session ends.
    Gone(Ticket),
    /// The group is deleted, or its partition has moved away: everyone who waits is told
    /// `NOT_COORDINATOR`, and the group is dead.
    Unloaded,
}

/// What a group wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer a request.
    Reply(Ticket, Answer),
    /// Write the group's durable form, and say [`Event::Persisted`] when that has ended.
    Persist(PersistId, GroupMetadata),
}

/// A classic group without its offsets.
pub struct Group {
    id: String,
    state: State,
    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    state_since_ms: i64,
    generation: i32,
    protocol_type: Option<String>,
}

impl Group {
    /// A group without members.
    pub fn new(id: &str) -> Group {
        Group {
            id: id.to_owned(),
            state: State::Empty,
            state_since_ms: -1,
            generation: 0,
            protocol_type: None,
        }
    }

    /// The group as it was written last; the sessions of its members begin now.
    pub fn restore(metadata: GroupMetadata, _now: Monotonic) -> Group {
        Group {
            id: metadata.group,
            state: if metadata.members.is_empty() { State::Empty } else { State::Stable },
            state_since_ms: metadata.state_since_ms,
            generation: metadata.generation,
            protocol_type: Some(metadata.protocol_type).filter(|name| !name.is_empty()),
        }
    }

    /// Takes one event; `now_ms` is the same time in milliseconds since the Unix epoch.
    pub fn step(
        &mut self,
        _now: Monotonic,
        _now_ms: i64,
        _settings: &GroupSettings,
        event: Event,
        out: &mut Vec<Action>,
    ) {
        let code = ErrorCode::CoordinatorNotAvailable;
        let (ticket, answer) = match event {
            Event::Join(ticket, join) => (
                ticket,
                Answer::Join(Joined {
                    code,
                    generation: -1,
                    protocol_type: None,
                    protocol: None,
                    leader: String::new(),
                    member_id: join.member_id,
                    members: Vec::new(),
                    skip_assignment: false,
                }),
            ),
            Event::Sync(ticket, _) => (
                ticket,
                Answer::Sync(Synced {
                    code,
                    protocol_type: None,
                    protocol: None,
                    assignment: Vec::new(),
                }),
            ),
            Event::Heartbeat(ticket, _) => (ticket, Answer::Heartbeat(code)),
            Event::Leave(ticket, _) => (ticket, Answer::Leave(Left { code, members: Vec::new() })),
            Event::Unloaded => {
                self.state = State::Dead;
                return;
            }
            Event::Timeout | Event::Persisted(..) | Event::Gone(_) => return,
        };
        out.push(Action::Reply(ticket, answer));
    }

    /// When the next [`Event::Timeout`] is due. It may be early, never late.
    pub fn deadline(&self) -> Option<Monotonic> {
        None
    }

    /// Whether this member may commit offsets now; its session goes on.
    pub fn check_commit(&mut self, _now: Monotonic, _member: &MemberRef) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            _ => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// The group's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the group stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    pub fn state_since_ms(&self) -> i64 {
        self.state_since_ms
    }

    /// The generation.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// `consumer`, `connect`, …; none for a group that nobody has joined yet.
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Whether the group is in the state `Empty`.
    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Whether the group only keeps offsets: nobody has joined it, nobody is about to.
    pub fn is_simple(&self) -> bool {
        self.protocol_type.is_none() && self.is_empty()
    }

    /// What an administrator sees of the group.
    pub fn description(&self) -> Description {
        Description {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: String::new(),
            members: Vec::new(),
        }
    }

    /// The group's line in a list.
    pub fn listed(&self) -> Listed {
        Listed {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state.name(),
            group_type: "classic",
        }
    }

    /// Whether members of the group read this topic. A consumer group whose subscriptions cannot be
    /// read counts as reading every topic, a group of another protocol type as reading none.
    pub fn subscribes_to(&self, _topic: &str) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }

    /// Whether the group's topics are known, so that the offsets of others may expire while it is
    /// stable.
    pub fn knows_its_topics(&self) -> bool {
        false
    }

    /// Whether the group may be deleted now.
    pub fn can_be_deleted(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            State::Dead => Err(ErrorCode::GroupIdNotFound),
            _ => Err(ErrorCode::NonEmptyGroup),
        }
    }

    /// Whether offsets of the group may be deleted now, of topics that it does not read.
    pub fn can_lose_offsets(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            State::Dead => Err(ErrorCode::GroupIdNotFound),
            _ if self.protocol_type.as_deref() == Some("consumer") => Ok(()),
            _ => Err(ErrorCode::NonEmptyGroup),
        }
    }
}
