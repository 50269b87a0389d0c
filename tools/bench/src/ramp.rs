//! `ramp`: the highest rate that holds a p99, and the latency at each rate on the way.

use anyhow::{Result, ensure};

use crate::knobs::Knobs;
use crate::outcome::Outcome;

/// Bisections after the first rate that did not hold.
const REFINEMENTS: u32 = 4;
/// Doublings from the first rate.
const DOUBLINGS_MAX: u32 = 24;

/// What the search found.
#[derive(Debug)]
pub struct Found {
    /// The highest rate that held, if any did.
    pub rate: Option<f64>,
    /// Every run, in the order in which they were made.
    pub outcomes: Vec<Outcome>,
}

/// True where a run kept its rate, its records and its p99.
pub fn holds(outcome: &Outcome, p99_micros: f64) -> bool {
    let wanted = outcome.rate_wanted.unwrap_or(0.0);
    outcome.passed()
        && outcome.never_acknowledged == 0
        && outcome.produced.records_per_second >= wanted * 0.98
        && outcome.felt().is_some_and(|found| found.p99 <= p99_micros)
}

/// Doubles the rate until it does not hold, then halves the gap some times. An interrupt ends the search.
pub fn search(
    from: f64,
    p99_micros: f64,
    base: &Knobs,
    run: &mut dyn FnMut(&Knobs, String) -> Result<Outcome>,
) -> Result<Found> {
    ensure!(from > 0.0 && p99_micros > 0.0, "a ramp begins above 0 and holds a time above 0");
    let mut found = Found { rate: None, outcomes: Vec::new() };
    let mut failed: Option<f64> = None;
    let mut rate = from;
    let mut refinements = 0;
    for _ in 0..DOUBLINGS_MAX {
        let knobs = Knobs { throughput: Some(format!("{rate:.0}")), ..base.clone() };
        let outcome = run(&knobs, format!("{rate:.0}/s"))?;
        let held = holds(&outcome, p99_micros);
        let interrupted = outcome.interrupted;
        found.outcomes.push(outcome);
        if interrupted {
            break;
        }
        if held {
            found.rate = Some(found.rate.map_or(rate, |best: f64| best.max(rate)));
        } else {
            failed = Some(failed.map_or(rate, |least: f64| least.min(rate)));
        }
        rate = match (found.rate, failed) {
            (Some(best), None) => best * 2.0,
            (best, Some(least)) => {
                refinements += 1;
                if refinements > REFINEMENTS {
                    break;
                }
                (best.unwrap_or(0.0) + least) / 2.0
            }
            (None, None) => break,
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Flow, Percentiles};

    /// A broker that holds 1 ms up to `limit` records a second.
    fn check(limit: f64, from: f64, expected: std::ops::RangeInclusive<f64>) {
        let mut run = |knobs: &Knobs, _: String| {
            let rate: f64 = knobs.throughput.as_ref().unwrap().parse()?;
            let mut spans = crate::measure::spans();
            spans.record(if rate <= limit { 1_000_000 } else { 50_000_000 })?;
            let mut outcome = crate::outcome::tests::outcome();
            outcome.rate_wanted = Some(rate);
            outcome.produced = Flow::new(1, rate as u64, rate as u64, 1.0);
            outcome.latency = Percentiles::of(&spans);
            Ok(outcome)
        };
        let found = search(from, 2000.0, &Knobs::default(), &mut run).unwrap();
        let rate = found.rate.unwrap_or(0.0);
        assert!(expected.contains(&rate), "{limit} from {from}: {rate}");
    }

    #[test]
    fn the_highest_rate_that_holds_is_found_from_below_and_from_above() {
        check(10_000.0, 1000.0, 9500.0..=10_000.0);
        check(10_000.0, 64_000.0, 8000.0..=10_000.0);
        check(1.0, 1000.0, 0.0..=0.0);
    }
}
