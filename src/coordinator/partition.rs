//! One partition of the coordinator: its groups and offsets, and what is written to keep them.
//!
//! The log of a partition of `__consumer_offsets` is the only memory: the driver replays it (or a
//! snapshot and the batches after it), says that loading is over, and from then on turns every
//! [`PartitionAction::Write`] into an append. Writes are appended in the order of their ids and
//! reported in that order, each once; what a write carried is answered and visible only then.
//!
//! Invariants:
//! - Durable state changes only by what the log holds: by [`GroupPartition::replay`], or when a write
//!   is reported durable, and by the same effects. So a snapshot is what a replay would give.
//! - A group whose generation is durable has its state machine, except while its deletion is on its
//!   way. A group that only keeps offsets has none.
//! - What is being written is marked ([`GroupOffsets::begin`](super::offsets::GroupOffsets::begin)),
//!   and nothing that the broker deletes by itself overtakes it.
//!
//! Deliberately absent: the encoding of requests (in `api/`), and records of other kinds of groups,
//! which are skipped and counted. They stay in the log; a snapshot does not have them, so a Klamm that
//! learns to read them gives its snapshots another version and replays the log once.

use std::collections::VecDeque;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::group::{Event, GroupSettings};
use super::message::{Answer, Request, Ticket};
use crate::model::limits::{COORDINATOR_BYTES_MAX, COORDINATOR_NEWCOMERS_BYTES_MAX};
use crate::model::{ErrorCode, PartitionIndex, TopicId};
use crate::runtime::Monotonic;

#[cfg(test)]
mod deletion_tests;
mod figures;
mod held;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod loading_tests;
#[cfg(test)]
mod member_tests;
mod members;
mod replay;
mod requests;
mod snapshot;
mod sweep;
#[cfg(test)]
mod tests;
mod timers;
mod writes;

pub use figures::GroupFigures;
use held::Held;
pub use replay::ReplayError;
pub use snapshot::SnapshotError;
use sweep::Sweep;
use timers::Timers;
use writes::InFlight;

/// A write that the driver is asked for; ids rise by one from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// What the broker's configuration says about groups and offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// What concerns the members of groups.
    pub group: GroupSettings,
    /// `offset.metadata.max.bytes`; Kafka counts UTF-16 units, and so do we.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// The largest batch that the log takes: `max.message.bytes` of `__consumer_offsets`.
    pub batch_bytes_max: usize,
}

/// What happens to a partition of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionEvent {
    /// A client asks; the answer comes under the ticket, at once or after a write.
    Request(Ticket, Request),
    /// A write is durable, or it failed with the log's error and has left nothing behind.
    Written(WriteId, Result<(), ErrorCode>),
    /// The time that [`GroupPartition::deadline`] named has come.
    Timeout,
    /// Nobody waits for this answer any more. An answer that waits for a write may still come.
    Gone(Ticket),
    /// A topic is deleted; another may have its name by now.
    TopicDeleted {
        /// Its name.
        topic: String,
        /// Its id.
        id: TopicId,
    },
    /// Offsets are to be looked through for such that nobody needs any more: due every
    /// `offsets.retention.check.interval.ms`.
    ExpireOffsets,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionAction {
    /// Send an answer.
    Reply(Ticket, Answer),
    /// Append one whole record batch and report when it is durable.
    Write(WriteId, Vec<u8>),
}

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Monotonic,
    /// Milliseconds since 1970.
    now_ms: i64,
}

/// The groups and offsets of one partition of `__consumer_offsets`.
pub struct GroupPartition {
    settings: Rc<CoordinatorSettings>,
    loaded: bool,
    groups: FxHashMap<Rc<str>, Held>,
    /// Times at which groups are to be looked at.
    timers: Timers,
    /// Whose state machine keeps an answer back.
    parked: FxHashMap<Ticket, Rc<str>>,
    /// What is being written, in order.
    writes: VecDeque<InFlight>,
    writes_bytes: usize,
    next_write: u64,
    /// Parts of a request's writes that failed before the last part was reported.
    failed_parts: FxHashMap<Ticket, ErrorCode>,
    sweeps: VecDeque<Sweep>,
    /// When the sweep goes on, unless it waits for its writes.
    sweep_at: Option<Monotonic>,
    /// What all groups take in memory, about.
    bytes: usize,
    /// What they may take before none of them grows any more.
    bytes_max: usize,
    /// What they may take before no new ones are taken in: a flood of these leaves room for the groups
    /// that people work with.
    newcomers_bytes_max: usize,
    /// Records that were replayed and are not ours to understand.
    skipped_records: u64,
}

impl GroupPartition {
    /// The partition before anything was replayed.
    pub fn new(settings: Rc<CoordinatorSettings>) -> GroupPartition {
        GroupPartition {
            settings,
            loaded: false,
            groups: FxHashMap::default(),
            timers: Timers::default(),
            parked: FxHashMap::default(),
            writes: VecDeque::new(),
            writes_bytes: 0,
            next_write: 0,
            failed_parts: FxHashMap::default(),
            sweeps: VecDeque::new(),
            sweep_at: None,
            bytes: 0,
            bytes_max: COORDINATOR_BYTES_MAX,
            newcomers_bytes_max: COORDINATOR_NEWCOMERS_BYTES_MAX,
            skipped_records: 0,
        }
    }

    /// Takes an event at a time in the monotonic clock and in milliseconds since 1970.
    ///
    /// # Panics
    /// If a write is reported that is not the oldest one on its way.
    pub fn step(
        &mut self,
        now: Monotonic,
        now_ms: i64,
        event: PartitionEvent,
        out: &mut Vec<PartitionAction>,
    ) {
        let at = Moment { now, now_ms };
        match event {
            PartitionEvent::Request(ticket, request) if self.loaded => {
                self.request(at, ticket, request, out);
            }
            PartitionEvent::Request(ticket, request) => {
                let answer = match &request {
                    // Kafka lets members believe that they are alive while it loads.
                    Request::Heartbeat(_) => Answer::Heartbeat(ErrorCode::None),
                    _ => request.refused(ErrorCode::CoordinatorLoadInProgress),
                };
                out.push(PartitionAction::Reply(ticket, answer));
            }
            PartitionEvent::Written(id, result) => self.written(at, id, result, out),
            PartitionEvent::Timeout => {
                self.fire_timers(at, out);
                self.sweep(at, out);
            }
            PartitionEvent::Gone(ticket) => {
                if let Some(group) = self.parked.remove(&ticket) {
                    self.step_group(at, &group, Event::Gone(ticket), out);
                }
            }
            PartitionEvent::TopicDeleted { topic, id } => {
                self.sweep_topic(topic, id);
                self.sweep(at, out);
            }
            PartitionEvent::ExpireOffsets => {
                self.sweep_expired();
                self.sweep(at, out);
            }
        }
        self.settle_refused(at, out);
    }

    /// When a `Timeout` is due, if ever. It may be early, never late.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.timers.next().into_iter().chain(self.sweep_at).min()
    }

    /// What all groups take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets the groups take so much more memory, and so much for new ones, but never more than
    /// `model/limits` says. What they have they keep, and members of theirs come back.
    pub fn allow_growth(&mut self, bytes: usize, by_newcomers: usize) {
        self.bytes_max = self.bytes.saturating_add(bytes).min(COORDINATOR_BYTES_MAX);
        let newcomers = self.bytes.saturating_add(by_newcomers);
        self.newcomers_bytes_max = newcomers.min(COORDINATOR_NEWCOMERS_BYTES_MAX);
    }

    /// How many replayed records were of kinds that are not known here.
    pub fn skipped_records(&self) -> u64 {
        self.skipped_records
    }
}

/// The partition of `__consumer_offsets` that keeps a group: Kafka's
/// `Utils.abs(groupId.hashCode()) % partitions`, on the UTF-16 code units of the id.
pub fn partition_of(group: &str, partition_count: i32) -> PartitionIndex {
    let hash = group
        .encode_utf16()
        .fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    PartitionIndex(hash.checked_abs().unwrap_or(0) % partition_count)
}
