//! The one task that turns the shard's ring: run what is ready, enter, wake, spin or sleep.
//!
//! The thread sleeps in the kernel in one place, here, in its own ring: sockets, files, timers and
//! the bell that other threads ring all end that sleep. glommio never parks the thread, for this
//! task is always ready; so it goes to sleep only when no other task is.

use std::time::Duration;

use io_uring::{opcode, types};

use super::handle::UringHandle;
use super::ring::{Completion, Held};
use super::spin::{Next, Spin};

/// A `sched_yield` that takes this long gave the CPU to somebody who needs it.
const PRESSURE: Duration = Duration::from_micros(50);
/// How often those that were woken by those that ran may run before the kernel is entered: an
/// append, its commit and its answer are not a turn apart each.
const ROUNDS_MAX: usize = 4;

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
    handle.stall_watch().begin();
    let bell = glommio::spawn_local(listen_to_bell(handle.clone()));
    while !handle.is_stopping() {
        let progress = if run_ready(&handle).await {
            match spin.next(handle.now()) {
                Next::Spin => {
                    let before = handle.now();
                    yield_cpu();
                    let after = handle.now();
                    if after.saturating_since(before) >= PRESSURE {
                        spin.pressure(after);
                    }
                    handle.turn()
                }
                Next::Sleep => {
                    handle.sleep();
                    true
                }
            }
        } else {
            give_way(&handle);
            handle.turn();
            true
        };
        if progress {
            spin.progress(handle.turn_began());
        }
    }
    bell.cancel().await;
}

/// Lets the tasks run that are ready, and those that they wake; true when none was in any lane.
async fn run_ready(handle: &UringHandle) -> bool {
    for _ in 0..ROUNDS_MAX {
        let before = handle.polls();
        glommio::executor().yield_now().await;
        if handle.polls() == before {
            return handle.is_quiet().await;
        }
    }
    // The lanes share the core: the background has its part of it even if this one is never empty.
    glommio::executor().yield_task_queue_now().await;
    false
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

/// What the eventfd's counter is read into.
struct Rings(Box<[u8; 8]>);

impl Held for Rings {
    fn discard(self, _: Completion) {}
}

/// Takes the rings of the bell, whose completion has ended the sleep.
async fn listen_to_bell(handle: UringHandle) {
    let mut rings = Rings(Box::new([0; 8]));
    loop {
        let eventfd = types::Fd(handle.ring().wake_flag().descriptor());
        let entry = opcode::Read::new(eventfd, rings.0.as_mut_ptr(), 8).build();
        // SAFETY: the counter is held, on the heap; the eventfd lives as long as the ring.
        let operation = unsafe { handle.ring().submit(entry, rings) };
        // An error only means a turn too many.
        (_, rings) = operation.await;
    }
}
