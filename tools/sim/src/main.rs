//! Runs seeds of the simulated broker: replays one, or many and says which break a promise.
//!
//! `klamm-sim SEED [--trace] [--machine]` replays one seed: `--trace` prints what clients do and see
//! and what becomes of the broker, each line with the simulated time in seconds; `--machine` prints
//! every event of the simulated machine as well. A broken promise ends the program with a panic that
//! names it.
//!
//! `klamm-sim --seeds COUNT [--first SEED] [--threads COUNT]` runs many, first one of them twice: the
//! same seed has the same trace. It fails if a promise is broken, and if something that is meant to
//! happen never has.

use std::process::ExitCode;

use klamm::broker::sim::many::{missing, run_all, run_one};
use klamm::broker::sim::tally::Tally;
use klamm::broker::sim::{self, Telling};

const USAGE: &str = "usage: klamm-sim SEED [--trace] [--machine]
       klamm-sim --seeds COUNT [--first SEED] [--threads COUNT]";
/// Threads of a run of many seeds where nothing else is said.
const THREADS: usize = 2;

/// What is asked for.
enum Asked {
    Help,
    One(u64, Telling),
    Many { first: u64, count: u64, threads: usize },
}

fn asked(arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut arguments = arguments;
    let (mut seed, mut telling) = (None, Telling::default());
    let (mut count, mut first, mut threads) = (None, 0, THREADS);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "-h" | "--help" => return Some(Asked::Help),
            "--trace" => telling.clients = true,
            "--machine" => telling.machine = true,
            "--seeds" => count = Some(number()?),
            "--first" => first = number()?,
            "--threads" => threads = usize::try_from(number()?).ok().filter(|it| *it > 0)?,
            other if seed.is_none() => seed = Some(other.parse().ok()?),
            _ => return None,
        }
    }
    match (seed, count) {
        (Some(seed), None) => Some(Asked::One(seed, telling)),
        (None, Some(count)) => Some(Asked::Many { first, count, threads }),
        _ => None,
    }
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Some(Asked::Help) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some(Asked::One(seed, telling)) => replay(seed, telling),
        Some(Asked::Many { first, count, threads }) => run_many(first, count, threads),
        None => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn replay(seed: u64, telling: Telling) -> ExitCode {
    if telling.clients {
        // The broker's own log, between what its clients do.
        let log = tracing_subscriber::fmt().compact().without_time().with_ansi(false);
        log.with_target(false).init();
    }
    let (hash, tally) = sim::run(seed, telling);
    println!("seed {seed}: trace {hash:016x}");
    print(&tally);
    ExitCode::SUCCESS
}

fn print(tally: &Tally) {
    for (what, count) in &tally.counts {
        println!("{count:>10} {what}");
    }
    for (fault, count) in tally.faults() {
        println!("{count:>10} {fault:?}");
    }
}

fn run_many(first: u64, count: u64, threads: usize) -> ExitCode {
    if run_one(first) != run_one(first) {
        eprintln!("seed {first} has another trace when it is run again: no seed can be trusted");
        return ExitCode::FAILURE;
    }
    let seeds: Vec<u64> = (first..first.saturating_add(count)).collect();
    let (tally, failed) = run_all(&seeds, threads);
    print(&tally);
    for seed in &failed {
        eprintln!("seed {seed} FAILS: `klamm-sim {seed} --trace` replays it");
    }
    let missing = missing(&tally);
    if !missing.is_empty() {
        eprintln!("in {count} seeds it never happened: {}", missing.join(", "));
    }
    println!("{count} seeds, {} failed", failed.len());
    if failed.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
