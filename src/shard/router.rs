//! Sends work to the shards that own the partitions, and brings the answers back.
//!
//! What this shard owns is done here at once; the rest goes over the mesh in one call a shard, so a
//! handler does not know where its partitions live. Results come in the order of the parts.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{ErrorCode, LogId, Offset, ShardId};
use crate::runtime::Monotonic;
use crate::runtime::sync::{join_all, oneshot};
use crate::shard::appends::{LocalAppend, append_here};
use crate::shard::by_owner::ByOwner;
use crate::shard::calls::CallReply;
use crate::shard::lookups;
use crate::shard::message::{
    AppendFailure, AppendPart, Appended, Call, EpochEnd, EpochQuery, Message, OffsetFound,
    OffsetQuery, RecordDeletion,
};
use crate::shard::retention;
use crate::shard::state::Shard;

/// Batches on their way into their logs: first add each in order, then send, then wait.
pub struct Appends {
    shard: Rc<Shard>,
    acks: i16,
    results: Vec<Slot>,
    remote: Vec<(ShardId, Vec<AppendPart>)>,
}

/// Where the result of one batch comes from.
enum Slot {
    Here(LocalAppend),
    Failed(AppendFailure),
    /// The call's index in `remote` and the part's index in it.
    There(usize, usize),
}

impl Appends {
    /// No batch yet.
    pub fn new(shard: &Rc<Shard>, acks: i16) -> Appends {
        Appends { shard: shard.clone(), acks, results: Vec::new(), remote: Vec::new() }
    }

    /// Adds a batch that was refused before it reached its log.
    pub fn refuse(&mut self, failure: AppendFailure) {
        self.results.push(Slot::Failed(failure));
    }

    /// Adds a validated batch; one of this shard is in its log when this returns. `owned` gives
    /// the batch as bytes that can leave this core.
    pub async fn add(&mut self, log: LogId, batch: &[u8], owned: impl FnOnce() -> Bytes) {
        let owner = self.shard.owner(log);
        if owner == self.shard.id() {
            let slot = match append_here(&self.shard, log, batch, self.acks).await {
                Ok(local) => Slot::Here(local),
                Err(failure) => Slot::Failed(failure),
            };
            self.results.push(slot);
            return;
        }
        let call = match self.remote.iter().position(|(shard, _)| *shard == owner) {
            Some(call) => call,
            None => {
                self.remote.push((owner, Vec::new()));
                self.remote.len() - 1
            }
        };
        let parts = &mut self.remote[call].1;
        self.results.push(Slot::There(call, parts.len()));
        parts.push(AppendPart { log, batch: owned(), acks: self.acks });
    }

    /// Sends what other shards own; in order behind everything sent to them before.
    pub fn send(self) -> SentAppends {
        let Appends { shard, results, remote, .. } = self;
        let sent = shard.runtime().turn_began();
        let calls = remote
            .into_iter()
            .map(|(owner, parts)| {
                let (id, receiver) = shard.calls().open(None);
                shard.send(owner, Message::Call(id, Call::Append(parts)));
                receiver
            })
            .collect();
        SentAppends { shard, sent, results, calls }
    }
}

/// Batches that are all on their way.
pub struct SentAppends {
    shard: Rc<Shard>,
    sent: Monotonic,
    results: Vec<Slot>,
    calls: Vec<oneshot::Receiver<CallReply>>,
}

impl SentAppends {
    /// Waits until each batch is as durable as its topic promises, or has failed.
    pub async fn wait(self) -> Vec<Result<Appended, AppendFailure>> {
        self.wait_timed().await.results
    }

    /// Waits likewise, and tells how long.
    pub async fn wait_timed(self) -> AppendsDone {
        let mut answers = Vec::with_capacity(self.calls.len());
        let mut served_max = Duration::ZERO;
        for call in self.calls {
            answers.push(match call.await {
                Some(CallReply::Append(results, served)) => {
                    served_max = served_max.max(served.took);
                    results
                }
                _ => Vec::new(),
            });
        }
        let crossed = match answers.is_empty() {
            true => Duration::ZERO,
            false => self.shard.runtime().turn_began().saturating_since(self.sent),
        };
        let mut results = Vec::with_capacity(self.results.len());
        for slot in self.results {
            results.push(match slot {
                Slot::Here(local) => local.acknowledged().await,
                Slot::Failed(failure) => Err(failure),
                Slot::There(call, part) => answers[call]
                    .get(part)
                    .cloned()
                    .unwrap_or_else(|| Err(ErrorCode::UnknownServerError.into())),
            });
        }
        let took = self.shard.runtime().turn_began().saturating_since(self.sent);
        AppendsDone { results, took, hop: crossed.saturating_sub(served_max) }
    }
}

/// Batches that are in their logs, or not.
pub struct AppendsDone {
    /// In the order in which they were added.
    pub results: Vec<Result<Appended, AppendFailure>>,
    /// From their sending to the last result.
    pub took: Duration,
    /// What of that was the way to other shards and back.
    pub hop: Duration,
}

/// Puts the results of the groups back into the order of the request.
fn reorder<T>(count: usize, groups: Vec<(Vec<usize>, Vec<T>)>, missing: impl Fn() -> T) -> Vec<T> {
    let mut ordered: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    for (places, results) in groups {
        for (place, result) in places.into_iter().zip(results) {
            ordered[place] = Some(result);
        }
    }
    ordered.into_iter().map(|result| result.unwrap_or_else(&missing)).collect()
}

/// Asks the owner of each of `parts`, this shard by `here`, and puts the answers into the parts' order.
async fn ask_owners<P: Clone, T>(
    shard: &Rc<Shard>,
    parts: Vec<P>,
    log: impl Fn(&P) -> LogId,
    call: impl Fn(Vec<P>) -> Call,
    here: impl AsyncFn(&[P]) -> Vec<Result<T, ErrorCode>>,
    results: impl Fn(CallReply) -> Option<Vec<Result<T, ErrorCode>>>,
) -> Vec<Result<T, ErrorCode>> {
    let count = parts.len();
    let (here, results) = (&here, &results);
    let mut grouped = ByOwner::new();
    for part in parts {
        grouped.add(shard.owner(log(&part)), part);
    }
    let asked = grouped.into_groups().into_iter().map(|group| {
        let reply =
            (group.owner != shard.id()).then(|| shard.call(group.owner, call(group.parts.clone())));
        async move {
            let found = match reply {
                None => here(&group.parts).await,
                Some(reply) => reply.await.and_then(results).unwrap_or_default(),
            };
            (group.places, found)
        }
    });
    reorder(count, join_all(asked).await, || Err(ErrorCode::UnknownServerError))
}

/// Looks up offsets by timestamp on every shard that owns one of `queries`.
pub async fn offsets(
    shard: &Rc<Shard>,
    queries: Vec<OffsetQuery>,
) -> Vec<Result<OffsetFound, ErrorCode>> {
    let here = async |queries: &[OffsetQuery]| lookups::offsets_here(shard, queries).await;
    let results = |reply| match reply {
        CallReply::Offsets(results) => Some(results),
        _ => None,
    };
    ask_owners(shard, queries, |query| query.log, Call::Offsets, here, results).await
}

/// Looks up the ends of leader epochs on every shard that owns one of `queries`.
pub async fn epoch_ends(
    shard: &Rc<Shard>,
    queries: Vec<EpochQuery>,
) -> Vec<Result<EpochEnd, ErrorCode>> {
    let here = async |queries: &[EpochQuery]| lookups::epoch_ends_here(shard, queries);
    let results = |reply| match reply {
        CallReply::EpochEnds(results) => Some(results),
        _ => None,
    };
    ask_owners(shard, queries, |query| query.log, Call::EpochEnds, here, results).await
}

/// Deletes records on every shard that owns one of `parts`; each result is the first offset that is
/// left, durably.
pub async fn delete_records(
    shard: &Rc<Shard>,
    parts: Vec<RecordDeletion>,
) -> Vec<Result<Offset, ErrorCode>> {
    let here = async |parts: &[RecordDeletion]| retention::delete_records_here(shard, parts).await;
    let results = |reply| match reply {
        CallReply::DeleteRecords(results) => Some(results),
        _ => None,
    };
    ask_owners(shard, parts, |part| part.log, Call::DeleteRecords, here, results).await
}

/// Every log of the process and its bytes, sorted.
pub async fn log_sizes(shard: &Rc<Shard>) -> Vec<(LogId, u64)> {
    let others = (0..shard.shard_count()).map(ShardId).filter(|id| *id != shard.id());
    let calls: Vec<_> = others.map(|id| shard.call(id, Call::LogSizes)).collect();
    let mut sizes = lookups::log_sizes_here(shard);
    for reply in join_all(calls).await {
        if let Some(CallReply::LogSizes(more)) = reply {
            sizes.extend(more);
        }
    }
    sizes.sort_unstable();
    sizes
}
