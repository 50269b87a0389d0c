//! `get-offsets`: the offsets of partitions at a time, as `kafka-get-offsets` prints them (`GetOffsetShell`).

use std::process::ExitCode;

use regex::Regex;

use super::java_exception::described;
use super::options::Options;
use super::tool::{Help, Stop, block_on, bootstrap, complain, load_properties, print};
use super::tools::Tool;
use super::topic_filter::topic_filter;
use crate::client::{Admin, ClientOptions, Cluster, PartitionArgument};

const HELP: Help = Help {
    purpose: "An interactive shell for getting topic-partition offsets.",
    options: include_str!("help/get-offsets.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "get-offsets",
    about: "Print the offsets of partitions at a time",
    help: HELP,
    run: run_tool,
};

/// The names of ListOffsets' special timestamps.
const TIMES: [(&str, i64); 6] = [
    ("latest", -1),
    ("earliest", -2),
    ("max-timestamp", -3),
    ("earliest-local", -4),
    ("latest-tiered", -5),
    ("earliest-pending-upload", -6),
];

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments).map_err(|stop| match stop {
        Stop::Failed(message) => Stop::Failed(format!("Error occurred: {message}")),
        other => other,
    }))
}

fn failed(error: impl ToString) -> Stop {
    Stop::Failed(error.to_string())
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    if arguments.is_empty() {
        return Err(Stop::Usage(HELP.purpose.to_owned()));
    }
    let options = Options::parse(HELP.options, arguments)?;
    HELP.check(arguments, &options)?;
    Help::require(&options, &["bootstrap-server"])?;
    let servers = options.one("bootstrap-server")?.unwrap_or_default();
    let servers = super::tool::validated_bootstrap(servers)?;
    let alone = "--topic-partitions cannot be used with --topic or --partitions";
    if options.has("topic-partitions") && (options.has("topic") || options.has("partitions")) {
        return Err(failed(alone));
    }
    let time = time(options.one("time")?.unwrap_or("latest"))?;
    let rules = rules(&options)?;
    let mut properties =
        options.one("command-config")?.map(load_properties).transpose()?.unwrap_or_default();
    let client = super::client_options::client(
        ClientOptions::new(bootstrap(servers)?, "GetOffsetShell"),
        &mut properties,
    )?;
    super::client_options::warn_unused(&properties);
    let admin = Admin::new(Cluster::new(client));
    let with_internal = !options.has("exclude-internal-topics");
    block_on(run(admin, rules, time, with_internal)).map_err(failed)??;
    Ok(ExitCode::SUCCESS)
}

async fn run(
    mut admin: Admin,
    rules: Vec<Rule>,
    time: i64,
    with_internal: bool,
) -> Result<(), Stop> {
    let topics = admin.partition_counts(with_internal).await?;
    let mut wanted: Vec<PartitionArgument> = Vec::new();
    for (topic, count) in topics {
        let chosen = (0..count).filter(|index| rules.iter().any(|rule| rule.takes(&topic, *index)));
        wanted.extend(chosen.map(|partition| PartitionArgument {
            topic: topic.clone(),
            partition,
            argument: time,
        }));
    }
    if wanted.is_empty() {
        return Err(failed("Could not match any topic-partitions with the specified filters"));
    }
    wanted.sort_by_cached_key(|part| format!("{}-{}", part.topic, part.partition));
    let offsets = admin.list_offsets(&wanted).await?;
    let mut lines = String::new();
    for (part, offset) in wanted.iter().zip(offsets) {
        let (topic, index) = (&part.topic, part.partition);
        match offset {
            // No record is so young, or so far from here.
            Ok(-1) => {}
            Ok(offset) => lines.push_str(&format!("{topic}:{index}:{offset}\n")),
            Err(error) => complain(&format!(
                "Skip getting offsets for topic-partition {topic}-{index} due to error: {}",
                described(&error)
            )),
        }
    }
    print(&lines);
    Ok(())
}

/// What partitions to show: those of the topics that match, by their number.
#[derive(Debug)]
struct Rule {
    topics: Regex,
    partitions: Partitions,
}

/// Numbers of partitions.
#[derive(Debug, PartialEq, Eq)]
enum Partitions {
    /// These, or all of them where there are none.
    Listed(Vec<i32>),
    /// From the first to below the second.
    Range(i32, i32),
}

impl Rule {
    fn takes(&self, topic: &str, index: i32) -> bool {
        let is_chosen = match &self.partitions {
            Partitions::Listed(listed) => listed.is_empty() || listed.contains(&index),
            Partitions::Range(from, below) => (*from..*below).contains(&index),
        };
        is_chosen && self.topics.is_match(topic)
    }
}

fn rules(options: &Options) -> Result<Vec<Rule>, Stop> {
    if let Some(list) = options.one("topic-partitions")? {
        let mut texts: Vec<&str> = list.split(',').collect();
        // Java's `split` drops empty pieces at the end, unless there is nothing else.
        while texts.len() > 1 && texts.last().is_some_and(|text| text.is_empty()) {
            texts.pop();
        }
        return texts.into_iter().map(rule).collect();
    }
    let topics = topic_filter(options.one("topic")?.unwrap_or(".*")).map_err(failed)?;
    let list = options.one("partitions")?.unwrap_or_default();
    let numbers = match list {
        "" => Ok(Vec::new()),
        list => list.split(',').map(str::parse).collect(),
    };
    let numbers = numbers.map_err(|_| {
        failed(format!(
            "--partitions expects a comma separated list of numeric partition ids, but received: {list}"
        ))
    })?;
    Ok(vec![Rule { topics, partitions: Partitions::Listed(numbers) }])
}

/// `TOPIC:NUMBER`, `TOPIC:FROM-BELOW`, with every part left out at will.
fn rule(text: &str) -> Result<Rule, Stop> {
    let invalid = || {
        failed(format!("org.apache.kafka.tools.TerseException: Invalid rule specification: {text}"))
    };
    let (topic, numbers) = text.split_once(':').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    let number = |text: &str, missing: i32| match text {
        "" => Ok(missing),
        _ => text.parse().map_err(|_| failed(format!("For input string: \"{text}\""))),
    };
    let (from, below) = numbers.split_once('-').unwrap_or((numbers, ""));
    if !digits(from) || !digits(below) {
        return Err(invalid());
    }
    let topics = topic_filter(if topic.is_empty() { ".*" } else { topic }).map_err(failed)?;
    let partitions = match numbers {
        "" => Partitions::Range(0, i32::MAX),
        _ if numbers.contains('-') => Partitions::Range(number(from, 0)?, number(below, i32::MAX)?),
        _ => Partitions::Listed(vec![number(from, 0)?]),
    };
    Ok(Rule { topics, partitions })
}

fn time(text: &str) -> Result<i64, Stop> {
    let named = TIMES.iter().find(|(name, _)| *name == text).map(|(_, time)| *time);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        failed(format!(
            "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
             -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, \
             or a specified long format timestamp"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: &[(&str, i32)]) {
        let words: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let options = Options::parse(HELP.options, &words).expect("the arguments are well formed");
        let rules = rules(&options).map_err(|stop| stop.to_string()).expect("the rules are valid");
        let all =
            ["a", "ab", "b.c"].into_iter().flat_map(|topic| (0..7).map(move |at| (topic, at)));
        let taken = all.filter(|(topic, at)| rules.iter().any(|rule| rule.takes(topic, *at)));
        assert_eq!(taken.collect::<Vec<_>>(), expected, "{arguments}");
    }

    #[test]
    fn partitions_are_chosen_as_kafkas_tool_chooses_them() {
        check("--topic a --partitions 0,2", &[("a", 0), ("a", 2)]);
        check("--topic a.* --partitions 6", &[("a", 6), ("ab", 6)]);
        check("--topic-partitions a:1,b.c:2-4", &[("a", 1), ("b.c", 2), ("b.c", 3)]);
        check("--topic-partitions a:5-,ab:-1", &[("a", 5), ("a", 6), ("ab", 0)]);
        check("--topic-partitions :3", &[("a", 3), ("ab", 3), ("b.c", 3)]);
        let every: Vec<(&str, i32)> = (0..7).map(|at| ("a", at)).collect();
        check("--topic a", &every);
        check("--topic-partitions a", &every);
        check("--topic-partitions a:,", &every);
        check("--topic-partitions a:-", &every);
    }

    #[test]
    fn wrong_arguments_are_refused_in_kafkas_words() {
        let base = "--bootstrap-server 127.0.0.1:1";
        for (text, expected) in [
            ("--topic x", "Missing required argument \"[bootstrap-server]\"".to_owned()),
            (
                "--bootstrap-server nohost",
                "Please provide valid host:port like host1:9091,host2:9092\n".to_owned(),
            ),
            ("--nonsense", "nonsense is not a recognized option".to_owned()),
            (
                &format!("{base} --topic a --topic-partitions a"),
                "--topic-partitions cannot be used with --topic or --partitions".to_owned(),
            ),
            (
                &format!("{base} --partitions x"),
                "--partitions expects a comma separated list of numeric partition ids, but received: x"
                    .to_owned(),
            ),
            (
                &format!("{base} --topic-partitions a:x"),
                "org.apache.kafka.tools.TerseException: Invalid rule specification: a:x".to_owned(),
            ),
            (&format!("{base} --topic a("), "a( is an invalid regex.".to_owned()),
            (
                &format!("{base} --topic a --topic b"),
                "Found multiple arguments for option topic, but you asked for only one".to_owned(),
            ),
            (
                &format!("{base} --topic-partitions a:99999999999"),
                "For input string: \"99999999999\"".to_owned(),
            ),
        ] {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let said = begin(&words).map(|_| ()).unwrap_err().to_string();
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn times_have_names() {
        for (text, expected) in [
            ("latest", -1),
            ("-3", -3),
            ("earliest-pending-upload", -6),
            ("1700000000000", 1_700_000_000_000),
        ] {
            assert_eq!(time(text).ok(), Some(expected), "{text}");
        }
        assert!(
            time("soon")
                .is_err_and(|stop| stop.to_string().starts_with("Malformed time argument soon. "))
        );
    }
}
