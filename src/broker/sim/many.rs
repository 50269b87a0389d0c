//! Many seeds, each in a world of its own, and what all of them together must have been through.

use std::panic::catch_unwind;
use std::thread;

use super::run::{OPERATIONS, Telling, run};
use super::tally::Tally;
use crate::runtime::sim::Fault;

/// Faults of one seed, at the least; what disks and networks do every moment is not counted.
const FAULTS: u64 = 10;
/// Faults that some seeds inject.
const FAULTS_WANTED: [Fault; 15] = [
    Fault::WriteError,
    Fault::ShortWrite,
    Fault::SyncError,
    Fault::ReadError,
    Fault::DiskFull,
    Fault::SlowDisk,
    Fault::PuntedWrite,
    Fault::Kill,
    Fault::PowerLoss,
    Fault::TornWrite,
    Fault::Pause,
    Fault::Cut,
    Fault::SlowNetwork,
    Fault::SmallRead,
    Fault::ClockJump,
];
/// What clients come through in some seeds.
const SEEN_WANTED: [&str; 49] = [
    "altered configs described",
    "batches sent again",
    "calm times",
    "commits of fenced members",
    "commits refused",
    "configs altered",
    "consumers' connections lost",
    "coordinators found",
    "coordinators that were loading",
    "epochs looked up",
    "errors that were fair",
    "fenced members",
    "fetch sessions not found",
    "fetches in a session",
    "generations entered",
    "generations that were over",
    "greetings",
    "groups deleted",
    "groups described",
    "groups left",
    "groups listed",
    "member ids given",
    "members beyond a cut",
    "members that crashed",
    "members that had become unknown",
    "members that stood still",
    "members' connections lost",
    "offsets deleted",
    "offsets in use",
    "offsets reset",
    "partitions given up for others",
    "positions beyond a cut",
    "producer epochs raised",
    "producers' connections lost",
    "rebalances for new topics",
    "rebalances for nothing",
    "rebalances heard of",
    "requests that timed out",
    "requests without an answer",
    "start cut short",
    "start failed",
    "start failed late",
    "stop cut short",
    "the admin's connections lost",
    "times looked up",
    "topics created",
    "topics created before",
    "topics deleted",
    "topics grown",
];

/// Runs one seed and checks that it was a hard one.
///
/// # Panics
/// When a promise is broken, or too little has happened.
pub fn run_one(seed: u64) -> (u64, Tally) {
    let (hash, tally) = run(seed, Telling::default());
    let operations = tally.counts["operations"];
    assert!(operations >= OPERATIONS, "seed {seed}: {operations} operations");
    assert!(tally.grave() >= FAULTS, "seed {seed}: {} faults", tally.grave());
    (hash, tally)
}

/// Runs seeds on so many threads. Gives what all that went well were through together, and the seeds in
/// which a promise was broken: the panic of each has been printed.
pub fn run_all(seeds: &[u64], threads: usize) -> (Tally, Vec<u64>) {
    let share = |part: usize| {
        let (mut sum, mut failed) = (Tally::default(), Vec::new());
        for &seed in seeds.iter().skip(part).step_by(threads) {
            match catch_unwind(|| run_one(seed)) {
                Ok((_, tally)) => sum.add(&tally),
                Err(_) => {
                    eprintln!("seed {seed} fails");
                    failed.push(seed);
                }
            }
        }
        (sum, failed)
    };
    let shares = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|part| scope.spawn(move || share(part))).collect();
        running
            .into_iter()
            .map(|it| it.join().expect("a seed's panic is caught"))
            .collect::<Vec<_>>()
    });
    let (mut sum, mut failed) = (Tally::default(), Vec::new());
    for (tally, seeds) in shares {
        sum.add(&tally);
        failed.extend(seeds);
    }
    failed.sort_unstable();
    (sum, failed)
}

/// What should have happened in some seed and has not.
pub fn missing(tally: &Tally) -> Vec<String> {
    let faults = FAULTS_WANTED.into_iter().filter(|fault| tally.faults[*fault as usize] == 0);
    let faults = faults.map(|fault| format!("{fault:?}"));
    let zero = tally.counts.iter().filter(|(_, count)| **count == 0).map(|(what, _)| *what);
    let never = SEEN_WANTED.into_iter().filter(|what| !tally.counts.contains_key(what));
    faults.chain(zero.chain(never).map(str::to_owned)).collect()
}
