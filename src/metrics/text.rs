//! The page that Prometheus reads (text exposition format 0.0.4).
//!
//! What an operator tunes by shard has a `shard` label: bytes, connections, partitions, memory. Requests
//! and commits are summed over the shards, so that their number of series does not grow with the cores.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::histogram::Histogram;
use super::metric::Metric;
use super::snapshot::{ApiCounts, ProcessSnapshot, ShardSnapshot};
use crate::model::ErrorCode;

/// Upper bounds in µs, close together where a commit and a round trip lie.
const MICROS_BOUNDS: &[u64] = &[
    50, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 3_000, 5_000, 10_000, 25_000, 50_000, 100_000,
    250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

/// Upper bounds in bytes, from one block to the largest commit.
const BYTES_BOUNDS: &[u64] =
    &[4_096, 8_192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576];

/// Writes one page; `api_name` names a request's API key.
pub fn render(
    process: &ProcessSnapshot,
    shards: &[ShardSnapshot],
    api_name: impl Fn(i16) -> &'static str,
) -> String {
    let mut page = String::new();
    write_page(&mut page, process, shards, api_name).expect("writing to a string does not fail");
    page
}

fn write_page(
    page: &mut String,
    process: &ProcessSnapshot,
    shards: &[ShardSnapshot],
    api_name: impl Fn(i16) -> &'static str,
) -> fmt::Result {
    write_process(page, process, shards.len())?;
    for &metric in Metric::ALL {
        let name = metric.name();
        write_family(page, name, metric.kind().name(), metric.help())?;
        for shard in shards {
            for reading in shard.readings.iter().filter(|reading| reading.metric == metric) {
                write!(page, "{name}{{shard=\"{}\"", shard.shard)?;
                if let Some(label) = metric.label() {
                    write!(page, ",{label}=\"{}\"", reading.label)?;
                }
                writeln!(page, "}} {}", reading.value)?;
            }
        }
    }
    write_requests(page, shards, api_name)?;
    let merged = |read: fn(&ShardSnapshot) -> &Histogram| {
        let mut sum = Histogram::new();
        shards.iter().for_each(|shard| sum.merge(read(shard)));
        sum
    };
    let name = "klamm_commit_duration_seconds";
    write_family(page, name, "histogram", "From a journal write's start to its durability.")?;
    write_histogram(page, name, "", &merged(|s| &s.commit_micros), MICROS_BOUNDS, Unit::Micros)?;
    let name = "klamm_commit_size_bytes";
    write_family(page, name, "histogram", "Bytes of one journal commit.")?;
    write_histogram(page, name, "", &merged(|s| &s.commit_bytes), BYTES_BOUNDS, Unit::Bytes)
}

fn write_process(page: &mut String, process: &ProcessSnapshot, answered: usize) -> fmt::Result {
    let name = "klamm_build_info";
    write_family(page, name, "gauge", "The version that runs.")?;
    writeln!(page, "{name}{{version=\"{}\"}} 1", process.version)?;
    let silent = process.shard_count.saturating_sub(answered);
    let gauges = [
        ("klamm_shards", "gauge", "Shards of the broker.", process.shard_count as f64),
        ("klamm_shards_silent", "gauge", "Shards that did not answer in time.", silent as f64),
        ("process_cpu_seconds_total", "counter", "CPU time of the process.", process.cpu_seconds),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Memory that is resident.",
            process.resident_bytes as f64,
        ),
        ("process_open_fds", "gauge", "Descriptors that are open.", process.open_files as f64),
        (
            "process_max_fds",
            "gauge",
            "Descriptors that may be open.",
            process.open_files_max as f64,
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "When the process began, since 1970.",
            process.start_time_seconds,
        ),
    ];
    for (name, kind, help, value) in gauges {
        write_family(page, name, kind, help)?;
        writeln!(page, "{name} {value}")?;
    }
    Ok(())
}

fn write_requests(
    page: &mut String,
    shards: &[ShardSnapshot],
    api_name: impl Fn(i16) -> &'static str,
) -> fmt::Result {
    let mut apis: BTreeMap<i16, ApiCounts> = BTreeMap::new();
    for (&api_key, counts) in shards.iter().flat_map(|shard| &shard.apis) {
        let sum = apis.entry(api_key).or_default();
        sum.well += counts.well;
        for (&error, count) in &counts.errors {
            *sum.errors.entry(error).or_default() += count;
        }
        sum.micros.merge(&counts.micros);
    }
    let name = "klamm_requests_total";
    write_family(page, name, "counter", "Requests answered, by API and first error.")?;
    for (&api_key, counts) in &apis {
        let api = api_name(api_key);
        let well = (counts.well > 0).then_some((ErrorCode::None, counts.well));
        let errors = counts.errors.iter().map(|(&error, &count)| (error, count));
        for (error, count) in well.into_iter().chain(errors) {
            writeln!(page, "{name}{{api=\"{api}\",error=\"{}\"}} {count}", error.name())?;
        }
    }
    let name = "klamm_request_duration_seconds";
    let help = "From a request's last byte to its answer, without the wait of a long poll.";
    write_family(page, name, "histogram", help)?;
    for (&api_key, counts) in &apis {
        let label = format!("api=\"{}\",", api_name(api_key));
        write_histogram(page, name, &label, &counts.micros, MICROS_BOUNDS, Unit::Micros)?;
    }
    Ok(())
}

fn write_family(page: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// What a histogram's values count; Prometheus wants seconds and bytes.
#[derive(Clone, Copy)]
enum Unit {
    Micros,
    Bytes,
}

impl Unit {
    fn text(self, value: u64) -> String {
        match self {
            Unit::Bytes => value.to_string(),
            Unit::Micros => (value as f64 / 1e6).to_string(),
        }
    }
}

/// `label` is empty, or a label with a comma after it.
fn write_histogram(
    page: &mut String,
    name: &str,
    label: &str,
    histogram: &Histogram,
    bounds: &[u64],
    unit: Unit,
) -> fmt::Result {
    for &bound in bounds {
        let count = histogram.count_through(bound);
        writeln!(page, "{name}_bucket{{{label}le=\"{}\"}} {count}", unit.text(bound))?;
    }
    let count = histogram.count();
    writeln!(page, "{name}_bucket{{{label}le=\"+Inf\"}} {count}")?;
    let label = label.trim_end_matches(',');
    let braces = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
    writeln!(page, "{name}_sum{braces} {}", unit.text(histogram.sum()))?;
    writeln!(page, "{name}_count{braces} {count}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use std::rc::Rc;

    use super::super::{Reading, ShardMetrics};
    use super::*;
    use crate::model::ShardId;

    fn page() -> String {
        let shards: Vec<ShardSnapshot> = (0..2)
            .map(|shard| {
                let metrics = Rc::new(ShardMetrics::new());
                metrics.received(100);
                metrics.sent(200);
                metrics.appended(70);
                metrics.appended(30);
                metrics.fetched(50);
                let open = metrics.connection_opened();
                drop(metrics.connection_opened());
                metrics.answered(0, ErrorCode::None, Duration::from_micros(140));
                metrics.answered(0, ErrorCode::CorruptMessage, Duration::from_micros(400));
                metrics.answered(-1, ErrorCode::None, Duration::ZERO);
                metrics.committed(4096, Duration::from_micros(120));
                let memory = |label, value| Reading { metric: Metric::MemoryBytes, label, value };
                let readings = vec![
                    Reading::new(Metric::Partitions, 3.0 + f64::from(shard)),
                    Reading::new(Metric::JournalUsed, 0.25),
                    memory("records", 4096.0),
                    memory("journal", 8192.0),
                ];
                let snapshot = metrics.snapshot(ShardId(shard), readings);
                drop(open);
                snapshot
            })
            .collect();
        let process = ProcessSnapshot {
            version: "1.2.3",
            shard_count: 3,
            cpu_seconds: 1.5,
            ..ProcessSnapshot::default()
        };
        render(&process, &shards, |api_key| if api_key == 0 { "Produce" } else { "?" })
    }

    #[test]
    fn shards_are_told_apart_and_requests_are_summed() {
        let page = page();
        for line in [
            "# TYPE klamm_requests_total counter",
            "klamm_received_bytes_total{shard=\"0\"} 100",
            "klamm_sent_bytes_total{shard=\"1\"} 200",
            "klamm_appended_batches_total{shard=\"1\"} 2",
            "klamm_appended_bytes_total{shard=\"1\"} 100",
            "klamm_fetched_bytes_total{shard=\"0\"} 50",
            "klamm_connections{shard=\"0\"} 1",
            "klamm_connections_opened_total{shard=\"0\"} 2",
            "klamm_partitions{shard=\"1\"} 4",
            "klamm_memory_bytes{shard=\"1\",purpose=\"journal\"} 8192",
            "klamm_journal_used_ratio{shard=\"0\"} 0.25",
            "klamm_build_info{version=\"1.2.3\"} 1",
            "klamm_shards_silent 1",
            "process_cpu_seconds_total 1.5",
            "klamm_requests_total{api=\"Produce\",error=\"NONE\"} 2",
            "klamm_requests_total{api=\"Produce\",error=\"CORRUPT_MESSAGE\"} 2",
            "klamm_request_duration_seconds_bucket{api=\"Produce\",le=\"0.00015\"} 2",
            "klamm_request_duration_seconds_bucket{api=\"Produce\",le=\"+Inf\"} 4",
            "klamm_request_duration_seconds_sum{api=\"Produce\"} 0.00108",
            "klamm_request_duration_seconds_count{api=\"Produce\"} 4",
            "klamm_commit_duration_seconds_bucket{le=\"0.0001\"} 0",
            "klamm_commit_duration_seconds_bucket{le=\"0.00015\"} 2",
            "klamm_commit_size_bytes_bucket{le=\"4096\"} 2",
            "klamm_commit_size_bytes_sum 8192",
            "klamm_commit_size_bytes_count 2",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn every_series_is_named_once_and_has_a_type() {
        let page = page();
        let mut seen = BTreeSet::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(seen.insert(series), "{series} twice");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            assert!(page.contains(&format!("# TYPE {family} ")), "{line}");
        }
    }
}
