//! One self-contained HTML file: figures, plots, environment, exact configuration and durability.
//!
//! It loads nothing: style and plots are inline, so it works offline, and it keeps no secrets, since none are
//! asked for. Deliberately absent: scripts.

pub mod plot;

use std::fmt::{Result, Write};

use crate::compare::Comparison;
use crate::outcome::{Outcome, Percentiles};
use crate::table::{count, micros, size};
use plot::{Plot, Scale, Series, escape};

/// The most outcomes whose plots are drawn one by one.
const SINGLES_MAX: usize = 24;
/// Lines that can still be told apart.
const LINES_MAX: usize = 8;

/// The whole page.
pub fn page(outcomes: &[Outcome], comparison: Option<&Comparison>) -> String {
    let mut out = String::new();
    write(&mut out, outcomes, comparison).expect("writing to a string does not fail");
    out
}

fn write(out: &mut String, outcomes: &[Outcome], comparison: Option<&Comparison>) -> Result {
    let title = outcomes.first().map_or("klamm-bench", |outcome| &outcome.name);
    writeln!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{} — klamm-bench</title><style>{}</style></head><body>",
        escape(title),
        include_str!("style.css")
    )?;
    writeln!(out, "<h1>{}</h1>", escape(title))?;
    if let Some(first) = outcomes.first() {
        environment(out, first)?;
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed()).count();
    let class = if passed == outcomes.len() { "passed" } else { "failed" };
    writeln!(out, "<p class=\"{class}\">{passed} of {} runs passed</p>", outcomes.len())?;
    if let Some(comparison) = comparison {
        side_by_side(out, outcomes, comparison)?;
    }
    if outcomes.len() > 1 {
        overview(out, outcomes, comparison.is_none())?;
    }
    for outcome in outcomes.iter().take(SINGLES_MAX) {
        single(out, outcome)?;
    }
    writeln!(out, "</body></html>")
}

fn environment(out: &mut String, outcome: &Outcome) -> Result {
    let place = &outcome.environment;
    writeln!(
        out,
        "<p class=\"soft\">{}, {} · {} × {} · Linux {} · {} of memory</p><p><code>{}</code></p>",
        escape(&utc(outcome.began_unix)),
        escape(&place.tool),
        place.cpus,
        escape(&place.cpu),
        escape(&place.kernel),
        size(place.memory_bytes),
        escape(&place.command)
    )
}

/// Seconds since 1970 as a date, by the civil calendar (Hinnant's `civil_from_days`).
fn utc(seconds: u64) -> String {
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days / 146_097;
    let day_of_era = days - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

fn side_by_side(out: &mut String, outcomes: &[Outcome], comparison: &Comparison) -> Result {
    writeln!(out, "<h2>Side by side</h2>")?;
    for side in &comparison.sides {
        writeln!(out, "<p><b>{}</b>: {}</p>", escape(&side.name), escape(&side.durability))?;
    }
    writeln!(out, "<p class=\"soft\">{}</p>", escape(&comparison.method))?;
    for step in &comparison.steps {
        writeln!(out, "<div class=\"wide\"><table><tr><th>{}</th>", escape(&step.name))?;
        for side in &comparison.sides {
            writeln!(out, "<th>{}</th>", escape(&side.name))?;
        }
        for other in comparison.sides.iter().skip(1) {
            writeln!(out, "<th>÷ {}</th>", escape(&other.name))?;
        }
        writeln!(out, "</tr>")?;
        for row in &step.rows {
            writeln!(out, "<tr><td>{}</td>", escape(&row.name))?;
            for value in &row.values {
                match value {
                    None => writeln!(out, "<td>–</td>")?,
                    Some(spread) => writeln!(
                        out,
                        "<td>{}<small>{}</small></td>",
                        escape(&spread.text),
                        escape(&spread.range)
                    )?,
                }
            }
            for ratio in row.ratios() {
                writeln!(out, "<td><b>{}</b></td>", escape(&ratio))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</table></div>")?;
    }
    writeln!(out, "<div class=\"plots\">")?;
    for step in &comparison.steps {
        let of_step = |outcome: &&Outcome| outcome.step.as_deref().unwrap_or_default() == step.name;
        let lines = comparison.sides.iter().filter_map(|side| {
            let is_of = |outcome: &&Outcome| outcome.system.as_ref() == Some(&side.name);
            let found: Vec<&Percentiles> =
                outcomes.iter().filter(of_step).filter(is_of).filter_map(Outcome::felt).collect();
            Some(Series { name: side.name.clone(), points: typical(found)?.curve.clone() })
        });
        let title = format!("Latency by percentile {}", step.name);
        out.push_str(&percentile_plot(title.trim_end(), lines.collect()).html());
    }
    writeln!(
        out,
        "</div><p class=\"soft\">Of each system the repetition with the median p99 is drawn.</p>"
    )
}

/// The one whose p99 is the median of all.
fn typical(mut found: Vec<&Percentiles>) -> Option<&Percentiles> {
    found.sort_by(|a, b| a.p99.total_cmp(&b.p99));
    found.get(found.len().saturating_sub(1) / 2).copied()
}

fn overview(out: &mut String, outcomes: &[Outcome], with_plots: bool) -> Result {
    writeln!(
        out,
        "<h2>All runs</h2><div class=\"wide\"><table><tr><th>run</th><th>records/s</th><th>MB/s</th><th>p50</th><th>p99</th><th>p99.9</th><th>max</th><th>CPU µs a record</th><th></th></tr>"
    )?;
    for outcome in outcomes {
        let flow = outcome.handled();
        let cpu = outcome.cpu_micros_per_record();
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{:.2}</td>",
            escape(&label(outcome)),
            count(flow.records_per_second),
            flow.megabytes_per_second
        )?;
        let found = outcome.felt();
        for value in found.map_or([None; 4], |p| [p.p50, p.p99, p.p999, p.max].map(Some)) {
            write!(out, "<td>{}</td>", value.map_or(String::new(), micros))?;
        }
        let verdict = if outcome.passed() { "" } else { "failed" };
        writeln!(
            out,
            "<td>{}</td><td class=\"failed\">{verdict}</td></tr>",
            cpu.map_or(String::new(), |cpu| format!("{cpu:.2}"))
        )?;
    }
    writeln!(out, "</table></div>")?;
    if !with_plots {
        return Ok(());
    }
    writeln!(out, "<div class=\"plots\">")?;
    let lines = outcomes.iter().take(LINES_MAX).filter_map(|outcome| {
        Some(Series { name: label(outcome), points: outcome.felt()?.curve.clone() })
    });
    out.push_str(&percentile_plot("Latency by percentile", lines.collect()).html());
    if let Some(plot) = throughput_curve(outcomes) {
        out.push_str(&plot.html());
    }
    writeln!(out, "</div>")
}

/// Latency over the rate, where runs had different ones.
fn throughput_curve(outcomes: &[Outcome]) -> Option<Plot> {
    let mut found: Vec<(&Percentiles, f64)> = outcomes
        .iter()
        .filter(|outcome| outcome.rate_wanted.is_some())
        .filter_map(|outcome| Some((outcome.felt()?, outcome.produced.records_per_second)))
        .collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    let distinct = found.windows(2).filter(|pair| pair[1].1 > pair[0].1 * 1.05).count();
    if distinct < 2 {
        return None;
    }
    let line = |name: &str, value: fn(&Percentiles) -> f64| Series {
        name: name.to_owned(),
        points: found.iter().map(|(percentiles, rate)| (*rate, value(percentiles))).collect(),
    };
    Some(Plot {
        title: "Latency by throughput".to_owned(),
        x_label: "records/s".to_owned(),
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        y_text: micros,
        series: vec![
            line("p50", |found| found.p50),
            line("p99", |found| found.p99),
            line("p99.9", |found| found.p999),
        ],
    })
}

fn percentile_plot(title: &str, series: Vec<Series>) -> Plot {
    Plot {
        title: title.to_owned(),
        x_label: "share of all records".to_owned(),
        x_scale: Scale::Nines,
        y_scale: Scale::Log,
        y_text: micros,
        series,
    }
}

fn label(outcome: &Outcome) -> String {
    let parts = [outcome.step.as_deref(), outcome.system.as_deref()];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    if text.is_empty() { outcome.name.clone() } else { text }
}

fn single(out: &mut String, outcome: &Outcome) -> Result {
    writeln!(out, "<h2>{}</h2>", escape(&label(outcome)))?;
    let cut = if outcome.interrupted { ", interrupted" } else { "" };
    writeln!(
        out,
        "<p>{:.1} s measured{cut}; {}</p>",
        outcome.seconds,
        escape(&outcome.durability)
    )?;
    writeln!(out, "<div class=\"keys\">")?;
    for (name, value) in key_figures(outcome) {
        writeln!(out, "<div><b>{}</b><span>{}</span></div>", escape(&value), escape(&name))?;
    }
    writeln!(out, "</div>")?;
    for failure in &outcome.failures {
        writeln!(out, "<p class=\"failed\">{}</p>", escape(failure))?;
    }
    for warning in &outcome.warnings {
        writeln!(out, "<p class=\"warning\">{}</p>", escape(warning))?;
    }
    let spans = [
        ("latency", &outcome.latency),
        ("end to end", &outcome.end_to_end),
        ("service time", &outcome.service),
        ("the tool's own lag", &outcome.lag),
    ];
    percentile_table(out, &spans)?;
    writeln!(out, "<div class=\"plots\">")?;
    let lines = spans.iter().filter_map(|(name, found)| {
        let points = found.as_ref()?.curve.clone();
        Some(Series { name: (*name).to_owned(), points })
    });
    out.push_str(&percentile_plot("Latency by percentile", lines.collect()).html());
    over_time(out, outcome);
    writeln!(out, "</div>")?;
    writeln!(
        out,
        "<p>Verified: {}; {} acknowledged, {} read, {} lost, {} twice, {} out of order, {} damaged.</p>",
        escape(&outcome.verification.how),
        count(outcome.verification.acknowledged as f64),
        count(outcome.verification.tally.read as f64),
        count(outcome.verification.lost as f64),
        count(outcome.verification.tally.duplicates as f64),
        count(outcome.verification.tally.reordered as f64),
        count(outcome.verification.tally.corrupt as f64)
    )?;
    configuration(out, outcome)
}

fn key_figures(outcome: &Outcome) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value: String| figures.push((name.to_owned(), value));
    for (what, flow) in [("produced", outcome.produced), ("consumed", outcome.consumed)] {
        if flow.connections > 0 {
            add(&format!("records/s {what}"), count(flow.records_per_second));
            add(&format!("MB/s {what}"), format!("{:.2}", flow.megabytes_per_second));
        }
    }
    if let Some(found) = outcome.felt() {
        add("p50", micros(found.p50));
        add("p99", micros(found.p99));
        add("p99.9", micros(found.p999));
        add("largest", micros(found.max));
    }
    if let Some(cpu) = outcome.cpu_micros_per_record() {
        add("server CPU a record", micros(cpu));
    }
    if let Some(cpu) = outcome.cpu_seconds_per_gigabyte() {
        add("server CPU s a GB", format!("{cpu:.2}"));
    }
    if let Some(server) = &outcome.uses.server {
        add("server memory, anonymous", size(server.rss_anon_bytes));
        add("server memory, shared", size(server.rss_shmem_bytes));
        add("server memory, of files", size(server.rss_file_bytes));
    }
    if let Some(times) = outcome.write_amplification() {
        add("written for each byte produced", format!("{times:.2}"));
    }
    figures
}

fn percentile_table(out: &mut String, spans: &[(&str, &Option<Percentiles>)]) -> Result {
    writeln!(
        out,
        "<div class=\"wide\"><table><tr><th></th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th><th>mean</th><th>count</th></tr>"
    )?;
    for (name, found) in spans {
        let Some(found) = found else { continue };
        write!(out, "<tr><td>{name}</td>")?;
        for value in
            [found.p50, found.p90, found.p99, found.p999, found.p9999, found.max, found.mean]
        {
            write!(out, "<td>{}</td>", micros(value))?;
        }
        writeln!(out, "<td>{}</td></tr>", count(found.count as f64))?;
    }
    writeln!(out, "</table></div>")
}

fn over_time(out: &mut String, outcome: &Outcome) {
    let seconds: Vec<_> = outcome.timeline.iter().filter(|second| second.at > 0.5).collect();
    if seconds.len() < 2 {
        return;
    }
    let line = |name: &str, value: fn(&crate::outcome::Second) -> f64| Series {
        name: name.to_owned(),
        points: seconds.iter().map(|second| (second.at, value(second))).collect(),
    };
    let plot = |title: &str, (y_scale, y_text), series| Plot {
        title: title.to_owned(),
        x_label: "seconds".to_owned(),
        x_scale: Scale::Linear,
        y_scale,
        y_text,
        series,
    };
    let latencies = vec![
        line("p50", |second| second.p50),
        line("p99", |second| second.p99),
        line("p99.9", |second| second.p999),
        line("max", |second| second.max),
    ];
    out.push_str(&plot("Latency over time", (Scale::Log, micros), latencies).html());
    let mut rates = Vec::new();
    if outcome.produced.connections > 0 {
        rates.push(line("produced", |second| second.records as f64));
    }
    if outcome.consumed.connections > 0 {
        rates.push(line("consumed", |second| second.read_records as f64));
    }
    out.push_str(&plot("Records a second", (Scale::Linear, count), rates).html());
}

fn configuration(out: &mut String, outcome: &Outcome) -> Result {
    writeln!(out, "<details open><summary>Configuration</summary><div class=\"wide\"><table>")?;
    let durability =
        outcome.durability_configs.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let knobs = outcome.configuration.as_object().into_iter().flatten();
    let knobs = knobs.filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.as_str(), text)
    });
    for (name, value) in knobs.chain(durability) {
        writeln!(out, "<tr><td>{}</td><td>{}</td></tr>", escape(name), escape(&value))?;
    }
    writeln!(out, "</table></div></details>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_nothing_and_says_everything() {
        let mut outcome = crate::outcome::tests::outcome();
        outcome.failures.push("LOST: <3> records".to_owned());
        let html = page(&[outcome.clone(), outcome], None);
        assert!(html.contains("LOST: &lt;3&gt; records") && html.contains("0 of 2 runs passed"));
        assert!(html.contains("flush.messages") && html.contains("connections"));
        for loader in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!html.contains(loader), "{loader}");
        }
        for (open, close) in [("<div", "</div>"), ("<table", "</table>"), ("<tr", "</tr>")] {
            assert_eq!(html.matches(open).count(), html.matches(close).count(), "{open}");
        }
    }

    #[test]
    fn dates_are_right() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(1_709_210_096), "2024-02-29 12:34 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59 UTC");
    }
}
