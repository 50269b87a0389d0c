//! Whether an idle shard spins for a moment or sleeps at once.
//!
//! Waking a sleeping core costs about 25 µs each way. Spinning pays if the next event usually
//! comes within the limit; it is off when the shard is idle, and where others need the CPU.

use std::time::Duration;

use crate::runtime::clock::Monotonic;

/// How long spinning is off after somebody else needed the CPU.
const PAUSE: Duration = Duration::from_millis(20);

/// Spins in a row that brought nothing before spinning is paused.
const FAILURES_MAX: u32 = 8;

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
    /// Whether the idle time of now was spent spinning to its end, and how often in a row that was.
    spun_out: bool,
    failures: u32,
}

impl Spin {
    /// Spins for at most `limit`; zero never spins.
    pub(super) fn new(limit: Duration) -> Spin {
        Spin {
            limit,
            gap: limit.saturating_mul(4),
            idle_since: None,
            paused_until: Monotonic::default(),
            spun_out: false,
            failures: 0,
        }
    }

    /// Something happened.
    pub(super) fn progress(&mut self, now: Monotonic) {
        if let Some(since) = self.idle_since.take() {
            let gap = now.saturating_since(since).min(self.limit.saturating_mul(4));
            self.gap = (self.gap * 7 + gap) / 8;
            if !std::mem::take(&mut self.spun_out) {
                self.failures = 0;
            }
        }
    }

    /// Nothing happened.
    pub(super) fn next(&mut self, now: Monotonic) -> Next {
        if self.limit.is_zero() {
            return Next::Sleep;
        }
        let since = *self.idle_since.get_or_insert(now);
        // A gap that was slept through contains two wake-ups, so twice the limit is worth a try.
        if self.gap > self.limit * 2 || now < self.paused_until || self.spun_out {
            return Next::Sleep;
        }
        if now.saturating_since(since) < self.limit {
            return Next::Spin;
        }
        self.spun_out = true;
        self.failures += 1;
        if self.failures == FAILURES_MAX {
            self.failures = 0;
            self.pressure(now);
        }
        Next::Sleep
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
    fn spinning_in_vain_is_paused() {
        let mut spin = Spin::new(Duration::from_micros(50));
        let (mut now, mut spun) = (events(&mut spin, 0, 40, 80), 0);
        assert_eq!(spin.next(at(now)), Next::Spin, "the gap may be two wake-ups");
        for _ in 0..1000 {
            spun += u32::from(spin.next(at(now + 49)) == Next::Spin);
            assert_eq!(spin.next(at(now + 50)), Next::Sleep);
            now += 80;
            spin.progress(at(now));
            spin.next(at(now));
        }
        assert!((8..100).contains(&spun), "{spun} of 1000");
    }

    #[test]
    fn zero_never_spins() {
        let mut spin = Spin::new(Duration::ZERO);
        let now = events(&mut spin, 0, 40, 1);
        assert_eq!(spin.next(at(now)), Next::Sleep);
    }
}
