//! Fetches over the shards: each owner reads its part, waits with the others, and says what is news.
//!
//! What this shard owns is read here, the rest in one call a shard. Only partitions of which there is
//! something to say come back, so that a long poll of many that are silent costs little at its end.

use std::rc::Rc;
use std::time::Duration;

use crate::model::{ErrorCode, ShardId};
use crate::runtime::memory::Piece;
use crate::runtime::sync::{join_all, oneshot};
use crate::shard::answer_memory::AnswerHold;
use crate::shard::by_owner::{ByOwner, Group};
use crate::shard::calls::{CallReply, Received};
use crate::shard::fetch_sum::FetchSum;
use crate::shard::fetches::{FetchResult, Fetched, Haste, fetch_here};
use crate::shard::message::{
    Call, FetchCall, FetchPart, FetchTerms, FetchedPlace, Message, Served, Told,
};
use crate::shard::state::Shard;
use crate::storage::ReadPart;

/// Records of one partition, wherever it lives.
pub struct Routed {
    /// The partition's place.
    pub place: FetchedPlace,
    /// The records.
    pub parts: Vec<ReadPart>,
    /// Their length in bytes.
    pub len: usize,
    /// Counts what they hold, until the answer has left.
    pub hold: AnswerHold,
}

impl From<Fetched> for Routed {
    fn from(fetched: Fetched) -> Routed {
        let len = fetched.records.len();
        Routed {
            place: fetched.place,
            parts: fetched.records.into_parts(),
            len,
            hold: fetched.hold,
        }
    }
}

impl Routed {
    /// Of another shard: what it has lent, it counts itself.
    fn received(shard: &Shard, received: Received) -> Routed {
        let len = received.pieces.iter().map(|piece| piece.len()).sum();
        let own = received.pieces.iter().filter(|piece| !matches!(piece, Piece::Borrowed(_)));
        let hold = shard.answers().hold(own.map(Piece::memory).sum());
        let parts = received.pieces.into_iter().map(ReadPart::Piece).collect();
        Routed { place: received.place, parts, len, hold }
    }
}

/// What a fetch finds in one partition, wherever it lives.
pub type RoutedResult = Result<Routed, ErrorCode>;

/// Where the time of a fetch went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchTime {
    /// On the way to other shards and back.
    pub hop: Duration,
    /// Waiting for records that were not there.
    pub polled: Duration,
    /// The rest: reading.
    pub reading: Duration,
}

/// A fetch in the making: first add each partition in order, then fetch.
pub struct Fetches {
    shard: Rc<Shard>,
    parts: ByOwner<FetchPart>,
}

impl Fetches {
    /// A fetch of nothing yet.
    pub fn new(shard: &Rc<Shard>) -> Fetches {
        Fetches { shard: shard.clone(), parts: ByOwner::new() }
    }

    /// Adds a partition that `owner` owns.
    pub fn add(&mut self, owner: ShardId, part: FetchPart) {
        self.parts.add(owner, part);
    }

    /// Fetches, and tells where the time went. What comes back are the partitions of which there is something
    /// to say, each with its place among those that were added and in their order.
    pub async fn news(self, terms: FetchTerms) -> (Vec<(usize, RoutedResult)>, FetchTime) {
        let Fetches { shard, parts } = self;
        let shard = &shard;
        let began = shard.runtime().turn_began();
        let since = move || shard.runtime().turn_began().saturating_since(began);
        let count = parts.count();
        // Without partitions there is nothing to wait for, as in Kafka.
        let groups = parts.into_groups();
        let alone = groups.len() == 1;
        let bounds = if alone { Vec::new() } else { bounds(count, &groups) };
        let haste = Haste::new();
        let sum = FetchSum::new(shard, terms.bytes_min, haste.clone());
        let mut waits = Vec::with_capacity(groups.len());
        for Group { owner, places, mut parts } in groups {
            let call = (owner != shard.id()).then(|| {
                let (id, receiver) = shard.calls().open(Some(sum.clone()));
                sum.includes(owner, id);
                let parts = std::mem::take(&mut parts);
                shard.send(owner, Message::Call(id, Call::Fetch(FetchCall { parts, terms })));
                receiver
            });
            let (sum, haste) = (sum.clone(), haste.clone());
            waits.push(async move {
                let (mut found, served) = match call {
                    Some(receiver) => receive(shard, receiver, places.len()).await,
                    None => {
                        let tell = |bytes| {
                            if !alone {
                                sum.report(None, bytes)
                            }
                        };
                        let (found, polled) =
                            fetch_here(shard, &parts, terms, &haste, false, tell).await;
                        let routed =
                            |(part, result): (usize, FetchResult)| (part, result.map(Routed::from));
                        (found.into_iter().map(routed).collect(), Served { took: since(), polled })
                    }
                };
                sum.hurry();
                found.iter_mut().for_each(|(part, _)| *part = places[*part]);
                (found, (since().saturating_sub(served.took), served.polled))
            });
        }
        let (found, times): (Vec<_>, Vec<_>) = join_all(waits).await.into_iter().unzip();
        let hop = times.iter().map(|(hop, _)| *hop).max().unwrap_or_default();
        let polled = times.iter().map(|(_, polled)| *polled).max().unwrap_or_default();
        let reading = since().saturating_sub(hop + polled);
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        if !alone {
            found.sort_unstable_by_key(|(place, _)| *place);
            limit(&mut found, &bounds, terms.bytes_max);
        }
        (found, FetchTime { hop, polled, reading })
    }
}

/// Fetches from every shard that owns one of `parts`; each is answered, whatever was told of it.
pub async fn fetch(
    shard: &Rc<Shard>,
    parts: Vec<FetchPart>,
    terms: FetchTerms,
) -> Vec<RoutedResult> {
    let mut fetches = Fetches::new(shard);
    for part in parts {
        fetches.add(shard.owner(part.log), FetchPart { told: Told::NOTHING, ..part });
    }
    let (found, _) = fetches.news(terms).await;
    found.into_iter().map(|(_, result)| result).collect()
}

/// The most bytes of each partition, in the order of the request.
fn bounds(count: usize, groups: &[Group<FetchPart>]) -> Vec<usize> {
    let mut bounds = vec![0; count];
    for (place, part) in groups.iter().flat_map(|group| group.places.iter().zip(&group.parts)) {
        bounds[*place] = part.bytes_max;
    }
    bounds
}

/// The answer of another shard to a call of so many parts; none comes if it ends first.
async fn receive(
    shard: &Shard,
    receiver: oneshot::Receiver<CallReply>,
    count: usize,
) -> (Vec<(usize, RoutedResult)>, Served) {
    match receiver.await {
        Some(CallReply::Fetch(results, served)) => {
            let routed = |received| Routed::received(shard, received);
            let results = results.into_iter().map(|(part, result)| (part, result.map(routed)));
            (results.collect(), served)
        }
        _ => {
            let lost = || Err(ErrorCode::UnknownServerError);
            ((0..count).map(|part| (part, lost())).collect(), Served::default())
        }
    }
}

/// Each shard kept to the bounds alone, and returned its first batch whatever its size: drops what
/// goes over them together, behind the first records.
fn limit(found: &mut [(usize, RoutedResult)], bounds: &[usize], bytes_max: usize) {
    let mut sum = 0;
    for (place, result) in found {
        let Ok(routed) = result else { continue };
        if sum > 0 && routed.len > bytes_max.saturating_sub(sum).min(bounds[*place]) {
            routed.parts.clear();
            routed.len = 0;
        }
        sum += routed.len;
    }
}
