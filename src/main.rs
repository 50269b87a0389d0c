//! The arguments: which part of Klamm to run, and how its errors are told.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use klamm::broker::{self, StartOptions};
use klamm::cli::{self, Call, Command, StartArguments};
use klamm::config::{BrokerConfig, ConfigFile, FILE_BYTES_MAX};
use tracing::warn;
use tracing_subscriber::EnvFilter;

#[expect(
    clippy::disallowed_methods,
    reason = "the process begins before there is a runtime, and is outside of any simulation"
)]
fn main() -> ExitCode {
    let began = std::time::Instant::now();
    let command = match cli::call(std::env::args_os()) {
        Call::Tool(tool, arguments) => return (tool.run)(&arguments),
        Call::Told(code) => return code,
        Call::Command(command) => command,
    };
    match command {
        Command::Start(arguments) => match start(&arguments, began) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                cli::complain(&format!("klamm: {problem:#}"));
                ExitCode::FAILURE
            }
        },
        Command::Scripts(arguments) => cli::write_scripts(&arguments),
        Command::Completions(arguments) => cli::write_completions(&arguments),
    }
}

/// Starts a broker and returns when it has stopped.
fn start(arguments: &StartArguments, began: std::time::Instant) -> Result<()> {
    log_to_stdout();
    let mut overrides = arguments.overrides.clone();
    let bytes = arguments.config.as_deref().map(read_config).transpose()?;
    let name = arguments.config.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let file = bytes.as_ref().map(|bytes| ConfigFile { name: &name, bytes });
    if file.is_none() && !overrides.iter().any(|text| text.starts_with("log.dir")) {
        overrides.insert(0, "log.dirs=data".to_owned());
    }
    let machine = broker::machine().context("cannot learn what the process may use")?;
    let (config, remarks) = BrokerConfig::load(file, &overrides, &machine)?;
    for remark in remarks {
        warn!("{remark}");
    }
    let allow_unsafe_directory = arguments.allow_unsafe_directory;
    Ok(broker::run(config, StartOptions { began, allow_unsafe_directory })?)
}

/// The file's bytes; one that is too large is cut one byte behind the bound, for the parser to refuse.
fn read_config(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    read().with_context(|| format!("cannot read the configuration {}", path.display()))
}

/// One line an event; `RUST_LOG` says which.
fn log_to_stdout() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        // It would tell of a failed write on standard error, and panic where that is closed too.
        .log_internal_errors(false)
        .init();
}
