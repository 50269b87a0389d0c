//! What a run found, as it is printed, saved and compared.

use serde::{Deserialize, Serialize};

use crate::accounting::Uses;
use crate::ledger::Tally;
use crate::measure::Spans;

/// One run with everything that is needed to believe it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The workload's name, or what it does.
    pub name: String,
    /// Which step of the workload, where it has several.
    pub step: Option<String>,
    /// Which system, in a comparison.
    pub system: Option<String>,
    /// When the measured window began, seconds since 1970.
    pub began_unix: u64,
    /// Every knob.
    pub configuration: serde_json::Value,
    /// What an acknowledgement was worth, in plain words.
    pub durability: String,
    /// The configs behind it, as the broker told them.
    pub durability_configs: Vec<(String, String)>,
    /// Where it ran.
    pub environment: Environment,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Whether nothing was meant to happen.
    pub is_idle: bool,
    /// Whether what is counted as a record is a connection.
    pub is_churn: bool,
    /// Whether the server was killed meanwhile on purpose.
    pub survives_a_kill: bool,
    /// Whether it was ended before its time.
    pub interrupted: bool,
    /// Records a second that were asked for; `None` in a closed loop.
    pub rate_wanted: Option<f64>,
    /// What producers did.
    pub produced: Flow,
    /// What consumers did.
    pub consumed: Flow,
    /// What a reader of a backlog did meanwhile.
    pub cold: Flow,
    /// Requests that were answered.
    pub requests: u64,
    /// Records that were refused, or whose connection broke.
    pub failed: u64,
    /// Records that were due and not acknowledged when the wait at the end was over.
    pub never_acknowledged: u64,
    /// From the intended send time to the acknowledgement, of records.
    pub latency: Option<Percentiles>,
    /// From the sending of a request to its answer, of requests.
    pub service: Option<Percentiles>,
    /// From the intended send time to a consumer, of records.
    pub end_to_end: Option<Percentiles>,
    /// How late the tool itself was, of requests.
    pub lag: Option<Percentiles>,
    /// The share of its time that the busiest thread of the tool did not wait.
    pub tool_busy: f64,
    /// Second by second.
    pub timeline: Vec<Second>,
    /// What was used in the window.
    pub uses: Uses,
    /// Whether every record is where it should be.
    pub verification: Verification,
    /// What a reader has to know before he believes the figures.
    pub warnings: Vec<String>,
    /// What makes the run a failure.
    pub failures: Vec<String>,
}

/// Records that went one way.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// Connections that carried them.
    pub connections: usize,
    /// How many, in the window.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Records a second.
    pub records_per_second: f64,
    /// 10^6 bytes a second.
    pub megabytes_per_second: f64,
}

impl Flow {
    /// So many in so many seconds.
    pub fn new(connections: usize, records: u64, bytes: u64, seconds: f64) -> Flow {
        let each = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Flow {
            connections,
            records,
            bytes,
            records_per_second: each(records),
            megabytes_per_second: each(bytes) / 1e6,
        }
    }
}

/// A distribution of times in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many values.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// Half of all are at most this.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// 99.99 %.
    pub p9999: f64,
    /// The largest.
    pub max: f64,
    /// (share, µs) for a plot.
    pub curve: Vec<(f64, f64)>,
}

impl Percentiles {
    /// Of a histogram of nanoseconds; `None` if it is empty.
    pub fn of(spans: &Spans) -> Option<Percentiles> {
        if spans.is_empty() {
            return None;
        }
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let at = |share: f64| micros(spans.value_at_quantile(share));
        // Ten points for each halving of the rest, as far as there are values.
        let halvings = (spans.len() as f64).log2().ceil().max(1.0) as u32;
        let mut curve: Vec<(f64, f64)> = (0..halvings * 10)
            .map(|step| {
                let share = 1.0 - 0.5_f64.powf(f64::from(step) / 10.0);
                (share, at(share))
            })
            .collect();
        curve.push((1.0, micros(spans.max())));
        Some(Percentiles {
            count: spans.len(),
            mean: spans.mean() / 1000.0,
            min: micros(spans.min()),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: micros(spans.max()),
            curve,
        })
    }
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Second {
    /// When it ended, seconds after the window's begin; before that it is negative and warm-up.
    pub at: f64,
    /// Acknowledged records.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Records that consumers read.
    pub read_records: u64,
    /// Half of the latencies, in µs: of acknowledgements, or end to end where there are consumers.
    pub p50: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

/// Where a run was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Environment {
    /// The tool's version.
    pub tool: String,
    /// The kernel.
    pub kernel: String,
    /// The CPU's name.
    pub cpu: String,
    /// CPUs that the tool may use.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whether the tool was built with optimisation.
    pub optimised: bool,
    /// The command that repeats the run.
    pub command: String,
}

impl Environment {
    /// Of this machine and this process.
    pub fn here() -> Environment {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or("", |(_, value)| value).trim().to_owned()
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let arguments = std::env::args().skip(1);
        Environment {
            tool: format!("klamm-bench {}", env!("CARGO_PKG_VERSION")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: after(&read("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib * 1024,
            optimised: !cfg!(debug_assertions),
            command: std::iter::once("klamm-bench".to_owned())
                .chain(arguments)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

/// Whether records are lost, doubled, out of order or damaged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verification {
    /// How it was found out.
    pub how: String,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// What was read, over all copies.
    pub tally: Tally,
    /// Acknowledged records that a copy did not have.
    pub lost: u64,
}

impl Outcome {
    /// True where the run did what it should.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// What a step of a system is called.
    pub fn title(&self) -> String {
        let parts = [Some(&self.name), self.step.as_ref(), self.system.as_ref()];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" · ")
    }

    /// What the run is about: what was produced, or else what was consumed.
    pub fn handled(&self) -> Flow {
        if self.produced.records > 0 { self.produced } else { self.consumed }
    }

    /// CPU µs of the server for each record.
    pub fn cpu_micros_per_record(&self) -> Option<f64> {
        let records = self.handled().records;
        let server = self.uses.server.as_ref()?;
        (records > 0).then(|| server.cpu_seconds * 1e6 / records as f64)
    }

    /// CPU seconds of the server for 10^9 bytes.
    pub fn cpu_seconds_per_gigabyte(&self) -> Option<f64> {
        let bytes = self.handled().bytes;
        let server = self.uses.server.as_ref()?;
        (bytes > 0).then(|| server.cpu_seconds * 1e9 / bytes as f64)
    }

    /// Bytes that the server wrote for each byte that it was given.
    pub fn write_amplification(&self) -> Option<f64> {
        let bytes = self.produced.bytes;
        let server = self.uses.server.as_ref()?;
        (bytes > 0).then(|| server.written_bytes as f64 / bytes as f64)
    }

    /// The p99.9 of the window's first and last tenth, medians of their seconds; for runs of a minute and more.
    pub fn drift(&self) -> Option<(f64, f64)> {
        let measured: Vec<f64> = self
            .timeline
            .iter()
            .filter(|second| second.at > 0.5 && second.at < self.seconds + 0.5)
            .map(|second| second.p999)
            .collect();
        if measured.len() < 60 {
            return None;
        }
        let part = measured.len() / 10;
        let median = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Some((median(&measured[..part]), median(&measured[measured.len() - part..])))
    }

    /// The latency that users of the workload feel: end to end where there are consumers of what is produced.
    pub fn felt(&self) -> Option<&Percentiles> {
        self.end_to_end.as_ref().or(self.latency.as_ref()).or(self.service.as_ref())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run that went well: 10,000 records in 10 s.
    pub fn outcome() -> Outcome {
        Outcome {
            name: "produce".to_owned(),
            step: None,
            system: None,
            began_unix: 1_700_000_000,
            configuration: serde_json::json!({"connections": 1}),
            durability: "durable".to_owned(),
            durability_configs: vec![("flush.messages".to_owned(), "1".to_owned())],
            environment: Environment::default(),
            seconds: 10.0,
            is_idle: false,
            is_churn: false,
            survives_a_kill: false,
            interrupted: false,
            rate_wanted: None,
            produced: Flow::new(1, 10_000, 10_240_000, 10.0),
            consumed: Flow::default(),
            cold: Flow::default(),
            requests: 10_000,
            failed: 0,
            never_acknowledged: 0,
            latency: None,
            service: None,
            end_to_end: None,
            lag: None,
            tool_busy: 0.1,
            timeline: Vec::new(),
            uses: Uses::default(),
            verification: Verification::default(),
            warnings: Vec::new(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn percentiles_come_in_microseconds_and_the_curve_rises() {
        let mut spans = crate::measure::spans();
        for micros in 1..=10_000u64 {
            spans.record(micros * 1000).unwrap();
        }
        let found = Percentiles::of(&spans).unwrap();
        let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 0.002;
        assert!(near(found.p50, 5000.0) && near(found.p90, 9000.0), "{found:?}");
        assert!(near(found.p99, 9900.0) && near(found.p999, 9990.0), "{found:?}");
        assert!(near(found.max, 10_000.0) && near(found.mean, 5000.5), "{found:?}");
        assert!(found.curve.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        assert!(Percentiles::of(&crate::measure::spans()).is_none());
    }
}
