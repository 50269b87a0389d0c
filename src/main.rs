//! The arguments: which part of Klamm to run, and how its errors are told.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use klamm::broker::{self, OneLine, StartOptions};
use klamm::cli::{self, Call, Command, DoctorArguments, StartArguments};
use klamm::config::{self, BrokerConfig, ConfigError, ConfigFile, FILE_BYTES_MAX, Machine};
use klamm::doctor::{self, Verdict};
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
        Command::Start(arguments) => ended(start(&arguments, began).map(|()| ExitCode::SUCCESS)),
        Command::Shards(arguments) => cli::shards(&arguments),
        Command::Doctor(arguments) => ended(doctor(&arguments)),
        Command::Scripts(arguments) => cli::write_scripts(&arguments),
        Command::Completions(arguments) => cli::write_completions(&arguments),
    }
}

fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|problem| {
        cli::complain(&format!("klamm: {problem:#}"));
        ExitCode::FAILURE
    })
}

/// Gives the file, if there is one, the overrides and the machine to `read`.
fn with_config<T>(
    path: Option<&Path>,
    overrides: &[String],
    read: impl FnOnce(Option<ConfigFile<'_>>, &[String], &Machine) -> Result<T, ConfigError>,
) -> Result<T> {
    let bytes = path.map(read_config).transpose()?;
    let name = path.map(|path| path.display().to_string()).unwrap_or_default();
    let file = bytes.as_ref().map(|bytes| ConfigFile { name: &name, bytes });
    let machine = broker::machine().context("cannot learn what the process may use")?;
    Ok(read(file, overrides, &machine)?)
}

/// Examines the machine; the exit code is 1 where something is not fine.
fn doctor(arguments: &DoctorArguments) -> Result<ExitCode> {
    let (config, remarks) =
        with_config(arguments.config.as_deref(), &arguments.overrides, BrokerConfig::load)?;
    let findings = doctor::examine(&config);
    // A reader that has gone is no error.
    let _ = write!(std::io::stdout(), "{}", doctor::report(&findings));
    remarks.iter().for_each(|remark| cli::complain(&remark.to_string()));
    let is_ill = findings.iter().any(|finding| finding.verdict == Verdict::NotFine);
    Ok(if is_ill { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Starts a broker and returns when it has stopped.
fn start(arguments: &StartArguments, began: std::time::Instant) -> Result<()> {
    if arguments.list_config {
        let list = with_config(arguments.config.as_deref(), &arguments.overrides, config::list)?;
        // A reader that has gone is no error.
        let _ = std::io::stdout().write_all(list.as_bytes());
        return Ok(());
    }
    log_to_stdout();
    let (config, remarks) =
        with_config(arguments.config.as_deref(), &arguments.overrides, BrokerConfig::load)?;
    for remark in remarks {
        warn!("{remark}");
    }
    let allow_unsafe_directory = arguments.allow_unsafe_directory;
    // Its sentence is whole: what it came from would be said a second time.
    broker::run(config, StartOptions { began, allow_unsafe_directory })
        .map_err(|error| anyhow::anyhow!("{error}"))
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
        .with_writer(|| OneLine(std::io::stdout()))
        // It would tell of a failed write on standard error, and panic where that is closed too.
        .log_internal_errors(false)
        .init();
}
