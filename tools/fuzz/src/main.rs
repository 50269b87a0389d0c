//! Drives the targets on the stable compiler: `klamm-fuzz [--seconds N] [--first N] [TARGET...]`.
//!
//! Each target gets mutations of its seeds for so long (a minute, unless it is said), from the input of
//! that number on. An input that panics or allocates too much ends the program with its number, and
//! `klamm-fuzz --first NUMBER --seconds 0 TARGET` repeats it. `klamm-fuzz --corpus DIR TARGET` writes the
//! seeds as files, for libFuzzer.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use klamm_fuzz::{TARGETS, Target, mutation};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const USAGE: &str = "usage: klamm-fuzz [--seconds N] [--first N] [--corpus DIR] [TARGET...]";
/// Inputs between two looks at the clock.
const INPUTS_PER_LOOK: u64 = 256;

fn main() -> Result<()> {
    let (mut seconds, mut first, mut corpus) = (60, 0, None);
    let mut chosen: Vec<&Target> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context(USAGE);
        match argument.as_str() {
            "--seconds" => seconds = value()?.parse().context(USAGE)?,
            "--first" => first = value()?.parse().context(USAGE)?,
            "--corpus" => corpus = Some(PathBuf::from(value()?)),
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            name => match TARGETS.iter().find(|target| target.name == name) {
                Some(target) => chosen.push(target),
                None => bail!("{USAGE}"),
            },
        }
    }
    if chosen.is_empty() {
        chosen.extend(&TARGETS);
    }
    for target in chosen {
        match &corpus {
            Some(directory) => write_corpus(target, directory)?,
            None => fuzz(target, Duration::from_secs(seconds), first)?,
        }
    }
    Ok(())
}

fn write_corpus(target: &Target, directory: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(directory.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a tool of its own, outside of any simulation")]
fn fuzz(target: &Target, time: Duration, first: u64) -> Result<()> {
    let seeds = (target.seeds)();
    let began = std::time::Instant::now();
    let mut number = first;
    let mut most = 0;
    loop {
        for _ in 0..if time.is_zero() { 1 } else { INPUTS_PER_LOOK } {
            most = most.max(one(target, &seeds, number)?);
            number += 1;
        }
        if began.elapsed() >= time {
            break;
        }
    }
    println!(
        "{}: {} inputs from {} seeds in {} s, at most {} KiB allocated at once",
        target.name,
        number - first,
        seeds.len(),
        began.elapsed().as_secs(),
        most >> 10
    );
    Ok(())
}

/// Runs one input; gives what it allocated at most.
fn one(target: &Target, seeds: &[Vec<u8>], number: u64) -> Result<usize> {
    let input = mutation::input(seeds, number);
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let again = format!("klamm-fuzz --first {number} --seconds 0 {}", target.name);
    if catch_unwind(|| (target.run)(&input)).is_err() {
        bail!("input {number} panicked; again by: {again}\n{input:02x?}");
    }
    let most = ALLOCATOR.peak_usage().saturating_sub(before);
    let allowed = (target.memory_max)(input.len());
    if most > allowed {
        bail!(
            "input {number} of {} bytes allocated {most} bytes, allowed are {allowed}; again by: {again}",
            input.len()
        );
    }
    Ok(most)
}
