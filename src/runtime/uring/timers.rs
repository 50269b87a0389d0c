//! A thread's timers: who is to be woken when, in the order of their deadlines.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::runtime::clock::Monotonic;

/// A deadline, and a number that tells equal ones apart.
type Key = (Monotonic, u64);

/// The timers of one thread.
#[derive(Default)]
pub(super) struct Timers {
    waiting: RefCell<BTreeMap<Key, Waker>>,
    next: Cell<u64>,
}

impl Timers {
    /// A future that is ready once [`Timers::fire`] was called with `deadline` or later.
    pub(super) fn sleep_until(self: &Rc<Timers>, deadline: Monotonic) -> Sleep {
        let number = self.next.get();
        self.next.set(number + 1);
        Sleep { timers: self.clone(), key: (deadline, number), polled: false }
    }

    /// The earliest deadline.
    pub(super) fn earliest(&self) -> Option<Monotonic> {
        self.waiting.borrow().first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Wakes everybody whose deadline is not after `now`; true if there was anybody.
    pub(super) fn fire(&self, now: Monotonic) -> bool {
        let mut any = false;
        loop {
            let mut waiting = self.waiting.borrow_mut();
            match waiting.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let waker = first.remove();
                    drop(waiting);
                    waker.wake();
                    any = true;
                }
                _ => return any,
            }
        }
    }
}

/// One timer; dropped, it is forgotten.
pub(super) struct Sleep {
    timers: Rc<Timers>,
    key: Key,
    polled: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.timers.waiting.borrow_mut();
        if let Some(waker) = waiting.get_mut(&self.key) {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        if self.polled {
            return Poll::Ready(());
        }
        waiting.insert(self.key, context.waker().clone());
        drop(waiting);
        self.polled = true;
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let forgotten = self.timers.waiting.borrow_mut().remove(&self.key);
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(sleep: &mut Sleep) -> Poll<()> {
        Pin::new(sleep).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn timers_end_in_the_order_of_their_deadlines() {
        let timers = Rc::new(Timers::default());
        let [mut late, mut early, mut twin] =
            [20, 10, 10].map(|at| timers.sleep_until(Monotonic(at)));
        for sleep in [&mut late, &mut early, &mut twin] {
            assert_eq!(poll(sleep), Poll::Pending);
        }
        assert_eq!(timers.earliest(), Some(Monotonic(10)));
        assert!(!timers.fire(Monotonic(9)));
        assert!(timers.fire(Monotonic(10)));
        assert_eq!(poll(&mut early), Poll::Ready(()));
        assert_eq!(poll(&mut twin), Poll::Ready(()));
        assert_eq!(poll(&mut late), Poll::Pending);
        drop(late);
        assert_eq!(timers.earliest(), None, "a dropped timer is forgotten");
    }
}
