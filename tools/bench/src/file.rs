//! Workload files: a TOML table of knobs by their command-line names, and steps that override some of them.
//!
//! ```toml
//! description = "one connection, small records, durable"
//! workload = "produce"
//! record-size = 100
//! [[step]]
//! name = "1,000/s"
//! throughput = 1000
//! [[step]]
//! name = "nobody writes"
//! workload = "idle"
//! ```

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use crate::knobs::Knobs;
use crate::workload::Kind;

/// The workloads that are commands by their name.
const BUILT_IN: &[(&str, &str)] = &[
    ("connections", include_str!("../../../config/bench/connections.toml")),
    ("cold-and-live", include_str!("../../../config/bench/cold-and-live.toml")),
    ("soak", include_str!("../../../config/bench/soak.toml")),
];

/// A file, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadFile {
    /// The file's name without its ending.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its steps, one without a name where it has none.
    pub steps: Vec<Step>,
}

/// A part of a workload that is run and reported by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: Option<String>,
    /// What it does: the file's workload, or its own.
    pub kind: Kind,
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

    /// A file that this program has with it.
    pub fn built_in(name: &str) -> Result<WorkloadFile> {
        let found = BUILT_IN.iter().find(|(one, _)| *one == name);
        let (_, text) = found.with_context(|| format!("no workload {name} is built in"))?;
        WorkloadFile::parse(name, text).with_context(|| format!("in the built-in {name}"))
    }

    /// Leaves only the steps of these names, in their order in the file; all of them where none is named.
    pub fn only(mut self, names: &[String]) -> Result<WorkloadFile> {
        for name in names {
            let is_there = self.steps.iter().any(|step| step.name.as_ref() == Some(name));
            ensure!(is_there, "step {name}: {} has {}", self.name, self.step_names());
        }
        let is_wanted = |step: &Step| step.name.as_ref().is_some_and(|name| names.contains(name));
        self.steps.retain(|step| names.is_empty() || is_wanted(step));
        Ok(self)
    }

    fn step_names(&self) -> String {
        let names: Vec<&str> = self.steps.iter().filter_map(|step| step.name.as_deref()).collect();
        if names.is_empty() { "no steps".to_owned() } else { names.join("; ") }
    }

    /// Understands a file's text.
    pub fn parse(name: &str, text: &str) -> Result<WorkloadFile> {
        let mut table: Table = text.parse()?;
        let description = take_text(&mut table, "description")?.unwrap_or_default();
        let kind = take_kind(&mut table)?.context("workload is not set")?;
        let steps = table.remove("step");
        let base: Knobs = table.try_into()?;
        let steps = match steps {
            None => vec![Step { name: None, kind, knobs: base }],
            Some(Value::Array(steps)) => {
                let step = |step| -> Result<Step> {
                    let Value::Table(mut table) = step else { bail!("a step is a table") };
                    let name = take_text(&mut table, "name")?;
                    let name = name.context("a step has a name")?;
                    let kind = take_kind(&mut table)?.unwrap_or(kind);
                    let knobs: Knobs = Value::Table(table)
                        .try_into()
                        .with_context(|| format!("in step {name}"))?;
                    Ok(Step { name: Some(name), kind, knobs: knobs.over(&base)? })
                };
                steps.into_iter().map(step).collect::<Result<_>>()?
            }
            Some(_) => bail!("steps are written as [[step]]"),
        };
        ensure!(!steps.is_empty(), "there is at least one step");
        Ok(WorkloadFile { name: name.to_owned(), description, steps })
    }
}

fn take_kind(table: &mut Table) -> Result<Option<Kind>> {
    Ok(match take_text(table, "workload")?.as_deref() {
        None => None,
        Some("produce") => Some(Kind::Produce),
        Some("consume") => Some(Kind::Consume),
        Some("end-to-end" | "fanout") => Some(Kind::EndToEnd),
        Some("idle") => Some(Kind::Idle),
        Some("churn") => Some(Kind::Churn),
        Some(other) => {
            bail!("workload {other}: produce, consume, end-to-end, fanout, idle or churn")
        }
    })
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
            "workload = 'produce'\n[[step]]\nname = 'a'\nworkload = 'x'",
        ] {
            assert!(WorkloadFile::parse("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn steps_have_a_workload_of_their_own_and_are_chosen_by_name() {
        let text = "workload = 'produce'\n[[step]]\nname = 'a'\n\
            [[step]]\nname = 'b'\nworkload = 'idle'";
        let check = |names: &[&str], expected: Option<&[Kind]>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let file = WorkloadFile::parse("x", text).unwrap().only(&names).ok();
            let kinds = file.map(|file| file.steps.iter().map(|step| step.kind).collect());
            assert_eq!(kinds, expected.map(<[Kind]>::to_vec), "{names:?}");
        };
        check(&[], Some(&[Kind::Produce, Kind::Idle]));
        check(&["b"], Some(&[Kind::Idle]));
        check(&["b", "a"], Some(&[Kind::Produce, Kind::Idle]));
        check(&["c"], None);
    }

    #[test]
    fn every_built_in_workload_can_be_run() {
        for (name, _) in BUILT_IN {
            for step in WorkloadFile::built_in(name).unwrap().steps {
                Workload::new(step.kind, &step.knobs).unwrap();
            }
        }
        assert!(WorkloadFile::built_in("other").is_err());
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
                Workload::new(step.kind, &step.knobs)
                    .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            }
            count += 1;
        }
        assert!(count >= 10, "{count}");
    }
}
