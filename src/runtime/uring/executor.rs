//! Starting a thread with its executor and its ring.

use std::future::Future;
use std::io;
use std::time::Duration;

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, PoolPlacement};

use super::handle::UringHandle;
use super::slice;
use crate::runtime::Runtime;
use crate::runtime::memory::Arena;
use crate::runtime::task::Lane;

/// glommio's own buffers: it keeps them for its eventfds and timers only.
const GLOMMIO_MEMORY: usize = 256 * 1024;
/// Entries of glommio's own rings.
const GLOMMIO_RING_DEPTH: usize = 128;
/// glommio's preemption timer. It must be long: if it fires between being armed and being looked
/// at, glommio 0.9 goes to sleep although tasks are ready.
const PREEMPTION: Duration = Duration::from_millis(100);
/// A timer of glommio's own that ends such a sleep.
const RESCUE: Duration = Duration::from_millis(100);
/// glommio's own threads for blocking calls, which are made elsewhere; it wants at least one.
const GLOMMIO_BLOCKING_THREADS: usize = 1;
/// How often idle chunk memory is given back.
const HOUSE_INTERVAL: Duration = Duration::from_secs(1);

/// What a thread of the process is like.
#[derive(Clone, Debug)]
pub struct ExecutorSpec {
    /// The thread's name.
    pub name: String,
    /// The CPU that it is pinned to.
    pub cpu: Option<usize>,
    /// The cap of its chunk memory in bytes.
    pub memory_bytes: usize,
    /// How long it spins at most before it sleeps; zero never spins.
    pub spin_max: Duration,
}

/// A thread that runs an executor.
pub struct ExecutorThread<T: Send + 'static>(ExecutorJoinHandle<io::Result<T>>);

/// Starts a thread that runs the future of `main` to its end.
///
/// Tasks that are still waiting then are dropped, and operations in flight cancelled.
pub fn start<T, F>(
    spec: ExecutorSpec,
    main: impl FnOnce(Runtime) -> F + Send + 'static,
) -> io::Result<ExecutorThread<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let placement = spec.cpu.map_or(Placement::Unbound, Placement::Fixed);
    LocalExecutorBuilder::new(placement)
        .name(&spec.name)
        .io_memory(GLOMMIO_MEMORY)
        .ring_depth(GLOMMIO_RING_DEPTH)
        .preempt_timer(PREEMPTION)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(GLOMMIO_BLOCKING_THREADS))
        .spawn(move || async move {
            slice::shorten();
            let handle = UringHandle::new()?;
            let arena = Arena::new(spec.memory_bytes)?;
            let runtime = Runtime::real(handle.clone(), arena.clone());
            runtime.spawn(Lane::Background, keep_house(runtime.clone(), handle.clone()));
            glommio::spawn_local(stand_by()).detach();
            Ok(handle.run(spec.spin_max, main(runtime)).await)
        })
        .map(ExecutorThread)
        .map_err(|error| start_error(&spec.name, &error.to_string()))
}

impl<T: Send + 'static> ExecutorThread<T> {
    /// Waits for the thread's end; an error if it could not be set up.
    ///
    /// # Panics
    /// If the thread panicked.
    pub fn join(self) -> io::Result<T> {
        match self.0.join() {
            Ok(result) => result,
            Err(error) => panic!("an executor thread ended early: {error}"),
        }
    }
}

fn start_error(name: &str, error: &str) -> io::Error {
    io::Error::other(format!("cannot start the thread {name}: {error}"))
}

/// Gives idle memory back, and lets a stall know of no earlier wait than a second ago.
async fn keep_house(runtime: Runtime, handle: UringHandle) {
    loop {
        handle.stall_watch().sample();
        runtime.sleep(HOUSE_INTERVAL).await;
        runtime.arena().trim();
    }
}

/// Keeps a timer of glommio's armed; an idle thread, which sleeps in its own ring, is not woken.
async fn stand_by() {
    loop {
        glommio::timer::sleep(RESCUE).await;
    }
}
