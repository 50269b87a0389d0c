//! Where the time of one request went: what a line about a slow one says.
//!
//! The stages are told by the clock of the shard's turns, which costs no reading: they are right to a
//! turn, some microseconds on a shard that does not stall. Arrival and answer are read exactly.

use std::time::Duration;

use crate::protocol::api_key::ApiKey;
use crate::runtime::Monotonic;

/// What a request can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Room for its bytes, memory for its records, or the responses before it.
    Queue,
    /// The way to another shard and back.
    Hop,
    /// The commit of what it appended.
    Journal,
    /// Records that are not in memory.
    Read,
    /// The coordinator of its group, with the commit of what that wrote.
    Coordinator,
    /// What the client asked to wait for: records that are not there yet, or the other members of
    /// its group. It does not count.
    Poll,
}

/// How long a request has waited for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent([Duration; 6]);

impl Spent {
    /// Adds to a stage.
    pub fn add(&mut self, stage: Stage, time: Duration) {
        self.0[stage as usize] += time;
    }

    /// The time of a stage.
    pub fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }

    /// The time of all stages.
    pub fn sum(&self) -> Duration {
        self.0.iter().sum()
    }
}

/// One request that has its answer.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Its API.
    pub api: ApiKey,
    /// Its version.
    pub version: i16,
    /// By which its client knows it.
    pub correlation_id: i32,
    /// When its last byte had come.
    pub arrived: Monotonic,
    /// When the answer was ready to be sent.
    pub answered: Monotonic,
    /// What it waited for in between.
    pub spent: Spent,
}

impl Timing {
    /// How long the client waited that did not ask to, if the last byte left at `sent`.
    pub fn total(&self, sent: Monotonic) -> Duration {
        let total = sent.max(self.answered).saturating_since(self.arrived);
        total.saturating_sub(self.spent.of(Stage::Poll))
    }

    /// What is in no stage: the shard's own work, and what the controller was asked for.
    pub fn rest(&self) -> Duration {
        self.answered.saturating_since(self.arrived).saturating_sub(self.spent.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_asked_to_wait_for_does_not_count() {
        let millis = Duration::from_millis;
        let at = |ms: u64| Monotonic(ms * 1_000_000);
        let mut spent = Spent::default();
        spent.add(Stage::Poll, millis(300));
        spent.add(Stage::Read, millis(40));
        spent.add(Stage::Read, millis(10));
        let (arrived, answered) = (at(1000), at(1400));
        let timing =
            Timing { api: ApiKey::Fetch, version: 17, correlation_id: 5, arrived, answered, spent };
        assert_eq!(timing.total(at(1450)), millis(150));
        assert_eq!(timing.total(at(0)), millis(100), "a send in the same turn took no time");
        assert_eq!(timing.rest(), millis(50));
        assert_eq!(spent.of(Stage::Read), millis(50));
    }
}
