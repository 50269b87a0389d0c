//! Which of three ways makes a commit durable, chosen per device by how long commits take.
//!
//! Without FUA the flush behind a write with RWF_DSYNC is issued by a per-CPU kernel worker, on the
//! CPU of the disk's interrupt. If something computes there, the worker runs once a scheduler tick,
//! and a commit takes about 4 ms instead of 0.1. So commits leave that engine when they show a tick
//! again and again, and try it again after a while. What one file has learnt holds for all of a
//! thread's files on that device: a journal goes on to its next file every few seconds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::clock::Monotonic;

/// How a commit becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One ring write with RWF_DSYNC: the cheapest, and the quickest on a quiet machine.
    DsyncWrite,
    /// A ring write linked to an fdatasync, which a worker thread of the ring waits for.
    LinkedSync,
    /// A thread of ours in `pwritev2` with RWF_DSYNC.
    Thread,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 3] = [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::DsyncWrite => "dsync_write",
            Engine::LinkedSync => "linked_sync",
            Engine::Thread => "thread",
        }
    }
}

/// Commits at least this slow may have waited for a scheduler tick.
const TICK: Duration = Duration::from_millis(2);
/// Slow commits, among the last [`WINDOW`], that make the cheapest engine suspect.
const SLOW_MAX: u32 = 2;
/// The same for the others, which do not wait for a tick: what is slow there is mostly the device.
const SLOW_MAX_OTHERS: u32 = 8;
/// Commits that are looked at together.
const WINDOW: u32 = 16;
/// The first wait before the cheapest engine is tried again; doubled up to [`HOLD_MAX`] by each
/// probe that shows a tick, and by each return that did not last [`RETURN_MIN`].
const HOLD_MIN: Duration = Duration::from_millis(500);
const HOLD_MAX: Duration = Duration::from_secs(30);
const RETURN_MIN: Duration = Duration::from_secs(10);
/// Quick probes before the cheapest engine is gone back to.
const PROBES: u32 = 8;

/// The choice as the files of one thread on one device share it.
pub(super) type SharedChoice = Rc<RefCell<EngineChoice>>;

/// The choice for one device.
#[derive(Debug)]
pub(super) struct EngineChoice {
    current: Engine,
    fixed: bool,
    /// The process may start no thread.
    threadless: bool,
    /// One bit a commit, the newest lowest: set if it was slow.
    history: u32,
    /// A moving average of each engine's commits, by `Engine as usize`; zero while unknown.
    averages: [Duration; 3],
    /// When the cheapest engine is tried again.
    probe_at: Monotonic,
    hold: Duration,
    /// When it was last gone back to.
    returned_at: Option<Monotonic>,
    /// Quick probes still needed to go back; a probe is in flight if `probing`.
    probes_left: u32,
    probing: bool,
}

impl Default for EngineChoice {
    fn default() -> EngineChoice {
        EngineChoice {
            current: Engine::DsyncWrite,
            fixed: false,
            threadless: false,
            history: 0,
            averages: [Duration::ZERO; 3],
            probe_at: Monotonic::default(),
            hold: HOLD_MIN,
            returned_at: None,
            probes_left: PROBES,
            probing: false,
        }
    }
}

impl EngineChoice {
    /// Always the same engine.
    pub(super) fn fixed(engine: Engine) -> EngineChoice {
        EngineChoice { current: engine, fixed: true, ..EngineChoice::default() }
    }

    /// The engine in use, probes of another one left aside.
    pub(super) fn current(&self) -> Engine {
        self.current
    }

    /// The engine of a commit that begins now.
    pub(super) fn choose(&mut self, now: Monotonic) -> Engine {
        let due = self.current != Engine::DsyncWrite && now >= self.probe_at;
        if due && !self.fixed && !self.probing {
            self.probing = true;
            return Engine::DsyncWrite;
        }
        self.current
    }

    /// Leaves the thread out from now on, since there is none; gives what serves in its stead.
    pub(super) fn without_thread(&mut self) -> Engine {
        self.threadless = true;
        if self.current == Engine::Thread {
            self.current = Engine::LinkedSync;
            self.history = 0;
        }
        Engine::LinkedSync
    }

    /// Learns how long a commit took.
    pub(super) fn completed(&mut self, engine: Engine, took: Duration, now: Monotonic) {
        if self.fixed {
            return;
        }
        let slow = took >= TICK;
        let average = &mut self.averages[engine as usize];
        *average = if average.is_zero() { took } else { (*average * 7 + took) / 8 };
        if engine == Engine::DsyncWrite && self.current != Engine::DsyncWrite {
            return self.probed(slow, now);
        }
        if engine != self.current {
            return;
        }
        self.history = (self.history << 1 | u32::from(slow)) & ((1 << WINDOW) - 1);
        let slow_max = if engine == Engine::DsyncWrite { SLOW_MAX } else { SLOW_MAX_OTHERS };
        if self.history.count_ones() >= slow_max {
            self.leave(now);
        }
    }

    /// Goes over to the engine that was quickest, an untried one before all; it may be the same
    /// one, since a slow device is not its fault.
    fn leave(&mut self, now: Monotonic) {
        self.history = 0;
        // Whoever computes on the CPU of the disk's interrupt delays a thread of ours the least.
        let engines = [Engine::DsyncWrite, Engine::Thread, Engine::LinkedSync];
        let there = engines.into_iter().filter(|&e| e != Engine::Thread || !self.threadless);
        let best = there.min_by_key(|engine| self.averages[*engine as usize]);
        let best = best.unwrap_or(self.current);
        // What was slow once may be quick by now, so that it is tried again some time.
        for engine in engines.into_iter().filter(|engine| *engine != best) {
            self.averages[engine as usize] = self.averages[engine as usize] * 3 / 4;
        }
        if self.current == Engine::DsyncWrite && best != self.current {
            let stayed = self.returned_at.map(|at| now.saturating_since(at));
            self.hold = match stayed {
                Some(stayed) if stayed < RETURN_MIN => (self.hold * 2).min(HOLD_MAX),
                _ => HOLD_MIN,
            };
            self.wait(now);
        }
        self.current = best;
    }

    fn probed(&mut self, slow: bool, now: Monotonic) {
        // Of a commit that began before the switch nothing is learnt.
        if !std::mem::take(&mut self.probing) {
            return;
        }
        if slow {
            self.hold = (self.hold * 2).min(HOLD_MAX);
            return self.wait(now);
        }
        self.probes_left -= 1;
        if self.probes_left == 0 {
            self.current = Engine::DsyncWrite;
            self.history = 0;
            self.returned_at = Some(now);
        }
    }

    fn wait(&mut self, now: Monotonic) {
        self.probe_at = now + self.hold;
        self.probes_left = PROBES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(150);
    const SLOW: Duration = Duration::from_millis(4);

    struct Bench {
        choice: EngineChoice,
        now: Monotonic,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { choice: EngineChoice::default(), now: Monotonic::default() }
        }

        /// Runs `count` commits of which those by an engine in `slow` are slow; returns the last
        /// engine.
        fn run(&mut self, count: usize, slow: &[Engine]) -> Engine {
            let mut last = self.choice.current;
            for _ in 0..count {
                last = self.choice.choose(self.now);
                let took = if slow.contains(&last) { SLOW } else { QUICK };
                self.now = self.now + took;
                self.choice.completed(last, took, self.now);
            }
            last
        }
    }

    #[test]
    fn a_hogged_interrupt_cpu_moves_commits_away_and_they_come_back() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(100, &[]), Engine::DsyncWrite);
        assert_eq!(bench.run(4, &[Engine::DsyncWrite]), Engine::Thread);
        let probes_before = bench.now;
        assert_eq!(bench.run(30_000, &[Engine::DsyncWrite]), Engine::Thread);
        assert!(
            bench.now.saturating_since(probes_before) < QUICK * 30_000 + SLOW * 20,
            "probes are rare"
        );
        bench.now = bench.now + HOLD_MAX;
        assert_eq!(bench.run(PROBES as usize + 1, &[]), Engine::DsyncWrite);
    }

    #[test]
    fn a_return_that_does_not_last_makes_the_next_one_wait_longer() {
        let mut bench = Bench::new();
        bench.run(SLOW_MAX as usize, &[Engine::DsyncWrite]);
        for doubled in 1..4 {
            assert_eq!(bench.choice.current, Engine::Thread);
            bench.now = bench.choice.probe_at;
            bench.run(PROBES as usize, &[]);
            assert_eq!(bench.choice.current, Engine::DsyncWrite);
            bench.run(SLOW_MAX as usize, &[Engine::DsyncWrite]);
            assert_eq!(bench.choice.hold, HOLD_MIN * 2u32.pow(doubled));
        }
        bench.now = bench.choice.probe_at;
        bench.run(PROBES as usize, &[]);
        bench.now = bench.now + RETURN_MIN;
        bench.run(SLOW_MAX as usize, &[Engine::DsyncWrite]);
        assert_eq!(bench.choice.hold, HOLD_MIN);
    }

    #[test]
    fn without_threads_the_others_share_the_work() {
        let all = [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread];
        let mut bench = Bench::new();
        assert_eq!(bench.run(4, &[Engine::DsyncWrite]), Engine::Thread);
        assert_eq!(bench.choice.without_thread(), Engine::LinkedSync);
        assert_eq!(bench.run(1000, &[Engine::DsyncWrite]), Engine::LinkedSync);
        for _ in 0..1000 {
            assert_ne!(bench.run(1, &all), Engine::Thread);
        }
        bench.now = bench.now + HOLD_MAX;
        bench.run(200, &[]);
        assert_ne!(bench.choice.current, Engine::Thread);
    }

    #[test]
    fn single_slow_commits_change_nothing() {
        let mut bench = Bench::new();
        for _ in 0..50 {
            bench.run(1, &[Engine::DsyncWrite]);
            assert_eq!(bench.run(15, &[]), Engine::DsyncWrite);
        }
    }

    #[test]
    fn every_engine_is_tried_and_the_quickest_kept() {
        let all = [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread];
        for quick in all {
            let slow: Vec<_> = all.into_iter().filter(|engine| *engine != quick).collect();
            let mut bench = Bench::new();
            bench.run((SLOW_MAX + SLOW_MAX_OTHERS) as usize, &slow);
            assert_eq!(bench.choice.current, quick);
            bench.run(1000, &slow);
            assert_eq!(bench.choice.current, quick);
        }
    }

    #[test]
    fn a_slow_device_is_not_the_engines_fault() {
        let all = [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread];
        let mut bench = Bench::new();
        bench.run(1000, &all);
        bench.now = bench.now + HOLD_MAX;
        bench.run(200, &[]);
        bench.now = bench.now + HOLD_MAX;
        assert_eq!(bench.run(20, &[]), Engine::DsyncWrite, "all is well again");
    }

    #[test]
    fn a_commit_from_before_the_switch_is_no_probe() {
        let mut choice = EngineChoice::default();
        let now = Monotonic::default();
        let before = choice.choose(now);
        for _ in 0..SLOW_MAX {
            choice.completed(Engine::DsyncWrite, SLOW, now);
        }
        choice.completed(before, QUICK, now);
        assert_eq!(choice.choose(now), Engine::Thread);
        assert_eq!(choice.probes_left, PROBES);
    }
}
