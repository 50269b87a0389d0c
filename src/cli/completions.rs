//! `completions`: what a shell completes, made from the very definitions by which the arguments are read.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ValueHint};
use clap_complete::Shell;

use super::arguments::{CompletionsArguments, ShellName};
use super::call::{definition, tool_definition};
use super::options::{Declaration, Takes};
use super::tool::print;
use super::tools::TOOLS;

/// Writes the shell's script, for the binary and for the names of Kafka's scripts.
pub fn write_completions(arguments: &CompletionsArguments) -> ExitCode {
    let shell = match arguments.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "klamm", &mut script);
    for tool in TOOLS {
        for name in [format!("kafka-{}", tool.name), format!("kafka-{}.sh", tool.name)] {
            clap_complete::generate(shell, &mut tool_definition(tool), name, &mut script);
        }
    }
    print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

/// A tool's option as clap knows it, for completion only: tools read their arguments themselves.
pub fn argument(option: Declaration<'static>) -> Arg {
    let argument = Arg::new(option.name).long(option.name).help(option.about);
    let is_changed = ["add-config", "delete-config"].contains(&option.name);
    let takes_path = ["-config", ".config", "-file"].iter().any(|end| option.name.ends_with(end));
    match option.takes {
        Takes::Nothing => argument.action(ArgAction::SetTrue),
        Takes::Value if takes_path && !is_changed => {
            argument.action(ArgAction::Append).value_hint(ValueHint::FilePath)
        }
        Takes::Value => argument.action(ArgAction::Append),
        Takes::MaybeValue => argument.action(ArgAction::Append).num_args(0..=1),
    }
}
