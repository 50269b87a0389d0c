//! The one task that turns the shard's ring: enter, wake, let the woken run, spin or sleep.

use std::future::poll_fn;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::task::Poll;
use std::time::Duration;

use glommio::io::BufferedFile;

use super::handle::UringHandle;
use super::spin::{Next, Spin};

/// A `sched_yield` that takes this long gave the CPU to somebody who needs it.
const PRESSURE: Duration = Duration::from_micros(50);

/// Other sources of events of a shard, looked at once a turn.
pub(in crate::runtime) trait Source {
    /// Sends what was kept back during the tick.
    fn flush(&self);
    /// Wakes the tasks for which something has come in; returns whether there was anything.
    fn poll(&self) -> bool;
}

/// Drives the shard until it is stopped.
pub(super) async fn drive(handle: UringHandle, spin_max: Duration) {
    let mut spin = Spin::new(spin_max);
    let bell = glommio::spawn_local(listen_to_bell(handle.clone()));
    while !handle.is_stopping() {
        if handle.turn() {
            spin.progress(handle.now());
            give_way(&handle);
            // Twice: those that were woken run, and then those that they have woken, so that an
            // append, its commit and its answer are not a turn apart each.
            glommio::executor().yield_now().await;
            if !handle.visit_reactor().await {
                glommio::executor().yield_task_queue_now().await;
            }
            continue;
        }
        match spin.next(handle.now()) {
            Next::Spin => {
                let before = handle.now();
                yield_cpu();
                let after = handle.now();
                if after.saturating_since(before) >= PRESSURE {
                    spin.pressure(after);
                }
                if !handle.visit_reactor().await {
                    glommio::executor().yield_task_queue_now().await;
                }
            }
            Next::Sleep => {
                sleep(&handle).await;
                // Those who were woken by somebody else than the ring run first.
                glommio::executor().yield_now().await;
            }
        }
    }
    bell.cancel().await;
}

/// Without FUA a commit completes in a kernel worker on the CPU of the disk's interrupt, which may
/// be this one: it gets the CPU now and not at the next scheduler tick.
fn give_way(handle: &UringHandle) {
    if handle.ring().commits_in_flight() > 0 {
        yield_cpu();
    }
}

fn yield_cpu() {
    // SAFETY: plain system call without arguments.
    unsafe { libc::sched_yield() };
}

/// Pokes the driver whenever the eventfd was written.
///
/// A task of its own, because glommio remembers one more clone of the waker each time that a
/// pending read is polled, and counts them in 16 bits.
async fn listen_to_bell(handle: UringHandle) {
    let eventfd = handle.ring().wake_flag().duplicate();
    let eventfd = eventfd.expect("a descriptor is left, or the shard cannot start");
    // SAFETY: the descriptor is ours and is given away here.
    let file = unsafe { BufferedFile::from_raw_fd(eventfd.into_raw_fd()) };
    loop {
        // An error of the read only means a turn too many.
        drop(file.read_at(0, 8).await);
        handle.ring().poke();
    }
}

/// Sleeps until a completion, another thread or a task of this one has something to do.
async fn sleep(handle: &UringHandle) {
    let ring = handle.ring();
    ring.wake_flag().going_to_sleep();
    ring.notify_by_eventfd(true);
    if !ring.enter_before_sleep() && !handle.poll_sources() && !ring.has_work() {
        poll_fn(|context| {
            if ring.take_poked() || handle.is_stopping() {
                return Poll::Ready(());
            }
            ring.set_driver(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        ring.set_driver(None);
    }
    ring.notify_by_eventfd(false);
    ring.wake_flag().awake();
}
