//! `delete-records`: deletes records up to an offset, as `kafka-delete-records` does (`DeleteRecordsCommand`).

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Deserializer, Map, Value};
use thiserror::Error;

use super::java_exception::described;
use super::options::Options;
use super::tool::{Help, Stop, block_on, bootstrap, load_properties, load_text, print};
use super::tools::Tool;
use crate::client::{Admin, ClientOptions, Cluster, PartitionArgument};

const HELP: Help = Help {
    purpose: "This tool helps to delete records of the given partitions down to the specified offset.",
    options: include_str!("help/delete-records.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "delete-records",
    about: "Delete records of partitions up to an offset",
    help: HELP,
    run: run_tool,
};

/// The only version of the file's format.
const FILE_VERSION: i64 = 1;

/// Why the file asks for nothing that can be done, in Kafka's words; its writer is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum FileError {
    #[error("The input string is not a valid JSON")]
    Syntax,
    #[error("Missing partitions field")]
    NoPartitions,
    #[error("Not supported version field value {0}")]
    Version(i64),
    #[error("No such field exists: `{0}`")]
    Missing(&'static str),
    #[error("Expected {0}, received {1}")]
    Kind(&'static str, String),
    #[error("Offset json file contains duplicate topic partitions: {0}")]
    Twice(String),
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let options = Options::parse(HELP.options, arguments)?;
    HELP.check(arguments, &options)?;
    Help::require(&options, &["bootstrap-server", "offset-json-file"])?;
    let mut properties =
        options.one("command-config")?.map(load_properties).transpose()?.unwrap_or_default();
    let servers = options.one("bootstrap-server")?.unwrap_or_default();
    let failed = |error| Stop::Failed(format!("Failed to create new KafkaAdminClient: {error}"));
    let servers = bootstrap(servers).map_err(failed)?;
    let client = super::client_options::client(
        ClientOptions::new(servers, "adminclient-1"),
        &mut properties,
    )?;
    super::client_options::warn_unused(&properties);
    let text = load_text(options.one("offset-json-file")?.unwrap_or_default())?;
    let wanted = partitions(&text).map_err(|error| Stop::Failed(error.to_string()))?;
    let admin = Admin::new(Cluster::new(client));
    block_on(run(admin, wanted)).map_err(|error| Stop::Failed(error.to_string()))??;
    Ok(ExitCode::SUCCESS)
}

async fn run(mut admin: Admin, wanted: Vec<PartitionArgument>) -> Result<(), Stop> {
    print("Executing records delete operation\n");
    let outcomes = admin.delete_records(&wanted).await?;
    let mut lines = "Records delete operation completed:\n".to_owned();
    for (part, outcome) in wanted.iter().zip(outcomes) {
        let (topic, index) = (&part.topic, part.partition);
        // A string takes everything.
        let _ = match outcome {
            Ok(start) => writeln!(lines, "partition: {topic}-{index}\tlow_watermark: {start}"),
            Err(error) => {
                writeln!(lines, "partition: {topic}-{index}\terror: {}", described(&error))
            }
        };
    }
    print(&lines);
    Ok(())
}

/// What the file asks for, in its order; Kafka's tool says what became of it in an order of chance.
fn partitions(text: &str) -> Result<Vec<PartitionArgument>, FileError> {
    // Kafka's parser takes the first value and does not look at what follows it.
    let first = Deserializer::from_str(text).into_iter::<Value>().next();
    let value = first.and_then(Result::ok).ok_or(FileError::Syntax)?;
    let file = object(&value)?;
    let version = match file.get("version") {
        Some(version) => integer(version).ok_or_else(|| kind("`Integer` value", version))?,
        None => FILE_VERSION,
    };
    if version != FILE_VERSION {
        return Err(FileError::Version(version));
    }
    let listed = file.get("partitions").ok_or(FileError::NoPartitions)?;
    let listed = listed.as_array().ok_or_else(|| kind("JSON array", listed))?;
    let wanted = listed.iter().map(partition).collect::<Result<Vec<_>, _>>()?;
    let twice: Vec<String> = wanted
        .iter()
        .enumerate()
        .filter(|(at, part)| {
            let same = |other: &&PartitionArgument| {
                other.topic == part.topic && other.partition == part.partition
            };
            wanted[..*at].iter().filter(same).count() == 1
        })
        .map(|(_, part)| format!("{}-{}", part.topic, part.partition))
        .collect();
    if !twice.is_empty() {
        return Err(FileError::Twice(twice.join(",")));
    }
    Ok(wanted)
}

fn partition(value: &Value) -> Result<PartitionArgument, FileError> {
    let fields = object(value)?;
    let field = |name| fields.get(name).ok_or(FileError::Missing(name));
    let topic = field("topic")?;
    let topic = topic.as_str().ok_or_else(|| kind("`String` value", topic))?;
    let index = field("partition")?;
    let partition = integer(index).and_then(|index| i32::try_from(index).ok());
    let partition = partition.ok_or_else(|| kind("`Integer` value", index))?;
    let offset = field("offset")?;
    let argument = offset.as_i64().ok_or_else(|| kind("`Long` value", offset))?;
    Ok(PartitionArgument { topic: topic.to_owned(), partition, argument })
}

fn object(value: &Value) -> Result<&Map<String, Value>, FileError> {
    value.as_object().ok_or_else(|| kind("JSON object", value))
}

/// A number that Java reads as an `int`.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().filter(|number| i32::try_from(*number).is_ok())
}

fn kind(expected: &'static str, found: &Value) -> FileError {
    FileError::Kind(expected, found.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, i32, i64)], &str>) {
        let found = partitions(text).map_err(|error| error.to_string());
        let expected = expected.map_err(str::to_owned).map(|expected| {
            let part = |&(topic, partition, argument): &(&str, i32, i64)| PartitionArgument {
                topic: topic.to_owned(),
                partition,
                argument,
            };
            expected.iter().map(part).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{text}");
    }

    /// The messages are those of Kafka 4.3.0's tool.
    #[test]
    fn files_are_read_as_kafkas_tool_reads_them() {
        let a0 = r#"{"topic":"a","partition":0,"offset":1}"#;
        let a1 = r#"{"topic":"a","partition":1,"offset":-1}"#;
        let b = r#"{"topic":"b.c","partition":0,"offset":5,"more":1}"#;
        check(
            &format!(r#"{{"partitions":[{a0},{b},{a1}],"version":1}}"#),
            Ok(&[("a", 0, 1), ("b.c", 0, 5), ("a", 1, -1)]),
        );
        check(r#"{"partitions":[]} and more"#, Ok(&[]));
        check("", Err("The input string is not a valid JSON"));
        check("{", Err("The input string is not a valid JSON"));
        check("[]", Err("Expected JSON object, received []"));
        check("{}", Err("Missing partitions field"));
        check(r#"{"version":2}"#, Err("Not supported version field value 2"));
        check(r#"{"version":"1"}"#, Err("Expected `Integer` value, received \"1\""));
        check(r#"{"partitions":7}"#, Err("Expected JSON array, received 7"));
        check(r#"{"partitions":[{}]}"#, Err("No such field exists: `topic`"));
        let wrong = r#"{"partitions":[{"topic":"a","partition":3000000000,"offset":1}]}"#;
        check(wrong, Err("Expected `Integer` value, received 3000000000"));
        let wrong = r#"{"partitions":[{"topic":"a","partition":0,"offset":1.5}]}"#;
        check(wrong, Err("Expected `Long` value, received 1.5"));
        check(
            &format!(r#"{{"partitions":[{a0},{a1},{a0},{a0}]}}"#),
            Err("Offset json file contains duplicate topic partitions: a-0"),
        );
    }
}
