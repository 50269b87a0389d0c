//! Whether a task queue is empty: a task at its end answers once all before it have run.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use glommio::TaskQueueHandle;

/// A task of a queue that does nothing but answer. Queues are first in, first out: what was ready
/// there when it was asked has run when it answers.
#[derive(Default)]
pub(super) struct Sentinel {
    asked: Cell<bool>,
    task: RefCell<Option<Waker>>,
    asker: RefCell<Option<Waker>>,
}

impl Sentinel {
    /// Posts a sentinel in `queue`.
    pub(super) fn post(queue: TaskQueueHandle) -> Rc<Sentinel> {
        let sentinel = Rc::new(Sentinel::default());
        let posted = sentinel.clone();
        let task = poll_fn(move |context| {
            posted.task.replace(Some(context.waker().clone()));
            if posted.asked.take()
                && let Some(asker) = posted.asker.take()
            {
                asker.wake();
            }
            Poll::<()>::Pending
        });
        glommio::spawn_local_into(task, queue)
            .expect("the queues live as long as the executor")
            .detach();
        sentinel
    }

    /// Waits until the sentinel has had its turn.
    pub(super) async fn pass(&self) {
        self.asked.set(true);
        let task = self.task.take();
        poll_fn(|context| {
            if !self.asked.get() {
                return Poll::Ready(());
            }
            self.asker.replace(Some(context.waker().clone()));
            if let Some(task) = task.as_ref() {
                task.wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    /// Lets the task go: it is kept by its own waker.
    pub(super) fn dismiss(&self) {
        drop(self.task.take());
    }
}
