//! Reading at the owning shard: what is there now, or what comes within the wait (KIP-74).
//!
//! A fetch that finds too little waits on the high watermarks of its partitions and looks again
//! when one has moved. What it costs follows what becomes readable, not how long it waits.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::metrics::Metric;
use crate::model::ErrorCode;
use crate::replication::{Leader, ReadError};
use crate::runtime::clock::Monotonic;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{Event, Listener, select2};
use crate::shard::answer_memory::AnswerHold;
use crate::shard::message::{EpochEnd, FetchPart, FetchTerms, FetchedPlace};
use crate::shard::state::Shard;
use crate::storage::{LogReadError, ReadBytes};

/// A wait ends late by at most this part of it, and by at most [`GRAIN_MAX`].
const WAITS_A_GRAIN: u32 = 32;
const GRAIN_MAX: Duration = Duration::from_millis(10);

/// Records of one partition, readable on the shard that owns it.
pub struct Fetched {
    /// The partition's place.
    pub place: FetchedPlace,
    /// The records.
    pub records: ReadBytes,
    /// Counts what the records hold.
    pub hold: AnswerHold,
}

/// What a fetch finds in one partition.
pub type FetchResult = Result<Fetched, ErrorCode>;

/// A signal to a waiting fetch: answer with what is there.
#[derive(Default)]
pub struct Haste {
    now: Cell<bool>,
    event: Event,
}

impl Haste {
    /// A signal not given yet.
    pub fn new() -> Rc<Haste> {
        Rc::new(Haste::default())
    }

    /// Gives it.
    pub fn give(&self) {
        self.now.set(true);
        self.event.notify_all();
    }
}

/// Reads the wanted partitions of this shard, waiting as `terms` say; what comes back are those of which there
/// is something to say, by their index in `parts`. `progress` is told how many
/// bytes a look has found while it goes on waiting. `into_memory` says that the answer leaves this
/// core, where ranges of files are of no use. The time is that of the waits for more.
pub async fn fetch_here(
    shard: &Shard,
    parts: &[FetchPart],
    terms: FetchTerms,
    haste: &Haste,
    into_memory: bool,
    progress: impl Fn(usize),
) -> (Vec<(usize, FetchResult)>, Duration) {
    let deadline = shared_deadline(shard.runtime().now(), terms.wait_max);
    let mut polled = Duration::ZERO;
    loop {
        let leaders: Vec<Option<Rc<Leader>>> =
            parts.iter().map(|part| shard.leader(part.log)).collect();
        // Listening comes before looking, so that nothing is missed in between.
        let news = Listener::default();
        haste.event.tell(&news);
        let changing = leaders.iter().flatten();
        #[cfg(test)]
        let changing = changing.filter(|_| !is_planted(Planted::SleepThroughNews));
        for leader in changing {
            leader.readable().tell(&news);
        }
        let (results, limited) =
            read_all(shard, parts, &leaders, terms.bytes_max, into_memory).await;
        let found = results.iter().flat_map(|(_, result)| result);
        let bytes: usize = found.map(|fetched| fetched.records.len()).sum();
        let must_answer = results.iter().any(|(_, result)| {
            result.as_ref().map_or(true, |fetched| fetched.place.diverging.is_some())
        });
        // Where memory is short there may be more than was found.
        let enough = bytes >= terms.bytes_min || (limited && bytes > 0);
        let is_over = must_answer || enough || haste.now.get();
        if is_over || shard.runtime().now() >= deadline {
            shard.metrics().fetched(bytes);
            return (results, polled);
        }
        // What was found must not be held by who waits; that nothing was is still true if nothing was heard.
        let nothing = (bytes == 0).then_some(results);
        if bytes > 0 {
            progress(bytes);
        }
        let timer = shard.runtime().sleep_until(deadline);
        let waiting = shard.metrics().one_more(Metric::FetchesWaiting);
        let began = shard.runtime().turn_began();
        let heard = select2(news, timer).await.left().is_some();
        polled += shard.runtime().turn_began().saturating_since(began);
        drop(waiting);
        if let Some(nothing) = nothing.filter(|_| !heard) {
            shard.metrics().fetched(0);
            return (nothing, polled);
        }
    }
}

/// When a fetch that begins now gives up waiting: at least `wait_max` from now, and then at a moment
/// that it shares with others, so that one waking of the core answers all of them.
fn shared_deadline(now: Monotonic, wait_max: Duration) -> Monotonic {
    let grain = (wait_max / WAITS_A_GRAIN).min(GRAIN_MAX).as_nanos() as u64;
    let deadline = now + wait_max;
    match grain {
        0 => deadline,
        _ => Monotonic(deadline.0.next_multiple_of(grain)),
    }
}

/// Reads each part in turn, and keeps what is news; true if less was read than wanted, because answers hold too much.
async fn read_all(
    shard: &Shard,
    parts: &[FetchPart],
    leaders: &[Option<Rc<Leader>>],
    bytes_max: usize,
    into_memory: bool,
) -> (Vec<(usize, FetchResult)>, bool) {
    let mut limited = false;
    let mut left = bytes_max;
    let mut at_least_one = true;
    let mut results = Vec::new();
    for (index, (part, leader)) in parts.iter().zip(leaders).enumerate() {
        let result = match leader {
            Some(leader) => {
                let (wanted, allowed) = (left.min(part.bytes_max), shard.answer_allowance());
                limited |= allowed < wanted;
                let reading = Reading { bytes_max: wanted.min(allowed), at_least_one, into_memory };
                read_part(shard, leader, part, reading).await
            }
            None => Err(ErrorCode::UnknownTopicOrPartition),
        };
        let bytes = result.as_ref().map_or(0, |fetched| fetched.records.len());
        at_least_one &= bytes == 0;
        left = left.saturating_sub(bytes);
        let is_silent = result.as_ref().is_ok_and(|fetched| !fetched.place.is_news(part.told));
        if bytes > 0 || !is_silent {
            results.push((index, result));
        }
    }
    (results, limited)
}

/// How one partition is read.
struct Reading {
    bytes_max: usize,
    at_least_one: bool,
    into_memory: bool,
}

async fn read_part(
    shard: &Shard,
    leader: &Leader,
    part: &FetchPart,
    reading: Reading,
) -> FetchResult {
    let Reading { bytes_max, at_least_one, into_memory } = reading;
    let (high_watermark, log_start) = (leader.high_watermark(), leader.log().start_offset());
    leader.check_epoch(part.leader_epoch).map_err(|error| code_of(&error))?;
    let diverging = diverging(leader, part)?;
    let place = FetchedPlace { high_watermark, log_start, diverging };
    let found = |records: ReadBytes| {
        let hold = shard.answers().hold(records.memory());
        Ok(Fetched { place, records, hold })
    };
    if place.diverging.is_some() {
        return found(ReadBytes::default());
    }
    if bytes_max == 0 && !at_least_one {
        if part.offset < place.log_start || part.offset > place.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        return found(ReadBytes::default());
    }
    match leader.read(part.offset, bytes_max, at_least_one, into_memory).await {
        Ok(records) => found(records),
        Err(error) => Err(code_of(&error)),
    }
}

/// Where the client's history leaves the leader's, if it does (KIP-595); an epoch that this log
/// never had is no history of it.
fn diverging(leader: &Leader, part: &FetchPart) -> Result<Option<EpochEnd>, ErrorCode> {
    let Some(last) = part.last_fetched_epoch else { return Ok(None) };
    let (epoch, end) = leader.log().epoch_end(last);
    // What is below the log's start is out of range, whether the histories part or not.
    if epoch.0 < 0 || end.0 < 0 || part.offset < leader.log().start_offset() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    Ok((epoch < last || end < part.offset).then_some(EpochEnd { epoch, end }))
}

fn code_of(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::FencedEpoch { .. } => ErrorCode::FencedLeaderEpoch,
        ReadError::UnknownEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
        ReadError::Log(LogReadError::OutOfRange { .. }) => ErrorCode::OffsetOutOfRange,
        ReadError::Log(LogReadError::Deleted) => ErrorCode::UnknownTopicOrPartition,
        ReadError::Log(LogReadError::Io(_) | LogReadError::Corrupt(_)) => {
            ErrorCode::KafkaStorageError
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end_together_and_never_early() {
        let ms = Duration::from_millis;
        for (now_ms, wait, expected_ms) in
            [(0, ms(500), 500), (1, ms(500), 510), (9, ms(500), 510), (10, ms(500), 510)]
        {
            let now = Monotonic::default() + ms(now_ms);
            let deadline = shared_deadline(now, wait);
            assert_eq!(deadline, Monotonic::default() + ms(expected_ms), "at {now_ms} ms");
        }
        for wait in [0, 1, 20, 31, 100, 500, 30_000].map(ms) {
            let now = Monotonic(123_456_789);
            let late = shared_deadline(now, wait).saturating_since(now + wait);
            assert!(late <= (wait / WAITS_A_GRAIN).min(GRAIN_MAX), "{late:?} after {wait:?}");
        }
    }
}
