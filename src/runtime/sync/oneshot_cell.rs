//! One value from one task to another.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct Shared<T> {
    value: RefCell<Option<T>>,
    waker: Cell<Option<Waker>>,
    sender_gone: Cell<bool>,
    receiver_gone: Cell<bool>,
}

/// Gives the value.
pub struct Sender<T>(Rc<Shared<T>>);

/// Waits for the value; `None` when the sender is dropped without one.
pub struct Receiver<T>(Rc<Shared<T>>);

/// A channel for one value.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(None),
        waker: Cell::new(None),
        sender_gone: Cell::new(false),
        receiver_gone: Cell::new(false),
    });
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Sender<T> {
    /// Sends the value, or gives it back when nobody waits any more.
    pub fn send(self, value: T) -> Result<(), T> {
        if self.0.receiver_gone.get() {
            return Err(value);
        }
        *self.0.value.borrow_mut() = Some(value);
        Ok(())
    }

    /// Whether the receiver has been dropped.
    pub fn is_abandoned(&self) -> bool {
        self.0.receiver_gone.get()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.sender_gone.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.receiver_gone.set(true);
    }
}

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.0.value.borrow_mut().take() {
            return Poll::Ready(Some(value));
        }
        if self.0.sender_gone.get() {
            return Poll::Ready(None);
        }
        self.0.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll_now;
    use super::*;

    #[test]
    fn the_value_arrives_or_its_absence_is_noticed() {
        let (sender, mut receiver) = channel();
        assert!(poll_now(&mut receiver).is_none());
        assert_eq!(sender.send(5), Ok(()));
        assert_eq!(poll_now(&mut receiver), Some(Some(5)));

        let (sender, mut receiver) = channel::<u8>();
        drop(sender);
        assert_eq!(poll_now(&mut receiver), Some(None));

        let (sender, receiver) = channel();
        drop(receiver);
        assert!(sender.is_abandoned());
        assert_eq!(sender.send(7), Err(7));
    }
}
