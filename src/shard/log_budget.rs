//! Keeps clients from filling the log: so many lines a second, and no more.

use std::cell::Cell;

use crate::runtime::{Monotonic, Runtime};

/// Lines that clients can cause in one second.
const LINES_PER_SECOND: u32 = 5;

/// A budget of log lines.
pub struct LogBudget {
    runtime: Runtime,
    second: Cell<Monotonic>,
    used: Cell<u32>,
}

impl LogBudget {
    /// A full budget.
    pub fn new(runtime: Runtime) -> LogBudget {
        LogBudget { second: Cell::new(runtime.now()), runtime, used: Cell::new(0) }
    }

    /// Whether one more line may be logged now; counts it.
    pub fn allow(&self) -> bool {
        let now = self.runtime.now();
        if now.saturating_since(self.second.get()).as_secs() >= 1 {
            self.second.set(now);
            self.used.set(0);
        }
        self.used.set(self.used.get().saturating_add(1));
        self.used.get() <= LINES_PER_SECOND
    }
}
