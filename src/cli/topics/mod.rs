//! `topics`: create, list, describe, alter and delete topics, as `kafka-topics` does (`TopicCommand`).

mod arguments;
mod describe;

use std::process::ExitCode;

use thiserror::Error;

use self::arguments::{Action, Arguments};
use super::options::OptionError;
use super::tool::{Help, Stop, block_on, bootstrap, load_properties, print};
use super::tools::Tool;
use super::topic_filter::{InvalidFilter, topic_filter};
use crate::client::{Admin, ClientError, ClientOptions, Cluster, NewTopic};
use crate::model::ErrorCode;
use crate::model::ids::TopicId;

const HELP: Help = Help {
    purpose: "This tool helps to create, delete, describe, or change a topic.",
    options: include_str!("../help/topics.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "topics",
    about: "Create, delete, describe, or change a topic",
    help: HELP,
    run: run_tool,
};

/// Why a command failed, in Kafka's words; goes to standard output, as Kafka's does.
#[derive(Debug, Error)]
enum TopicError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    #[error("{0}")]
    Said(String),
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let arguments = Arguments::parse(&HELP, arguments)?;
    let mut properties = match arguments.options.one("command-config")? {
        Some(path) => load_properties(path)?,
        None => Default::default(),
    };
    let servers = arguments.options.one("bootstrap-server")?.unwrap_or_default();
    let failed = |error| Stop::Failed(format!("Failed to create new KafkaAdminClient: {error}"));
    let servers = bootstrap(servers).map_err(failed)?;
    let options = super::client_options::client(
        ClientOptions::new(servers, "adminclient-1"),
        &mut properties,
    )?;
    super::client_options::warn_unused(&properties);
    let admin = Admin::new(Cluster::new(options));
    let outcome =
        block_on(run(&arguments, admin)).map_err(|error| Stop::Failed(error.to_string()))?;
    Ok(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("Error while executing topic command : {error}\n"));
            ExitCode::FAILURE
        }
    })
}

async fn run(arguments: &Arguments, mut admin: Admin) -> Result<(), TopicError> {
    match arguments.action {
        Action::Create => create(arguments, &mut admin).await,
        Action::Alter => alter(arguments, &mut admin).await,
        Action::List => {
            let topics = matching(arguments, &mut admin).await?;
            print(&format!("{}\n", topics.join("\n")));
            Ok(())
        }
        Action::Describe => describe(arguments, &mut admin).await,
        Action::Delete => {
            let topics = existing(arguments, &mut admin).await?;
            if !topics.is_empty() {
                admin.delete_topics(&topics).await?;
            }
            Ok(())
        }
    }
}

async fn create(arguments: &Arguments, admin: &mut Admin) -> Result<(), TopicError> {
    let name = arguments.options.one("topic")?.unwrap_or_default();
    let partitions: Option<i32> = arguments.options.number("partitions")?;
    let replication_factor: Option<i32> = arguments.options.number("replication-factor")?;
    let assignment = arguments.replica_assignment()?;
    let configs = arguments.configs()?;
    if name.contains(['.', '_']) {
        print(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both.\n",
        );
    }
    let said = |text: &str| Err(TopicError::Said(text.to_owned()));
    let replication_factor = match replication_factor.map(i16::try_from) {
        None => None,
        Some(Ok(factor)) if factor >= 1 => Some(factor),
        Some(_) => return said("The replication factor must be between 1 and 32767 inclusive"),
    };
    if partitions.is_some_and(|count| count < 1) {
        return said("The partitions must be greater than 0");
    }
    if name.is_empty() {
        return said("The given topic name '' cannot be represented in a request.");
    }
    let topic =
        NewTopic { name: name.to_owned(), partitions, replication_factor, assignment, configs };
    match admin.create_topic(&topic).await {
        Ok(()) => print(&format!("Created topic {name}.\n")),
        Err(error)
            if error.code() == Some(ErrorCode::TopicAlreadyExists)
                && arguments.has("if-not-exists") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn alter(arguments: &Arguments, admin: &mut Admin) -> Result<(), TopicError> {
    let count = arguments.options.number("partitions")?.unwrap_or(0);
    let assignment = arguments.replica_assignment()?;
    let topics = existing(arguments, admin).await?;
    if topics.is_empty() {
        return Ok(());
    }
    let mut wanted: Vec<(String, Vec<Vec<i32>>)> = Vec::new();
    for topic in topics {
        let new = if assignment.is_empty() {
            Vec::new()
        } else {
            let described =
                admin.describe_topics(std::slice::from_ref(&topic), DESCRIBED_PAGE).await?;
            let there = described.first().map_or(0, |topic| topic.partitions.len());
            assignment.get(there..).unwrap_or_default().to_vec()
        };
        wanted.push((topic, new));
    }
    Ok(admin.create_partitions(&wanted, count).await?)
}

/// Partitions that one answer describes, unless `--partition-size-limit-per-response` says otherwise.
const DESCRIBED_PAGE: i32 = 2000;

async fn describe(arguments: &Arguments, admin: &mut Admin) -> Result<(), TopicError> {
    let topics = match arguments.topic_id()? {
        Some(id) => with_id(arguments, admin, id).await?,
        None => existing(arguments, admin).await?,
    };
    let page =
        arguments.options.number("partition-size-limit-per-response")?.unwrap_or(DESCRIBED_PAGE);
    if topics.is_empty() {
        return Ok(());
    }
    let mut described = admin.describe_topics(&topics, page).await?;
    let capacity = described.len();
    super::java_order::sort_as_hash_map(&mut described, capacity, |topic| &topic.name);
    let names: Vec<String> = described.iter().map(|topic| topic.name.clone()).collect();
    let configs = admin.topic_configs(&names).await?;
    let live = admin.live_brokers().await?;
    let moving = admin.reassignments(&described).await?;
    let show = describe::Show::of(&arguments.options);
    let mut text = String::new();
    for (topic, configs) in described.iter().zip(configs) {
        describe::write_topic(&mut text, topic, configs, show, &live, &moving);
    }
    print(&text);
    Ok(())
}

async fn with_id(
    arguments: &Arguments,
    admin: &mut Admin,
    id: TopicId,
) -> Result<Vec<String>, TopicError> {
    let all = admin.topics(!arguments.has("exclude-internal")).await?;
    let found: Vec<String> =
        all.into_iter().filter(|(_, known)| *known == id).map(|(name, _)| name).collect();
    if found.is_empty() && !arguments.has("if-exists") {
        return Err(TopicError::Said(format!("TopicId '{id}' does not exist as expected")));
    }
    Ok(found)
}

/// The topics that `--topic` names or matches; without it, all.
async fn matching(arguments: &Arguments, admin: &mut Admin) -> Result<Vec<String>, TopicError> {
    let filter = arguments.options.one("topic")?.map(topic_filter).transpose()?;
    let all = admin.topics(!arguments.has("exclude-internal")).await?;
    let names = all.into_iter().map(|(name, _)| name);
    Ok(names.filter(|name| filter.as_ref().is_none_or(|filter| filter.is_match(name))).collect())
}

async fn existing(arguments: &Arguments, admin: &mut Admin) -> Result<Vec<String>, TopicError> {
    let found = matching(arguments, admin).await?;
    let asked = arguments.options.one("topic")?.filter(|topic| !topic.is_empty());
    match asked {
        Some(topic) if found.is_empty() && !arguments.has("if-exists") => {
            Err(TopicError::Said(format!("Topic '{topic}' does not exist as expected")))
        }
        _ => Ok(found),
    }
}
