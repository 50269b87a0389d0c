//! Waiting for something that a thread with another runtime brings about.
#![expect(clippy::disallowed_types, reason = "a waker that other threads may call is shared")]

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use super::driver::Source;
use super::handle::UringHandle;
use super::wake::WakeFlag;

/// What other threads hold.
struct Outside {
    woken: AtomicBool,
    bell: WakeFlag,
}

impl Wake for Outside {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}

/// What this thread holds.
struct Inside {
    outside: Arc<Outside>,
    waker: RefCell<Option<Waker>>,
}

impl Source for Inside {
    fn flush(&self) {}

    fn poll(&self) -> bool {
        if !self.outside.woken.swap(false, Ordering::SeqCst) {
            return false;
        }
        match self.waker.take() {
            Some(waker) => {
                waker.wake();
                true
            }
            None => false,
        }
    }
}

/// Awaits a future whose waker is called by other threads: they ring this thread's bell.
pub(super) async fn wait<F: Future>(handle: &UringHandle, future: F) -> F::Output {
    let outside =
        Outside { woken: AtomicBool::new(false), bell: handle.ring().wake_flag().clone() };
    let inside = Rc::new(Inside { outside: Arc::new(outside), waker: RefCell::new(None) });
    let _listed = handle.add_source_for_now(inside.clone());
    let waker = Waker::from(inside.outside.clone());
    let mut future = pin!(future);
    poll_fn(|context| {
        inside.waker.replace(Some(context.waker().clone()));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}
