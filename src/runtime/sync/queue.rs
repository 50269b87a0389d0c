//! A bounded queue between the tasks of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::event::Event;

/// The queue was closed; holds what could not be pushed.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// First in, first out, at most `depth_max` items.
pub struct Queue<T> {
    items: RefCell<VecDeque<T>>,
    depth_max: usize,
    closed: Cell<bool>,
    pushed: Event,
    popped: Event,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(depth_max: usize) -> Queue<T> {
        Queue {
            items: RefCell::default(),
            depth_max,
            closed: Cell::new(false),
            pushed: Event::new(),
            popped: Event::new(),
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// True when none waits.
    pub fn is_empty(&self) -> bool {
        self.items.borrow().is_empty()
    }

    /// Adds an item, waiting for room.
    pub async fn push(&self, item: T) -> Result<(), Closed<T>> {
        loop {
            if self.closed.get() {
                return Err(Closed(item));
            }
            if self.len() < self.depth_max {
                self.put(item);
                return Ok(());
            }
            let room = self.popped.listen();
            room.await;
        }
    }

    /// Adds an item if there is room.
    pub fn try_push(&self, item: T) -> Result<(), Closed<T>> {
        if self.closed.get() || self.len() >= self.depth_max {
            return Err(Closed(item));
        }
        self.put(item);
        Ok(())
    }

    fn put(&self, item: T) {
        let mut items = self.items.borrow_mut();
        if items.capacity() == 0 {
            // Most queues never hold more than one item, and there is one in each connection.
            items.reserve_exact(1);
        }
        items.push_back(item);
        drop(items);
        // Every popper looks again: one that was woken and dropped must not keep the item.
        self.pushed.notify_all();
    }

    /// The next item; `None` when the queue is closed and empty.
    pub async fn pop(&self) -> Option<T> {
        loop {
            if let Some(item) = self.try_pop() {
                return Some(item);
            }
            if self.closed.get() {
                return None;
            }
            let change = self.pushed.listen();
            change.await;
        }
    }

    /// The next item if there is one.
    pub fn try_pop(&self) -> Option<T> {
        let item = self.items.borrow_mut().pop_front()?;
        // Every pusher looks again: one that was woken and dropped must not keep the room.
        self.popped.notify_all();
        Some(item)
    }

    /// Nothing can be pushed any more; what is queued can still be popped.
    pub fn close(&self) {
        self.closed.set(true);
        self.pushed.notify_all();
        self.popped.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::poll_now;
    use super::*;
    use crate::runtime::Lane;
    use crate::runtime::sim::{SimOptions, World};

    #[test]
    fn a_full_queue_makes_pushers_wait() {
        let queue = Queue::new(1);
        assert_eq!(poll_now(&mut Box::pin(queue.push(1))), Some(Ok(())));
        let mut second = Box::pin(queue.push(2));
        assert!(poll_now(&mut second).is_none());
        assert_eq!(queue.try_push(3), Err(Closed(3)));
        assert_eq!(queue.try_pop(), Some(1));
        assert_eq!(poll_now(&mut second), Some(Ok(())));
        assert_eq!(poll_now(&mut Box::pin(queue.pop())), Some(Some(2)));
    }

    #[test]
    fn a_waiter_that_is_dropped_takes_nothing_with_it() {
        let world = World::new(1, SimOptions::default());
        let runtime = world.host().runtime();
        let queue = Rc::new(Queue::new(1));
        let mut first = Box::pin(queue.pop());
        assert!(poll_now(&mut first).is_none());
        let (popper, second) = (Rc::clone(&queue), Rc::new(Cell::new(None)));
        let seen = Rc::clone(&second);
        runtime.spawn(Lane::Hot, async move { seen.set(popper.pop().await) });
        world.run_until_quiet();
        assert_eq!(queue.try_push(1), Ok(()));
        drop(first);
        world.run_until_quiet();
        assert_eq!(second.get(), Some(1));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_ends() {
        let queue = Queue::new(2);
        assert_eq!(queue.try_push(1), Ok(()));
        queue.close();
        assert_eq!(poll_now(&mut Box::pin(queue.push(2))), Some(Err(Closed(2))));
        assert_eq!(poll_now(&mut Box::pin(queue.pop())), Some(Some(1)));
        assert_eq!(poll_now(&mut Box::pin(queue.pop())), Some(None));
    }
}
