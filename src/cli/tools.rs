//! The tools by name: each is one of Kafka's scripts, and takes its arguments as that script does.

use std::process::ExitCode;

use super::tool::Help;
use super::{
    broker_api_versions, configs, console_consumer, console_producer, consumer_groups,
    delete_records, dump_log, get_offsets, topics,
};

/// A command that is one of Kafka's scripts.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The command; Kafka's script is `kafka-` and this.
    pub name: &'static str,
    /// What `klamm --help` says about it.
    pub about: &'static str,
    /// Its purpose and its options.
    pub help: Help,
    /// Runs it with its arguments and gives its exit code.
    pub run: fn(&[String]) -> ExitCode,
}

/// Every tool, in the order of `klamm --help`.
pub const TOOLS: &[Tool] = &[
    topics::TOOL,
    configs::TOOL,
    console_producer::TOOL,
    console_consumer::TOOL,
    consumer_groups::TOOL,
    get_offsets::TOOL,
    delete_records::TOOL,
    broker_api_versions::TOOL,
    dump_log::TOOL,
];

/// The tool of that name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// The tool, or other command, that a script's name stands for: `kafka-topics` and `kafka-topics.sh` are `topics`.
pub fn of_script(name: &str) -> Option<&str> {
    let name = name.strip_prefix("kafka-")?;
    Some(name.strip_suffix(".sh").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_two_names() {
        for (name, expected) in [
            ("kafka-topics.sh", Some("topics")),
            ("kafka-topics", Some("topics")),
            ("kafka-console-producer.sh", Some("console-producer")),
            ("topics", None),
            ("klamm", None),
        ] {
            assert_eq!(of_script(name), expected, "{name}");
        }
    }

    #[test]
    fn every_tool_is_found_by_its_name_and_declares_help() {
        for tool in TOOLS {
            assert!(find(tool.name).is_some_and(|found| found.about == tool.about));
            let options = super::super::options::declarations(tool.help.options);
            assert!(options.iter().any(|option| option.name == "help"), "{}", tool.name);
        }
        assert!(find("topic").is_none());
    }
}
