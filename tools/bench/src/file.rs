//! Workload files: a TOML table of knobs by their command-line names, and steps that override some of them.
//!
//! ```toml
//! description = "one connection, small records, durable"
//! workload = "produce"
//! record-size = 100
//! [[step]]
//! name = "1,000/s"
//! throughput = 1000
//! ```

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use crate::knobs::Knobs;
use crate::workload::Kind;

/// A file, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadFile {
    /// The file's name without its ending.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it does.
    pub kind: Kind,
    /// Its steps, one without a name where it has none.
    pub steps: Vec<Step>,
}

/// A part of a workload that is run and reported by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: Option<String>,
    /// The file's knobs with its own.
    pub knobs: Knobs,
}

impl WorkloadFile {
    /// Reads a file; every word in it has to be known.
    pub fn read(path: &Path) -> Result<WorkloadFile> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into());
        WorkloadFile::parse(&name, &text).with_context(|| format!("in {}", path.display()))
    }

    /// Understands a file's text.
    pub fn parse(name: &str, text: &str) -> Result<WorkloadFile> {
        let mut table: Table = text.parse()?;
        let description = take_text(&mut table, "description")?.unwrap_or_default();
        let kind = match take_text(&mut table, "workload")?.as_deref() {
            Some("produce") => Kind::Produce,
            Some("consume") => Kind::Consume,
            Some("end-to-end" | "fanout") => Kind::EndToEnd,
            Some("idle") => Kind::Idle,
            Some("churn") => Kind::Churn,
            other => bail!(
                "workload {}: produce, consume, end-to-end, fanout, idle or churn",
                other.unwrap_or("is not set")
            ),
        };
        let steps = table.remove("step");
        let base: Knobs = table.try_into()?;
        let steps = match steps {
            None => vec![Step { name: None, knobs: base }],
            Some(Value::Array(steps)) => {
                let step = |step| -> Result<Step> {
                    let Value::Table(mut table) = step else { bail!("a step is a table") };
                    let name = take_text(&mut table, "name")?;
                    let name = name.context("a step has a name")?;
                    let knobs: Knobs = Value::Table(table)
                        .try_into()
                        .with_context(|| format!("in step {name}"))?;
                    Ok(Step { name: Some(name), knobs: knobs.over(&base)? })
                };
                steps.into_iter().map(step).collect::<Result<_>>()?
            }
            Some(_) => bail!("steps are written as [[step]]"),
        };
        ensure!(!steps.is_empty(), "there is at least one step");
        Ok(WorkloadFile { name: name.to_owned(), description, kind, steps })
    }
}

fn take_text(table: &mut Table, name: &str) -> Result<Option<String>> {
    match table.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => bail!("{name} is a text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn steps_override_the_file() {
        let text = "workload = 'produce'\nrecord-size = 100\nduration = '5s'\n\
            [[step]]\nname = 'a'\nthroughput = 10\n[[step]]\nname = 'b'\nduration = '1s'";
        let file = WorkloadFile::parse("x", text).unwrap();
        let found: Vec<_> = file
            .steps
            .iter()
            .map(|step| (step.name.as_deref(), step.knobs.duration.as_deref()))
            .collect();
        assert_eq!(found, [(Some("a"), Some("5s")), (Some("b"), Some("1s"))]);
        assert_eq!(file.steps[0].knobs.throughput.as_deref(), Some("10"));
        assert_eq!(file.steps[1].knobs.record_size.as_deref(), Some("100"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "workload = 'x'",
            "workload = 'produce'\nbatchsize = 1",
            "workload = 'produce'\n[[step]]\nthroughput = 1",
            "workload = 'produce'\n[[step]]\nname = 'a'\nrate = 1",
            "workload = 'produce'\nstep = 1",
        ] {
            assert!(WorkloadFile::parse("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_file_that_ships_can_be_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/bench");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = WorkloadFile::read(&path).unwrap();
            assert!(!file.description.is_empty(), "{}", path.display());
            for step in &file.steps {
                Workload::new(file.kind, &step.knobs)
                    .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            }
            count += 1;
        }
        assert!(count >= 10, "{count}");
    }
}
