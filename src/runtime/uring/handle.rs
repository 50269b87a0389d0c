//! One thread's machine: its ring, its receive buffers, its task queues and its clock.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use glommio::{Latency, Shares, TaskQueueHandle};

use super::commit_thread::CommitThread;
use super::driver::{self, Source};
use super::receive_pool::ReceivePool;
use super::ring::Ring;
use super::wake::WakeFlag;
use crate::runtime::clock::Monotonic;
use crate::runtime::random::Random;
use crate::runtime::sync::{Event, oneshot};
use crate::runtime::task::Lane;

/// How long a busy thread may go on without a look at timers and finished blocking work.
const VISIT_INTERVAL: Duration = Duration::from_millis(1);
/// A wait that ends at glommio's next look at its timers.
const SHORTEST: Duration = Duration::from_micros(1);
/// Shares of the lanes while both have work.
const HOT_SHARES: usize = 1000;
const BACKGROUND_SHARES: usize = 100;

/// The machine of the calling thread; clones are the same one.
#[derive(Clone)]
pub(in crate::runtime) struct UringHandle(Rc<HandleCore>);

struct HandleCore {
    ring: Ring,
    pool: ReceivePool,
    hot: TaskQueueHandle,
    background: TaskQueueHandle,
    sources: RefCell<Vec<Rc<dyn Source>>>,
    commit_thread: OnceCell<Rc<CommitThread>>,
    random: Random,
    /// Calls that blocking threads work on.
    blocking: Cell<usize>,
    unblocked: Event,
    visit_at: Cell<Monotonic>,
    stopping: Cell<bool>,
    stopped: Cell<bool>,
}

impl UringHandle {
    /// Sets up the calling thread, which runs a glommio executor.
    pub(super) fn new() -> io::Result<UringHandle> {
        let ring = Ring::new(WakeFlag::new()?)?;
        let pool = ReceivePool::new(&ring)?;
        let executor = glommio::executor();
        let hot =
            executor.create_task_queue(Shares::Static(HOT_SHARES), Latency::NotImportant, "hot");
        let background = executor.create_task_queue(
            Shares::Static(BACKGROUND_SHARES),
            Latency::NotImportant,
            "background",
        );
        Ok(UringHandle(Rc::new(HandleCore {
            ring,
            pool,
            hot,
            background,
            sources: RefCell::new(Vec::new()),
            commit_thread: OnceCell::new(),
            random: Random::seeded(seed()?),
            blocking: Cell::new(0),
            unblocked: Event::new(),
            visit_at: Cell::new(Monotonic::default()),
            stopping: Cell::new(false),
            stopped: Cell::new(false),
        })))
    }

    pub(in crate::runtime) fn ring(&self) -> &Ring {
        &self.0.ring
    }

    pub(super) fn receive_pool(&self) -> &ReceivePool {
        &self.0.pool
    }

    /// Looks at `source` once a turn from now on.
    pub(in crate::runtime) fn add_source(&self, source: Rc<dyn Source>) {
        self.0.sources.borrow_mut().push(source);
        self.0.ring.poke();
    }

    /// The helper thread of this shard's commits, started when first needed.
    pub(super) fn commit_thread(&self) -> io::Result<Rc<CommitThread>> {
        if let Some(thread) = self.0.commit_thread.get() {
            return Ok(thread.clone());
        }
        let thread = Rc::new(CommitThread::start(self.0.ring.wake_flag().clone())?);
        self.add_source(thread.clone());
        Ok(self.0.commit_thread.get_or_init(|| thread).clone())
    }

    /// One turn: what was kept back goes out, what has come in wakes its task.
    pub(super) fn turn(&self) -> bool {
        for source in self.0.sources.borrow().iter() {
            source.flush();
        }
        let progress = self.0.ring.turn();
        self.poll_sources() || progress
    }

    pub(super) fn poll_sources(&self) -> bool {
        let mut any = false;
        for source in self.0.sources.borrow().iter() {
            any |= source.poll();
        }
        any
    }

    pub(in crate::runtime) fn now(&self) -> Monotonic {
        let time = clock(libc::CLOCK_MONOTONIC);
        Monotonic(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    pub(in crate::runtime) fn wall_clock_ms(&self) -> i64 {
        let time = clock(libc::CLOCK_REALTIME);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    pub(in crate::runtime) fn random(&self) -> u64 {
        self.0.random.next()
    }

    pub(in crate::runtime) fn spawn(&self, lane: Lane, task: impl Future<Output = ()> + 'static) {
        let queue = match lane {
            Lane::Hot => self.0.hot,
            Lane::Background => self.0.background,
        };
        glommio::spawn_local_into(task, queue)
            .expect("the lanes live as long as the executor")
            .detach();
    }

    /// Lets the tasks of this lane run, and in the background those of the hot lane first.
    pub(in crate::runtime) async fn yield_now(&self) {
        if glommio::executor().current_task_queue() != self.0.background {
            glommio::executor().yield_now().await;
        } else if !self.visit_reactor().await {
            glommio::executor().yield_task_queue_now().await;
        }
    }

    /// Lets every ready task run and then glommio look at its timers and its blocking threads,
    /// which it does only when nothing is ready; at most once a [`VISIT_INTERVAL`].
    ///
    /// Its preemption timer would do the same, but must not be short: if it fires between being
    /// armed and being looked at, glommio 0.9 goes to sleep although tasks are ready.
    pub(super) async fn visit_reactor(&self) -> bool {
        let now = self.now();
        if now < self.0.visit_at.get() {
            return false;
        }
        self.0.visit_at.set(now + VISIT_INTERVAL);
        glommio::timer::sleep(SHORTEST).await;
        true
    }

    pub(in crate::runtime) async fn sleep_until(&self, deadline: Monotonic) {
        let span = deadline.saturating_since(self.now());
        if !span.is_zero() {
            glommio::timer::sleep(span).await;
        }
    }

    pub(in crate::runtime) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (done, result) = oneshot::channel();
        self.start_blocking(work, move |value| drop(done.send(value)));
        result.await.expect("work that was started is ended before its executor")
    }

    /// Starts work on a blocking thread and counts it until it has ended, whoever still waits for
    /// it: a thread of glommio's that finds its executor gone panics.
    fn start_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        self.0.blocking.set(self.0.blocking.get() + 1);
        let handle = self.clone();
        glommio::spawn_local(async move {
            done(glommio::executor().spawn_blocking(work).await);
            handle.0.blocking.set(handle.0.blocking.get() - 1);
            handle.0.unblocked.notify_all();
        })
        .detach();
    }

    /// Closes a descriptor on another thread.
    pub(super) fn close_elsewhere(&self, descriptor: OwnedFd) {
        if self.0.stopped.get() {
            return drop(descriptor);
        }
        self.start_blocking(move || drop(descriptor), drop);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.get()
    }

    /// Runs `main` with the driver beside it, then ends what still waits.
    pub(super) async fn run<T>(&self, spin_max: Duration, main: impl Future<Output = T>) -> T {
        let driver = glommio::spawn_local_into(driver::drive(self.clone(), spin_max), self.0.hot)
            .expect("the lanes live as long as the executor");
        let result = main.await;
        // Tasks that nobody but the ring keeps are dropped with what they own; each round may
        // free others.
        for _ in 0..SETTLING_ROUNDS {
            // What was sent to other threads before the end still goes out.
            self.turn();
            self.0.ring.release_waiters();
            glommio::executor().yield_task_queue_now().await;
        }
        self.0.stopped.set(true);
        loop {
            let ended = self.0.unblocked.listen();
            if self.0.blocking.get() == 0 {
                break;
            }
            ended.await;
        }
        self.0.stopping.set(true);
        self.0.ring.poke();
        driver.await;
        self.0.sources.borrow_mut().clear();
        result
    }
}

/// Rounds in which tasks end that wait for the ring, and those that wait for them.
const SETTLING_ROUNDS: usize = 4;

fn clock(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is our own; these clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
}

fn seed() -> io::Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer is our own; up to 256 bytes come whole or not at all.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::from_ne_bytes(bytes))
}
