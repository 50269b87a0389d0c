//! Points and spans of monotonic time.

use std::ops::Add;
use std::time::Duration;

/// Nanoseconds of the monotonic clock, the same on every thread; for timeouts and durations only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// How long after `earlier` this is; zero if it is not.
    pub fn saturating_since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Monotonic;

    fn add(self, span: Duration) -> Monotonic {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Monotonic(self.0.saturating_add(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(Monotonic(5) + second, Monotonic(1_000_000_005));
        assert_eq!(Monotonic(5) + Duration::MAX, Monotonic(u64::MAX));
        assert_eq!((Monotonic(5) + second).saturating_since(Monotonic(5)), second);
        assert_eq!(Monotonic(5).saturating_since(Monotonic(6)), Duration::ZERO);
    }
}
