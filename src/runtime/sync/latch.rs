//! Something that happens once: whoever waits for it, before or after, hears of it.

use std::cell::Cell;

use super::event::Event;

/// A latch that is open until it is set, and set ever after.
#[derive(Debug, Default)]
pub struct Latch {
    set: Cell<bool>,
    changed: Event,
}

impl Latch {
    /// A latch that is not set.
    pub fn new() -> Latch {
        Latch::default()
    }

    /// Sets it; again changes nothing.
    pub fn set(&self) {
        self.set.set(true);
        self.changed.notify_all();
    }

    /// Waits until it is set.
    pub async fn wait(&self) {
        let changed = self.changed.listen();
        if !self.set.get() {
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sync::poll_now;

    #[test]
    fn those_who_come_late_hear_of_it_too() {
        let latch = Latch::new();
        let mut early = Box::pin(latch.wait());
        assert!(poll_now(&mut early).is_none());
        latch.set();
        assert!(poll_now(&mut early).is_some());
        assert!(poll_now(&mut Box::pin(latch.wait())).is_some());
    }
}
