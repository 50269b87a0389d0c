//! Which tasks of a simulated executor are to be polled next, in the order in which they were woken.
#![expect(
    clippy::disallowed_types,
    reason = "the standard library's wakers must be Send and are made of Arc; one thread only"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

type Line = Arc<Mutex<VecDeque<Arc<TaskWaker>>>>;

/// A line of woken tasks.
#[derive(Clone, Default)]
pub(super) struct Ready {
    line: Line,
}

pub(super) struct TaskWaker {
    task: u64,
    in_line: AtomicBool,
    line: Line,
}

fn lock(line: &Line) -> MutexGuard<'_, VecDeque<Arc<TaskWaker>>> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.in_line.swap(true, Ordering::Relaxed) {
            lock(&self.line).push_back(Arc::clone(&self));
        }
    }
}

impl Ready {
    /// Puts a new task in line.
    pub(super) fn enter(&self, task: u64) {
        let line = Arc::clone(&self.line);
        Arc::new(TaskWaker { task, in_line: AtomicBool::new(false), line }).wake();
    }

    /// The next task to poll and its waker.
    pub(super) fn next(&self) -> Option<(u64, Waker)> {
        let waker = lock(&self.line).pop_front()?;
        waker.in_line.store(false, Ordering::Relaxed);
        Some((waker.task, Waker::from(waker)))
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.line).is_empty()
    }

    pub(super) fn clear(&self) {
        let dropped = std::mem::take(&mut *lock(&self.line));
        drop(dropped);
    }
}
