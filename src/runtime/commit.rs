//! Which of three ways makes a commit durable, chosen per file by how long commits take.
//!
//! Without FUA the flush behind a write with RWF_DSYNC is issued by a per-CPU kernel worker, on the
//! CPU of the disk's interrupt. If something computes there, the worker runs once a scheduler tick,
//! and a commit takes about 4 ms instead of 0.1. So a file leaves that engine when its commits show
//! a tick again and again, and tries it again after a while.

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

/// Commits at least this slow may have waited for a scheduler tick.
const TICK: Duration = Duration::from_millis(2);
/// Slow commits, among the last [`WINDOW`], that make an engine suspect.
const SLOW_MAX: u32 = 3;
/// Commits that are looked at together.
const WINDOW: u32 = 8;
/// The first wait before the cheapest engine is tried again; doubled up to [`HOLD_MAX`].
const HOLD_MIN: Duration = Duration::from_millis(500);
const HOLD_MAX: Duration = Duration::from_secs(30);
/// A commit this quick on probation shows no tick.
const PROBES: u32 = 3;

/// The choice for one file.
#[derive(Debug)]
pub(super) struct EngineChoice {
    current: Engine,
    fixed: bool,
    /// One bit a commit, the newest lowest: set if it was slow.
    history: u32,
    /// When the cheapest engine is tried again.
    probe_at: Monotonic,
    hold: Duration,
    /// Quick probes still needed to go back; a probe is in flight if `probing`.
    probes_left: u32,
    probing: bool,
}

impl Default for EngineChoice {
    fn default() -> EngineChoice {
        EngineChoice {
            current: Engine::DsyncWrite,
            fixed: false,
            history: 0,
            probe_at: Monotonic::default(),
            hold: HOLD_MIN,
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

    /// The engine of a commit that begins now.
    pub(super) fn choose(&mut self, now: Monotonic) -> Engine {
        let due = self.current != Engine::DsyncWrite && now >= self.probe_at;
        if due && !self.fixed && !self.probing {
            self.probing = true;
            return Engine::DsyncWrite;
        }
        self.current
    }

    /// Learns how long a commit took.
    pub(super) fn completed(&mut self, engine: Engine, took: Duration, now: Monotonic) {
        let slow = took >= TICK;
        if self.fixed {
            return;
        }
        if engine == Engine::DsyncWrite && self.current != Engine::DsyncWrite {
            return self.probed(slow, now);
        }
        if engine != self.current {
            return;
        }
        self.history = (self.history << 1 | u32::from(slow)) & ((1 << WINDOW) - 1);
        if self.history.count_ones() < SLOW_MAX {
            return;
        }
        self.history = 0;
        self.current = match self.current {
            Engine::DsyncWrite => {
                self.wait(now);
                Engine::LinkedSync
            }
            Engine::LinkedSync => Engine::Thread,
            // All three are slow, so it is the device: the cheapest will do.
            Engine::Thread => Engine::DsyncWrite,
        };
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
            self.hold = HOLD_MIN;
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
        assert_eq!(bench.run(4, &[Engine::DsyncWrite]), Engine::LinkedSync);
        let probes_before = bench.now;
        assert_eq!(bench.run(30_000, &[Engine::DsyncWrite]), Engine::LinkedSync);
        assert!(
            bench.now.saturating_since(probes_before) < QUICK * 30_000 + SLOW * 20,
            "probes are rare"
        );
        bench.now = bench.now + HOLD_MAX;
        assert_eq!(bench.run(4, &[]), Engine::DsyncWrite);
    }

    #[test]
    fn single_slow_commits_change_nothing() {
        let mut bench = Bench::new();
        for _ in 0..50 {
            bench.run(1, &[Engine::DsyncWrite]);
            assert_eq!(bench.run(7, &[]), Engine::DsyncWrite);
        }
    }

    #[test]
    fn a_slow_device_is_not_the_engines_fault() {
        let all = [Engine::DsyncWrite, Engine::LinkedSync, Engine::Thread];
        let mut bench = Bench::new();
        let mut seen = Vec::new();
        for _ in 0..12 {
            let engine = bench.run(1, &all);
            if seen.last() != Some(&engine) {
                seen.push(engine);
            }
        }
        assert_eq!(seen, [all[0], all[1], all[2], all[0]]);
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
        assert_eq!(choice.choose(now), Engine::LinkedSync);
        assert_eq!(choice.probes_left, PROBES);
    }
}
