//! The calls of one shard to others: a slot for each, until its answer arrives.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;

use crate::coordinator::message as coordinator;
use crate::metadata::commands::{CommandError, Reply};
use crate::model::{ErrorCode, LogId, Offset};
use crate::runtime::memory::{LeaseReturns, Piece};
use crate::runtime::sync::oneshot;
use crate::shard::fetch_sum::FetchSum;
use crate::shard::message::{
    Answer, AppendFailure, Appended, CallId, EpochEnd, FetchedPlace, OffsetFound, RemoteFetched,
    RemotePiece, Served,
};

/// Records that another shard sent, readable here.
pub struct Received {
    /// The partition's place.
    pub place: FetchedPlace,
    /// The records.
    pub pieces: Vec<Piece>,
}

/// An answer as the caller gets it.
pub enum CallReply {
    /// Of an append.
    Append(Vec<Result<Appended, AppendFailure>>, Served),
    /// Of a fetch: by the part's index in the call. Its leases go back by themselves when they are dropped.
    Fetch(Vec<(usize, Result<Received, ErrorCode>)>, Served),
    /// Of a look-up by timestamp.
    Offsets(Vec<Result<OffsetFound, ErrorCode>>),
    /// Of a look-up by epoch.
    EpochEnds(Vec<Result<EpochEnd, ErrorCode>>),
    /// Of a deletion of records.
    DeleteRecords(Vec<Result<Offset, ErrorCode>>),
    /// Of a question for the sizes of logs.
    LogSizes(Vec<(LogId, u64)>),
    /// Of a question to the group coordinator.
    Coordinated(coordinator::Answer),
    /// Of a command to the controller.
    Command(Result<Reply, CommandError>),
}

impl CallReply {
    /// Makes an answer readable on this shard.
    pub fn adopt(answer: Answer, returns: &LeaseReturns) -> CallReply {
        match answer {
            Answer::Append(results, served) => CallReply::Append(results, served),
            Answer::Offsets(results) => CallReply::Offsets(results),
            Answer::EpochEnds(results) => CallReply::EpochEnds(results),
            Answer::DeleteRecords(results) => CallReply::DeleteRecords(results),
            Answer::LogSizes(sizes) => CallReply::LogSizes(sizes),
            Answer::Coordinated(answer) => CallReply::Coordinated(*answer),
            Answer::Fetch(results, served) => CallReply::Fetch(
                results
                    .into_iter()
                    .map(|(part, result)| (part, result.map(|it| adopt_records(it, returns))))
                    .collect(),
                served,
            ),
        }
    }
}

fn adopt_records(fetched: RemoteFetched, returns: &LeaseReturns) -> Received {
    let RemoteFetched { place, records } = fetched;
    let pieces = records
        .into_iter()
        .map(|piece| match piece {
            RemotePiece::Lease(lease) => Piece::Borrowed(returns.adopt(lease)),
            RemotePiece::Read(buffer, range) => Piece::Aligned(buffer, range),
            RemotePiece::Bytes(bytes) => Piece::Vec(bytes),
        })
        .collect();
    Received { place, pieces }
}

struct Waiting {
    answer: oneshot::Sender<CallReply>,
    sum: Option<Rc<FetchSum>>,
}

/// The calls that are under way.
#[derive(Default)]
pub struct Calls(RefCell<Slab<Waiting>>);

impl Calls {
    /// Opens a call; `sum` hears what a waiting fetch has found.
    pub fn open(&self, sum: Option<Rc<FetchSum>>) -> (CallId, oneshot::Receiver<CallReply>) {
        let (answer, receiver) = oneshot::channel();
        let id = self.0.borrow_mut().insert(Waiting { answer, sum });
        (id as CallId, receiver)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Hands an answer to its call; nobody may be waiting any more.
    pub fn close(&self, id: CallId, reply: CallReply) {
        let waiting = self.0.borrow_mut().try_remove(id as usize);
        if let Some(waiting) = waiting {
            drop(waiting.answer.send(reply));
        }
    }

    /// Notes what a waiting fetch has found so far.
    pub fn progress(&self, id: CallId, bytes: usize) {
        let sum = self.0.borrow().get(id as usize).and_then(|waiting| waiting.sum.clone());
        if let Some(sum) = sum {
            sum.report(Some(id), bytes);
        }
    }
}
