//! Operations in flight as futures: each owns what the kernel works on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::ring::{Completion, Held, Key, Ring};

/// One operation; dropped early, it is cancelled and its memory left to the ring until it ends.
pub(super) struct Operation<P: Held> {
    ring: Ring,
    key: Key,
    held: Option<P>,
    cancel: bool,
}

impl<P: Held> Operation<P> {
    pub(super) fn new(ring: Ring, key: Key, held: P) -> Operation<P> {
        Operation { ring, key, held: Some(held), cancel: true }
    }

    /// What [`Ring::peek`] knows it by.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Lets the operation run to its end even if nobody waits for it: a write to a file.
    pub(super) fn uncancelled(mut self) -> Operation<P> {
        self.cancel = false;
        self
    }
}

impl<P: Held> Unpin for Operation<P> {}

impl<P: Held> Future for Operation<P> {
    type Output = (Completion, P);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(self.held.is_some(), "an operation is polled until it is ready");
        match self.ring.poll_completion(self.key, context.waker()) {
            None => Poll::Pending,
            Some(completion) => {
                let held = self.held.take().expect("it was there a moment ago");
                Poll::Ready((completion, held))
            }
        }
    }
}

impl<P: Held> Drop for Operation<P> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.ring.abandon(self.key, held, self.cancel);
        }
    }
}

/// While it lives, a commit is in flight.
pub(in crate::runtime) struct CommitGuard(Ring);

impl CommitGuard {
    pub(super) fn new(ring: Ring) -> CommitGuard {
        CommitGuard(ring)
    }
}

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.0.commit_ended();
    }
}
