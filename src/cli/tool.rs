//! What every tool begins and ends with: its options, its connection, its exit code.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::process::ExitCode;

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::options::{OptionError, Options};
use crate::client::{Address, ClientError};
use crate::config::{FILE_BYTES_MAX, parse_properties};

/// What a shell expects of a process that ended by SIGINT: 128 and the signal's number.
pub const INTERRUPTED: u8 = 130;
/// And by SIGTERM.
pub const TERMINATED: u8 = 143;

/// Why a tool ends before it has done its work.
#[derive(Debug, Error)]
pub enum Stop {
    /// Wrong arguments: the message goes to standard error with the help behind it.
    #[error("{0}")]
    Usage(String),
    /// Anything else: the message goes to standard error alone.
    #[error("{0}")]
    Failed(String),
    /// `--version`.
    #[error("the version was asked for")]
    Version,
}

impl From<OptionError> for Stop {
    fn from(error: OptionError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

/// A tool's name for itself and the text of its options.
#[derive(Clone, Copy, Debug)]
pub struct Help {
    /// What `--help` begins with.
    pub purpose: &'static str,
    /// The options, as Kafka's tool prints them.
    pub options: &'static str,
}

impl Help {
    /// Ends with `--help` or `--version`, or because there are no arguments.
    pub fn check(&self, arguments: &[String], options: &Options) -> Result<(), Stop> {
        if arguments.is_empty() || options.has("help") {
            return Err(Stop::Usage(self.purpose.to_owned()));
        }
        if options.has("version") {
            return Err(Stop::Version);
        }
        Ok(())
    }

    /// Ends unless every one of `names` was given.
    pub fn require(options: &Options, names: &[&str]) -> Result<(), Stop> {
        match names.iter().find(|name| !options.has(name)) {
            Some(name) => Err(Stop::Usage(format!("Missing required argument \"[{name}]\""))),
            None => Ok(()),
        }
    }

    /// Ends where both of two options were given.
    pub fn refuse_both(options: &Options, one: &str, other: &str) -> Result<(), Stop> {
        if options.has(one) && options.has(other) {
            let message = format!("Options --{one} and --{other} cannot be specified together.");
            return Err(Stop::Usage(message));
        }
        Ok(())
    }

    /// Says how the tool ended and gives its exit code.
    pub fn end(&self, outcome: Result<ExitCode, Stop>) -> ExitCode {
        match outcome {
            Ok(code) => return code,
            Err(Stop::Version) => {
                print(concat!(env!("CARGO_PKG_VERSION"), "\n"));
                return ExitCode::SUCCESS;
            }
            Err(Stop::Usage(message)) => {
                complain(&format!("{message}\n{}", self.options.trim_end_matches('\n')))
            }
            Err(Stop::Failed(message)) => complain(&message),
        }
        ExitCode::FAILURE
    }
}

/// Runs a tool on this thread, its warnings on standard error.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let filter =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// Writes to standard output; a reader that has gone is no error.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line to standard error; a reader that has gone is no error, where `eprintln!` would panic.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The brokers to begin with; one of them at least has to have an address.
pub fn bootstrap(text: &str) -> Result<Vec<Address>, ClientError> {
    let addresses = Address::parse_list(text)?;
    let resolves = |address: &Address| {
        (address.host.as_str(), address.port)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.next().is_some())
    };
    if !addresses.iter().any(resolves) {
        return Err(ClientError::Address(format!("{text} (no address is known for any host)")));
    }
    Ok(addresses)
}

/// `--bootstrap-server` where a tool checks its form before anything else (`ToolsUtils`).
pub fn validated_bootstrap(text: &str) -> Result<&str, Stop> {
    if text.trim().is_empty() {
        return Err(Stop::Usage("Error while validating the bootstrap address\n".to_owned()));
    }
    let invalid = "Please provide valid host:port like host1:9091,host2:9092\n";
    Address::parse_list(text).map(|_| text).map_err(|_| Stop::Usage(invalid.to_owned()))
}

/// The bytes of a file that an operator writes; one that is too large is an error.
fn load(path: &str) -> Result<Vec<u8>, Stop> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = read().map_err(|error| Stop::Failed(format!("{path}: {error}")))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Stop::Failed(format!("{path}: it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// A file's text; bytes that are no UTF-8 become the replacement character, as in Kafka's tools.
pub fn load_text(path: &str) -> Result<String, Stop> {
    Ok(String::from_utf8_lossy(&load(path)?).into_owned())
}

/// Reads a Java properties file.
pub fn load_properties(path: &str) -> Result<BTreeMap<String, String>, Stop> {
    let bytes = load(path)?;
    let parsed =
        parse_properties(&bytes).map_err(|error| Stop::Failed(format!("{path}: {error}")))?;
    Ok(parsed.into_iter().map(|(key, property)| (key, property.text)).collect())
}

/// Splits `key=value`; a value may contain `=`, and may be missing.
pub fn key_values(texts: &[String]) -> BTreeMap<String, String> {
    let split = |text: &String| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        (key.to_owned(), value.to_owned())
    };
    texts.iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_split_at_the_first_equals_sign() {
        let texts = ["a=1", "b=x=y", "c", "d=", "a=2"].map(str::to_owned);
        let expected = [("a", "2"), ("b", "x=y"), ("c", ""), ("d", "")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(key_values(&texts), BTreeMap::from(expected));
    }

    #[test]
    fn a_missing_file_is_named() {
        let said = load_properties("/nonexistent/file").map(|_| ()).unwrap_err().to_string();
        assert!(said.starts_with("/nonexistent/file: "), "{said}");
    }
}
