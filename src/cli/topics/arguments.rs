//! The arguments of `topics`, and which of them go together (`TopicCommandOptions`).

use super::TopicError;
use crate::cli::options::Options;
use crate::cli::tool::{Help, Stop, complain};
use crate::model::ids::TopicId;

/// What to do; exactly one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `--alter`
    Alter,
    /// `--create`
    Create,
    /// `--delete`
    Delete,
    /// `--describe`
    Describe,
    /// `--list`
    List,
}

const ACTIONS: [(&str, Action); 5] = [
    ("create", Action::Create),
    ("list", Action::List),
    ("alter", Action::Alter),
    ("describe", Action::Describe),
    ("delete", Action::Delete),
];

/// The options that show only some partitions.
const REPORTS: [&str; 4] = [
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

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
        if arguments.is_empty() {
            return Err(Stop::Usage("Create, delete, describe, or change a topic.".to_owned()));
        }
        help.check(arguments, &options)?;
        let given: Vec<Action> = ACTIONS
            .iter()
            .filter(|(name, _)| options.has(name))
            .map(|(_, action)| *action)
            .collect();
        let [action] = given[..] else {
            let message = "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
            return Err(Stop::Usage(message.to_owned()));
        };
        if options.has("delete-config") {
            complain(
                "delete-config option is no longer supported and deprecated since version 4.0. \
                 The config will be fully removed in future releases.",
            );
        }
        check_required(&options, action)?;
        check_invalid(&options)?;
        Ok(Arguments { action, options })
    }

    /// True where the option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.has(name)
    }

    /// `--topic-id`, unless it is zero.
    pub fn topic_id(&self) -> Result<Option<TopicId>, TopicError> {
        let Some(text) = self.options.one("topic-id")? else { return Ok(None) };
        match TopicId::parse(text) {
            Some(id) => Ok((!id.is_zero()).then_some(id)),
            None => Err(TopicError::Said(format!(
                "Input string `{text}` is not a base64-encoded UUID of 16 bytes, which has 22 characters"
            ))),
        }
    }

    /// `--config`, each `name=value`.
    pub fn configs(&self) -> Result<Vec<(String, String)>, TopicError> {
        let pair = |text: &String| {
            // Java's `split` drops empty pieces at the end, so a config has to have a value.
            let (name, value) = text.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let is_pair = !value.is_empty() && !value.contains('=');
            is_pair.then(|| (name.to_owned(), value.to_owned()))
        };
        let configs: Option<Vec<_>> = self.options.all("config").iter().map(pair).collect();
        configs.ok_or_else(|| {
            let message = "requirement failed: Invalid topic config: \
                           all configs to be added must be in the format \"key=val\".";
            TopicError::Said(message.to_owned())
        })
    }

    /// `--replica-assignment`: partitions separated by commas, the brokers of each by colons.
    pub fn replica_assignment(&self) -> Result<Vec<Vec<i32>>, TopicError> {
        let Some(text) = self.options.one("replica-assignment")? else { return Ok(Vec::new()) };
        let mut partitions: Vec<Vec<i32>> = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let broker = |text: &str| {
                let text = text.trim();
                text.parse().map_err(|_| TopicError::Said(format!("For input string: \"{text}\"")))
            };
            let brokers: Vec<i32> = part.split(':').map(broker).collect::<Result<_, _>>()?;
            let is_repeated =
                |(at, id): (usize, &i32)| brokers[..at].contains(id).then(|| id.to_string());
            let mut repeated: Vec<String> =
                brokers.iter().enumerate().filter_map(is_repeated).collect();
            repeated.dedup();
            if !repeated.is_empty() {
                return Err(TopicError::Said(format!(
                    "Partition replica lists may not contain duplicate entries: {}",
                    repeated.join(",")
                )));
            }
            partitions.push(brokers);
            if partitions[index].len() != partitions[0].len() {
                return Err(TopicError::Said(format!(
                    "Partition {index} has different replication factor: {:?}",
                    partitions[index]
                )));
            }
        }
        Ok(partitions)
    }
}

fn check_required(options: &Options, action: Action) -> Result<(), Stop> {
    if !options.has("bootstrap-server") {
        return Err(Stop::Failed("--bootstrap-server must be specified".to_owned()));
    }
    if action == Action::Describe && options.has("if-exists") {
        match (options.has("topic"), options.has("topic-id")) {
            (false, false) => {
                let message = "--topic or --topic-id is required to describe a topic";
                return Err(Stop::Usage(message.to_owned()));
            }
            (true, true) => crate::cli::tool::print(
                "Only topic id will be used when both --topic and --topic-id are specified \
                 and topicId is not Uuid.ZERO_UUID\n",
            ),
            _ => {}
        }
    }
    if !matches!(action, Action::List | Action::Describe) {
        Help::require(options, &["topic"])?;
    }
    if action == Action::Alter {
        if options.has("config") {
            let message = "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \
                           \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)";
            return Err(Stop::Usage(message.to_owned()));
        }
        Help::require(options, &["partitions"])?;
    }
    Ok(())
}

/// Each option with the actions that take it, and with the other options that it excludes.
const TAKEN_BY: [(&str, &[&str], &[&str]); 12] = [
    ("config", &["alter", "create"], &[]),
    ("partitions", &["alter", "create"], &[]),
    ("replication-factor", &["create"], &[]),
    ("replica-assignment", &["alter", "create"], &[]),
    (REPORTS[0], &["describe"], &["topics-with-overrides"]),
    (REPORTS[1], &["describe"], &["topics-with-overrides"]),
    (REPORTS[2], &["describe"], &["topics-with-overrides"]),
    (REPORTS[3], &["describe"], &["topics-with-overrides"]),
    ("topics-with-overrides", &["describe"], &REPORTS),
    ("if-exists", &["alter", "delete", "describe"], &[]),
    ("if-not-exists", &["create"], &[]),
    ("exclude-internal", &["list", "describe"], &[]),
];

fn check_invalid(options: &Options) -> Result<(), Stop> {
    let refuse = |used: &str, other: &str| {
        Err(Stop::Usage(format!("Option \"[{used}]\" can't be used with option \"[{other}]\"")))
    };
    for (option, actions, excludes) in TAKEN_BY {
        if !options.has(option) {
            continue;
        }
        let other_actions =
            ACTIONS.iter().map(|(name, _)| *name).filter(|name| !actions.contains(name));
        if let Some(other) =
            other_actions.chain(excludes.iter().copied()).find(|other| options.has(other))
        {
            return refuse(option, other);
        }
        if option == "replica-assignment" && options.has("create") {
            for other in ["partitions", "replication-factor"] {
                if options.has(other) {
                    return refuse(option, other);
                }
            }
        }
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
        check("--describe --topic a --at-min-isr-partitions", Ok(Action::Describe));
        check("--alter --topic a --partitions 3 --if-exists", Ok(Action::Alter));
        let actions = "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
        check("--list --create", Err(actions));
        check("", Err(actions));
        check("--create", Err("Missing required argument \"[topic]\""));
        check("--delete", Err("Missing required argument \"[topic]\""));
        check("--alter --topic a", Err("Missing required argument \"[partitions]\""));
        check(
            "--list --partitions 3",
            Err("Option \"[partitions]\" can't be used with option \"[list]\""),
        );
        check(
            "--describe --replication-factor 3",
            Err("Option \"[replication-factor]\" can't be used with option \"[describe]\""),
        );
        check(
            "--list --if-not-exists",
            Err("Option \"[if-not-exists]\" can't be used with option \"[list]\""),
        );
        check(
            "--describe --topics-with-overrides --unavailable-partitions",
            Err(
                "Option \"[unavailable-partitions]\" can't be used with option \"[topics-with-overrides]\"",
            ),
        );
        check(
            "--create --topic a --replica-assignment 1 --partitions 1",
            Err("Option \"[replica-assignment]\" can't be used with option \"[partitions]\""),
        );
        check(
            "--describe --if-exists",
            Err("--topic or --topic-id is required to describe a topic"),
        );
        check("--nonsense", Err("nonsense is not a recognized option"));
        let without_server = parse("--list").map(|_| ()).unwrap_err().to_string();
        assert_eq!(without_server, "--bootstrap-server must be specified");
    }

    #[test]
    fn configs_are_pairs() {
        let create = "--bootstrap-server a:1 --create --topic a --config";
        for text in ["segment.bytes", "segment.bytes=", "a=b=c"] {
            let said =
                parse(&format!("{create} {text}")).expect("the arguments go together").configs();
            assert!(
                said.map(|_| ()).unwrap_err().to_string().starts_with("requirement failed"),
                "{text}"
            );
        }
        let found = parse(&format!("{create} a=b --config c=d"))
            .expect("the arguments go together")
            .configs();
        let expected =
            [("a", "b"), ("c", "d")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found.ok(), Some(expected.to_vec()));
    }

    #[test]
    fn assignments_are_lists_of_brokers() {
        let check = |text: &str, expected: Result<Vec<Vec<i32>>, &str>| {
            let create = "--bootstrap-server a:1 --create --topic a --replica-assignment";
            let arguments = parse(&format!("{create} {text}")).expect("the arguments go together");
            let found = arguments.replica_assignment().map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        };
        check("1,1", Ok(vec![vec![1], vec![1]]));
        check("1:2,2:3", Ok(vec![vec![1, 2], vec![2, 3]]));
        check("1:1", Err("Partition replica lists may not contain duplicate entries: 1"));
        check("1,x", Err("For input string: \"x\""));
        check("1,1:2", Err("Partition 1 has different replication factor: [1, 2]"));
    }
}
