//! Seeds of whole brokers: the same seed repeats itself, no promise is broken, and planted bugs are
//! found. `klamm-sim --seeds n` runs many, and wants to have seen everything in them; `klamm-sim SEED
//! --trace` replays one.

use std::panic::catch_unwind;
use std::thread;

use super::many::{run_all, run_one};
use super::run::{Telling, run};
use crate::runtime::sim::{Planted, with_planted};

/// Seeds where nothing else is said: unoptimised, each takes many seconds.
const SEEDS: u64 = 6;
/// A planted bug is found within so many seeds.
const PLANTED_SEEDS: u64 = 12;
const THREADS: usize = 2;
/// The bugs that are planted, one at a time.
const BUGS: [Planted; 13] = [
    Planted::AcknowledgeBeforeCommit,
    Planted::ReadBeforeCommit,
    Planted::ForgetProducers,
    Planted::OvertakeForwarded,
    Planted::SleepThroughNews,
    Planted::KeepEpoch,
    Planted::AnswerBeforeDurable,
    Planted::AcceptStaleGeneration,
    Planted::SnapshotAhead,
    Planted::LoadShort,
    Planted::KeepReplaced,
    Planted::AcknowledgeBeforeSync,
    Planted::SkipDirectorySync,
];

/// The first seed that finds a planted bug, if one of so many does.
fn found(bug: Planted) -> Option<u64> {
    let fails = |seed: &u64| catch_unwind(|| run(*seed, Telling::default())).is_err();
    with_planted(bug, || (0..PLANTED_SEEDS).find(fails))
}

#[test]
fn a_same_seed_has_the_same_trace() {
    let again = thread::spawn(|| run_one(1));
    let (first, tally) = run_one(1);
    assert_eq!(again.join().expect("the seed breaks no promise"), (first, tally));
    assert_ne!(run_one(2).0, first);
}

#[test]
fn promises_are_kept_whatever_happens() {
    let seeds = std::env::var("KLAMM_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds: Vec<u64> = (0..seeds.unwrap_or(SEEDS)).collect();
    let (_, failed) = run_all(&seeds, THREADS);
    assert_eq!(failed, [0; 0], "klamm-sim SEED --trace replays one");
}

#[test]
fn planted_bugs_are_found() {
    let share = |part: usize| {
        let bugs = BUGS.iter().skip(part).step_by(THREADS);
        bugs.map(|&bug| (bug, found(bug))).collect::<Vec<_>>()
    };
    let found = thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|part| scope.spawn(move || share(part))).collect();
        running.into_iter().flat_map(|it| it.join().expect("panics are caught")).collect::<Vec<_>>()
    });
    println!("{found:#?}");
    let missed: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
