//! One simulated executor: its tasks, and the handle by which they use the machine.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustc_hash::FxHashMap;

use super::disk::SimDisk;
use super::host::HostCore;
use super::net::SimNet;
use super::ready::Ready;
use super::world::WorldCore;
use crate::runtime::{Lane, Monotonic};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Time that work on a blocking thread takes, in nanoseconds.
const BLOCKING_NS: std::ops::Range<u64> = 50_000..500_000;

/// Time that a message is on its way between two cores, in nanoseconds.
const MESH_NS: std::ops::Range<u64> = 300..30_000;

#[derive(Default)]
pub(super) struct Executor {
    tasks: RefCell<FxHashMap<u64, Task>>,
    next_task: Cell<u64>,
    hot: Ready,
    background: Ready,
    paused: Cell<bool>,
    gone: Cell<bool>,
}

impl Executor {
    pub(super) fn spawn(&self, lane: Lane, task: Task) {
        if self.gone.get() {
            return;
        }
        let number = self.next_task.get();
        self.next_task.set(number + 1);
        self.tasks.borrow_mut().insert(number, task);
        match lane {
            Lane::Hot => self.hot.enter(number),
            Lane::Background => self.background.enter(number),
        }
    }

    /// Polls woken tasks, at most `polls_max`; returns how many. Background tasks come when no hot
    /// one is left.
    pub(super) fn turn(&self, polls_max: usize) -> usize {
        let mut polls = 0;
        while polls < polls_max && !self.paused.get() {
            let Some((number, waker)) = self.hot.next().or_else(|| self.background.next()) else {
                break;
            };
            let task = self.tasks.borrow_mut().remove(&number);
            let Some(mut task) = task else { continue };
            polls += 1;
            let poll = task.as_mut().poll(&mut Context::from_waker(&waker));
            if poll.is_pending() && !self.gone.get() {
                self.tasks.borrow_mut().insert(number, task);
            }
        }
        polls
    }

    /// Drops every task, as the end of the process does.
    pub(super) fn kill(&self) {
        self.gone.set(true);
        loop {
            // In the order of their birth, and without a borrow: dropping one may wake another.
            let mut tasks: Vec<(u64, Task)> = self.tasks.borrow_mut().drain().collect();
            if tasks.is_empty() {
                break;
            }
            tasks.sort_by_key(|(number, _)| *number);
            drop(tasks);
        }
        self.hot.clear();
        self.background.clear();
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// The simulated arm of [`Runtime`](crate::runtime::Runtime).
#[derive(Clone)]
pub struct Node {
    host: Rc<HostCore>,
    executor: Rc<Executor>,
}

impl Node {
    pub(super) fn new(host: &Rc<HostCore>, executor: Rc<Executor>) -> Self {
        Node { host: Rc::clone(host), executor }
    }

    pub(in crate::runtime) fn now(&self) -> Monotonic {
        Monotonic(self.host.world.now())
    }

    pub(in crate::runtime) fn wall_clock_ms(&self) -> i64 {
        self.host.world.wall_clock_ms()
    }

    pub(in crate::runtime) fn random(&self) -> u64 {
        self.host.world.random()
    }

    pub(in crate::runtime) fn spawn(&self, lane: Lane, task: Task) {
        self.executor.spawn(lane, task);
    }

    pub(in crate::runtime) async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    pub(in crate::runtime) async fn sleep_until(&self, moment: Monotonic) {
        sleep_until(&self.host.world, moment.0).await;
    }

    pub(in crate::runtime) async fn blocking<T>(&self, work: impl FnOnce() -> T) -> T {
        let world = &self.host.world;
        sleep_until(world, world.now() + world.pick(&BLOCKING_NS)).await;
        work()
    }

    /// Brings a message of the mesh to another executor: does `action` a seeded moment from now, but
    /// not before `earliest`; returns when that is.
    pub(in crate::runtime) fn arrive(
        &self,
        earliest: Monotonic,
        action: impl FnOnce() + 'static,
    ) -> Monotonic {
        let world = &self.host.world;
        let moment = (world.now() + world.pick(&MESH_NS)).max(earliest.0);
        world.record("mesh", self.host.number, moment);
        world.at(moment, Box::new(action));
        Monotonic(moment)
    }

    pub(in crate::runtime) fn disk(&self) -> SimDisk {
        SimDisk::new(Rc::clone(&self.host))
    }

    pub(in crate::runtime) fn net(&self) -> SimNet {
        SimNet::new(Rc::clone(&self.host))
    }
}

/// Waits for a moment of the world's clock.
pub(super) async fn sleep_until(world: &Rc<WorldCore>, moment: u64) {
    if moment > world.now() {
        Sleep { world: Rc::clone(world), moment, key: None }.await;
    }
}

struct Sleep {
    world: Rc<WorldCore>,
    moment: u64,
    key: Option<(u64, u64)>,
}

impl Sleep {
    fn call_off(&mut self) {
        if let Some(key) = self.key.take() {
            self.world.call_off(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.call_off();
        if self.moment <= self.world.now() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let key = self.world.at(self.moment, Box::new(move || waker.wake()));
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.call_off();
    }
}
