//! The world: one clock, one source of randomness, every host and the turns of their tasks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::device::Device;
use super::executor::Executor;
use super::faults::Fault;
use super::host::{Host, HostCore};
use super::image::DiskImage;
use super::net::Network;
use super::options::SimOptions;
use super::ready::Ready;
use super::trace::Trace;
use crate::runtime::Monotonic;
use crate::runtime::random::Random;

/// The most tasks that one executor polls before the others, and what is due, have their turn: a
/// seeded number up to this, so that cores overtake each other and a task that yields for ever
/// stops nothing.
const POLLS_PER_TURN: u64 = 64;
/// The world's monotonic clock at its start, in nanoseconds.
const START_NS: u64 = 1_000_000_000;
/// Turns after which a run counts as endless.
const TURNS_MAX: u64 = 200_000_000;

pub(super) type Action = Box<dyn FnOnce()>;

pub(super) struct WorldCore {
    pub(super) options: SimOptions,
    pub(super) network: Network,
    now: Cell<u64>,
    wall_jump_ms: Cell<i64>,
    sequence: Cell<u64>,
    random: Random,
    timers: RefCell<BTreeMap<(u64, u64), Action>>,
    executors: RefCell<Vec<Rc<Executor>>>,
    trace: RefCell<Trace>,
    faults: RefCell<[u64; Fault::ALL.len()]>,
    hosts: Cell<u64>,
}

impl WorldCore {
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    pub(super) fn wall_clock_ms(&self) -> i64 {
        let elapsed = ((self.now.get() - START_NS) / 1_000_000) as i64;
        self.options.wall_clock_ms + elapsed + self.wall_jump_ms.get()
    }

    pub(super) fn next_number(&self) -> u64 {
        self.sequence.set(self.sequence.get() + 1);
        self.sequence.get()
    }

    pub(super) fn random(&self) -> u64 {
        self.random.next()
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    pub(super) fn chance(&self, share: f64) -> bool {
        share > 0.0 && self.random.chance(share)
    }

    /// A number from the range, or its start if it is empty.
    pub(super) fn pick(&self, range: &Range<u64>) -> u64 {
        if range.is_empty() {
            return range.start;
        }
        range.start + self.below(range.end - range.start)
    }

    pub(super) fn record(&self, event: &'static str, subject: u64, detail: u64) {
        self.trace.borrow_mut().add(self.now.get(), event, subject, detail);
    }

    pub(super) fn count_fault(&self, fault: Fault) {
        self.faults.borrow_mut()[fault as usize] += 1;
    }

    /// Does something at a moment; returns the key by which it can be called off.
    pub(super) fn at(&self, moment: u64, action: Action) -> (u64, u64) {
        let key = (moment.max(self.now.get()), self.next_number());
        self.timers.borrow_mut().insert(key, action);
        key
    }

    pub(super) fn call_off(&self, key: (u64, u64)) {
        let action = self.timers.borrow_mut().remove(&key);
        drop(action);
    }

    pub(super) fn add_executor(&self, executor: Rc<Executor>) {
        self.executors.borrow_mut().push(executor);
    }

    fn fire_timers(&self) -> bool {
        let mut fired = false;
        loop {
            let mut timers = self.timers.borrow_mut();
            let Some(entry) = timers.first_entry() else { break };
            if entry.key().0 > self.now.get() {
                break;
            }
            let action = entry.remove();
            drop(timers);
            action();
            fired = true;
        }
        fired
    }

    /// One turn: what is due happens, then every woken task of each executor is polled.
    fn turn(&self) -> bool {
        let mut busy = self.fire_timers();
        let count = self.executors.borrow().len();
        let first = if count > 1 { self.below(count as u64) as usize } else { 0 };
        for index in 0..count {
            let executor = Rc::clone(&self.executors.borrow()[(first + index) % count]);
            let polls = executor.turn(1 + self.below(POLLS_PER_TURN) as usize);
            self.now.set(self.now.get() + polls as u64 * self.options.poll_ns);
            busy |= polls > 0;
        }
        if self.executors.borrow().iter().any(|executor| executor.is_gone()) {
            self.executors.borrow_mut().retain(|executor| !executor.is_gone());
        }
        busy
    }

    /// Moves the clock to the next thing that is due, at most to `limit`; false if nothing is.
    fn advance(&self, limit: u64) -> bool {
        let next = self.timers.borrow().first_key_value().map(|(key, _)| key.0);
        match next {
            Some(next) if next <= limit => {
                self.now.set(self.now.get().max(next));
                true
            }
            _ => false,
        }
    }
}

/// Owns everything that is simulated; dropping it drops every task.
pub struct World {
    core: Rc<WorldCore>,
}

impl World {
    /// A world with no hosts. The same seed and the same use give the same run.
    pub fn new(seed: u64, options: SimOptions) -> Self {
        let trace = RefCell::new(Trace::new(options.readable_trace, options.print_trace));
        World {
            core: Rc::new(WorldCore {
                options,
                network: Network::default(),
                now: Cell::new(START_NS),
                wall_jump_ms: Cell::new(0),
                sequence: Cell::new(0),
                random: Random::seeded(seed),
                timers: RefCell::default(),
                executors: RefCell::default(),
                trace,
                faults: RefCell::default(),
                hosts: Cell::new(0),
            }),
        }
    }

    /// A new host with an empty disk.
    pub fn host(&self) -> Host {
        self.host_with(Device::new())
    }

    /// A new host whose disk holds what a crash has left.
    pub fn host_from(&self, image: &DiskImage) -> Host {
        self.host_with(image.device())
    }

    fn host_with(&self, device: Device) -> Host {
        let number = self.core.hosts.get();
        self.core.hosts.set(number + 1);
        Host::new(Rc::new(HostCore::new(Rc::clone(&self.core), number, device)))
    }

    /// Runs everything until `future` completes; nothing if it never will, because all wait for
    /// each other or run in circles.
    pub fn try_run_until<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let ready = Ready::default();
        ready.enter(0);
        for _ in 0..TURNS_MAX {
            if let Some((_, waker)) = ready.next() {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Some(value);
                }
                self.core.now.set(self.core.now.get() + self.core.options.poll_ns);
            }
            let busy = self.core.turn();
            if !busy && ready.is_empty() && !self.core.advance(u64::MAX) {
                return None;
            }
        }
        None
    }

    /// As [`World::try_run_until`], for a future that must complete.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        self.try_run_until(future).expect("what was awaited never happened: every task waits")
    }

    /// Runs everything for a time.
    pub fn run_for(&self, duration: Duration) {
        let end = (Monotonic(self.core.now()) + duration).0;
        while self.core.now() < end {
            if !self.core.turn() && !self.core.advance(end) {
                self.core.now.set(end);
            }
        }
    }

    /// Runs everything until nothing moves any more.
    pub fn run_until_quiet(&self) {
        while self.core.turn() || self.core.advance(u64::MAX) {}
    }

    /// The world's clock.
    pub fn now(&self) -> Monotonic {
        Monotonic(self.core.now())
    }

    /// Random bits out of the world's seed, for what a test decides.
    pub fn random(&self) -> u64 {
        self.core.random()
    }

    /// Lets the wall clock jump; the monotonic clock does not.
    pub fn jump_wall_clock_ms(&self, by: i64) {
        self.core.wall_jump_ms.set(self.core.wall_jump_ms.get().saturating_add(by));
        self.core.count_fault(Fault::ClockJump);
        self.core.record("clock jump", 0, by as u64);
    }

    /// Cuts one connection, whichever it is; both ends see an error and what was under way is lost.
    pub fn cut_one_connection(&self) {
        self.core.network.cut_one(&self.core);
    }

    /// Lets a share of everything that is sent be slow.
    pub fn set_slow_network(&self, share: f64) {
        self.core.network.set_slow(share);
    }

    /// How often a fault has been injected, in all hosts.
    pub fn fault_count(&self, fault: Fault) -> u64 {
        self.core.faults.borrow()[fault as usize]
    }

    /// A hash of everything that has happened.
    pub fn trace_hash(&self) -> u64 {
        self.core.trace.borrow().hash()
    }

    /// How many events the trace has.
    pub fn trace_events(&self) -> u64 {
        self.core.trace.borrow().events()
    }

    /// The trace as text, if the options asked for it.
    pub fn trace(&self) -> Vec<String> {
        self.core.trace.borrow().lines()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks, timers and connections hold the world: without this nothing would ever be freed.
        let executors = std::mem::take(&mut *self.core.executors.borrow_mut());
        for executor in &executors {
            executor.kill();
        }
        let timers = std::mem::take(&mut *self.core.timers.borrow_mut());
        drop(timers);
        self.core.network.clear();
    }
}
