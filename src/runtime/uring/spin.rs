//! Whether an idle shard spins for a moment or sleeps at once.
//!
//! Waking a sleeping core costs about 25 µs each way. Spinning pays if the next event usually
//! comes within the limit; it is off when the shard is idle, and where others need the CPU.

use std::time::Duration;

use crate::runtime::clock::Monotonic;

/// How long spinning is off after somebody else needed the CPU.
const PAUSE: Duration = Duration::from_millis(20);

/// What an idle driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Spin,
    Sleep,
}

/// Decides from the gaps between events.
pub(super) struct Spin {
    limit: Duration,
    /// A moving average of the gaps, each capped so that one long sleep is soon forgotten.
    gap: Duration,
    idle_since: Option<Monotonic>,
    paused_until: Monotonic,
}

impl Spin {
    /// Spins for at most `limit`; zero never spins.
    pub(super) fn new(limit: Duration) -> Spin {
        Spin {
            limit,
            gap: limit.saturating_mul(4),
            idle_since: None,
            paused_until: Monotonic::default(),
        }
    }

    /// Something happened.
    pub(super) fn progress(&mut self, now: Monotonic) {
        if let Some(since) = self.idle_since.take() {
            let gap = now.saturating_since(since).min(self.limit.saturating_mul(4));
            self.gap = (self.gap * 7 + gap) / 8;
        }
    }

    /// Nothing happened.
    pub(super) fn next(&mut self, now: Monotonic) -> Next {
        if self.limit.is_zero() {
            return Next::Sleep;
        }
        let since = *self.idle_since.get_or_insert(now);
        let worth_it = self.gap <= self.limit && now >= self.paused_until;
        if worth_it && now.saturating_since(since) < self.limit { Next::Spin } else { Next::Sleep }
    }

    /// Somebody else needed the CPU while this shard was spinning.
    pub(super) fn pressure(&mut self, now: Monotonic) {
        self.paused_until = now + PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Monotonic {
        Monotonic(micros * 1000)
    }

    /// Feeds `count` events `gap` apart and returns the time after them.
    fn events(spin: &mut Spin, mut micros: u64, count: u64, gap: u64) -> u64 {
        for _ in 0..count {
            spin.next(at(micros));
            micros += gap;
            spin.progress(at(micros));
        }
        micros
    }

    #[test]
    fn it_spins_only_while_events_come_soon() {
        let mut spin = Spin::new(Duration::from_micros(50));
        assert_eq!(spin.next(at(0)), Next::Sleep, "nothing is known yet");
        let now = events(&mut spin, 0, 40, 10);
        assert_eq!(spin.next(at(now)), Next::Spin);
        assert_eq!(spin.next(at(now + 49)), Next::Spin);
        assert_eq!(spin.next(at(now + 50)), Next::Sleep, "not for ever");
        let now = events(&mut spin, now + 50, 40, 1000);
        assert_eq!(spin.next(at(now)), Next::Sleep, "idle");
        let now = events(&mut spin, now, 40, 10);
        assert_eq!(spin.next(at(now)), Next::Spin);
        spin.pressure(at(now));
        assert_eq!(spin.next(at(now)), Next::Sleep);
        let now = events(&mut spin, now, 2500, 10);
        assert_eq!(spin.next(at(now)), Next::Spin, "the pause has ended");
    }

    #[test]
    fn zero_never_spins() {
        let mut spin = Spin::new(Duration::ZERO);
        let now = events(&mut spin, 0, 40, 1);
        assert_eq!(spin.next(at(now)), Next::Sleep);
    }
}
