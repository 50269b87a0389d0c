//! Writes Klamm's wire codec from the message definitions inside a `kafka-clients` jar.
//!
//! `klamm-codegen kafka-clients-4.4.0.jar src/protocol/generated` replaces the folder's files;
//! with `--check` it writes nothing and fails where they differ.

mod definition;
mod emit;
mod emit_decode;
mod emit_encode;
mod model;
mod names;
mod output;
mod source;
mod tables;
mod versions;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Writes the wire codec from Kafka's own message definitions.
#[derive(Parser)]
struct Arguments {
    /// A kafka-clients jar, or a directory of message definitions.
    definitions: PathBuf,
    /// The folder of the generated files.
    folder: PathBuf,
    /// Only compare: fail where a file differs.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source = source::read(&arguments.definitions)?;
    let mut messages = Vec::new();
    for (name, text) in &source.texts {
        let definition =
            definition::Definition::parse(text).with_context(|| format!("definition {name}"))?;
        if let Some(message) = model::Message::resolve(&definition)
            .with_context(|| format!("message {}", definition.name))?
        {
            messages.push(message);
        }
    }
    let apis = tables::apis(&messages)?;
    let mut files = Vec::new();
    for message in &messages {
        let file = format!("{}.rs", names::snake(&message.name));
        files.push((file, emit::message(message, &apis, &source.name)));
    }
    files.push(("api_keys.rs".into(), tables::api_keys(&apis, &source.name)));
    files.push(("rewrite.rs".into(), tables::rewrite(&messages, &source.name)));
    files.push(("mod.rs".into(), tables::module(&messages, &source.name)));
    if arguments.check {
        output::compare(&arguments.folder, files)
    } else {
        output::replace(&arguments.folder, files)
    }
}
