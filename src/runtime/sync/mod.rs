//! Waiting inside one thread: events, one-shot values, gates, permits, queues and combinators.
//!
//! Everything here is `Rc` and `Cell`, works under either backend, and is correct when a waiting
//! future is dropped: a permit or an item that was on its way to it goes to the next. Wake-ups are
//! first in, first out. Deliberately absent: anything that crosses a thread (see `mesh`).

mod combine;
mod event;
mod gate;
mod latch;
mod oneshot_cell;
mod queue;
mod semaphore;

pub use combine::{Either, join_all, poll_now, select2, timeout};
pub use event::{Event, Listener};
pub use gate::{Gate, GateGuard};
pub use latch::Latch;
pub use queue::{Closed, Queue};
pub use semaphore::{Permit, Semaphore};

/// A channel for one value.
pub mod oneshot {
    pub use super::oneshot_cell::{Receiver, Sender, channel};
}
