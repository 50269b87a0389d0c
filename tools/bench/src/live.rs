//! What is seen while a run lasts: a view that is drawn in place on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};

use crate::clock::SECOND;
use crate::measure::{Spans, spans};
use crate::outcome::Second;
use crate::session::Interval;
use crate::table::{count, micros};
use crate::workload::{Kind, Workload};

/// Seconds of history in the view.
const HISTORY: usize = 48;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Silent,
    Lines,
    InPlace,
}

/// Shows seconds on standard error.
pub struct Live {
    mode: Mode,
    title: String,
    reading: bool,
    end_to_end: bool,
    total_seconds: f64,
    measured_seconds: f64,
    so_far: Spans,
    rates: VecDeque<u64>,
    drawn_lines: usize,
}

impl Live {
    /// Draws on a terminal, writes lines elsewhere, or says nothing.
    pub fn new(is_quiet: bool) -> Live {
        let mode = if is_quiet {
            Mode::Silent
        } else if std::io::stderr().is_terminal() {
            Mode::InPlace
        } else {
            Mode::Lines
        };
        Live {
            mode,
            title: String::new(),
            reading: false,
            end_to_end: false,
            total_seconds: 0.0,
            measured_seconds: 0.0,
            so_far: spans(),
            rates: VecDeque::new(),
            drawn_lines: 0,
        }
    }

    /// A run begins.
    pub fn begin(&mut self, title: &str, workload: &Workload) {
        self.title = title.to_owned();
        self.reading = matches!(workload.kind, Kind::Consume | Kind::Idle);
        self.end_to_end = workload.kind == Kind::EndToEnd;
        self.total_seconds = (workload.warm_up + workload.duration).as_secs_f64();
        self.measured_seconds = workload.duration.as_secs_f64();
        self.so_far.reset();
        self.rates.clear();
        if self.mode == Mode::Lines {
            eprintln!(
                "{title}: {:.0} s of warm-up, then {:.0} s are measured",
                workload.warm_up.as_secs_f64(),
                workload.duration.as_secs_f64()
            );
        }
    }

    /// Something that takes time and is not measured.
    pub fn note(&mut self, text: &str) {
        if self.mode != Mode::Silent {
            eprintln!("{text}");
        }
    }

    /// A second is over.
    pub fn second(&mut self, second: &Second, interval: &Interval<'_>) {
        match self.mode {
            Mode::Silent => {}
            Mode::Lines => self.line(second),
            Mode::InPlace => self.draw(second, interval),
        }
    }

    fn line(&self, second: &Second) {
        if second.at < 0.5 {
            return;
        }
        let records = if self.reading { second.read_records } else { second.records };
        if second.at > self.measured_seconds && records == 0 {
            return;
        }
        let read = if self.end_to_end {
            format!(", {} read", count(second.read_records as f64))
        } else {
            String::new()
        };
        eprintln!(
            "{:>6.0} s: {} records/s{read}, {:.2} MB/s, {} p50 {} p99 {} p99.9 {} max {}",
            second.at,
            count(records as f64),
            second.bytes as f64 / 1e6,
            self.what(),
            micros(second.p50),
            micros(second.p99),
            micros(second.p999),
            micros(second.max),
        );
    }

    fn what(&self) -> &'static str {
        match (self.end_to_end, self.reading) {
            (true, _) => "end to end",
            (_, true) => "fetch",
            _ => "latency",
        }
    }

    fn draw(&mut self, second: &Second, interval: &Interval<'_>) {
        let counts = interval.counts;
        let spans = if self.end_to_end { &counts.end_to_end } else { &counts.latency };
        let spans = if self.reading { &counts.service } else { spans };
        self.so_far.add(spans).expect("all have the same bounds");
        let records = if self.reading { second.read_records } else { second.records };
        self.rates.push_back(records);
        if self.rates.len() > HISTORY {
            self.rates.pop_front();
        }
        let warm_up = (interval.window.from - interval.window.begin) as f64 / SECOND as f64;
        let elapsed = (second.at + warm_up).clamp(0.0, self.total_seconds);
        let phase = if second.at <= 0.0 { "warming up" } else { "measuring" };
        let share = elapsed / self.total_seconds.max(0.001);
        let filled = (share * 40.0) as usize;
        let at = |share: f64| match self.so_far.is_empty() {
            true => micros(0.0),
            false => micros(self.so_far.value_at_quantile(share) as f64 / 1000.0),
        };
        let lines = [
            format!("{} — {phase}", self.title),
            format!(
                "  [{}{}] {elapsed:.0} s, {:.0} s left",
                "█".repeat(filled.min(40)),
                "·".repeat(40 - filled.min(40)),
                (self.total_seconds - elapsed).max(0.0)
            ),
            format!(
                "  {} records/s, {:.2} MB/s   {}",
                count(records as f64),
                second.bytes as f64 / 1e6,
                sparks(&self.rates)
            ),
            format!(
                "  {} now     p50 {}  p99 {}  p99.9 {}  max {}",
                self.what(),
                micros(second.p50),
                micros(second.p99),
                micros(second.p999),
                micros(second.max)
            ),
            format!(
                "  {} so far  p50 {}  p99 {}  p99.9 {}  p99.99 {}  max {}",
                self.what(),
                at(0.5),
                at(0.99),
                at(0.999),
                at(0.9999),
                at(1.0)
            ),
        ];
        let mut text = self.up();
        for line in &lines {
            // Each line is wiped first: it may be shorter than before.
            text.push_str("\x1b[2K");
            text.push_str(line);
            text.push('\n');
        }
        self.drawn_lines = lines.len();
        // A terminal that is gone is no reason to end a run.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn up(&self) -> String {
        if self.drawn_lines == 0 { String::new() } else { format!("\x1b[{}A", self.drawn_lines) }
    }

    /// The run is over: what was drawn makes room for the table.
    pub fn end(&mut self) {
        if self.drawn_lines > 0 {
            let _ = std::io::stderr().write_all(format!("{}\x1b[J", self.up()).as_bytes());
            self.drawn_lines = 0;
        }
    }
}

/// A line of bars, the tallest for the largest.
fn sparks(values: &VecDeque<u64>) -> String {
    let largest = values.iter().copied().max().unwrap_or(0).max(1);
    values.iter().map(|value| BARS[(value * 7 / largest) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_scale_to_the_largest() {
        assert_eq!(sparks(&VecDeque::from([0, 50, 100])), "▁▄█");
        assert_eq!(sparks(&VecDeque::new()), "");
        assert_eq!(sparks(&VecDeque::from([0, 0])), "▁▁");
    }
}
