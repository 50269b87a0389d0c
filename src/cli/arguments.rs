//! What the binary is asked to do: a subcommand and its arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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

/// The commands; the tools take the arguments of Kafka's scripts of the same name.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a broker.
    Start(StartArguments),
    /// Create, delete, describe, or change a topic.
    #[command(disable_help_flag = true)]
    Topics(ToolArguments),
    /// Read lines from standard input and publish each as a record.
    #[command(disable_help_flag = true)]
    ConsoleProducer(ToolArguments),
    /// Read records and print them to standard output.
    #[command(disable_help_flag = true)]
    ConsoleConsumer(ToolArguments),
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

/// The arguments of a tool, which reads them itself, as Kafka's does.
#[derive(Args, Debug)]
pub struct ToolArguments {
    /// See `--help` of the tool.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub arguments: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_tool_gets_its_arguments_untouched() {
        let given = ["klamm", "topics", "--list", "--help", "--version", "-x", "--", "y"];
        let Some(Command::Topics(tool)) = Arguments::parse_from(given).command else {
            panic!("topics was not understood");
        };
        assert_eq!(tool.arguments, ["--list", "--help", "--version", "-x", "--", "y"]);
    }

    #[test]
    fn start_takes_a_file_and_overrides() {
        let given = ["klamm", "start", "a.properties", "--override", "a=1", "--override", "b=2"];
        let Some(Command::Start(start)) = Arguments::parse_from(given).command else {
            panic!("start was not understood");
        };
        assert_eq!(start.config, Some(PathBuf::from("a.properties")));
        assert_eq!(start.overrides, ["a=1", "b=2"]);
        assert!(!start.allow_unsafe_directory);
    }
}
