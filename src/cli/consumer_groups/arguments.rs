//! The arguments of `consumer-groups`, and which of them go together (`ConsumerGroupCommandOptions`).

use std::time::Duration;

use super::GroupError;
use crate::cli::options::{OptionError, Options};
use crate::cli::tool::{Help, Stop, complain};

/// What to do; exactly one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `--list`
    List,
    /// `--describe`
    Describe,
    /// `--delete`
    Delete,
    /// `--reset-offsets`
    ResetOffsets,
    /// `--delete-offsets`
    DeleteOffsets,
    /// `--validate-regex`
    ValidateRegex,
}

const ACTIONS: [(&str, Action); 6] = [
    ("list", Action::List),
    ("describe", Action::Describe),
    ("delete", Action::Delete),
    ("reset-offsets", Action::ResetOffsets),
    ("delete-offsets", Action::DeleteOffsets),
    ("validate-regex", Action::ValidateRegex),
];

/// The options that need one of these actions (jopt-simple's `availableIf`).
const AVAILABLE_IF: [(&str, &[&str]); 5] = [
    ("members", &["describe"]),
    ("verbose", &["describe"]),
    ("offsets", &["describe"]),
    ("state", &["describe", "list"]),
    ("type", &["list"]),
];

/// Where offsets may be reset to, in the order in which Kafka's tool looks for clashes.
pub const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

/// The states that a group of consumers may be in.
const STATES: [&str; 7] = [
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
    "Assigning",
    "Reconciling",
];

/// The types that a group of consumers may have.
const TYPES: [&str; 2] = ["Classic", "Consumer"];

const NO_ACTION: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, \
    this command will require either --dry-run or --execute to be specified. You should add the --dry-run option \
    explicitly if you are scripting this command and want to keep the current default behavior without prompting.";

const TIMEOUT_MS: i64 = 30_000;

/// Arguments that go together.
#[derive(Debug)]
pub struct Arguments {
    /// What to do.
    pub action: Action,
    /// And everything else.
    pub options: Options,
}

impl Arguments {
    /// Reads the arguments in the order of Kafka's checks.
    pub fn parse(help: &Help, arguments: &[String]) -> Result<Arguments, Stop> {
        let options = Options::parse(help.options, arguments)?;
        if !options.has("help") {
            check_available(&options)?;
        }
        help.check(arguments, &options)?;
        if !options.has("validate-regex") {
            Help::require(&options, &["bootstrap-server"])?;
        }
        check_describe(&options)?;
        check_delete(&options)?;
        check_reset(&options)?;
        refuse(&options, "group", &["all-groups", "list"])?;
        refuse(&options, "topic", &["list", "describe"])?;
        let given: Vec<Action> = ACTIONS
            .iter()
            .filter(|(name, _)| options.has(name))
            .map(|(_, action)| *action)
            .collect();
        let [action] = given[..] else {
            let actions: Vec<String> =
                ACTIONS.iter().map(|(name, _)| format!("--{name}")).collect();
            let actions = actions.join(", ");
            return Err(Stop::Usage(format!("Command must include exactly one action: {actions}")));
        };
        Ok(Arguments { action, options })
    }

    /// True where the option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.has(name)
    }

    /// `--timeout`, which bounds every call.
    pub fn timeout(&self) -> Result<Duration, OptionError> {
        let ms: i64 = self.options.number("timeout")?.unwrap_or(TIMEOUT_MS);
        Ok(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
    }

    /// `--state` of `--list`: the states that are wanted, none being all.
    pub fn states(&self) -> Result<Vec<&'static str>, GroupError> {
        self.listed("state", &STATES, "state")
    }

    /// `--type`: the types that are wanted, none being all.
    pub fn types(&self) -> Result<Vec<&'static str>, GroupError> {
        self.listed("type", &TYPES, "types")
    }

    fn listed(
        &self,
        option: &str,
        known: &[&'static str],
        what: &str,
    ) -> Result<Vec<&'static str>, GroupError> {
        let text = self.options.one(option)?.unwrap_or_default();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let find =
            |word: &str| known.iter().copied().find(|name| name.eq_ignore_ascii_case(word.trim()));
        let found: Option<Vec<&str>> = text.split(',').map(find).collect();
        let plural = if what.ends_with('s') { what.to_owned() } else { format!("{what}s") };
        found.ok_or_else(|| {
            let known = known.join(", ");
            GroupError::Usage(format!("Invalid {what} list '{text}'. Valid {plural} are: {known}"))
        })
    }
}

fn usage<T>(message: &str) -> Result<T, Stop> {
    Err(Stop::Usage(message.to_owned()))
}

fn refuse(options: &Options, used: &str, others: &[&str]) -> Result<(), Stop> {
    match others.iter().find(|other| options.has(used) && options.has(other)) {
        Some(other) => {
            usage(&format!("Option \"[{used}]\" can't be used with option \"[{other}]\""))
        }
        None => Ok(()),
    }
}

fn check_available(options: &Options) -> Result<(), Stop> {
    let is_missing = |(name, needs): &&(&str, &[&str])| {
        options.has(name) && !needs.iter().any(|action| options.has(action))
    };
    match AVAILABLE_IF.iter().find(is_missing) {
        Some((name, _)) => Err(Stop::Failed(format!(
            "Option(s) [{name}] are unavailable given other options on the command line"
        ))),
        None => Ok(()),
    }
}

fn names_a_group(options: &Options) -> bool {
    options.has("group") || options.has("all-groups")
}

fn check_describe(options: &Options) -> Result<(), Stop> {
    if !options.has("describe") {
        return Ok(());
    }
    if !names_a_group(options) {
        return usage("Option [describe] takes one of these options: [group], [all-groups]");
    }
    if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
        return usage(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        );
    }
    if !options.all("state").is_empty() {
        return usage("Option [describe] does not take a value for [state]");
    }
    Ok(())
}

fn check_delete(options: &Options) -> Result<(), Stop> {
    if options.has("delete") {
        if !names_a_group(options) {
            return usage("Option [delete] takes one of these options: [group], [all-groups]");
        }
        if options.has("topic") {
            return usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            );
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    Ok(())
}

fn check_reset(options: &Options) -> Result<(), Stop> {
    if !options.has("reset-offsets") {
        return Ok(());
    }
    if options.has("dry-run") && options.has("execute") {
        return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    }
    if !options.has("dry-run") && !options.has("execute") {
        complain(NO_ACTION);
    }
    if !names_a_group(options) {
        return usage("Option [reset-offsets] takes one of these options: [group], [all-groups]");
    }
    for scenario in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        refuse(options, scenario, &others)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::HELP;
    use super::*;

    fn parse(text: &str) -> Result<Arguments, Stop> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&HELP, &arguments)
    }

    fn check(text: &str, expected: Result<Action, &str>) {
        let found = parse(&format!("--bootstrap-server a:1 {text}"));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.action, expected, "{text}"),
            (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected, "{text}"),
            (found, _) => panic!("{text} gave {found:?}"),
        }
    }

    /// The messages are those of Kafka 4.3.0's tool.
    #[test]
    fn arguments_go_together_as_in_kafkas_tool() {
        check("--list", Ok(Action::List));
        check("--list --state --type classic", Ok(Action::List));
        check("--describe --group a --members --verbose", Ok(Action::Describe));
        check(
            "--reset-offsets --all-groups --all-topics --to-latest --dry-run",
            Ok(Action::ResetOffsets),
        );
        check("--delete --group a --group b", Ok(Action::Delete));
        check("--delete-offsets --group a --topic b", Ok(Action::DeleteOffsets));
        let actions = "Command must include exactly one action: --list, --describe, --delete, \
                       --reset-offsets, --delete-offsets, --validate-regex";
        check("", Err(actions));
        check("--list --delete --all-groups", Err(actions));
        check(
            "--describe",
            Err("Option [describe] takes one of these options: [group], [all-groups]"),
        );
        check(
            "--describe --group a --state --members",
            Err(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            ),
        );
        check(
            "--describe --group a --state Stable",
            Err("Option [describe] does not take a value for [state]"),
        );
        check(
            "--list --members",
            Err("Option(s) [members] are unavailable given other options on the command line"),
        );
        check(
            "--delete --group a --topic b",
            Err(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            ),
        );
        check(
            "--delete-offsets --group a",
            Err("Option [delete-offsets] takes the following options: [group], [topic]"),
        );
        check(
            "--reset-offsets --group a --dry-run --execute",
            Err("Option [reset-offsets] only accepts one of [execute] and [dry-run]"),
        );
        check(
            "--reset-offsets --group a --dry-run --to-current --to-latest",
            Err("Option \"[to-latest]\" can't be used with option \"[to-current]\""),
        );
        check("--list --group a", Err("Option \"[group]\" can't be used with option \"[list]\""));
        let without_server = parse("--list").map(|_| ()).unwrap_err().to_string();
        assert_eq!(without_server, "Missing required argument \"[bootstrap-server]\"");
        assert!(parse("--validate-regex a").is_ok());
    }

    #[test]
    fn states_and_types_are_lists_of_known_ones() {
        let states = |text: &str| {
            let arguments = parse(&format!("--bootstrap-server a:1 --list --state {text}"));
            arguments
                .expect("the arguments go together")
                .states()
                .map_err(|error| error.to_string())
        };
        assert_eq!(states(""), Ok(vec![]));
        assert_eq!(states("empty,STABLE"), Ok(vec!["Empty", "Stable"]));
        assert!(states("empty,nonsense").unwrap_err().starts_with(
            "Invalid state list 'empty,nonsense'. Valid states are: PreparingRebalance, "
        ));
        let arguments = parse("--bootstrap-server a:1 --list --type share");
        let types = arguments.expect("the arguments go together").types();
        assert_eq!(
            types.unwrap_err().to_string(),
            "Invalid types list 'share'. Valid types are: Classic, Consumer"
        );
    }
}
