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
    /// Say which shard runs on which core, what it owns and how busy it is.
    #[command(display_order = 98)]
    Shards(ShardsArguments),
    /// Check whether this machine can carry a broker, and say what to do where it cannot.
    #[command(display_order = 99)]
    Doctor(DoctorArguments),
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
    /// Print every key with its default, its meaning and where its value comes from, and start nothing.
    #[arg(long)]
    pub list_config: bool,
    /// Take a data directory without direct I/O, such as a tmpfs: nothing there survives a power failure.
    #[arg(long = "unsafe")]
    pub allow_unsafe_directory: bool,
}

/// What `shards` takes.
#[derive(Args, Debug)]
pub struct ShardsArguments {
    /// List the shards of a running broker with their cores, partitions, bytes and load.
    #[arg(long, required = true)]
    pub describe: bool,
    /// The broker's admin.listener.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9644")]
    pub admin_server: String,
}

/// What `doctor` takes.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    /// The server.properties that the broker will be started with.
    pub config: Option<PathBuf>,
    /// Set a key, over what the file says; may be given several times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
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
