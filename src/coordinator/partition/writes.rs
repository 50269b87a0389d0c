//! What is on its way to the log: the changes that a write makes once it is durable, and who waits.

use std::rc::Rc;

use super::{GroupPartition, Moment, PartitionAction, WriteId};
use crate::coordinator::group::{Event, Group, PersistId};
use crate::coordinator::message::{Answer, FetchOffsets, Left, Ticket};
use crate::coordinator::offsets::Committed;
use crate::coordinator::records::GroupValue;
use crate::model::limits::COORDINATOR_WRITES_BYTES_MAX;
use crate::model::{ErrorCode, PartitionIndex};
use crate::record::{BatchBuilder, BatchOptions};
use crate::runtime::Monotonic;

/// What a record takes besides its key and value: five varints of at most five bytes, attributes,
/// the count of headers.
const RECORD_BYTES_MAX: usize = 32;

/// A change of one group that a record makes.
pub(super) enum Change {
    /// An offset, or none any more.
    Offset { topic: Box<str>, partition: PartitionIndex, value: Option<Committed> },
    /// A generation as the log has it, or the group's deletion.
    Generation(Option<Box<[u8]>>),
}

/// What follows the end of a write.
#[derive(Clone)]
pub(super) enum Then {
    /// Nobody waits.
    Nothing,
    /// A commit is answered: these codes where the write succeeded.
    Commit(Ticket, Vec<ErrorCode>),
    /// More writes of the request follow.
    Part(Ticket),
    /// DeleteGroups is answered.
    Delete(Ticket),
    /// OffsetDelete is answered.
    DeleteOffsets(Ticket, Vec<ErrorCode>),
    /// A group's state machine waits.
    Persisted { group: Rc<str>, incarnation: u32, persist: PersistId },
    /// LeaveGroup is answered; the group has been deleted since.
    Left(Ticket, Left),
}

/// A write that is not reported yet.
pub(super) struct InFlight {
    /// Which it is; or the error of one that could not even be asked for, and waits for its turn.
    id: Result<WriteId, ErrorCode>,
    bytes: usize,
    changes: Vec<(Rc<str>, Change)>,
    then: Then,
    /// Fetches that want to see what this write and those before it have changed.
    fetches: Vec<(Ticket, FetchOffsets)>,
}

/// Records that are to be written together.
pub(super) struct Draft {
    now_ms: i64,
    builder: BatchBuilder,
    changes: Vec<(Rc<str>, Change)>,
}

impl Draft {
    pub(super) fn new(now_ms: i64) -> Draft {
        Draft { now_ms, builder: BatchBuilder::new(BatchOptions::default()), changes: Vec::new() }
    }

    /// An empty draft of the same time.
    pub(super) fn fresh(&self) -> Draft {
        Draft::new(self.now_ms)
    }

    pub(super) fn append(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.builder.append(self.now_ms, Some(key), value, &[]);
    }

    /// Notes what the record that was appended last changes.
    pub(super) fn change(&mut self, group: &Rc<str>, change: Change) {
        self.changes.push((Rc::clone(group), change));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl GroupPartition {
    /// Whether a record whose key and value take so many bytes still fits a write.
    pub(super) fn fits(&self, draft: &Draft, record_bytes: usize) -> bool {
        draft.builder.size_bytes() + record_bytes + RECORD_BYTES_MAX
            <= self.settings.batch_bytes_max
    }

    /// Whether so much is on its way to the log that new changes have to wait.
    pub(super) fn is_congested(&self) -> bool {
        self.writes_bytes >= COORDINATOR_WRITES_BYTES_MAX
    }

    /// Asks for a write and marks what it changes.
    pub(super) fn submit(&mut self, draft: Draft, then: Then, out: &mut Vec<PartitionAction>) {
        for (group, change) in &draft.changes {
            self.change(group, |held| {
                held.changes_in_flight += 1;
                match change {
                    Change::Offset { topic, partition, value } => {
                        let newest = value.as_ref().map(|committed| committed.topic_id);
                        held.offsets.begin(topic, *partition, newest);
                    }
                    Change::Generation(Some(_)) => {}
                    Change::Generation(None) => held.deletions_in_flight += 1,
                }
            });
        }
        let batch = draft.builder.finish();
        let id = WriteId(self.next_write);
        self.next_write += 1;
        self.writes_bytes += batch.len();
        let (bytes, changes) = (batch.len(), draft.changes);
        self.writes.push_back(InFlight { id: Ok(id), bytes, changes, then, fetches: Vec::new() });
        out.push(PartitionAction::Write(id, batch));
    }

    /// Lets something fail that cannot be written, after everything that was asked for before it.
    pub(super) fn refuse(&mut self, code: ErrorCode, then: Then) {
        let (changes, fetches) = (Vec::new(), Vec::new());
        self.writes.push_back(InFlight { id: Err(code), bytes: 0, changes, then, fetches });
    }

    /// Whose leaving is on its way to the log has left, though the group is about to be deleted: the
    /// write is answered, and the group's state machine no longer waits for it.
    pub(super) fn keep_leaving(&mut self, id: &Rc<str>) {
        let leaving = self.change(id, |held| {
            let group = held.membership.as_mut();
            group.map_or_else(Vec::new, |group| group.take_leaving())
        });
        let current = self.groups.get(id).map(|held| held.incarnation);
        for (waiting, ticket, left) in leaving {
            let write = self.writes.iter_mut().find(|write| match &write.then {
                Then::Persisted { group, incarnation, persist } => {
                    group == id && Some(*incarnation) == current && *persist == waiting
                }
                _ => false,
            });
            // One request empties a group, so one waits for the write.
            write.expect("who waits has a write").then = Then::Left(ticket, left);
        }
    }

    /// Answers a fetch after the writes that are on their way now.
    pub(super) fn fetch_after_writes(&mut self, ticket: Ticket, fetch: FetchOffsets) {
        let last = self.writes.back_mut().expect("a group with changes in flight has a write");
        last.fetches.push((ticket, fetch));
    }

    /// Ends the oldest write.
    pub(super) fn written(
        &mut self,
        at: Moment,
        id: WriteId,
        result: Result<(), ErrorCode>,
        out: &mut Vec<PartitionAction>,
    ) {
        let write = self.writes.pop_front().expect("a report is of a write that was asked for");
        assert_eq!(write.id, Ok(id), "writes are reported in the order of their ids");
        self.end_write(at, write, result, out);
        self.sweep(at, out);
    }

    /// Ends what cannot be written and has nothing before it any more.
    pub(super) fn settle_refused(&mut self, at: Moment, out: &mut Vec<PartitionAction>) {
        while let Some(Err(code)) = self.writes.front().map(|write| write.id) {
            if let Some(write) = self.writes.pop_front() {
                self.end_write(at, write, Err(code), out);
            }
        }
    }

    fn end_write(
        &mut self,
        at: Moment,
        write: InFlight,
        result: Result<(), ErrorCode>,
        out: &mut Vec<PartitionAction>,
    ) {
        self.writes_bytes -= write.bytes;
        for (group, change) in write.changes {
            self.end_change(at.now, &group, change, result.is_ok());
        }
        let code = result.map_or_else(coordinator_code, |()| ErrorCode::None);
        let answer = |codes: Vec<ErrorCode>| match code {
            ErrorCode::None => codes,
            code => vec![code; codes.len()],
        };
        let reply = |ticket, answer| PartitionAction::Reply(ticket, answer);
        match write.then {
            Then::Nothing => {}
            Then::Commit(ticket, codes) => out.push(reply(ticket, Answer::Commit(answer(codes)))),
            Then::Part(ticket) => {
                if !code.is_none() {
                    self.failed_parts.entry(ticket).or_insert(code);
                }
            }
            Then::Delete(ticket) => {
                let code = self.failed_parts.remove(&ticket).unwrap_or(code);
                out.push(reply(ticket, Answer::Delete(code)));
            }
            Then::DeleteOffsets(ticket, codes) => {
                let code = self.failed_parts.remove(&ticket).unwrap_or(code);
                let codes = if code.is_none() { Ok(codes) } else { Err(code) };
                out.push(reply(ticket, Answer::DeleteOffsets(codes)));
            }
            Then::Persisted { group, incarnation, persist } => {
                // A group that was deleted and began anew has asked for nothing yet.
                if self.groups.get(&group).is_some_and(|held| held.incarnation == incarnation) {
                    let result = if code.is_none() { Ok(()) } else { Err(code) };
                    self.step_group(at, &group, Event::Persisted(persist, result), out);
                }
            }
            Then::Left(ticket, mut left) => {
                self.parked.remove(&ticket);
                if !code.is_none() {
                    left = Left { code, members: Vec::new() };
                }
                out.push(reply(ticket, Answer::Leave(left)));
            }
        }
        for (ticket, fetch) in write.fetches {
            let answer = match result {
                Ok(()) => Ok(self.fetched(fetch)),
                Err(code) => Err(fetch_code(code)),
            };
            out.push(reply(ticket, Answer::FetchOffsets(answer)));
        }
    }

    /// Takes in a change that is durable, or takes back the mark of one that has failed.
    fn end_change(&mut self, now: Monotonic, id: &Rc<str>, change: Change, durable: bool) {
        let mut keep = durable;
        self.change(id, |held| {
            held.changes_in_flight -= 1;
            match change {
                Change::Offset { topic, partition, value } => {
                    match &value {
                        Some(value) if durable => {
                            held.offsets.put(&topic, partition, &value.value());
                            held.visible = true;
                        }
                        None if durable => held.offsets.remove(&topic, partition),
                        _ => {}
                    }
                    held.offsets.end(&topic, partition);
                }
                Change::Generation(Some(value)) => {
                    if durable {
                        held.generation = Some(value);
                        held.visible = true;
                    }
                }
                Change::Generation(None) => {
                    held.deletions_in_flight -= 1;
                    if durable {
                        held.generation = None;
                        held.visible = held.membership.is_some();
                        keep = false;
                    } else if held.membership.is_none() && held.deletions_in_flight == 0 {
                        held.membership = restored(id, held.generation.as_deref(), now);
                        held.incarnation += 1;
                    }
                }
            }
        });
        self.schedule(id);
        if !keep {
            self.drop_if_hollow(id);
        }
    }
}

/// The state machine of a group whose generation the log holds.
pub(super) fn restored(id: &str, generation: Option<&[u8]>, now: Monotonic) -> Option<Box<Group>> {
    let value = GroupValue::decode(generation?).expect("it was read when it was taken in");
    Some(Box::new(Group::restore(value.into_metadata(id), now)))
}

/// What a client hears of a failed write (Kafka's `CoordinatorOperationExceptionHelper`).
fn coordinator_code(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::InvalidFetchSize => ErrorCode::UnknownServerError,
        ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
        other => other,
    }
}

/// The same for OffsetFetch, whose older clients do not retry `COORDINATOR_NOT_AVAILABLE`.
fn fetch_code(code: ErrorCode) -> ErrorCode {
    match coordinator_code(code) {
        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
        other => other,
    }
}
