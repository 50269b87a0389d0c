//! How hard a pass drives the disk: gently while the journal has room, as hard as it can once somebody waits.
//!
//! A commit's flush waits for the writes that the device is at, and a device takes what it gets in turn. So a pass
//! writes one small piece at a time and leaves the disk alone for as long as that piece took: a commit then meets one
//! piece at the most. What the pass needs is room in the journal until it ends, and memory; when either gets short,
//! when the journal fills quicker than the pass gets on, and at a stop, it uses all of the disk instead.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use crate::model::limits::CHUNK_BYTES_MAX;
use crate::runtime::sync::Semaphore;
use crate::storage::log::engine::Engine;

/// What one write carries at most while commits are to be spared.
const WRITE_BYTES_GENTLE: usize = CHUNK_BYTES_MAX;
/// What one write carries at most otherwise, so that others get their turn at the disk.
pub(super) const WRITE_BYTES_MAX: usize = 4 * CHUNK_BYTES_MAX;
/// A pass begins when half of the journal is taken; from here on it hurries.
const HURRY_FROM: f64 = 0.75;
/// By how much of the journal a pass may lag behind before it hurries.
const LAG_MAX: f64 = 0.05;
/// The longest rest after one piece: a disk that stalls is not left alone for as long as it stalled.
const REST_MAX: Duration = Duration::from_millis(20);

/// How much of a pass there is to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Logs to look at.
    pub(super) logs: usize,
    /// Bytes to write, about.
    pub(super) bytes: u64,
}

/// The pace of one pass.
pub(super) struct Pace<'a> {
    engine: &'a Engine,
    closing: &'a Cell<bool>,
    turn: Semaphore,
    /// What of the journal was taken when the pass began.
    began_at: f64,
    all: Work,
    logs_done: Cell<usize>,
    bytes_done: Cell<u64>,
}

impl<'a> Pace<'a> {
    /// The pace of a pass over `all` of a store that is closing once `closing` is set.
    pub(super) fn new(engine: &'a Engine, closing: &'a Cell<bool>, all: Work) -> Pace<'a> {
        Pace {
            engine,
            closing,
            turn: Semaphore::new(1),
            began_at: engine.journal.pressure(),
            all,
            logs_done: Cell::new(0),
            bytes_done: Cell::new(0),
        }
    }

    /// Notes that a log is done.
    pub(super) fn log_done(&self) {
        self.logs_done.set(self.logs_done.get() + 1);
    }

    /// Notes that so many bytes are written.
    pub(super) fn wrote(&self, bytes: usize) {
        self.bytes_done.set(self.bytes_done.get() + bytes as u64);
    }

    /// The part that is done, 0 to 1, by logs or by bytes: few logs with much and many with little
    /// get on by either.
    fn progress(&self) -> f64 {
        let logs = self.logs_done.get() as f64 / self.all.logs.max(1) as f64;
        let bytes = self.bytes_done.get() as f64 / self.all.bytes.max(1) as f64;
        logs.max(bytes).min(1.0)
    }

    fn is_gentle(&self) -> bool {
        let left = (HURRY_FROM - self.began_at).max(0.0);
        let due = self.began_at + left * self.progress() + LAG_MAX;
        !self.closing.get()
            && !self.engine.short_of_memory.get()
            && self.engine.journal.pressure() < due.min(HURRY_FROM)
    }

    /// What the next write carries at most, in bytes.
    pub(super) fn write_bytes_max(&self) -> usize {
        if self.is_gentle() { WRITE_BYTES_GENTLE } else { WRITE_BYTES_MAX }
    }

    /// Does a piece of the pass's work on the disk, with the rest that belongs to it.
    pub(super) async fn piece<T>(&self, work: impl Future<Output = T>) -> T {
        if !self.is_gentle() {
            return work.await;
        }
        let _turn = self.turn.acquire(1).await;
        let runtime = &self.engine.runtime;
        let began = runtime.now();
        let result = work.await;
        let took = runtime.now().saturating_since(began);
        if self.is_gentle() {
            runtime.sleep(took.min(REST_MAX)).await;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::model_tests::start;
    use super::*;
    use crate::model::units::BLOCK;
    use crate::model::{LogId, OwnerEpoch};
    use crate::runtime::sim::{SimOptions, World};
    use crate::runtime::sync::join_all;
    use crate::storage::journal::EntryKind;

    /// How long a pass takes for two pieces that may run side by side and take `took` each.
    fn check(took: Duration, closing: bool, short_of_memory: bool, expected: Duration) {
        let world = World::new(1, SimOptions::instant());
        let runtime = world.host().runtime();
        let (store, _) = world.run_until(start(&runtime));
        let engine = &store.0.engine;
        engine.short_of_memory.set(short_of_memory);
        let closing = Cell::new(closing);
        let pace = Pace::new(engine, &closing, Work::default());
        let (bytes_max, began) = (pace.write_bytes_max(), runtime.now());
        world.run_until(join_all([0, 1].map(|_| pace.piece(runtime.sleep(took)))));
        let passed = runtime.now().saturating_since(began);
        assert_eq!(passed, expected, "{took:?} {} {short_of_memory}", closing.get());
        let expected = if passed == took { WRITE_BYTES_MAX } else { WRITE_BYTES_GENTLE };
        assert_eq!(bytes_max, expected);
    }

    #[test]
    fn a_pass_hurries_when_the_journal_fills_quicker_than_it_gets_on() {
        let world = World::new(1, SimOptions::instant());
        let runtime = world.host().runtime();
        let (store, _) = world.run_until(start(&runtime));
        let engine = &store.0.engine;
        // The store's own passes would release what this one is measured by.
        store.0.closing.set(true);
        let closing = Cell::new(false);
        let pace = Pace::new(engine, &closing, Work { logs: 10, bytes: 1_000 });
        let entry = |bytes: usize| {
            let log = LogId::default();
            let body = vec![0; bytes];
            let sequence = engine.journal.append(EntryKind::Append, log, OwnerEpoch(1), &[], &body);
            world.run_until(engine.journal.wait_durable(sequence)).expect("durable");
        };
        assert!(pace.is_gentle());
        while engine.journal.pressure() < LAG_MAX {
            entry(BLOCK);
        }
        assert!(!pace.is_gentle(), "nothing is done, and a part of the journal is gone");
        pace.log_done();
        assert!(pace.is_gentle(), "a tenth of the logs is done");
        while engine.journal.pressure() < HURRY_FROM / 2.0 {
            entry(BLOCK);
        }
        assert!(!pace.is_gentle());
        pace.wrote(500);
        assert!(pace.is_gentle(), "half of the bytes is written");
        pace.wrote(500);
        while engine.journal.pressure() < HURRY_FROM {
            entry(BLOCK);
        }
        assert!(!pace.is_gentle(), "however far it is");
    }

    #[test]
    fn pieces_come_one_at_a_time_with_rests_until_somebody_waits() {
        let ms = Duration::from_millis;
        check(ms(2), false, false, ms(8));
        check(ms(2), true, false, ms(2));
        check(ms(2), false, true, ms(2));
        check(ms(500), false, false, ms(1_000) + 2 * REST_MAX);
    }
}
