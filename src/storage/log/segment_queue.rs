//! Segments in the order in which they joined; one that is gone leaves nothing behind for long.

use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use rustc_hash::FxHashSet;

use super::partition_log::LogShared;
use crate::model::Offset;

/// The queue is never swept below this length.
const SWEPT_FROM: usize = 64;

/// A queue of segments that keeps no log alive.
///
/// A segment may join again and again, and a log may go; what is superfluous is swept out whenever
/// the queue is twice as long as after the last sweep, so that its length follows what there is.
#[derive(Default)]
pub struct SegmentQueue {
    segments: VecDeque<(Weak<LogShared>, Offset)>,
    needed: usize,
}

impl SegmentQueue {
    /// Adds a segment at the end.
    pub fn push(&mut self, log: &Weak<LogShared>, base: Offset) {
        if self.segments.len() >= SWEPT_FROM.max(2 * self.needed) {
            self.sweep();
        }
        self.segments.push_back((log.clone(), base));
    }

    /// Puts back what was just taken.
    pub fn push_front(&mut self, log: Weak<LogShared>, base: Offset) {
        self.segments.push_front((log, base));
    }

    /// Takes the segment that has been there for longest.
    pub fn pop(&mut self) -> Option<(Weak<LogShared>, Offset)> {
        self.segments.pop_front()
    }

    /// How many it has, with what has not been swept out yet.
    pub fn count(&self) -> usize {
        self.segments.len()
    }

    fn sweep(&mut self) {
        let mut seen = FxHashSet::default();
        self.segments.retain(|(weak, base)| {
            let has = |log: &Rc<LogShared>| log.has_segment(*base);
            weak.upgrade().as_ref().is_some_and(has) && seen.insert((weak.as_ptr(), *base))
        });
        self.needed = self.segments.len();
    }
}
