//! Writes Klamm's wire codec from the message definitions inside a `kafka-clients` jar.
//!
//! `klamm-codegen kafka-clients-4.4.0.jar src/protocol/generated` replaces the folder's files;
//! with `--check` it writes nothing and fails where they differ.
//! `klamm-codegen --records JAR… src/cli/record_json/kafka-4.4.0-records.json` writes the shapes of the
//! records in `__consumer_offsets` and its like, from the jars of the coordinators and of the clients.

mod definition;
mod emit;
mod emit_decode;
mod emit_encode;
mod model;
mod names;
mod output;
mod records;
mod source;
mod tables;
mod versions;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

/// Writes the wire codec from Kafka's own message definitions.
#[derive(Parser)]
struct Arguments {
    /// A kafka-clients jar, or a directory of message definitions; with --records several jars.
    #[arg(required = true)]
    definitions: Vec<PathBuf>,
    /// The folder of the generated files; with --records one file.
    folder: PathBuf,
    /// Write the shapes of the records that coordinators keep.
    #[arg(long)]
    records: bool,
    /// Only compare: fail where a file differs.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.records {
        let table = records::table(&arguments.definitions)?;
        return output::one(&arguments.folder, &table, arguments.check);
    }
    let [definitions] = &arguments.definitions[..] else { bail!("give one jar of messages") };
    let source = source::read(definitions)?;
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
