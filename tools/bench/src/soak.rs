//! `soak`: a long load at half of what the system takes, and whether it gets slower on the way.

use anyhow::{Result, ensure};

use crate::knobs::Knobs;
use crate::outcome::Outcome;
use crate::table::micros;

/// The short run that finds what the system takes: as fast as answers come, with nothing deleted meanwhile.
pub fn full_load(knobs: &Knobs, duration: &str) -> Knobs {
    Knobs {
        throughput: Some("-1".to_owned()),
        duration: Some(duration.to_owned()),
        warm_up: Some("3s".to_owned()),
        topic_config: Vec::new(),
        ..knobs.clone()
    }
}

/// Half of the records a second that went all the way through.
pub fn half_load(full: &Outcome) -> Result<f64> {
    let mut rate = full.produced.records_per_second;
    if full.consumed.connections > 0 {
        rate = rate.min(full.consumed.records_per_second);
    }
    ensure!(rate >= 2.0, "the full load was {rate:.1} records/s, of which there is no half");
    Ok((rate / 2.0).floor())
}

/// Says how the end compares with the beginning; a failure where the p99.9 is more than `drift_max` times what it was.
pub fn judge(outcome: &mut Outcome, drift_max: Option<f64>) -> String {
    let Some((first, last)) = outcome.drift() else {
        let words = "too short to compare its end with its beginning: a minute at least";
        if drift_max.is_some() && !outcome.interrupted {
            outcome.failures.push(words.to_owned());
        }
        return words.to_owned();
    };
    let ratio = if first > 0.0 { last / first } else { 1.0 };
    let words = format!(
        "p99.9 of a second, median: {} in the last tenth, {} in the first, {ratio:.2}×",
        micros(last),
        micros(first)
    );
    if let Some(most) = drift_max
        && ratio > most
    {
        outcome.failures.push(format!("IT GOT SLOWER: {words}, more than {most}×"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Flow, Second};

    fn check(seconds: usize, last: f64, drift_max: Option<f64>, failed: bool, words: &str) {
        let mut outcome = crate::outcome::tests::outcome();
        outcome.seconds = seconds as f64;
        let of = |at: usize| if at * 10 > seconds * 9 { last } else { 100.0 };
        let second = |at| Second { at: at as f64, p999: of(at), ..Second::default() };
        outcome.timeline = (1..=seconds).map(second).collect();
        let found = judge(&mut outcome, drift_max);
        assert!(found.contains(words), "{found}");
        assert_eq!(!outcome.passed(), failed, "{:?}", outcome.failures);
    }

    #[test]
    fn the_last_tenth_is_held_against_the_first() {
        check(100, 100.0, Some(1.1), false, "1.00×");
        check(100, 250.0, None, false, "250 µs in the last tenth, 100 µs in the first, 2.50×");
        check(100, 250.0, Some(2.0), true, "2.50×");
        check(100, 109.0, Some(1.1), false, "1.09×");
        check(30, 100.0, None, false, "too short");
        check(30, 100.0, Some(1.1), true, "too short");
    }

    #[test]
    fn half_is_of_what_went_all_the_way_through() {
        let mut outcome = crate::outcome::tests::outcome();
        outcome.produced = Flow::new(1, 1001, 0, 1.0);
        assert_eq!(half_load(&outcome).unwrap(), 500.0);
        outcome.consumed = Flow::new(1, 600, 0, 1.0);
        assert_eq!(half_load(&outcome).unwrap(), 300.0);
        outcome.produced = Flow::default();
        assert!(half_load(&outcome).is_err());
    }
}
