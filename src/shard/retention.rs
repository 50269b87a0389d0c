//! Old records go: passes over the shard's partitions by their topics' retention, and DeleteRecords.
//!
//! A pass runs every `log.retention.check.interval.ms` in the background lane, a few partitions at
//! a time, each durable before the next. Files are removed by the store, later and one at a time.

use std::rc::Rc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::model::{ErrorCode, Offset};
use crate::replication::{DeletionError, Leader};
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};
use crate::runtime::sync::{join_all, select2};
use crate::runtime::{Lane, Monotonic};
use crate::shard::message::RecordDeletion;
use crate::shard::state::Shard;
use crate::storage::{Expired, LogStartError, StorageFailed};

/// Partitions of one pass that are looked at together: their entries share a commit.
const LOGS_TOGETHER: usize = 64;
/// A wall clock that moves so much further than time does has jumped.
const JUMP_MS: i64 = 60_000;

/// The wall clock as retention takes it: a jump forward must not make young records old.
///
/// It never runs ahead of the wall clock, and catches up with one that has jumped ahead only as
/// fast as time passes: a jump by an hour is believed after an hour, one by ten years never.
#[derive(Clone, Copy, Debug)]
pub struct RetentionClock {
    /// What is believed of the wall clock less the monotonic one.
    offset_ms: i64,
    at: Monotonic,
    jumped: bool,
}

impl RetentionClock {
    /// Believes the wall clock as a start finds it.
    pub fn new(wall_ms: i64, now: Monotonic) -> RetentionClock {
        RetentionClock { offset_ms: wall_ms.saturating_sub(millis(now.0)), at: now, jumped: false }
    }

    /// The time by which records are old.
    pub fn read(&mut self, wall_ms: i64, now: Monotonic) -> i64 {
        #[cfg(test)]
        if is_planted(Planted::TrustTheClock) {
            return wall_ms;
        }
        let passed_ms = millis(now.saturating_since(self.at).as_nanos() as u64);
        let found_ms = wall_ms.saturating_sub(millis(now.0));
        let error_ms = found_ms.saturating_sub(self.offset_ms);
        let jumped = error_ms.saturating_abs() > JUMP_MS.saturating_add(passed_ms);
        if jumped && !self.jumped {
            warn!(
                by_ms = error_ms,
                "the wall clock has jumped: retention follows it only as fast as time passes"
            );
        }
        self.jumped = jumped;
        self.offset_ms = self.offset_ms.saturating_add(error_ms.clamp(-passed_ms, passed_ms));
        self.at = now;
        wall_ms.min(self.offset_ms.saturating_add(millis(now.0)))
    }
}

fn millis(nanos: u64) -> i64 {
    (nanos / 1_000_000) as i64
}

/// Starts the passes of a shard.
pub fn retain(shard: &Rc<Shard>) {
    let Some(guard) = shard.gate().enter() else { return };
    let passing = shard.clone();
    shard.runtime().spawn(Lane::Background, async move {
        pass_when_due(&passing).await;
        drop(guard);
    });
}

async fn pass_when_due(shard: &Shard) {
    let settings = shard.settings().retention;
    let mut wait = settings.initial_delay;
    loop {
        let stopped = shard.stopped().listen();
        let sleep = shard.runtime().sleep(wait);
        if shard.is_stopping() || select2(sleep, stopped).await.left().is_none() {
            return;
        }
        wait = settings.check_interval;
        if expire_segments(shard).await.is_err() {
            // Whoever watches the directory says so.
            return;
        }
    }
}

/// What one pass has let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Partitions that lost segments.
    pub partitions: usize,
    /// Whole segments.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One pass over the partitions of a shard.
///
/// # Errors
/// Once the log directory has failed.
pub async fn expire_segments(shard: &Shard) -> Result<Passed, StorageFailed> {
    let runtime = shard.runtime();
    let began = runtime.now();
    let now_ms = {
        let clock = &mut *shard.retention_clock().borrow_mut();
        clock.read(runtime.wall_clock_ms(), began)
    };
    let leaders: Vec<Rc<Leader>> = shard.leaders().values().cloned().collect();
    let mut sum = Passed::default();
    for some in leaders.chunks(LOGS_TOGETHER) {
        let expiring = some.iter().map(|leader| leader.expire(now_ms));
        for (leader, result) in some.iter().zip(join_all(expiring).await) {
            match result {
                Ok(None) | Err(LogStartError::Deleted) => {}
                Ok(Some(expired)) => note(&mut sum, leader, &expired),
                Err(problem @ LogStartError::OutOfRange { .. }) => {
                    error!(log = %leader.id(), %problem, "retention asked for too much: report this");
                }
                Err(LogStartError::Storage(failed)) => return Err(failed),
            }
        }
        if shard.is_stopping() {
            break;
        }
        runtime.yield_now().await;
    }
    if sum.segments > 0 {
        let Passed { partitions, segments, bytes } = sum;
        let took_ms = runtime.now().saturating_since(began).as_millis() as u64;
        info!(shard = %shard.id(), partitions, segments, bytes, took_ms, "old segments are removed");
    }
    Ok(sum)
}

fn note(sum: &mut Passed, leader: &Leader, expired: &Expired) {
    let Expired { start, segments, bytes } = *expired;
    tracing::debug!(log = %leader.id(), %start, segments, bytes, "old segments are removed");
    sum.partitions += 1;
    sum.segments += segments;
    sum.bytes += bytes;
}

/// Deletes records of partitions of this shard; each result is the first offset that is left.
pub async fn delete_records_here(
    shard: &Shard,
    parts: &[RecordDeletion],
) -> Vec<Result<Offset, ErrorCode>> {
    join_all(parts.iter().map(|part| delete_records(shard, part))).await
}

async fn delete_records(shard: &Shard, part: &RecordDeletion) -> Result<Offset, ErrorCode> {
    let leader = shard.leader(part.log).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let deleted = leader.delete_records(part.before).await;
    deleted.map_err(|problem| code_of(&problem))
}

fn code_of(problem: &DeletionError) -> ErrorCode {
    match problem {
        DeletionError::Policy => ErrorCode::PolicyViolation,
        DeletionError::NoOffset(_) | DeletionError::Log(LogStartError::OutOfRange { .. }) => {
            ErrorCode::OffsetOutOfRange
        }
        DeletionError::Log(LogStartError::Deleted) => ErrorCode::UnknownTopicOrPartition,
        // The broker says once what is wrong with the directory, and stops.
        DeletionError::Log(LogStartError::Storage(_)) => ErrorCode::KafkaStorageError,
    }
}

/// When passes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// `log.initial.task.delay.ms`: from the start to the first pass.
    pub initial_delay: Duration,
    /// `log.retention.check.interval.ms`: between two passes.
    pub check_interval: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const TEN_YEARS_MS: i64 = 315_360_000_000;
    /// The wall clock of a start.
    const WALL_MS: i64 = 1_800_000_000_000;

    /// Reads a clock every five minutes for so many hours, while the wall clock is off by `jumps`
    /// (from which hour on, by how much in all); gives how far it then is from true time.
    fn error_after(hours: u64, jumps: &[(u64, i64)]) -> i64 {
        let minutes = |count: u64| Monotonic(count * 60 * 1_000_000_000);
        let mut clock = RetentionClock::new(WALL_MS, minutes(0));
        let mut error_ms = 0;
        for minute in (5..=hours * 60).step_by(5) {
            let off = jumps.iter().rev().find(|(from, _)| minute > from * 60);
            let true_ms = WALL_MS + minute as i64 * 60_000;
            let wall_ms = true_ms + off.map_or(0, |(_, by)| *by);
            let read_ms = clock.read(wall_ms, minutes(minute));
            assert!(read_ms <= wall_ms, "it never runs ahead of the wall clock");
            error_ms = read_ms - true_ms;
        }
        error_ms
    }

    #[test]
    fn a_jump_makes_nothing_old_at_once() {
        let check = |hours, jumps: &[(u64, i64)], expected: i64| {
            assert_eq!(error_after(hours, jumps), expected, "{jumps:?} after {hours} h");
        };
        check(24, &[], 0);
        // Forward: believed as fast as time passes.
        check(24, &[(23, TEN_YEARS_MS)], HOUR_MS);
        check(24, &[(0, TEN_YEARS_MS)], 24 * HOUR_MS);
        check(24, &[(20, 2 * HOUR_MS)], 2 * HOUR_MS);
        check(24, &[(23, 2 * HOUR_MS)], HOUR_MS);
        // Back: everything is younger at once, and true again when the clock is.
        check(24, &[(23, -TEN_YEARS_MS)], -TEN_YEARS_MS);
        check(24, &[(2, -TEN_YEARS_MS), (3, 0)], 0);
        // There and back again.
        check(24, &[(2, TEN_YEARS_MS), (3, 0)], 0);
        check(24, &[(2, -TEN_YEARS_MS), (3, TEN_YEARS_MS), (4, 0)], 0);
    }
}
