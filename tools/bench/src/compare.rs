//! `compare`: the same workload against several systems in turn, A B A B, with medians, spreads and ratios.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::outcome::{Flow, Outcome};
use crate::table::{count, micros};

/// Which figure of an outcome, and how it is told.
struct Figure {
    name: &'static str,
    value: fn(&Outcome) -> Option<f64>,
    text: fn(f64) -> String,
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "records/s",
        value: |outcome| each_second(outcome, |flow| flow.records_per_second),
        text: count,
    },
    Figure {
        name: "MB/s",
        value: |outcome| each_second(outcome, |flow| flow.megabytes_per_second),
        text: |value| format!("{value:.2}"),
    },
    Figure {
        name: "rate reached, %",
        value: |outcome| {
            let wanted = outcome.rate_wanted?;
            Some((outcome.produced.records_per_second / wanted * 100.0).min(100.0))
        },
        text: |value| format!("{value:.1}"),
    },
    Figure { name: "p50", value: |outcome| outcome.felt().map(|found| found.p50), text: micros },
    Figure { name: "p99", value: |outcome| outcome.felt().map(|found| found.p99), text: micros },
    Figure { name: "p99.9", value: |outcome| outcome.felt().map(|found| found.p999), text: micros },
    Figure { name: "max", value: |outcome| outcome.felt().map(|found| found.max), text: micros },
    Figure { name: "CPU a record", value: Outcome::cpu_micros_per_record, text: micros },
    Figure {
        name: "CPU s a GB",
        value: Outcome::cpu_seconds_per_gigabyte,
        text: |value| format!("{value:.2}"),
    },
    Figure {
        // All that an idle system can be compared by.
        name: "CPU, % of a core",
        value: |outcome| Some(outcome.uses.server.as_ref()?.cores * 100.0),
        text: |value| format!("{value:.2}"),
    },
    Figure {
        // What the kernel cannot drop: a memory file is as much the server's own as its heap is.
        name: "memory, its own MiB",
        value: |outcome| {
            let server = outcome.uses.server.as_ref()?;
            Some((server.rss_anon_bytes + server.rss_shmem_bytes) as f64 / 1024.0 / 1024.0)
        },
        text: |value| format!("{value:.0}"),
    },
];

fn each_second(outcome: &Outcome, value: fn(&Flow) -> f64) -> Option<f64> {
    let flow = outcome.handled();
    (flow.records > 0).then(|| value(&flow))
}

/// One of the systems that are compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Side {
    /// As the runs name it.
    pub name: String,
    /// What its acknowledgement is worth.
    pub durability: String,
}

/// A figure of all sides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The figure.
    pub name: String,
    /// For each side the median, the smallest and the largest, as numbers and as text.
    pub values: Vec<Option<Spread>>,
}

/// A figure over repetitions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the repetitions have less.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// The median for people.
    pub text: String,
    /// The smallest and the largest for people; empty where there is one value only.
    pub range: String,
}

/// A step's figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepComparison {
    /// The step.
    pub name: String,
    /// Its figures.
    pub rows: Vec<Row>,
}

/// All of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The first is the one that the others are compared with.
    pub sides: Vec<Side>,
    /// Step by step.
    pub steps: Vec<StepComparison>,
    /// How it was done.
    pub method: String,
}

impl Row {
    /// The medians with their spread, and the ratios of the first side to each other one.
    pub fn cells(&self) -> Vec<String> {
        let text = |spread: &Option<Spread>| match spread {
            None => "–".to_owned(),
            Some(spread) if spread.range.is_empty() => spread.text.clone(),
            Some(spread) => format!("{} [{}]", spread.text, spread.range),
        };
        self.values.iter().map(text).chain(self.ratios()).collect()
    }

    /// The ratios of the first side's median to each other one's.
    pub fn ratios(&self) -> Vec<String> {
        let mut cells = Vec::new();
        let first = self.values.first().and_then(Option::as_ref).map(|spread| spread.median);
        for other in self.values.iter().skip(1) {
            let other = other.as_ref().map(|spread| spread.median);
            cells.push(match (first, other) {
                (Some(first), Some(other)) if other > 0.0 => ratio(first / other),
                _ => "–".to_owned(),
            });
        }
        cells
    }
}

/// Three digits that matter.
fn ratio(ratio: f64) -> String {
    match ratio {
        r if r >= 99.95 => format!("{r:.0}×"),
        r if r >= 9.995 => format!("{r:.1}×"),
        r if r >= 0.0995 => format!("{r:.2}×"),
        r => format!("{r:.4}×"),
    }
}

/// Medians, spreads and ratios of `outcomes`, whose `system` names the side; in the order of `sides`.
pub fn compare(outcomes: &[Outcome], sides: &[String], method: String) -> Result<Comparison> {
    let mut told = Vec::new();
    for name in sides {
        let one = outcomes.iter().find(|outcome| outcome.system.as_ref() == Some(name));
        let one = one.with_context(|| format!("{name} was never measured"))?;
        told.push(Side { name: name.clone(), durability: one.durability.clone() });
    }
    let mut steps: Vec<String> = Vec::new();
    for outcome in outcomes {
        let step = outcome.step.clone().unwrap_or_default();
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let of = |step: &str, side: &str| -> Vec<&Outcome> {
        let is_of = |outcome: &&Outcome| {
            outcome.step.as_deref().unwrap_or_default() == step
                && outcome.system.as_deref() == Some(side)
                && !outcome.interrupted
        };
        outcomes.iter().filter(is_of).collect()
    };
    let steps = steps.iter().map(|step| StepComparison {
        name: step.clone(),
        rows: FIGURES
            .iter()
            .map(|figure| Row {
                name: figure.name.to_owned(),
                values: sides.iter().map(|side| spread(&of(step, side), figure)).collect(),
            })
            .filter(|row| row.values.iter().any(Option::is_some))
            .collect(),
    });
    Ok(Comparison { sides: told, steps: steps.collect(), method })
}

fn spread(outcomes: &[&Outcome], figure: &Figure) -> Option<Spread> {
    let mut values: Vec<f64> =
        outcomes.iter().filter_map(|outcome| (figure.value)(outcome)).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    };
    let range = if values.len() > 1 {
        format!("{} – {}", (figure.text)(low), (figure.text)(high))
    } else {
        String::new()
    };
    Some(Spread { median, low, high, text: (figure.text)(median), range })
}

/// The comparison as text.
pub fn table(comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    for side in &comparison.sides {
        lines.push(format!("{:<18} {}", side.name, side.durability));
    }
    lines.push(comparison.method.clone());
    for step in &comparison.steps {
        lines.push(String::new());
        let mut header = format!("{:<22}", step.name);
        for side in &comparison.sides {
            header.push_str(&format!("{:>34}", side.name));
        }
        for other in comparison.sides.iter().skip(1) {
            header.push_str(&format!("{:>18}", format!("/ {}", other.name)));
        }
        lines.push(header);
        for row in &step.rows {
            let mut line = format!("{:<22}", row.name);
            for (at, cell) in row.cells().iter().enumerate() {
                let width = if at < comparison.sides.len() { 34 } else { 18 };
                line.push_str(&format!("{cell:>width$}"));
            }
            lines.push(line);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// How durable a side is to be: a topic config that Klamm and Kafka share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Acknowledged when on disk.
    Durable,
    /// Acknowledged before that.
    Relaxed,
}

impl Durability {
    /// The topic config.
    pub fn topic_config(self) -> String {
        let messages = match self {
            Durability::Durable => 1,
            Durability::Relaxed => i64::MAX,
        };
        format!("flush.messages={messages}")
    }

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Durability::Durable => "durable",
            Durability::Relaxed => "relaxed",
        }
    }

    /// What users may write.
    pub fn parse(text: &str) -> Result<Durability> {
        match text {
            "durable" => Ok(Durability::Durable),
            "relaxed" => Ok(Durability::Relaxed),
            _ => bail!("{text}: durable or relaxed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_spreads_and_ratios() {
        let mut outcomes = Vec::new();
        for (system, rates) in [("a", [300, 100, 200]), ("b", [50, 150, 100])] {
            for rate in rates {
                let mut outcome = crate::outcome::tests::outcome();
                outcome.system = Some(system.to_owned());
                outcome.produced = Flow::new(1, rate, rate, 1.0);
                outcomes.push(outcome);
            }
        }
        let sides = ["a".to_owned(), "b".to_owned()];
        let comparison = compare(&outcomes, &sides, String::new()).unwrap();
        let row = &comparison.steps[0].rows[0];
        assert_eq!(row.cells(), ["200 [100 – 300]", "100 [50 – 150]", "2.00×"]);
        assert!(table(&comparison).contains("2.00×"));
        assert_eq!([150.0, 12.34, 1.5, 0.0123].map(ratio), ["150×", "12.3×", "1.50×", "0.0123×"]);
        assert!(compare(&outcomes, &["c".to_owned()], String::new()).is_err());
    }
}
