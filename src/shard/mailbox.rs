//! What comes over the mesh: each message is begun in order, and what has to wait waits in a task.

use std::rc::Rc;

use tracing::warn;

use crate::model::ErrorCode;
use crate::runtime::memory::Piece;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::{Lane, Monotonic};
use crate::shard::appends::append_for;
use crate::shard::calls::CallReply;
use crate::shard::fetches::{Fetched, Haste, fetch_here};
use crate::shard::groups;
use crate::shard::lookups;
use crate::shard::measure;
use crate::shard::message::{
    Answer, Call, CallId, FetchCall, Message, RemoteFetched, RemotePiece, Served,
};
use crate::shard::retention;
use crate::shard::state::Shard;
use crate::storage::ReadPart;

/// Serves the mesh until the shard is told to stop.
pub async fn serve(shard: Rc<Shard>) {
    loop {
        let (from, message) = shard.mesh().recv().await;
        if receive(&shard, from, message) {
            return;
        }
        shard.return_leases();
    }
}

/// Takes one message; true when it says to stop.
fn receive(shard: &Rc<Shard>, from: usize, message: Message) -> bool {
    match message {
        Message::Call(id, call) => begin_call(shard, from, id, call),
        Message::Answer(id, answer) => {
            shard.calls().close(id, CallReply::adopt(answer, shard.borrowed()));
        }
        Message::Progress(id, bytes) => shard.calls().progress(id, bytes),
        Message::Hurry(id) => {
            if let Some(haste) = shard.waiting().borrow().get(&(from, id)) {
                haste.give();
            }
        }
        Message::Abandon(id) => shard.groups().abandon((from, id)),
        Message::Release(slots) => {
            for slot in slots {
                shard.lent().give_back(slot);
            }
        }
        Message::Connection(connection) => {
            if shard.arrivals().try_push(connection).is_err() && shard.log_budget().allow() {
                warn!("a connection that moved here was closed: too many arrive at once");
            }
        }
        Message::Metadata { index, records } => {
            shard.apply(&records);
            shard.mesh().send(from, Message::Applied(index));
        }
        Message::CommandAnswer(id, result) => {
            shard.calls().close(id, CallReply::Command(result));
        }
        Message::Measure { round, with_logs } => measure::begin(shard, from, round, with_logs),
        Message::Stop => return true,
        // These are for the control thread.
        Message::Measured(..)
        | Message::Command(..)
        | Message::Applied(_)
        | Message::Started(_)
        | Message::Failed(_)
        | Message::Stopped(_) => {
            warn!(from, "a message for the control thread came to a shard: ignored");
        }
    }
    false
}

/// Starts a call's task. Tasks start in the order of their calls, so appends stay in order.
fn begin_call(shard: &Rc<Shard>, from: usize, id: CallId, call: Call) {
    let Some(guard) = shard.gate().enter() else {
        return shard.mesh().send(from, Message::Answer(id, refusal(&call)));
    };
    let call = match call {
        Call::Coordinate(log, request) => {
            return groups::serve_call(shard, (from, id), log, *request, guard);
        }
        other => other,
    };
    let serving = shard.clone();
    let began = shard.runtime().turn_began();
    // The call to hurry may be the next message, before the task has run.
    let haste = matches!(call, Call::Fetch(_)).then(Haste::new);
    if let Some(haste) = &haste {
        shard.waiting().borrow_mut().insert((from, id), haste.clone());
    }
    shard.runtime().spawn(Lane::Hot, async move {
        #[cfg(test)]
        if is_planted(Planted::OvertakeForwarded) {
            let span = std::time::Duration::from_micros(serving.runtime().random() % 200);
            serving.runtime().sleep(span).await;
        }
        let answer = match call {
            Call::Append(parts) => {
                let results = append_for(&serving, parts).await;
                let took = serving.runtime().turn_began().saturating_since(began);
                Answer::Append(results, Served { took, ..Served::default() })
            }
            Call::Fetch(fetch) => {
                let haste = haste.unwrap_or_default();
                fetch_for(&serving, (from, id), fetch, &haste, began).await
            }
            Call::Offsets(queries) => {
                Answer::Offsets(lookups::offsets_here(&serving, &queries).await)
            }
            Call::EpochEnds(queries) => {
                Answer::EpochEnds(lookups::epoch_ends_here(&serving, &queries))
            }
            Call::DeleteRecords(parts) => {
                Answer::DeleteRecords(retention::delete_records_here(&serving, &parts).await)
            }
            Call::LogSizes => Answer::LogSizes(lookups::log_sizes_here(&serving)),
            Call::Coordinate(..) => unreachable!("taken above, in order"),
        };
        serving.mesh().send(from, Message::Answer(id, answer));
        drop(guard);
    });
}

/// What a caller is told by a shard that has stopped: to look for the leader again.
fn refusal(call: &Call) -> Answer {
    let code = ErrorCode::NotLeaderOrFollower;
    match call {
        Call::Append(parts) => {
            Answer::Append(parts.iter().map(|_| Err(code.into())).collect(), Served::default())
        }
        Call::Fetch(fetch) => {
            let results = (0..fetch.parts.len()).map(|part| (part, Err(code))).collect();
            Answer::Fetch(results, Served::default())
        }
        Call::Offsets(queries) => Answer::Offsets(vec![Err(code); queries.len()]),
        Call::EpochEnds(queries) => Answer::EpochEnds(vec![Err(code); queries.len()]),
        Call::DeleteRecords(parts) => Answer::DeleteRecords(vec![Err(code); parts.len()]),
        Call::LogSizes => Answer::LogSizes(Vec::new()),
        Call::Coordinate(_, request) => {
            Answer::Coordinated(Box::new(request.refused(ErrorCode::NotCoordinator)))
        }
    }
}

/// Serves another shard's fetch: waits here, and lends what it found.
async fn fetch_for(
    shard: &Shard,
    caller: (usize, CallId),
    call: FetchCall,
    haste: &Haste,
    began: Monotonic,
) -> Answer {
    let (from, id) = caller;
    let progress = |bytes| shard.mesh().send(from, Message::Progress(id, bytes));
    let (results, polled) = fetch_here(shard, &call.parts, call.terms, haste, true, progress).await;
    shard.waiting().borrow_mut().remove(&caller);
    let lend = |fetched: Fetched| RemoteFetched {
        place: fetched.place,
        records: fetched.records.into_parts().into_iter().filter_map(|p| lend(shard, p)).collect(),
    };
    let results = results.into_iter().map(|(part, result)| (part, result.map(lend))).collect();
    let took = shard.runtime().turn_began().saturating_since(began);
    Answer::Fetch(results, Served { took, polled })
}

/// Makes records fit to cross the mesh: leases are lent, buffers go as they are.
fn lend(shard: &Shard, part: ReadPart) -> Option<RemotePiece> {
    match part {
        ReadPart::Piece(Piece::Lease(lease)) => Some(RemotePiece::Lease(shard.lent().lend(lease))),
        ReadPart::Piece(Piece::Aligned(buffer, range)) => Some(RemotePiece::Read(buffer, range)),
        ReadPart::Piece(other) => Some(RemotePiece::Bytes(other.to_vec())),
        // A read into memory yields no ranges of files.
        ReadPart::File(_) => None,
    }
}
