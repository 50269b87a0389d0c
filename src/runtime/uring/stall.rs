//! Notices when a thread does not turn: a task holds the core, or the core is given to others.
//!
//! After every poll of a task the coarse clock is read, which the kernel updates at its tick: it
//! costs a fifth of the exact one (5 ns) and is right to 4 ms. Two readings that lie far apart name
//! the task between them. Whether the thread ran at all meanwhile tells the time that it waited for a
//! CPU, which the kernel counts.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use tracing::warn;

use super::handle::clock;
use crate::runtime::clock::Monotonic;

/// From here on a turn that does not end is worth a word.
const STALL_MIN: Duration = Duration::from_millis(10);
/// No more than one line in this time.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The watch of one thread.
pub(super) struct StallWatch {
    /// The coarse clock after the last poll.
    last: Cell<Monotonic>,
    /// Time spent waiting for a CPU, when it was last read.
    waited: Cell<Duration>,
    held: Cell<u64>,
    starved: Cell<u64>,
    line_at: Cell<Option<Monotonic>>,
}

impl StallWatch {
    /// A watch that begins now.
    pub(super) fn new() -> StallWatch {
        StallWatch {
            last: Cell::new(coarse()),
            waited: Cell::default(),
            held: Cell::default(),
            starved: Cell::default(),
            line_at: Cell::default(),
        }
    }

    /// The thread was away on purpose.
    pub(super) fn begin(&self) {
        self.last.set(coarse());
    }

    /// `task` has just been polled.
    #[inline]
    pub(super) fn polled(&self, task: &'static str) {
        let now = coarse();
        let since = now.saturating_since(self.last.replace(now));
        if since >= STALL_MIN {
            self.stalled(task, now, since);
        }
    }

    /// Reads how long the thread has waited for a CPU, so that a stall knows what came in it: to be
    /// called about once a second.
    pub(super) fn sample(&self) {
        self.waited.set(waited_for_cpu().unwrap_or_default());
    }

    /// Times that a task held the core, and that the core was given to others.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.held.get(), self.starved.get())
    }

    #[cold]
    fn stalled(&self, task: &'static str, now: Monotonic, since: Duration) {
        let before = self.waited.get();
        self.sample();
        let waited = self.waited.get().saturating_sub(before).min(since);
        let starved = waited * 2 >= since;
        let count = if starved { &self.starved } else { &self.held };
        count.set(count.get() + 1);
        let quiet = self.line_at.get().is_some_and(|at| now.saturating_since(at) < LINE_EVERY);
        if quiet {
            return;
        }
        self.line_at.set(Some(now));
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let (ms, task) = (since.as_millis(), short(task));
        if starved {
            let waited_ms = waited.as_millis();
            warn!(
                thread,
                ms,
                waited_ms,
                task,
                "the thread was not given its core: something else runs there, or a CPU quota is used up"
            );
        } else {
            warn!(thread, ms, task, "a task held the core: everything else of this thread waited");
        }
    }
}

fn coarse() -> Monotonic {
    let time = clock(libc::CLOCK_MONOTONIC_COARSE);
    Monotonic(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The second number of `/proc/thread-self/schedstat`.
fn waited_for_cpu() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// A task's type without what every one of them has.
fn short(name: &str) -> &str {
    let mut name = name.strip_prefix("klamm::").unwrap_or(name);
    while let Some(rest) = name.strip_suffix("::{{closure}}") {
        name = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_poll_is_counted_and_a_short_one_is_not() {
        let watch = StallWatch::new();
        watch.polled("the first of all");
        assert_eq!(watch.counts(), (0, 0));
        watch.sample();
        watch.begin();
        watch.polled("short");
        assert_eq!(watch.counts(), (0, 0));
        let end = coarse().0 + 4 * STALL_MIN.as_nanos() as u64;
        while coarse().0 < end {}
        watch.polled("klamm::some::task::{{closure}}");
        let (held, starved) = watch.counts();
        assert_eq!(held + starved, 1, "whatever else runs on this machine");
        watch.begin();
        watch.polled("short");
        assert_eq!(watch.counts(), (held, starved));
    }

    #[test]
    fn names_are_short() {
        for (name, expected) in [
            ("klamm::shard::mailbox::begin_call::{{closure}}", "shard::mailbox::begin_call"),
            ("klamm::a::b::{{closure}}::{{closure}}", "a::b"),
            ("core::future::Ready<()>", "core::future::Ready<()>"),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
