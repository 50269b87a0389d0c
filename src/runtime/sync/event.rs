//! An event that tasks wait for: each listener hears the next notification, once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

/// One listener's state.
#[derive(Default)]
struct Ear {
    heard: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Ear {
    fn hear(&self) {
        self.heard.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Something that happens again and again. An event without listeners holds no memory.
#[derive(Default)]
pub struct Event {
    ears: RefCell<VecDeque<Weak<Ear>>>,
}

impl Event {
    /// An event that nobody listens to.
    pub fn new() -> Event {
        Event::default()
    }

    /// Listens from now on: take the listener first, then check the condition, then await it.
    pub fn listen(&self) -> Listener {
        let listener = Listener::default();
        self.tell(&listener);
        listener
    }

    /// Has `listener` hear this event, too, from now on: one listener can wait for the first of many.
    pub fn tell(&self, listener: &Listener) {
        let mut ears = self.ears.borrow_mut();
        // Listeners that were dropped without being notified must not pile up. Those that still listen get as much
        // room again, so that each look through them is paid for by as many calls.
        if ears.len() >= 8 && ears.len() == ears.capacity() {
            ears.retain(|ear| ear.strong_count() > 0);
            let listening = ears.len();
            ears.reserve(listening);
        }
        ears.push_back(Rc::downgrade(&listener.0));
    }

    /// Wakes every listener, in the order in which they began to listen.
    pub fn notify_all(&self) {
        let ears = std::mem::take(&mut *self.ears.borrow_mut());
        for ear in ears.iter().filter_map(Weak::upgrade) {
            ear.hear();
        }
    }

    /// Wakes the listener that has waited longest; false if there is none. The notification is lost
    /// with a listener that is dropped before it looks: where that matters, notify all.
    pub fn notify_one(&self) -> bool {
        loop {
            let Some(ear) = self.ears.borrow_mut().pop_front() else { return false };
            if let Some(ear) = ear.upgrade() {
                ear.hear();
                return true;
            }
        }
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({} listeners)", self.ears.borrow().len())
    }
}

/// Completes at the first notification, of any event that it hears, after it began to listen. The default one hears
/// none.
#[derive(Default)]
pub struct Listener(Rc<Ear>);

impl Future for Listener {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.heard.get() {
            return Poll::Ready(());
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
    fn a_listener_hears_what_happens_after_it_began() {
        let event = Event::new();
        event.notify_all();
        let mut listener = event.listen();
        assert!(poll_now(&mut listener).is_none());
        event.notify_all();
        assert!(poll_now(&mut listener).is_some());
    }

    #[test]
    fn a_listener_hears_the_first_of_many_events() {
        let events: [Event; 3] = Default::default();
        for first in 0..events.len() {
            let mut listener = Listener::default();
            assert!(poll_now(&mut listener).is_none());
            events.iter().for_each(|event| event.tell(&listener));
            assert!(poll_now(&mut listener).is_none());
            events[first].notify_all();
            assert!(poll_now(&mut listener).is_some());
        }
    }

    #[test]
    fn one_notification_skips_listeners_that_are_gone() {
        let event = Event::new();
        let gone = event.listen();
        let mut first = event.listen();
        let mut second = event.listen();
        drop(gone);
        assert!(event.notify_one());
        assert!(poll_now(&mut first).is_some());
        assert!(poll_now(&mut second).is_none());
        drop(second);
        assert!(!event.notify_one());
    }

    #[test]
    fn abandoned_listeners_do_not_pile_up() {
        let event = Event::new();
        for _ in 0..10_000 {
            drop(event.listen());
        }
        assert!(event.ears.borrow().len() <= 16);
    }

    #[test]
    fn many_listeners_are_seldom_looked_through() {
        let event = Event::new();
        let listening: Vec<Listener> = (0..1000).map(|_| event.listen()).collect();
        for _ in 0..10_000 {
            drop(event.listen());
        }
        let capacity = event.ears.borrow().capacity();
        assert!((2000..=4096).contains(&capacity), "{capacity}");
        event.notify_all();
        assert!(listening.iter().all(|listener| listener.0.heard.get()));
    }
}
