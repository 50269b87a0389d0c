//! One thread's handle on its machine, real or simulated.

use std::future::Future;
use std::time::Duration;

use super::clock::Monotonic;
use super::disk::Disk;
use super::memory::Arena;
use super::net::Net;
use super::sim;
use super::task::Lane;
use super::uring::{UringDisk, UringHandle, UringNet};

/// What one thread of the machine has used and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadFigures {
    /// Its CPU time, system calls included.
    pub cpu_time: Duration,
    /// Bytes of its receive buffers.
    pub receive_bytes: usize,
    /// Times that a task of it held the core for too long.
    pub stalls_held: u64,
    /// Times that it was not given its core for as long.
    pub stalls_starved: u64,
}

/// The machine as one thread sees it: a shard, or the control thread. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    backend: Backend,
    disk: Disk,
    net: Net,
    arena: Arena,
}

#[derive(Clone)]
enum Backend {
    Uring(UringHandle),
    Sim(sim::Node),
}

impl Runtime {
    /// A node of a simulated world.
    pub(in crate::runtime) fn simulated(node: sim::Node, arena: Arena) -> Runtime {
        Runtime {
            disk: Disk::Sim(node.disk()),
            net: Net::Sim(node.net()),
            backend: Backend::Sim(node),
            arena,
        }
    }

    /// The machine itself, as the calling thread has set it up.
    pub(in crate::runtime) fn real(handle: UringHandle, arena: Arena) -> Runtime {
        Runtime {
            disk: Disk::Uring(UringDisk::new(handle.clone())),
            net: Net::Uring(UringNet::new(handle.clone())),
            backend: Backend::Uring(handle),
            arena,
        }
    }

    /// The thread's own machine, or the simulated one.
    pub(in crate::runtime) fn machine(&self) -> Result<&UringHandle, &sim::Node> {
        match &self.backend {
            Backend::Uring(handle) => Ok(handle),
            Backend::Sim(node) => Err(node),
        }
    }

    /// The monotonic clock.
    pub fn now(&self) -> Monotonic {
        match &self.backend {
            Backend::Uring(handle) => handle.now(),
            Backend::Sim(node) => node.now(),
        }
    }

    /// The monotonic clock at the beginning of this turn of the thread: no reading, and never later
    /// than `now`.
    pub fn turn_began(&self) -> Monotonic {
        match &self.backend {
            Backend::Uring(handle) => handle.turn_began(),
            Backend::Sim(node) => node.now(),
        }
    }

    /// The wall clock in Unix milliseconds; for timestamps and retention only, it may jump.
    pub fn wall_clock_ms(&self) -> i64 {
        match &self.backend {
            Backend::Uring(handle) => handle.wall_clock_ms(),
            Backend::Sim(node) => node.wall_clock_ms(),
        }
    }

    /// A random number, repeatable in a simulation.
    pub fn random(&self) -> u64 {
        match &self.backend {
            Backend::Uring(handle) => handle.random(),
            Backend::Sim(node) => node.random(),
        }
    }

    /// Starts a task on this thread.
    pub fn spawn(&self, lane: Lane, task: impl Future<Output = ()> + 'static) {
        match &self.backend {
            Backend::Uring(handle) => handle.spawn(lane, task),
            Backend::Sim(node) => node.spawn(lane, Box::pin(task)),
        }
    }

    /// Lets every task run that is ready now.
    pub async fn yield_now(&self) {
        match &self.backend {
            Backend::Uring(handle) => handle.yield_now().await,
            Backend::Sim(node) => node.yield_now().await,
        }
    }

    /// Waits for a span of monotonic time.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now() + span).await;
    }

    /// Waits for a point of monotonic time.
    pub async fn sleep_until(&self, deadline: Monotonic) {
        match &self.backend {
            Backend::Uring(handle) => handle.sleep_until(deadline).await,
            Backend::Sim(node) => node.sleep_until(deadline).await,
        }
    }

    /// Runs something that blocks on another thread.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match &self.backend {
            Backend::Uring(handle) => handle.blocking(work).await,
            Backend::Sim(node) => node.blocking(work).await,
        }
    }

    /// Awaits something that a thread outside of these runtimes brings about, such as a message of
    /// the admin thread: only here may another thread call a waker of this one.
    pub async fn outside<F: Future>(&self, future: F) -> F::Output {
        match &self.backend {
            Backend::Uring(handle) => handle.outside(future).await,
            Backend::Sim(_) => future.await,
        }
    }

    /// What this thread has used and what it holds.
    pub fn figures(&self) -> ThreadFigures {
        match &self.backend {
            Backend::Uring(handle) => handle.figures(),
            Backend::Sim(_) => ThreadFigures::default(),
        }
    }

    /// Files and directories.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Sockets.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// This thread's chunk memory.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }
}
