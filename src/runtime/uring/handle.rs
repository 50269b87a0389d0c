//! One thread's machine: its ring, its receive buffers, its task queues and its clock.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use glommio::{Latency, Shares, TaskQueueHandle};

use super::blocking_pool::BlockingPool;
use super::commit_thread::CommitThread;
use super::driver::{self, Source};
use super::outside;
use super::receive_pool::{self, ReceivePool};
use super::ring::Ring;
use super::sentinel::Sentinel;
use super::stall::StallWatch;
use super::timers::Timers;
use super::wake::WakeFlag;
use crate::runtime::ThreadFigures;
use crate::runtime::clock::Monotonic;
use crate::runtime::commit::SharedChoice;
use crate::runtime::random::Random;
use crate::runtime::sync::{Event, oneshot};
use crate::runtime::task::Lane;

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
    /// None inside if the process could not start it.
    commit_thread: OnceCell<Option<Rc<CommitThread>>>,
    /// By the device's number, since one thread may write to several.
    engines: RefCell<BTreeMap<u64, SharedChoice>>,
    blocking_pool: OnceCell<Rc<BlockingPool>>,
    unblocked: Event,
    timers: Rc<Timers>,
    random: Random,
    /// The clock at the beginning of this turn.
    turn: Cell<Monotonic>,
    watch: Rc<StallWatch>,
    /// How often a task was polled: unchanged, none was ready.
    polls: Rc<Cell<u64>>,
    /// At the end of the queues beside the hot lane, which the driver is in itself.
    sentinels: [Rc<Sentinel>; 2],
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
            engines: RefCell::default(),
            blocking_pool: OnceCell::new(),
            unblocked: Event::new(),
            timers: Rc::default(),
            random: Random::seeded(seed()?),
            turn: Cell::new(now()),
            watch: Rc::new(StallWatch::new()),
            polls: Rc::default(),
            sentinels: [TaskQueueHandle::default(), background].map(Sentinel::post),
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
    }

    /// Looks at `source` once a turn until what is returned is dropped.
    pub(super) fn add_source_for_now(&self, source: Rc<dyn Source>) -> Listed {
        self.add_source(source.clone());
        Listed { handle: self.clone(), source }
    }

    /// How often tasks have been polled.
    pub(super) fn polls(&self) -> u64 {
        self.0.polls.get()
    }

    /// Whether no task is ready, asked from the hot lane when that is empty.
    pub(super) async fn is_quiet(&self) -> bool {
        let before = self.polls();
        for sentinel in &self.0.sentinels {
            sentinel.pass().await;
        }
        self.polls() == before
    }

    /// The helper thread of this shard's commits, started when first needed; none where the
    /// process may start no more.
    pub(super) fn commit_thread(&self) -> Option<Rc<CommitThread>> {
        let started = self.0.commit_thread.get_or_init(|| {
            match CommitThread::start(self.0.ring.wake_flag().clone()) {
                Ok(thread) => {
                    let thread = Rc::new(thread);
                    self.add_source(thread.clone());
                    Some(thread)
                }
                Err(error) => {
                    tracing::warn!(%error, "no thread can be started for slow commits, which then stay on the ring: raise the limit of processes (pids.max, ulimit -u)");
                    None
                }
            }
        });
        started.clone()
    }

    /// How commits to a device become durable, as this thread has learnt it.
    pub(super) fn engine_choice(&self, device: u64) -> SharedChoice {
        self.0.engines.borrow_mut().entry(device).or_default().clone()
    }

    /// Acts as if the process could start no thread for commits.
    #[cfg(test)]
    pub(super) fn refuse_commit_thread(&self) {
        assert!(self.0.commit_thread.set(None).is_ok(), "no commit has needed it yet");
    }

    /// One turn: what was kept back goes out, what has come in wakes its task.
    pub(super) fn turn(&self) -> bool {
        self.flush_sources();
        self.take_in()
    }

    fn take_in(&self) -> bool {
        let mut progress = self.0.ring.turn();
        self.0.watch.polled("the kernel, in io_uring_enter");
        let now = self.now();
        self.0.turn.set(now);
        if let Some(deadline) = self.0.timers.earliest() {
            progress |= deadline <= now && self.0.timers.fire(now);
        }
        self.poll_sources() || progress
    }

    /// Submits what there is and sleeps until a completion, a timer or another thread wakes this
    /// one; no task may be ready.
    pub(super) fn sleep(&self) {
        let ring = &self.0.ring;
        if ring.is_consumption_awaited() {
            // The call that submits would return with the first completion, and whoever waits only for the kernel
            // to have taken its write would wait for the device.
            self.turn();
            return;
        }
        self.flush_sources();
        ring.wake_flag().going_to_sleep();
        if !self.poll_sources() && !self.is_stopping() {
            let limit = self.0.timers.earliest().map(|at| at.saturating_since(self.now()));
            ring.wait(limit);
        }
        ring.wake_flag().awake();
        self.0.watch.begin();
        self.take_in();
    }

    fn flush_sources(&self) {
        for source in self.0.sources.borrow().iter() {
            source.flush();
        }
    }

    fn poll_sources(&self) -> bool {
        let mut any = false;
        for source in self.0.sources.borrow().iter() {
            any |= source.poll();
        }
        any
    }

    pub(in crate::runtime) fn now(&self) -> Monotonic {
        now()
    }

    /// The clock at the beginning of this turn: no reading.
    pub(in crate::runtime) fn turn_began(&self) -> Monotonic {
        self.0.turn.get()
    }

    /// What notices that this thread does not turn.
    pub(super) fn stall_watch(&self) -> &StallWatch {
        &self.0.watch
    }

    pub(in crate::runtime) fn wall_clock_ms(&self) -> i64 {
        let time = clock(libc::CLOCK_REALTIME);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    pub(in crate::runtime) fn figures(&self) -> ThreadFigures {
        let used = clock(libc::CLOCK_THREAD_CPUTIME_ID);
        let (stalls_held, stalls_starved) = self.0.watch.counts();
        ThreadFigures {
            stalls_held,
            stalls_starved,
            cpu_time: Duration::new(used.tv_sec as u64, used.tv_nsec as u32),
            receive_bytes: receive_pool::POOL_BYTES,
        }
    }

    pub(in crate::runtime) fn random(&self) -> u64 {
        self.0.random.next()
    }

    pub(in crate::runtime) fn spawn(&self, lane: Lane, task: impl Future<Output = ()> + 'static) {
        let queue = match lane {
            Lane::Hot => self.0.hot,
            Lane::Background => self.0.background,
        };
        glommio::spawn_local_into(self.counted(task), queue)
            .expect("the lanes live as long as the executor")
            .detach();
    }

    /// Counts how often `task` is polled, and watches how long each time takes.
    fn counted<T, F>(&self, task: F) -> impl Future<Output = T> + use<T, F>
    where
        F: Future<Output = T>,
    {
        let (polls, watch) = (self.0.polls.clone(), self.0.watch.clone());
        let name = std::any::type_name::<F>();
        async move {
            let mut task = pin!(task);
            poll_fn(|context| {
                polls.set(polls.get() + 1);
                let polled = task.as_mut().poll(context);
                watch.polled(name);
                polled
            })
            .await
        }
    }

    /// Lets the tasks of this lane run, and in the background those of the hot lane first.
    pub(in crate::runtime) async fn yield_now(&self) {
        if glommio::executor().current_task_queue() != self.0.background {
            glommio::executor().yield_now().await;
        } else {
            glommio::executor().yield_task_queue_now().await;
        }
    }

    pub(in crate::runtime) async fn sleep_until(&self, deadline: Monotonic) {
        if deadline > self.now() {
            self.0.timers.sleep_until(deadline).await;
        }
    }

    /// Awaits what a thread with another runtime brings about.
    pub(in crate::runtime) async fn outside<F: Future>(&self, future: F) -> F::Output {
        outside::wait(self, future).await
    }

    pub(in crate::runtime) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (done, result) = oneshot::channel();
        self.start_blocking(work, move |value| drop(done.send(value)));
        result.await.expect("work that was started is ended before its executor")
    }

    /// The same, and keeps `held` until the work is done, whoever still waits for it.
    pub(super) async fn blocking_with<H: 'static, T: Send + 'static>(
        &self,
        held: H,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (done, result) = oneshot::channel();
        self.start_blocking(work, move |value| {
            drop(held);
            drop(done.send(value));
        });
        result.await.expect("work that was started is ended before its executor")
    }

    /// Starts work on a blocking thread; the executor ends after it, whoever still waits for it.
    fn start_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        let pool = self.0.blocking_pool.get_or_init(|| {
            let pool = BlockingPool::start(self.0.ring.wake_flag());
            let pool = Rc::new(pool.expect("the process may start threads, or cannot start"));
            self.add_source(pool.clone());
            pool
        });
        let handle = self.clone();
        pool.submit(work, move |value| {
            done(value);
            handle.0.unblocked.notify_all();
        });
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
    pub(super) async fn run<T: 'static>(
        &self,
        spin_max: Duration,
        main: impl Future<Output = T> + 'static,
    ) -> T {
        let driver = glommio::spawn_local_into(driver::drive(self.clone(), spin_max), self.0.hot)
            .expect("the lanes live as long as the executor");
        let main = glommio::spawn_local_into(self.counted(main), self.0.hot)
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
            if self.0.blocking_pool.get().is_none_or(|pool| pool.is_idle()) {
                break;
            }
            ended.await;
        }
        self.0.stopping.set(true);
        driver.await;
        self.0.sources.borrow_mut().clear();
        self.0.sentinels.iter().for_each(|sentinel| sentinel.dismiss());
        result
    }
}

/// A source that is looked at while this lives.
pub(super) struct Listed {
    handle: UringHandle,
    source: Rc<dyn Source>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.handle.0.sources.borrow_mut().retain(|source| !Rc::ptr_eq(source, &self.source));
    }
}

/// Rounds in which tasks end that wait for the ring, and those that wait for them.
const SETTLING_ROUNDS: usize = 4;

fn now() -> Monotonic {
    let time = clock(libc::CLOCK_MONOTONIC);
    Monotonic(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

pub(super) fn clock(clock: libc::clockid_t) -> libc::timespec {
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
