//! What the binary is called for: by its own name with a command, or by the name of one of Kafka's scripts.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use super::arguments::{Arguments, Command, StartArguments};
use super::options::declarations;
use super::tool::{complain, print};
use super::tools::{self, TOOLS, Tool};
use crate::config::nearest;

/// The script that starts a broker.
pub const START_SCRIPT: &str = "server-start";

/// What `kafka-server-start.sh` says without a file.
const START_USAGE: &str =
    "USAGE: kafka-server-start.sh server.properties [--override property=value]*\n";

/// Wrong arguments, as clap ends with them.
const WRONG_ARGUMENTS: u8 = 2;

/// What to run.
#[derive(Debug)]
pub enum Call {
    /// A tool, which reads its arguments itself.
    Tool(&'static Tool, Vec<String>),
    /// A command that is no script of Kafka's.
    Command(Command),
    /// Nothing: help or what is wrong with the arguments has been told.
    Told(ExitCode),
}

/// Reads the process's arguments, the first of which is the name that it was called by.
pub fn call(arguments: impl IntoIterator<Item = OsString>) -> Call {
    let mut words = Vec::new();
    for argument in arguments {
        match argument.into_string() {
            Ok(word) => words.push(word),
            Err(argument) => return wrong(&format!("the argument {argument:?} is not UTF-8")),
        }
    }
    let called = words.first().and_then(|path| Path::new(path).file_name()?.to_str());
    if let Some(script) = called.and_then(tools::of_script) {
        let script = script.to_owned();
        return of_script(&script, words.split_off(1));
    }
    let Some(first) = words.get(1).cloned() else {
        return Call::Command(Command::Start(StartArguments::default()));
    };
    if let Some(tool) = tools::find(&first) {
        return Call::Tool(tool, words.split_off(2));
    }
    if let Some(script) = tools::of_script(&first) {
        return of_script(script, words.split_off(2));
    }
    if let ("help", Some(tool)) = (&*first, words.get(2).and_then(|name| tools::find(name))) {
        return Call::Tool(tool, vec!["--help".to_owned()]);
    }
    own(&first, words)
}

/// A script of Kafka's, called by a link or named as the command.
fn of_script(script: &str, arguments: Vec<String>) -> Call {
    if let Some(tool) = tools::find(script) {
        return Call::Tool(tool, arguments);
    }
    if script != START_SCRIPT {
        let names = TOOLS.iter().map(|tool| tool.name).chain([START_SCRIPT]);
        let meant = nearest(script, names);
        let meant = meant.map(|name| format!(" Did you mean kafka-{name}.sh?")).unwrap_or_default();
        return wrong(&format!("there is no kafka-{script} here.{meant}"));
    }
    match arguments.first().map(String::as_str) {
        None => {
            print(START_USAGE);
            Call::Told(ExitCode::FAILURE)
        }
        Some("-daemon") => wrong(
            "-daemon is not supported: let systemd run the broker, or `nohup` with `&` behind it",
        ),
        Some(_) => {
            let words = ["klamm", "start"].into_iter().map(str::to_owned);
            parse(words.chain(arguments).collect())
        }
    }
}

fn own(first: &str, words: Vec<String>) -> Call {
    let definition = definition();
    let is_command = |name: &str| {
        name == "help" || definition.get_subcommands().any(|command| command.get_name() == name)
    };
    if first.starts_with('-') || is_command(first) {
        return parse(words);
    }
    let names = definition.get_subcommands().map(clap::Command::get_name);
    let hint = match nearest(first, names) {
        Some(name) => format!(" Did you mean `klamm {name}`?"),
        None if first.ends_with(".properties") || Path::new(first).is_file() => {
            format!(" To start a broker with this file: `klamm start {first}`.")
        }
        None => String::new(),
    };
    wrong(&format!("there is no command {first:?}.{hint}\n`klamm --help` lists the commands."))
}

fn parse(words: Vec<String>) -> Call {
    let told = |error: clap::Error| {
        // Nobody may be reading any more.
        let _ = error.print();
        Call::Told(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_ARGUMENTS)))
    };
    let mut matches = match definition().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return told(error),
    };
    match Arguments::from_arg_matches_mut(&mut matches) {
        Ok(Arguments { command: Some(command) }) => Call::Command(command),
        Ok(Arguments { command: None }) => Call::Command(Command::Start(StartArguments::default())),
        Err(error) => told(error),
    }
}

/// Everything that the binary takes; in `klamm --help` the tools stand behind `start`.
pub fn definition() -> clap::Command {
    let tool =
        |(place, tool): (usize, &'static Tool)| tool_definition(tool).display_order(1 + place);
    Arguments::command().subcommands(TOOLS.iter().enumerate().map(tool))
}

/// A tool with the options that its help text declares; only completion looks at them.
pub fn tool_definition(tool: &Tool) -> clap::Command {
    let options = declarations(tool.help.options).into_iter();
    clap::Command::new(tool.name)
        .about(tool.about)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(options.map(super::completions::argument))
}

fn wrong(message: &str) -> Call {
    complain(&format!("klamm: {message}"));
    Call::Told(ExitCode::from(WRONG_ARGUMENTS))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn check(words: &str, expected: Result<(&str, &[&str]), u8>) {
        let found = call(words.split(' ').map(OsString::from));
        match (found, expected) {
            (Call::Tool(tool, arguments), Ok((name, wanted))) => {
                assert_eq!((tool.name, arguments.as_slice()), (name, &*strings(wanted)), "{words}");
            }
            (Call::Told(code), Err(expected)) => {
                assert_eq!(code, ExitCode::from(expected), "{words}");
            }
            (found, _) => panic!("{words} gave {found:?}"),
        }
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_tool_gets_its_arguments_untouched() {
        let all = ["--list", "--help", "--version", "-x", "--", "y"];
        check("klamm topics --list --help --version -x -- y", Ok(("topics", &all)));
        check("/usr/bin/klamm console-producer", Ok(("console-producer", &[])));
        check("klamm help topics", Ok(("topics", &["--help"])));
    }

    #[test]
    fn a_script_is_called_by_its_name() {
        check("kafka-topics --list", Ok(("topics", &["--list"])));
        check("bin/kafka-topics.sh --list", Ok(("topics", &["--list"])));
        check("./kafka-console-consumer.sh", Ok(("console-consumer", &[])));
        check("klamm kafka-topics.sh --list", Ok(("topics", &["--list"])));
        check("kafka-topics.sh topics", Ok(("topics", &["topics"])));
        check("kafka-mirror-maker.sh", Err(2));
        check("kafka-server-start.sh", Err(1));
        check("kafka-server-start.sh -daemon a.properties", Err(2));
    }

    #[test]
    fn what_is_no_command_is_told() {
        check("klamm topcs", Err(2));
        check("klamm config/server.properties", Err(2));
        check("klamm --lisst", Err(2));
        check("klamm start --overide a=b", Err(2));
        check("klamm --help", Err(0));
        check("klamm help start", Err(0));
        check("klamm --version", Err(0));
    }

    #[test]
    fn a_broker_is_started_by_either_name() {
        let start = |words: &str| match call(words.split(' ').map(OsString::from)) {
            Call::Command(Command::Start(start)) => start,
            other => panic!("{words} gave {other:?}"),
        };
        assert_eq!(start("klamm").config, None);
        for name in ["klamm start", "kafka-server-start.sh", "kafka-server-start"] {
            let start = start(&format!("{name} a.properties --override a=1 --override b=2"));
            assert_eq!(start.config, Some(PathBuf::from("a.properties")));
            assert_eq!(start.overrides, ["a=1", "b=2"]);
            assert!(!start.allow_unsafe_directory);
        }
    }
}
