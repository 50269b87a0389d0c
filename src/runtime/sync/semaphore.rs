//! Permits in any unit, given out first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct Waiter {
    wanted: usize,
    granted: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

struct Shared {
    free: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Waiter>>>,
}

impl Shared {
    /// Gives to those in front what is free; one who wants much is not overtaken.
    fn grant(&self) {
        loop {
            let waiter = match self.waiters.borrow().front() {
                Some(front) if front.wanted <= self.free.get() => front.clone(),
                _ => return,
            };
            self.waiters.borrow_mut().pop_front();
            self.free.set(self.free.get() - waiter.wanted);
            waiter.granted.set(true);
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }
}

/// A number of permits; clones share them.
#[derive(Clone)]
pub struct Semaphore(Rc<Shared>);

/// Permits in use, given back when dropped.
pub struct Permit {
    shared: Rc<Shared>,
    count: usize,
}

impl Semaphore {
    /// A semaphore with `count` free permits.
    pub fn new(count: usize) -> Semaphore {
        Semaphore(Rc::new(Shared { free: Cell::new(count), waiters: RefCell::default() }))
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.0.free.get()
    }

    /// Takes permits if they are free and nobody waits before.
    pub fn try_acquire(&self, count: usize) -> Option<Permit> {
        if !self.0.waiters.borrow().is_empty() || self.0.free.get() < count {
            return None;
        }
        self.0.free.set(self.0.free.get() - count);
        Some(Permit { shared: self.0.clone(), count })
    }

    /// Waits for permits. Asking for more than there ever are waits for ever.
    pub async fn acquire(&self, count: usize) -> Permit {
        if let Some(permit) = self.try_acquire(count) {
            return permit;
        }
        let waiter =
            Rc::new(Waiter { wanted: count, granted: Cell::new(false), waker: Cell::new(None) });
        self.0.waiters.borrow_mut().push_back(waiter.clone());
        Acquire { shared: self.0.clone(), waiter, done: false }.await
    }
}

struct Acquire {
    shared: Rc<Shared>,
    waiter: Rc<Waiter>,
    done: bool,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        if self.waiter.granted.get() {
            self.done = true;
            return Poll::Ready(Permit { shared: self.shared.clone(), count: self.waiter.wanted });
        }
        self.waiter.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if self.waiter.granted.get() {
            self.shared.free.set(self.shared.free.get() + self.waiter.wanted);
        } else {
            self.shared.waiters.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.waiter));
        }
        self.shared.grant();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.free.set(self.shared.free.get() + self.count);
        self.shared.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll_now;
    use super::*;

    #[test]
    fn permits_go_out_in_order_and_a_large_wish_is_not_overtaken() {
        let semaphore = Semaphore::new(3);
        let first = poll_now(&mut Box::pin(semaphore.acquire(2))).expect("three are free");
        let mut large = Box::pin(semaphore.acquire(3));
        let mut small = Box::pin(semaphore.acquire(1));
        assert!(poll_now(&mut large).is_none());
        assert!(poll_now(&mut small).is_none());
        drop(first);
        let granted = poll_now(&mut large).expect("all are free");
        assert!(poll_now(&mut small).is_none());
        drop(granted);
        assert!(poll_now(&mut small).is_some());
        assert_eq!(semaphore.free(), 3);
    }

    #[test]
    fn a_dropped_wish_gives_back_what_it_was_given() {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire(1).expect("one is free");
        let mut first = Box::pin(semaphore.acquire(1));
        let mut second = Box::pin(semaphore.acquire(1));
        assert!(poll_now(&mut first).is_none() && poll_now(&mut second).is_none());
        drop(held);
        drop(first);
        assert!(poll_now(&mut second).is_some());
    }
}
