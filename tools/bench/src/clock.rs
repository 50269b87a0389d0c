//! The tool's clock: nanoseconds since the program began, the same on every thread.

use std::time::{Duration, Instant};

/// A nanosecond count since the clock's start.
pub type Nanos = u64;

/// One second.
pub const SECOND: Nanos = 1_000_000_000;

/// A copy on every thread reads the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts a clock; begin with one per program.
    #[expect(
        clippy::disallowed_methods,
        reason = "a load client runs on no shard and measures real time"
    )]
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// The time.
    #[inline]
    pub fn now(self) -> Nanos {
        nanos(self.0.elapsed())
    }

    /// Sleeps until `time`.
    #[expect(
        clippy::disallowed_methods,
        reason = "only the main thread sleeps, which runs nothing else"
    )]
    pub fn sleep_until(self, time: Nanos) {
        std::thread::sleep(Duration::from_nanos(time.saturating_sub(self.now())));
    }
}

/// A span in nanoseconds.
pub fn nanos(span: Duration) -> Nanos {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Lets sleeps of this process's threads end on time instead of up to 50 µs late. The file is the first
/// thread's, and threads inherit from it: call this before any is started.
pub fn sleep_exactly() {
    // Without it, timing is a little worse, and the lag that the run reports shows it.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
}
