//! A gate that tasks enter and leave, and that closes when the last has left.

use std::cell::Cell;
use std::rc::Rc;

use super::event::Event;

#[derive(Default)]
struct Shared {
    inside: Cell<usize>,
    closed: Cell<bool>,
    empty: Event,
}

/// Counts the tasks of one owner; clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Rc<Shared>);

/// A task's presence inside a gate.
pub struct GateGuard(Rc<Shared>);

impl Gate {
    /// An open gate.
    pub fn new() -> Gate {
        Gate::default()
    }

    /// Enters, unless the gate is closed.
    pub fn enter(&self) -> Option<GateGuard> {
        if self.0.closed.get() {
            return None;
        }
        self.0.inside.set(self.0.inside.get() + 1);
        Some(GateGuard(self.0.clone()))
    }

    /// Whether nobody may enter any more.
    pub fn is_closed(&self) -> bool {
        self.0.closed.get()
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.0.inside.get()
    }

    /// Lets nobody in any more and waits until everybody has left.
    pub async fn close(&self) {
        self.0.closed.set(true);
        while self.0.inside.get() > 0 {
            let left = self.0.empty.listen();
            left.await;
        }
    }
}

impl Drop for GateGuard {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get() - 1);
        if self.0.inside.get() == 0 {
            self.0.empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll_now;
    use super::*;

    #[test]
    fn closing_waits_for_those_inside() {
        let gate = Gate::new();
        let guard = gate.enter().expect("the gate is open");
        let mut closing = Box::pin(gate.close());
        assert!(poll_now(&mut closing).is_none());
        assert!(gate.enter().is_none());
        drop(guard);
        assert!(poll_now(&mut closing).is_some());
    }
}
