//! Says when figures are not to be believed, or not what was asked for.

use crate::outcome::Outcome;

/// A tool that is later than this, and than a fifth of what it measures, measures itself.
const LAG_MAX_MICROS: f64 = 500.0;
/// A thread that waits less than this share of its time has no time to be punctual.
const BUSY_MAX: f64 = 0.9;
/// A rate that is missed by more was not reached.
const RATE_SHORTFALL_MAX: f64 = 0.02;

/// Adds what the figures themselves tell.
pub fn judge(outcome: &mut Outcome) {
    rate(outcome);
    schedule(outcome);
    if outcome.failed > 0 {
        let words = format!(
            "{} records were refused or lost their connection before they were acknowledged",
            outcome.failed
        );
        // Where the server is killed on purpose, only what it acknowledged counts.
        if outcome.survives_a_kill {
            outcome.warnings.push(words);
        } else {
            outcome.failures.push(words);
        }
    }
    let nothing = outcome.produced.records == 0 && outcome.consumed.records == 0;
    if nothing && !outcome.interrupted && !outcome.is_idle {
        outcome
            .failures
            .push("nothing was measured: no record was handled in the window".to_owned());
    }
    if !outcome.environment.optimised {
        outcome.warnings.push(
            "this klamm-bench is a debug build: its own cost is many times that of a release build"
                .to_owned(),
        );
    }
    if let Some(error) = &outcome.uses.server_error {
        outcome.warnings.push(format!("the server's use is unknown: {error}"));
    }
    let stolen = outcome.uses.machine.stolen_seconds;
    if stolen > 0.02 * outcome.seconds {
        outcome.warnings.push(format!("other guests of this machine took {stolen:.1} CPU seconds"));
    }
}

fn rate(outcome: &mut Outcome) {
    let Some(wanted) = outcome.rate_wanted else { return };
    let found = outcome.produced.records_per_second;
    if outcome.never_acknowledged > 0 {
        outcome.warnings.push(format!(
            "RATE NOT REACHED: {} records that were due were not acknowledged when the wait at the end was over; they count with the time that they had waited, so the latencies are lower bounds",
            outcome.never_acknowledged
        ));
    }
    if !outcome.interrupted && found < wanted * (1.0 - RATE_SHORTFALL_MAX) {
        outcome.warnings.push(format!(
            "RATE NOT REACHED: {wanted:.0} records/s were asked for, {found:.0} were acknowledged; latencies show how the backlog grew, not what the broker does at a rate that it holds"
        ));
    }
}

fn schedule(outcome: &mut Outcome) {
    let busy = outcome.tool_busy;
    let lag = outcome.lag.as_ref().map_or(0.0, |lag| lag.p99);
    let felt = outcome.latency.as_ref().map_or(0.0, |latency| latency.p99);
    if lag > LAG_MAX_MICROS && lag > felt / 5.0 {
        outcome.warnings.push(format!(
            "THE TOOL WAS LATE: 1 % of its requests left {lag:.0} µs or more after they could have; more --threads, CPUs of its own (--pin), or a lower rate make the latencies the broker's"
        ));
    }
    if busy > BUSY_MAX && !is_spinning(outcome) {
        outcome.warnings.push(format!(
            "THE TOOL WAS BUSY: a thread of it worked {:.0} % of the time, so the tool may be the limit; give it more --threads",
            busy * 100.0
        ));
    }
}

fn is_spinning(outcome: &Outcome) -> bool {
    outcome.configuration.get("spin").is_some_and(|spin| spin == true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Flow, Percentiles};

    fn percentiles(p99: f64) -> Option<Percentiles> {
        let mut spans = crate::measure::spans();
        spans.record((p99 * 1000.0) as u64).unwrap();
        Percentiles::of(&spans)
    }

    fn check(change: impl FnOnce(&mut Outcome), expected: &[&str]) {
        let mut outcome = crate::outcome::tests::outcome();
        outcome.environment.optimised = true;
        change(&mut outcome);
        judge(&mut outcome);
        let found: Vec<&String> = outcome.warnings.iter().chain(&outcome.failures).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_makes_figures_worthless_is_said() {
        check(|_| {}, &[]);
        check(|o| o.rate_wanted = Some(1010.0), &[]);
        check(|o| o.rate_wanted = Some(2000.0), &["RATE NOT REACHED: 2000"]);
        check(
            |o| (o.rate_wanted, o.never_acknowledged) = (Some(1000.0), 5),
            &["RATE NOT REACHED: 5 records"],
        );
        check(|o| o.lag = percentiles(5000.0), &["THE TOOL WAS LATE"]);
        check(|o| (o.lag, o.latency) = (percentiles(5000.0), percentiles(90_000.0)), &[]);
        check(|o| o.tool_busy = 0.95, &["THE TOOL WAS BUSY"]);
        check(|o| o.failed = 3, &["3 records were refused"]);
        check(|o| o.produced = Flow::default(), &["nothing was measured"]);
        check(|o| o.environment.optimised = false, &["debug build"]);
    }
}
