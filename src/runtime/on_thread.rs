//! A value that may travel with a message but is only ever touched on its own thread.

use std::mem::ManuallyDrop;
use std::thread::ThreadId;

/// Lets a simulated thing, all of whose nodes share one thread, be part of a type that is `Send`
/// for the real machine's sake.
pub struct OnThread<T> {
    value: ManuallyDrop<T>,
    thread: ThreadId,
}

// SAFETY: the value is reached on the thread that made it only; elsewhere it is leaked.
unsafe impl<T> Send for OnThread<T> {}

impl<T> OnThread<T> {
    /// Binds `value` to the calling thread.
    pub(in crate::runtime) fn new(value: T) -> OnThread<T> {
        OnThread { value: ManuallyDrop::new(value), thread: std::thread::current().id() }
    }

    /// The value.
    ///
    /// # Panics
    /// On another thread.
    pub(in crate::runtime) fn into_inner(self) -> T {
        assert!(self.is_here(), "a simulated thing stays on its world's thread");
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used nor dropped after this.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }

    fn is_here(&self) -> bool {
        self.thread == std::thread::current().id()
    }
}

impl<T> Drop for OnThread<T> {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: it is dropped once, here, on its thread.
            unsafe { ManuallyDrop::drop(&mut self.value) }
        }
    }
}
