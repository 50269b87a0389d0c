//! What the binary is asked to do: a subcommand and its arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A Kafka-compatible broker for Linux: one shard per core, every acknowledged record on disk.
///
/// Without a command it starts a broker on 127.0.0.1:9092 with its data under ./data.
#[derive(Debug, Parser)]
#[command(name = "klamm", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands that are no tools of Kafka's; `tools` has the others.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a broker.
    #[command(display_order = 0)]
    Start(StartArguments),
    /// Write links, so that the tools can be called as Kafka's scripts: kafka-topics.sh, …
    #[command(display_order = 100)]
    Scripts(ScriptsArguments),
    /// Print what a shell completes: `source <(klamm completions bash)`.
    #[command(display_order = 101)]
    Completions(CompletionsArguments),
}

/// What `start` takes.
#[derive(Args, Debug, Default)]
pub struct StartArguments {
    /// A Kafka server.properties; without one the data goes under ./data.
    pub config: Option<PathBuf>,
    /// Set a key, over what the file says; may be given several times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Take a data directory without direct I/O, such as a tmpfs: nothing there survives a power failure.
    #[arg(long = "unsafe")]
    pub allow_unsafe_directory: bool,
}

/// What `scripts` takes.
#[derive(Args, Debug)]
pub struct ScriptsArguments {
    /// Where to; it is made if it is not there.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// What `completions` takes.
#[derive(Args, Debug)]
pub struct CompletionsArguments {
    /// The shell that is to read it.
    #[arg(value_enum)]
    pub shell: ShellName,
}

/// A shell that completes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ShellName {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
