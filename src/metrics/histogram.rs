//! A histogram of sizes or times that keeps two significant digits and merges with its like.

use std::time::Duration;

/// The largest value that is told apart from larger ones: an hour in µs, or 3.6 GB.
const VALUE_MAX: u64 = 3_600_000_000;
const SIGNIFICANT_DIGITS: u8 = 2;

/// Counts values by size; each is kept to one part in a hundred, in about 27 KB.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    sum: u64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        let counts = hdrhistogram::Histogram::new_with_bounds(1, VALUE_MAX, SIGNIFICANT_DIGITS)
            .expect("the bounds are in order and the digits at most 5");
        Histogram { counts, sum: 0 }
    }

    /// Counts `value`.
    pub fn record(&mut self, value: u64) {
        self.counts.saturating_record(value);
        self.sum = self.sum.saturating_add(value);
    }

    /// Counts a time, in whole microseconds.
    pub fn record_duration(&mut self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.add(&other.counts).expect("all histograms have the same bounds");
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The values counted.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// The sum of all values, exactly.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The values up to `bound`, to one part in a hundred of it.
    pub fn count_through(&self, bound: u64) -> u64 {
        self.counts.count_between(0, bound)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_below_their_bounds() {
        let mut histogram = Histogram::new();
        for value in [0, 1, 99, 100, 5_000, u64::MAX] {
            histogram.record(value);
        }
        for (bound, count) in [(0, 1), (1, 2), (98, 2), (100, 4), (6_000, 5), (u64::MAX, 6)] {
            assert_eq!(histogram.count_through(bound), count, "{bound}");
        }
        assert_eq!((histogram.count(), histogram.sum()), (6, u64::MAX));
    }

    #[test]
    fn merging_adds() {
        let (mut one, mut other) = (Histogram::new(), Histogram::new());
        one.record_duration(Duration::from_micros(150));
        other.record_duration(Duration::from_millis(2));
        one.merge(&other);
        assert_eq!((one.count(), one.sum(), one.count_through(150)), (2, 2_150, 1));
    }

    #[test]
    fn a_histogram_is_small() {
        let counts = Histogram::new().counts.distinct_values();
        assert!(counts * size_of::<u64>() <= 27_000, "{counts} counts");
    }
}
