//! Replays one seed of the simulated broker: `klamm-sim SEED [--trace] [--machine]`.
//!
//! `--trace` prints what clients do and see and what becomes of the broker, each line with the
//! simulated time in seconds; `--machine` prints every event of the simulated machine as well. A
//! broken promise ends the program with a panic that names it.

use std::process::ExitCode;

use klamm::broker::sim::{self, Telling};

const USAGE: &str = "usage: klamm-sim SEED [--trace] [--machine]";

fn main() -> ExitCode {
    let mut seed = None;
    let mut telling = Telling::default();
    for argument in std::env::args().skip(1) {
        match (argument.as_str(), argument.parse()) {
            ("--trace", _) => telling.clients = true,
            ("--machine", _) => telling.machine = true,
            (_, Ok(number)) if seed.is_none() => seed = Some(number),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let Some(seed) = seed else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    if telling.clients {
        // The broker's own log, between what its clients do.
        let log = tracing_subscriber::fmt().compact().without_time().with_ansi(false);
        log.with_target(false).init();
    }
    let (hash, tally) = sim::run(seed, telling);
    println!("seed {seed}: trace {hash:016x}");
    for (what, count) in &tally.counts {
        println!("{count:>10} {what}");
    }
    for (fault, count) in tally.faults() {
        println!("{count:>10} {fault:?}");
    }
    ExitCode::SUCCESS
}
