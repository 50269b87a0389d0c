//! Tasks and time of the simulated world: first in, first out, and time moves when nobody can run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::hash::Hasher;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
#[expect(clippy::disallowed_types, reason = "the standard library's wakers demand it")]
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rustc_hash::FxHasher;
use slab::Slab;

use super::disk::SimDisk;
use super::net::{Network, SimNet};
use crate::model::units::MIB;
use crate::runtime::clock::Monotonic;
use crate::runtime::memory::Arena;
use crate::runtime::random::Random;
use crate::runtime::{Lane, Runtime};

/// Wall clock of a fresh world: 2026-01-01 in Unix milliseconds.
const EPOCH_MS: i64 = 1_767_225_600_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// How a world behaves.
#[derive(Clone, Copy, Debug)]
pub struct SimOptions {
    /// Chunk memory of each node, in bytes.
    pub arena_bytes: usize,
    /// The shortest time that a disk operation takes.
    pub disk_latency_min: Duration,
    /// The longest time that a disk operation takes.
    pub disk_latency_max: Duration,
    /// The longest time that bytes are on the network.
    pub net_latency_max: Duration,
}

impl Default for SimOptions {
    fn default() -> SimOptions {
        SimOptions {
            arena_bytes: 64 * MIB,
            disk_latency_min: Duration::from_micros(50),
            disk_latency_max: Duration::from_micros(300),
            net_latency_max: Duration::from_micros(50),
        }
    }
}

/// Tasks that were woken, by index; wakers are shared with nobody but must be `Send` by their type.
#[derive(Default)]
#[expect(clippy::disallowed_types, reason = "the standard library's wakers demand it")]
struct Ready(Mutex<VecDeque<usize>>);

#[expect(clippy::disallowed_types, reason = "the standard library's wakers demand it")]
struct TaskWaker {
    ready: Arc<Ready>,
    task: usize,
}

impl Wake for TaskWaker {
    #[expect(clippy::disallowed_types, reason = "the standard library's wakers demand it")]
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.0.lock().expect("no task panics while it holds the queue");
        ready.push_back(self.task);
    }
}

/// What all nodes of a world share.
#[expect(clippy::disallowed_types, reason = "the standard library's wakers demand it")]
pub(super) struct Core {
    pub(super) options: SimOptions,
    pub(super) random: Random,
    now: Cell<u64>,
    wall_offset_ms: Cell<i64>,
    tasks: RefCell<Slab<Option<(Task, Waker)>>>,
    ready: Arc<Ready>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timer_next: Cell<u64>,
    trace: RefCell<FxHasher>,
    pub(super) network: Network,
}

impl Core {
    pub(super) fn now(&self) -> Monotonic {
        Monotonic(self.now.get())
    }

    /// Adds an event to the trace.
    pub(super) fn note(&self, what: u8, value: u64) {
        let mut trace = self.trace.borrow_mut();
        trace.write_u8(what);
        trace.write_u64(self.now.get());
        trace.write_u64(value);
    }

    pub(super) fn spawn(&self, task: Task) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let index = entry.key();
        let waker = Waker::from(Arc::new(TaskWaker { ready: self.ready.clone(), task: index }));
        waker.wake_by_ref();
        entry.insert(Some((task, waker)));
    }

    pub(super) async fn sleep_until(self: &Rc<Self>, deadline: Monotonic) {
        let mut timer = Timer { core: self.clone(), key: None };
        poll_fn(|context| {
            if self.now.get() >= deadline.0 {
                return Poll::Ready(());
            }
            timer.arm(deadline.0, context.waker());
            Poll::Pending
        })
        .await;
    }

    /// Waits as long as an operation takes that may take from `min` to `max`.
    pub(super) async fn delay(self: &Rc<Self>, min: Duration, max: Duration) {
        let span = (max.saturating_sub(min)).as_nanos() as u64;
        let extra = if span == 0 { 0 } else { self.random.below(span) };
        self.sleep_until(self.now() + min + Duration::from_nanos(extra)).await;
    }

    /// Runs one woken task; false if there is none.
    fn run_one(&self) -> bool {
        let next = self.ready.0.lock().expect("no task panics holding the queue").pop_front();
        let Some(index) = next else { return false };
        let taken = self.tasks.borrow_mut().get_mut(index).and_then(Option::take);
        // A task that was woken twice, or has ended, has nothing to do.
        let Some((mut task, waker)) = taken else { return true };
        let ended = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if ended {
            drop(task);
            self.tasks.borrow_mut().remove(index);
        } else if let Some(slot) = self.tasks.borrow_mut().get_mut(index) {
            *slot = Some((task, waker));
        }
        true
    }

    /// Moves time to the next timer; false if there is none at or before `until`.
    fn advance(&self, until: u64) -> bool {
        let first = self.timers.borrow().first_key_value().map(|(&key, _)| key);
        let Some((time, number)) = first.filter(|(time, _)| *time <= until) else { return false };
        self.now.set(self.now.get().max(time));
        if let Some(waker) = self.timers.borrow_mut().remove(&(time, number)) {
            waker.wake();
        }
        true
    }
}

struct Timer {
    core: Rc<Core>,
    key: Option<(u64, u64)>,
}

impl Timer {
    fn arm(&mut self, deadline: u64, waker: &Waker) {
        let key = *self.key.get_or_insert_with(|| {
            let number = self.core.timer_next.get();
            self.core.timer_next.set(number + 1);
            (deadline, number)
        });
        self.core.timers.borrow_mut().insert(key, waker.clone());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.core.timers.borrow_mut().remove(&key);
        }
    }
}

/// One node's machine.
#[derive(Clone)]
pub struct Node {
    core: Rc<Core>,
    disk: SimDisk,
}

impl Node {
    pub(in crate::runtime) fn disk(&self) -> SimDisk {
        self.disk.clone()
    }

    pub(in crate::runtime) fn net(&self) -> SimNet {
        SimNet::new(&self.core)
    }

    pub(in crate::runtime) fn now(&self) -> Monotonic {
        self.core.now()
    }

    pub(in crate::runtime) fn wall_clock_ms(&self) -> i64 {
        EPOCH_MS + self.core.wall_offset_ms.get() + (self.core.now.get() / 1_000_000) as i64
    }

    pub(in crate::runtime) fn random(&self) -> u64 {
        self.core.random.next()
    }

    pub(in crate::runtime) fn spawn(&self, _lane: Lane, task: Task) {
        self.core.spawn(task);
    }

    pub(in crate::runtime) async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    pub(in crate::runtime) async fn sleep_until(&self, deadline: Monotonic) {
        self.core.sleep_until(deadline).await;
    }

    pub(in crate::runtime) async fn blocking<T>(&self, work: impl FnOnce() -> T) -> T {
        let options = self.core.options;
        self.core.delay(options.disk_latency_min, options.disk_latency_max).await;
        work()
    }
}

/// A world of simulated nodes.
pub struct World {
    core: Rc<Core>,
}

impl World {
    /// A world in which everything random follows from `seed`.
    pub fn new(seed: u64, options: SimOptions) -> World {
        let core = Core {
            options,
            random: Random::seeded(seed),
            now: Cell::new(0),
            wall_offset_ms: Cell::new(0),
            tasks: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            timer_next: Cell::new(0),
            trace: RefCell::default(),
            network: Network::default(),
        };
        World { core: Rc::new(core) }
    }

    /// An empty disk.
    pub fn disk(&self) -> SimDisk {
        SimDisk::empty(&self.core)
    }

    /// A node with that disk.
    pub fn node(&self, disk: &SimDisk) -> io::Result<Runtime> {
        let arena = Arena::new(self.core.options.arena_bytes)?;
        let node = Node { core: self.core.clone(), disk: disk.clone() };
        Ok(Runtime::simulated(node, arena))
    }

    /// Moves the wall clock without moving time.
    pub fn jump_wall_clock(&self, by_ms: i64) {
        self.core.wall_offset_ms.set(self.core.wall_offset_ms.get() + by_ms);
    }

    /// Runs every task until `future` is done; `None` when nothing can happen any more before that.
    pub fn run_until<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.core.spawn(Box::pin(async move {
            let value = future.await;
            *slot.borrow_mut() = Some(value);
        }));
        loop {
            if let Some(value) = result.borrow_mut().take() {
                return Some(value);
            }
            if !self.core.run_one() && !self.core.advance(u64::MAX) {
                return None;
            }
        }
    }

    /// Runs every task for a span of virtual time.
    pub fn run_for(&self, span: Duration) {
        let until = self.core.now() + span;
        while self.core.run_one() || self.core.advance(until.0) {}
        self.core.now.set(self.core.now.get().max(until.0));
    }

    /// Ends every task where it stands, as `kill -9` does: nothing of a process is left but what
    /// its disk holds.
    pub fn kill(&self) {
        let tasks = std::mem::take(&mut *self.core.tasks.borrow_mut());
        drop(tasks);
        self.core.timers.borrow_mut().clear();
        self.core.ready.0.lock().expect("no task panics holding the queue").clear();
    }

    /// A number that differs when two runs differ.
    pub fn trace(&self) -> u64 {
        self.core.trace.borrow().finish()
    }

    /// Virtual time since the world began.
    pub fn now(&self) -> Monotonic {
        self.core.now()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks hold their nodes and the nodes hold this core: the circle ends here.
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;

    use super::*;
    use crate::runtime::AlignedBuf;
    use crate::runtime::disk::OpenMode;
    use crate::runtime::memory::Piece;

    async fn life(runtime: Runtime) -> Vec<u8> {
        let disk = runtime.disk();
        let path = Path::new("/data/file");
        disk.create_dir_all(Path::new("/data")).await.expect("the root is there");
        let file = disk.open(path, OpenMode::CREATE_DIRECT).await.expect("the directory is there");
        let (_, committed) = file.commit(AlignedBuf::zeroed(4096), 4096, 4096).await;
        committed.expect("the disk is healthy");
        runtime.sleep(Duration::from_millis(3)).await;
        let address = SocketAddr::from(([10, 0, 0, 1], 9092));
        let listener = runtime.net().listen(address, false).expect("the port is free");
        let client = runtime.net().connect(address).await.expect("somebody listens");
        let (server, _) = listener.accept().await.expect("a client has come");
        client.send(vec![Piece::Vec(b"ping".to_vec())]).await.expect("the server is there");
        let mut received = Vec::new();
        while received.len() < 4 {
            received.extend_from_slice(&server.recv().await.expect("the client is there"));
        }
        received
    }

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        let run = |seed| {
            let world = World::new(seed, SimOptions::default());
            let node = world.node(&world.disk()).expect("memory is there");
            let received = world.run_until(life(node)).expect("nothing blocks for ever");
            assert_eq!(received, b"ping");
            (world.trace(), world.now())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn time_moves_only_when_nobody_can_run() {
        let world = World::new(1, SimOptions::default());
        let node = world.node(&world.disk()).expect("memory is there");
        let (first, second) = (node.clone(), node.clone());
        node.spawn(Lane::Hot, async move { first.sleep(Duration::from_secs(5)).await });
        let slept = world.run_until(async move {
            second.sleep(Duration::from_secs(2)).await;
            second.now()
        });
        assert_eq!(slept, Some(Monotonic(2_000_000_000)));
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.now(), Monotonic(12_000_000_000));
    }
}
