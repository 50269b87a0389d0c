//! What a thread measures, second by second, and how seconds and threads add up.

use hdrhistogram::Histogram;

use crate::clock::{Nanos, SECOND};
use crate::ledger::{Checker, Sent, StreamId};

/// The longest span that is told apart: an hour.
const SPAN_MAX: Nanos = 3600 * SECOND;
/// Three significant digits: an error of 0.1 %.
const DIGITS: u8 = 3;

/// A histogram of nanoseconds.
pub type Spans = Histogram<u64>;

/// An empty histogram.
pub fn spans() -> Spans {
    Histogram::new_with_bounds(100, SPAN_MAX, DIGITS).expect("the bounds are in order")
}

/// What happened in an interval, or in all of them.
#[derive(Clone, Debug)]
pub struct Counts {
    /// From the intended send time to the acknowledgement, of each record.
    pub latency: Spans,
    /// From when the request was sent to its answer, of each request.
    pub service: Spans,
    /// From the intended send time to when a consumer had the record.
    pub end_to_end: Spans,
    /// How late the tool itself was, of each request.
    pub lag: Spans,
    /// Acknowledged records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Produce or fetch requests that were answered.
    pub requests: u64,
    /// Records that were refused or whose connection broke.
    pub failed: u64,
    /// Records that consumers read.
    pub read_records: u64,
    /// Bytes of their keys and values.
    pub read_bytes: u64,
    /// Records that a reader of old ones read meanwhile.
    pub cold_records: u64,
    /// Bytes of their keys and values.
    pub cold_bytes: u64,
    /// Connections that were opened in the interval, after the first ones.
    pub connects: u64,
}

impl Counts {
    /// Nothing yet.
    pub fn new() -> Counts {
        Counts {
            latency: spans(),
            service: spans(),
            end_to_end: spans(),
            lag: spans(),
            records: 0,
            bytes: 0,
            requests: 0,
            failed: 0,
            read_records: 0,
            read_bytes: 0,
            cold_records: 0,
            cold_bytes: 0,
            connects: 0,
        }
    }

    /// Adds another thread's, or another interval's.
    pub fn add(&mut self, other: &Counts) {
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.end_to_end, &other.end_to_end),
            (&mut self.lag, &other.lag),
        ] {
            if !theirs.is_empty() {
                mine.add(theirs).expect("all have the same bounds");
            }
        }
        self.records += other.records;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.failed += other.failed;
        self.read_records += other.read_records;
        self.read_bytes += other.read_bytes;
        self.cold_records += other.cold_records;
        self.cold_bytes += other.cold_bytes;
        self.connects += other.connects;
    }
}

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// When connections begin to send.
    pub begin: Nanos,
    /// What was intended before this only warms up.
    pub from: Nanos,
    /// Nothing is intended from here on.
    pub until: Nanos,
    /// How long answers and what is still due are waited for.
    pub patience: Nanos,
}

impl Window {
    /// True where a record belongs to what is measured.
    #[inline]
    pub fn contains(&self, intended: Nanos) -> bool {
        self.from <= intended && intended < self.until
    }

    /// How much of a span lies in what is measured.
    pub fn part_of(&self, from: Nanos, to: Nanos) -> Nanos {
        to.min(self.until).saturating_sub(from.max(self.from))
    }

    /// Where the first interval ends: whole seconds lie before and after the start of what is measured.
    pub fn first_cut(&self) -> Nanos {
        self.begin + (self.from - self.begin) % SECOND
    }

    /// The part of what is measured until `now` in which a thread did not wait, 0 to 1.
    pub fn busy(&self, waited: Nanos, now: Nanos) -> f64 {
        let measured = self.part_of(self.from, now);
        if measured > 0 { 1.0 - waited as f64 / measured as f64 } else { 0.0 }
    }
}

/// Measures one thread; intervals are cut off by the thread's loop.
pub struct Meter {
    window: Window,
    /// Of the interval that runs.
    pub counts: Counts,
}

impl Meter {
    /// Measures what belongs to `window`.
    pub fn new(window: Window) -> Meter {
        Meter { window, counts: Counts::new() }
    }

    /// Records that were acknowledged `now`; one time stands for all where there is one only.
    #[inline]
    pub fn acknowledged(&mut self, now: Nanos, count: u64, bytes: u64, intended: &[Nanos]) {
        if self.window.contains(now) {
            self.counts.records += count;
            self.counts.bytes += bytes;
        }
        let each = if intended.len() == 1 { count } else { 1 };
        for time in intended {
            if self.window.contains(*time) {
                self.counts.latency.saturating_record_n(now.saturating_sub(*time), each);
            }
        }
    }

    /// A record that was due is not acknowledged by `now`: it has waited so long at least.
    pub fn never_acknowledged(&mut self, now: Nanos, due: Nanos) {
        if self.window.contains(due) {
            self.counts.latency.saturating_record(now.saturating_sub(due));
        }
    }

    /// A request was answered.
    #[inline]
    pub fn answered(&mut self, now: Nanos, sent: Nanos) {
        if self.window.contains(sent) {
            self.counts.service.saturating_record(now.saturating_sub(sent));
        }
        if self.window.contains(now) {
            self.counts.requests += 1;
        }
    }

    /// The tool sent a request as much later than it could have.
    #[inline]
    pub fn lagged(&mut self, now: Nanos, could: Nanos) {
        if self.window.contains(could) {
            self.counts.lag.saturating_record(now.saturating_sub(could));
        }
    }

    /// A consumer has read a record.
    #[inline]
    pub fn read(&mut self, now: Nanos, bytes: usize, intended: Option<Nanos>) {
        if self.window.contains(now) {
            self.counts.read_records += 1;
            self.counts.read_bytes += bytes as u64;
        }
        if let Some(intended) = intended
            && self.window.contains(intended)
        {
            self.counts.end_to_end.saturating_record(now.saturating_sub(intended));
        }
    }

    /// A consumer has read an old record.
    #[inline]
    pub fn read_cold(&mut self, now: Nanos, bytes: usize) {
        if self.window.contains(now) {
            self.counts.cold_records += 1;
            self.counts.cold_bytes += bytes as u64;
        }
    }

    /// Takes the interval's counts.
    pub fn cut(&mut self) -> Counts {
        std::mem::replace(&mut self.counts, Counts::new())
    }
}

/// What a thread sends to the main one.
pub enum Message {
    /// An interval is over.
    Interval {
        /// When it ended.
        end: Nanos,
        /// What happened in it.
        counts: Box<Counts>,
    },
    /// All producers of the thread have ended.
    ProducersDone,
    /// The thread has ended.
    Ended(Box<Ended>),
}

/// What is known when a thread has ended.
#[derive(Default)]
pub struct Ended {
    /// What was sent, for the ledger.
    pub sent: Vec<(StreamId, Sent)>,
    /// What its consumers read: the copy that each belongs to, and its account.
    pub checkers: Vec<(usize, Checker)>,
    /// What went wrong, in plain words.
    pub failures: Vec<String>,
    /// Records that were due in the window and not acknowledged when the wait was over.
    pub never_acknowledged: u64,
    /// The share of the measured window in which the thread was not waiting.
    pub busy: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_intended_in_the_window() {
        let window = Window { begin: 0, from: 1000, until: 2_000_000, patience: 0 };
        let mut meter = Meter::new(window);
        // Warm-up: acknowledged inside, intended before.
        meter.acknowledged(5000, 1, 10, &[999]);
        for micros in 1..=1000u64 {
            meter.acknowledged(1000 + micros * 1000, 1, 10, &[1000]);
        }
        // Intended inside, acknowledged after the end.
        meter.acknowledged(3_000_000, 2, 20, &[1_999_999]);
        let counts = meter.cut();
        assert_eq!(counts.records, 1001);
        assert_eq!(counts.latency.len(), 1002);
        let at = |quantile| counts.latency.value_at_quantile(quantile) / 1000;
        assert!((499..=502).contains(&at(0.5)), "{}", at(0.5));
        assert!((988..=994).contains(&at(0.99)), "{}", at(0.99));
        assert!((1000..=1002).contains(&at(1.0)), "{}", at(1.0));
        assert_eq!(meter.counts.latency.len(), 0, "cut begins anew");
    }

    #[test]
    fn counts_add_up() {
        let mut meter = Meter::new(Window { begin: 0, from: 0, until: SECOND, patience: 0 });
        meter.acknowledged(100, 3, 30, &[1, 2, 3]);
        meter.answered(100, 50);
        meter.read(100, 7, Some(1));
        let mut sum = meter.cut();
        meter.acknowledged(100, 5, 50, &[1]);
        sum.add(&meter.cut());
        assert_eq!((sum.records, sum.bytes, sum.requests, sum.read_records), (8, 80, 1, 1));
        assert_eq!((sum.latency.len(), sum.end_to_end.len()), (8, 1));
    }
}
