//! How hard a pass drives the disk: gently while the journal has room, as hard as it can once somebody waits.
//!
//! A commit's flush waits for the writes that the device is at, and a device takes what it gets in turn. So a pass
//! writes one small piece at a time and leaves the disk alone for as long as that piece took: a commit then meets one
//! piece at the most. What the pass needs is room in the journal until it ends, and memory; when either gets short,
//! and at a stop, it uses all of the disk instead.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use crate::model::limits::CHUNK_BYTES_MAX;
use crate::runtime::sync::Semaphore;
use crate::storage::log::engine::Engine;

/// What one write carries at most while commits are to be spared.
const WRITE_BYTES_GENTLE: usize = CHUNK_BYTES_MAX;
/// What one write carries at most otherwise, so that others get their turn at the disk.
const WRITE_BYTES_MAX: usize = 4 * CHUNK_BYTES_MAX;
/// A pass begins when half of the journal is taken; from here on it hurries.
const HURRY_FROM: f64 = 0.75;
/// The longest rest after one piece: a disk that stalls is not left alone for as long as it stalled.
const REST_MAX: Duration = Duration::from_millis(20);

/// The pace of one pass.
pub(super) struct Pace<'a> {
    engine: &'a Engine,
    closing: &'a Cell<bool>,
    turn: Semaphore,
}

impl<'a> Pace<'a> {
    /// The pace of a pass of a store that is closing once `closing` is set.
    pub(super) fn new(engine: &'a Engine, closing: &'a Cell<bool>) -> Pace<'a> {
        Pace { engine, closing, turn: Semaphore::new(1) }
    }

    fn is_gentle(&self) -> bool {
        !self.closing.get()
            && !self.engine.short_of_memory.get()
            && self.engine.journal.pressure() < HURRY_FROM
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
    use crate::runtime::sim::{SimOptions, World};
    use crate::runtime::sync::join_all;

    /// How long a pass takes for two pieces that may run side by side and take `took` each.
    fn check(took: Duration, closing: bool, short_of_memory: bool, expected: Duration) {
        let world = World::new(1, SimOptions::instant());
        let runtime = world.host().runtime();
        let (store, _) = world.run_until(start(&runtime));
        let engine = &store.0.engine;
        engine.short_of_memory.set(short_of_memory);
        let closing = Cell::new(closing);
        let pace = Pace::new(engine, &closing);
        let (bytes_max, began) = (pace.write_bytes_max(), runtime.now());
        world.run_until(join_all([0, 1].map(|_| pace.piece(runtime.sleep(took)))));
        let passed = runtime.now().saturating_since(began);
        assert_eq!(passed, expected, "{took:?} {} {short_of_memory}", closing.get());
        let expected = if passed == took { WRITE_BYTES_MAX } else { WRITE_BYTES_GENTLE };
        assert_eq!(bytes_max, expected);
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
