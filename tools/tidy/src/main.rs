//! Checks the rules of the house that neither the compiler nor clippy can see.
//!
//! `cargo run -p klamm-tidy [ROOT]` prints one `file:line: message` for each breach, sorted, and ends with
//! exit code 1 when there is any. The floors are read from `config/layers.toml`.

mod finding;
mod imports;
mod layers;
mod map;
mod shape;
mod source;
mod text;
mod tree;
mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::finding::Finding;
use crate::layers::Layers;
use crate::source::Source;
use crate::tree::Tree;

fn main() -> Result<ExitCode> {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let findings = check(Path::new(&root))?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: clean");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}

fn check(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    let layers = tree.text("config/layers.toml").context("config/layers.toml is missing")?;
    let layers = Layers::parse(layers)?;
    let mut findings = Vec::new();
    for (path, content) in tree.files() {
        text::check(path, content, &mut findings);
    }
    let sources: Vec<Source<'_>> =
        tree.rust().map(|(path, content)| Source::new(path, content)).collect();
    map::check(&sources, &layers, &mut findings);
    for source in &sources {
        shape::check(source, &mut findings);
        words::check(source, &mut findings);
        imports::check(source, &layers, &mut findings);
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test suite runs the rules too, so that a breach fails before CI's own layer.
    #[test]
    fn this_repository_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let findings = check(&root).unwrap();
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}
