//! The table at the end of a run.

use std::fmt::Write;

use crate::accounting::Usage;
use crate::outcome::{Outcome, Percentiles};

/// A time in µs with three digits that matter.
pub fn micros(micros: f64) -> String {
    match micros {
        m if m <= 0.0 => "–".to_owned(),
        m if m < 9.995 => format!("{m:.2} µs"),
        m if m < 99.95 => format!("{m:.1} µs"),
        m if m < 999.5 => format!("{m:.0} µs"),
        m if m < 9_995.0 => format!("{:.2} ms", m / 1e3),
        m if m < 99_950.0 => format!("{:.1} ms", m / 1e3),
        m if m < 999_500.0 => format!("{:.0} ms", m / 1e3),
        m => format!("{:.2} s", m / 1e6),
    }
}

/// A count with separators.
pub fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in a unit that suits.
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1024.0 => format!("{b:.0} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.1} KiB", b / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", b / 1024.0 / 1024.0),
        b => format!("{:.2} GiB", b / 1024.0 / 1024.0 / 1024.0),
    }
}

/// The whole outcome as text.
pub fn table(outcome: &Outcome) -> String {
    let mut out = String::new();
    write(&mut out, outcome).expect("writing to a string does not fail");
    out
}

fn write(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    writeln!(out, "{}", outcome.title())?;
    let cut =
        if outcome.interrupted { " (interrupted: this is what was measured so far)" } else { "" };
    writeln!(out, "  measured    {:.1} s{cut}; {}", outcome.seconds, outcome.durability)?;
    if outcome.is_churn {
        let opened = outcome.produced;
        writeln!(
            out,
            "  opened      {} connections, {} a second",
            count(opened.records as f64),
            count(opened.records_per_second)
        )?;
    }
    for (what, flow) in [("produced", outcome.produced), ("consumed", outcome.consumed)] {
        if flow.connections > 0 && !outcome.is_churn {
            writeln!(
                out,
                "  {what}    {} records, {} records/s, {:.2} MB/s, {} connections",
                count(flow.records as f64),
                count(flow.records_per_second),
                flow.megabytes_per_second,
                flow.connections
            )?;
        }
    }
    if outcome.cold.connections > 0 {
        let cold = outcome.cold;
        writeln!(
            out,
            "  backlog     {} records, {:.2} MB/s were read meanwhile",
            count(cold.records as f64),
            cold.megabytes_per_second
        )?;
    }
    let names = ["", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"];
    writeln!(out)?;
    write!(out, "  {:<11}", names[0])?;
    for name in &names[1..] {
        write!(out, "{name:>10}")?;
    }
    writeln!(out)?;
    for (name, percentiles) in [
        ("latency", &outcome.latency),
        ("end to end", &outcome.end_to_end),
        ("service", &outcome.service),
        ("tool's lag", &outcome.lag),
    ] {
        if let Some(percentiles) = percentiles {
            row(out, name, percentiles)?;
        }
    }
    if let Some((first, last)) = outcome.drift() {
        writeln!(
            out,
            "  drift       p99.9 of a second: {} in the first tenth, {} in the last",
            micros(first),
            micros(last)
        )?;
    }
    writeln!(out)?;
    uses(out, outcome)?;
    verification(out, outcome)?;
    for warning in &outcome.warnings {
        writeln!(out, "  WARNING     {warning}")?;
    }
    for failure in &outcome.failures {
        writeln!(out, "  FAILED      {failure}")?;
    }
    Ok(())
}

fn row(out: &mut String, name: &str, found: &Percentiles) -> std::fmt::Result {
    write!(out, "  {name:<11}")?;
    for value in [found.p50, found.p90, found.p99, found.p999, found.p9999, found.max, found.mean] {
        write!(out, "{:>10}", micros(value))?;
    }
    writeln!(out)
}

fn uses(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    if let Some(server) = &outcome.uses.server {
        write!(
            out,
            "  server      {:.2} CPU s, {:.2} % of a core",
            server.cpu_seconds,
            server.cores * 100.0
        )?;
        if let Some(micros) = outcome.cpu_micros_per_record() {
            write!(out, ", {micros:.2} µs a record")?;
        }
        if let Some(seconds) = outcome.cpu_seconds_per_gigabyte() {
            write!(out, ", {seconds:.2} s a GB")?;
        }
        writeln!(out, ", {}", switches(server))?;
        write!(
            out,
            "              memory {} anonymous, {} of files, {} shared; {} written",
            size(server.rss_anon_bytes),
            size(server.rss_file_bytes),
            size(server.rss_shmem_bytes),
            size(server.written_bytes)
        )?;
        match outcome.write_amplification() {
            Some(times) => writeln!(out, ", {times:.2} × what was produced")?,
            None => writeln!(out)?,
        }
    }
    let tool = &outcome.uses.tool;
    let machine = &outcome.uses.machine;
    let records = outcome.handled().records.max(1) as f64;
    writeln!(
        out,
        "  tool        {:.2} CPU s, {:.2} µs a record, busiest thread {:.0} %",
        tool.cpu_seconds,
        tool.cpu_seconds * 1e6 / records,
        outcome.tool_busy * 100.0
    )?;
    writeln!(
        out,
        "  machine     {:.2} CPU s busy, {} written to disks",
        machine.busy_seconds,
        size(machine.disk_written_bytes)
    )
}

fn switches(usage: &Usage) -> String {
    let sum = usage.context_switches_voluntary + usage.context_switches_forced;
    format!(
        "{} context switches ({} forced)",
        count(sum as f64),
        count(usage.context_switches_forced as f64)
    )
}

fn verification(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let found = &outcome.verification;
    let tally = &found.tally;
    writeln!(
        out,
        "  verified    {}: {} acknowledged, {} read, {} lost, {} twice, {} out of order, {} damaged",
        found.how,
        count(found.acknowledged as f64),
        count(tally.read as f64),
        count(found.lost as f64),
        count(tally.duplicates as f64),
        count(tally.reordered as f64),
        count(tally.corrupt as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (number, expected) in [
            (0.0, "–"),
            (0.5, "0.50 µs"),
            (9.999, "10.0 µs"),
            (123.4, "123 µs"),
            (999.9, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (2_500_000.0, "2.50 s"),
        ] {
            assert_eq!(micros(number), expected);
        }
        for (number, expected) in [(0.0, "0"), (999.0, "999"), (1234567.0, "1,234,567")] {
            assert_eq!(count(number), expected);
        }
        assert_eq!(size(2048), "2.0 KiB");
        assert_eq!(size(3 << 30), "3.00 GiB");
    }

    #[test]
    fn a_loss_is_in_the_table() {
        let mut outcome = crate::outcome::tests::outcome();
        outcome.failures.push("LOST: 3 acknowledged records".to_owned());
        let text = table(&outcome);
        assert!(text.contains("FAILED      LOST: 3"), "{text}");
        assert!(text.contains("10,000 records, 1,000 records/s"), "{text}");
    }
}
