//! One classic group: who is in it, and the generation that they agree on.
//!
//! A pure state machine in the semantics of Kafka 4.4's `ClassicGroup` and the classic parts of its
//! `GroupMetadataManager`: one file for each thing that members do (`join`, `replace`, `sync`,
//! `heartbeat`, `leave`), one for what follows from it (`rebalance`) and from time (`timers`).
//!
//! Invariants:
//! - Every request gets one answer, or is given up by [`Event::Gone`]; what waits is answered at the
//!   latest when a timer of the group rings.
//! - An assignment is told only after it is durable; so is the id of a static member that took
//!   another's place, and the leaving of the last member.
//! - The generation never falls, each one has one leader, and only its members get assignments.
//! - A heartbeat costs a look-up, whatever the size of the group.
//! - Memory is bounded: members, ids given out, subscriptions and assignments each have a limit.
//!
//! Where Kafka leaves a request without an answer until its client gives up, this machine answers: a
//! request that the same member has made again gets `REBALANCE_IN_PROGRESS`, a SyncGroup of a member
//! that left `UNKNOWN_MEMBER_ID`. Where a client is known to be gone, its member's session goes on
//! although its JoinGroup or SyncGroup waits. A group becomes durable with its first generation;
//! Kafka writes an empty one before.
//!
//! Deliberately absent: committed offsets, the wire form of [`GroupMetadata`], groups of other types,
//! and requests for groups that do not exist.

mod alarms;
mod heartbeat;
mod join;
mod leave;
mod member;
mod metadata;
mod rebalance;
mod replace;
mod roster;
mod settings;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod topics;

use std::collections::BTreeSet;

use tracing::warn;

use super::message::{
    Answer, Description, Join, Joined, Leave, Left, Listed, MemberRef, Sync, Synced, Ticket,
};
use crate::model::ErrorCode;
use crate::runtime::Monotonic;

use member::{Member, MemberId};
use replace::Replacement;
use roster::Roster;
use sync::Storing;
use timers::JoinTimer;
use topics::CONSUMER;

pub use member::bytes_as_member;
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
#[derive(Debug)]
pub struct Group {
    id: String,
    state: State,
    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    state_since_ms: i64,
    generation: i32,
    protocol_type: Option<String>,
    /// What the members of this generation have agreed on.
    protocol: Option<String>,
    leader: Option<MemberId>,
    roster: Roster,
    /// The topics of this generation's subscriptions, where they can be read.
    topics: Option<BTreeSet<String>>,
    /// Whether the rebalance that is prepared is the first one of an empty group.
    initial: bool,
    /// Whether somebody has come since the delay of that first one began.
    newcomers: bool,
    /// When the rebalance that is prepared goes on without those who have not joined.
    join_timer: Option<JoinTimer>,
    /// When those who have not asked for their assignment are taken out.
    sync_end: Option<Monotonic>,
    /// The assignment that is being written.
    storing: Option<Storing>,
    /// The static members whose new ids are being written.
    replacing: Vec<Replacement>,
    /// Those who have left and are told when the empty group is written.
    leaving: Vec<(PersistId, Ticket, Left)>,
    next_persist: u64,
    /// Whether the group was restored, and may be larger than the settings now allow.
    size_unchecked: Option<Monotonic>,
}

/// What one step has at hand.
struct Turn<'a> {
    now: Monotonic,
    now_ms: i64,
    settings: &'a GroupSettings,
    out: &'a mut Vec<Action>,
}

impl Turn<'_> {
    fn reply(&mut self, ticket: Ticket, answer: Answer) {
        self.out.push(Action::Reply(ticket, answer));
    }

    /// Answers a JoinGroup that has failed.
    fn refuse_join(&mut self, ticket: Ticket, member_id: &str, code: ErrorCode) {
        let joined = Joined {
            code,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            member_id: member_id.to_owned(),
            members: Vec::new(),
            skip_assignment: false,
        };
        self.reply(ticket, Answer::Join(joined));
    }

    /// Answers a SyncGroup that has failed.
    fn refuse_sync(&mut self, ticket: Ticket, code: ErrorCode) {
        let synced = Synced { code, protocol_type: None, protocol: None, assignment: Vec::new() };
        self.reply(ticket, Answer::Sync(synced));
    }
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
            protocol: None,
            leader: None,
            roster: Roster::default(),
            topics: None,
            initial: false,
            newcomers: false,
            join_timer: None,
            sync_end: None,
            storing: None,
            replacing: Vec::new(),
            leaving: Vec::new(),
            next_persist: 0,
            size_unchecked: None,
        }
    }

    /// Takes one event; `now_ms` is the same time in milliseconds since the Unix epoch.
    pub fn step(
        &mut self,
        now: Monotonic,
        now_ms: i64,
        settings: &GroupSettings,
        event: Event,
        out: &mut Vec<Action>,
    ) {
        let turn = &mut Turn { now, now_ms, settings, out };
        self.check_size(turn);
        match event {
            Event::Join(ticket, join) => self.join(turn, ticket, join),
            Event::Sync(ticket, sync) => self.sync(turn, ticket, sync),
            Event::Heartbeat(ticket, member) => {
                let code = self.heartbeat(now, &member).err().unwrap_or(ErrorCode::None);
                turn.reply(ticket, Answer::Heartbeat(code));
            }
            Event::Leave(ticket, leave) => self.leave(turn, ticket, leave),
            Event::Timeout => {}
            Event::Persisted(id, result) => self.persisted(turn, id, result),
            Event::Gone(ticket) => {
                self.roster.abandon(now, ticket);
                self.leaving.retain(|(_, waiting, _)| *waiting != ticket);
            }
            Event::Unloaded => self.unload(turn),
        }
        self.run_timers(turn);
    }

    /// When the next [`Event::Timeout`] is due. It may be early, never late.
    pub fn deadline(&self) -> Option<Monotonic> {
        if self.state == State::Dead {
            return None;
        }
        let join_end = self.join_timer.as_ref().map(|timer| timer.at);
        [self.roster.next_alarm(), join_end, self.sync_end, self.size_unchecked]
            .into_iter()
            .flatten()
            .min()
    }

    /// Where the group stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// When the group came into its state, in milliseconds since the Unix epoch; -1 if not known.
    pub fn state_since_ms(&self) -> i64 {
        self.state_since_ms
    }

    /// `consumer`, `connect`, …; none for a group that nobody has joined yet.
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// What the group takes in memory: its members with their ids, subscriptions and assignments, and
    /// the ids given to members still to come. It costs nothing.
    pub fn held_bytes(&self) -> usize {
        size_of::<Group>() + self.roster.held_bytes()
    }

    /// By how many bytes a JoinGroup would make the group larger: a member that says what it said
    /// before costs nothing.
    pub fn growth(&self, join: &Join) -> usize {
        bytes_as_member(join).saturating_sub(self.roster.get_for(join).map_or(0, Member::bytes))
    }

    /// Whether the group is in the state `Empty`.
    pub fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// What an administrator sees of the group.
    pub fn description(&self) -> Description {
        let protocol = self.protocol.as_deref().filter(|_| self.state == State::Stable);
        Description {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: self.roster.iter().map(|member| member.described(protocol)).collect(),
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
    pub fn subscribes_to(&self, topic: &str) -> bool {
        match &self.topics {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// Whether the group's topics are known, so that the offsets of others may expire while it is
    /// stable.
    pub fn knows_its_topics(&self) -> bool {
        self.topics.is_some()
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
            _ if self.is_of_consumers() => Ok(()),
            _ => Err(ErrorCode::NonEmptyGroup),
        }
    }

    fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// Goes into another state.
    fn turn_to(&mut self, turn: &Turn<'_>, state: State) {
        self.state = state;
        self.state_since_ms = turn.now_ms;
    }

    /// Asks for the group to be written.
    fn persist(&mut self, turn: &mut Turn<'_>, metadata: GroupMetadata) -> PersistId {
        let id = PersistId(self.next_persist);
        self.next_persist += 1;
        turn.out.push(Action::Persist(id, metadata));
        id
    }

    /// Goes on with what a write was for. Nothing waits for the writes of generations that are over.
    fn persisted(&mut self, turn: &mut Turn<'_>, id: PersistId, result: Result<(), ErrorCode>) {
        let result = result.map_err(told_of_failed_write);
        if let Err(code) = result {
            warn!(group = self.id, generation = self.generation, %code, "the state of the group could not be written: its members try again; if this goes on, look for errors of the disk above");
        }
        self.assignments_stored(turn, id, result);
        self.replacement_stored(turn, id, result);
        for (_, ticket, mut left) in self.leaving.extract_if(.., |(waiting, ..)| *waiting == id) {
            if let Err(code) = result {
                left = Left { code, members: Vec::new() };
            }
            turn.reply(ticket, Answer::Leave(left));
        }
    }

    /// Takes a member out of the group, and answers what it waits for.
    fn remove_member(&mut self, turn: &mut Turn<'_>, id: &str) {
        let join = self.roster.take_join(id);
        let sync = self.roster.take_sync(id);
        if self.roster.remove(id).is_none() {
            return;
        }
        // It is not told the id: it may come back as a new member at once.
        if let Some(ticket) = join {
            turn.refuse_join(ticket, "", ErrorCode::UnknownMemberId);
        }
        if let Some(ticket) = sync {
            turn.refuse_sync(ticket, ErrorCode::UnknownMemberId);
        }
        self.replacing.retain(|replacement| replacement.is_not_by(id));
        if self.is_leader(id) {
            self.leader = self.roster.iter().next().map(|member| member.id.clone());
        }
    }

    /// Those who have left and wait for a write that says so; they are the caller's to answer from now on.
    pub fn take_leaving(&mut self) -> Vec<(PersistId, Ticket, Left)> {
        std::mem::take(&mut self.leaving)
    }

    /// Tells everyone who waits to look for the coordinator again.
    fn unload(&mut self, turn: &mut Turn<'_>) {
        let code = ErrorCode::NotCoordinator;
        for id in self.roster.ids(|_| true) {
            if let Some(ticket) = self.roster.take_join(&id) {
                turn.refuse_join(ticket, &id, code);
            }
            if let Some(ticket) = self.roster.take_sync(&id) {
                turn.refuse_sync(ticket, code);
            }
        }
        for (_, ticket, _) in self.leaving.drain(..) {
            turn.reply(ticket, Answer::Leave(Left { code, members: Vec::new() }));
        }
        *self = Group { generation: self.generation, ..Group::new(&self.id) };
        self.turn_to(turn, State::Dead);
    }
}

/// What clients are told of a write that has failed: most failures send them back to look for the
/// coordinator, which is where a broker with a working disk may now be.
fn told_of_failed_write(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::InvalidFetchSize => ErrorCode::UnknownServerError,
        other => other,
    }
}
