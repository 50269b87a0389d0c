//! When records are due: open loop by a fixed schedule, or closed loop as fast as answers come.

use std::str::FromStr;

use anyhow::{Result, bail};

use crate::chance::Chance;
use crate::clock::{Nanos, SECOND};

/// How arrivals follow each other in an open loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// One as long after the other.
    #[default]
    Constant,
    /// As from many independent users: a Poisson process.
    Poisson,
}

impl FromStr for Arrival {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Arrival> {
        match text {
            "constant" => Ok(Arrival::Constant),
            "poisson" => Ok(Arrival::Poisson),
            _ => bail!("arrival {text}: constant or poisson"),
        }
    }
}

/// The intended send times of one connection, all before an end.
#[derive(Debug)]
pub struct Schedule {
    arrival: Arrival,
    /// `None` is closed loop.
    interval: Option<f64>,
    /// Times stay exact over days: the fraction of a nanosecond is kept.
    next: f64,
    end: Nanos,
    left: u64,
}

impl Schedule {
    /// Connection `index` of `connections` together sends `rate` records a second, from `begin` to before `end`
    /// and at most `count` records.
    pub fn open(
        arrival: Arrival,
        rate: f64,
        (index, connections): (usize, usize),
        (begin, end): (Nanos, Nanos),
        count: u64,
        chance: &mut Chance,
    ) -> Schedule {
        let interval = SECOND as f64 * connections as f64 / rate;
        // Connections with the same interval do not send at the same instant.
        let first = match arrival {
            Arrival::Constant => interval * (index as f64 + 1.0) / connections as f64,
            Arrival::Poisson => chance.exponential(interval),
        };
        Schedule { arrival, interval: Some(interval), next: begin as f64 + first, end, left: count }
    }

    /// Whenever there is room, until `end` and at most `count` records.
    pub fn closed(end: Nanos, count: u64) -> Schedule {
        Schedule { arrival: Arrival::Constant, interval: None, next: 0.0, end, left: count }
    }

    /// True where answers decide when the next is sent.
    pub fn is_closed(&self) -> bool {
        self.interval.is_none()
    }

    /// When the next record is due; `now` in a closed loop, `None` after the last.
    #[inline]
    pub fn next_due(&self, now: Nanos) -> Option<Nanos> {
        let next = if self.is_closed() { now } else { self.next.round() as Nanos };
        (next < self.end && self.left > 0).then_some(next)
    }

    /// Moves on to the one after.
    #[inline]
    pub fn advance(&mut self, chance: &mut Chance) {
        self.left -= 1;
        if let Some(interval) = self.interval {
            self.next += match self.arrival {
                Arrival::Constant => interval,
                Arrival::Poisson => chance.exponential(interval),
            };
        }
    }

    /// No more records after this one's time.
    pub fn end_at(&mut self, end: Nanos) {
        self.end = self.end.min(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(mut schedule: Schedule, chance: &mut Chance) -> Vec<Nanos> {
        std::iter::from_fn(|| {
            let due = schedule.next_due(0)?;
            schedule.advance(chance);
            Some(due)
        })
        .collect()
    }

    #[test]
    fn connections_share_a_constant_rate_evenly() {
        let mut chance = Chance::new(1);
        let mut all: Vec<Nanos> = Vec::new();
        for index in 0..4 {
            let span = (5 * SECOND, 7 * SECOND);
            let one =
                Schedule::open(Arrival::Constant, 1000.0, (index, 4), span, u64::MAX, &mut chance);
            all.extend(times(one, &mut chance));
        }
        all.sort_unstable();
        assert_eq!(all.len(), 1999, "the one at the end is not before the end");
        for pair in all.windows(2) {
            assert_eq!(pair[1] - pair[0], 1_000_000);
        }
    }

    #[test]
    fn a_third_of_a_nanosecond_does_not_add_up() {
        let mut chance = Chance::new(1);
        let span = (0, 100 * SECOND);
        let one = Schedule::open(Arrival::Constant, 3.0, (0, 1), span, u64::MAX, &mut chance);
        let times = times(one, &mut chance);
        assert_eq!(times.len(), 299);
        assert_eq!(times[298], 99_666_666_667);
    }

    #[test]
    fn poisson_has_the_rate_and_the_spread() {
        let mut chance = Chance::new(2);
        let span = (0, 100 * SECOND);
        let one = Schedule::open(Arrival::Poisson, 1000.0, (0, 1), span, u64::MAX, &mut chance);
        let times = times(one, &mut chance);
        assert!((99_000..101_000).contains(&times.len()), "{}", times.len());
        // A gap above its mean has probability 1/e.
        let long = times.windows(2).filter(|pair| pair[1] - pair[0] > 1_000_000).count();
        let share = long as f64 / times.len() as f64;
        assert!((share - (-1.0f64).exp()).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_count_and_an_end_close_both_kinds() {
        let mut chance = Chance::new(1);
        let one = Schedule::open(Arrival::Constant, 10.0, (0, 1), (0, SECOND), 3, &mut chance);
        assert_eq!(times(one, &mut chance).len(), 3);
        let mut closed = Schedule::closed(SECOND, 2);
        assert_eq!(closed.next_due(5), Some(5));
        assert_eq!(closed.next_due(SECOND), None);
        closed.advance(&mut chance);
        closed.advance(&mut chance);
        assert_eq!(closed.next_due(5), None);
        let mut ended = Schedule::closed(SECOND, 9);
        ended.end_at(10);
        assert_eq!(ended.next_due(10), None);
    }
}
