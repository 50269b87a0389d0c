//! `consumer-groups`: list, describe, reset and delete groups and their offsets (`ConsumerGroupCommand`).
//!
//! As with Kafka's tool, what fails while it talks to the cluster goes to standard output with exit code 0;
//! only wrong arguments, some of which show late, end with 1.

mod arguments;
mod datetime;
mod deletion;
mod describe;
mod plan_file;
mod reset;

use std::process::ExitCode;

use regex::Regex;
use thiserror::Error;

use self::arguments::{Action, Arguments};
use super::java_exception::described;
use super::java_order::sort_as_hash_map;
use super::options::OptionError;
use super::tool::{Help, Stop, block_on, bootstrap, load_properties, print};
use super::tools::Tool;
use crate::client::{Admin, ClientError, ClientOptions, Cluster, GroupListing};

const HELP: Help = Help {
    purpose: "This tool helps to list all consumer groups, describe a consumer group, delete consumer group \
              info, or reset consumer group offsets.",
    options: include_str!("../help/consumer-groups.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    about: "List, describe and delete consumer groups, and reset their offsets",
    help: HELP,
    run: run_tool,
};

/// `java.util.HashMap`'s, in whose order groups and partitions are printed.
const HASH_MAP_CAPACITY: usize = 16;

/// Why a command ends.
#[derive(Debug, Error)]
enum GroupError {
    /// Wrong arguments after all: the help follows, and the exit code is 1.
    #[error("{0}")]
    Usage(String),
    /// What Kafka's tool calls a failed command.
    #[error("{0}")]
    Failed(String),
}

impl From<OptionError> for GroupError {
    fn from(error: OptionError) -> GroupError {
        GroupError::Failed(error.to_string())
    }
}

/// A call's failure as its exception's message.
fn failed(error: ClientError) -> GroupError {
    GroupError::Failed(error.to_string())
}

/// A call's failure as the exception that carries it.
fn executed(error: ClientError) -> GroupError {
    GroupError::Failed(described(&error))
}

/// A call's failure as the exception that carries the one that carries it.
fn rethrown(error: ClientError) -> GroupError {
    GroupError::Failed(format!("java.util.concurrent.ExecutionException: {}", described(&error)))
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let arguments = Arguments::parse(&HELP, arguments)?;
    if let Some(pattern) = arguments.options.one("validate-regex")? {
        validate_regex(pattern);
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = match admin(&arguments) {
        Ok(mut admin) => block_on(run(&arguments, &mut admin))
            .map_err(|error| Stop::Failed(error.to_string()))?,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => {}
        Err(GroupError::Usage(message)) => return Err(Stop::Usage(message)),
        Err(GroupError::Failed(message)) => {
            print_error(&format!("Executing consumer group command failed due to {message}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_error(message: &str) {
    print(&format!("\nError: {message}\n"));
}

fn admin(arguments: &Arguments) -> Result<Admin, GroupError> {
    let said = |stop: Stop| GroupError::Failed(stop.to_string());
    let options = &arguments.options;
    let mut properties = match options.one("command-config")? {
        Some(path) => load_properties(path).map_err(said)?,
        None => Default::default(),
    };
    let servers = options.one("bootstrap-server")?.unwrap_or_default();
    let servers = bootstrap(servers).map_err(|error| {
        GroupError::Failed(format!("Failed to create new KafkaAdminClient: {error}"))
    })?;
    let client = ClientOptions::new(servers, "adminclient-1");
    let mut client = super::client_options::client(client, &mut properties).map_err(said)?;
    super::client_options::warn_unused(&properties);
    client.api_timeout = arguments.timeout()?;
    Ok(Admin::new(Cluster::new(client)))
}

async fn run(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    match arguments.action {
        Action::List => list(arguments, admin).await,
        Action::Describe => describe::describe(arguments, admin).await,
        Action::Delete => deletion::delete_groups(arguments, admin).await,
        Action::ResetOffsets => reset::reset(arguments, admin).await,
        Action::DeleteOffsets => deletion::delete_offsets(arguments, admin).await,
        // It needs no cluster, and has ended before.
        Action::ValidateRegex => Ok(()),
    }
}

async fn list(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    let (with_type, with_state) = (arguments.has("type"), arguments.has("state"));
    if !with_type && !with_state {
        for group in all_groups(admin).await? {
            print(&format!("{group}\n"));
        }
        return Ok(());
    }
    let types = arguments.types()?;
    let states = arguments.states()?;
    let groups = consumer_groups(admin, &states, &types).await.map_err(executed)?;
    print(&listing(&groups, with_type, with_state));
    Ok(())
}

fn listing(groups: &[GroupListing], with_type: bool, with_state: bool) -> String {
    let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(15) + 10;
    let line = |group: &str, kind: &str, state: &str| {
        let mut line = format!("{group:<width$}");
        for (wanted, text) in [(with_type, kind), (with_state, state)] {
            if wanted {
                line.push_str(&format!(" {text:<20}"));
            }
        }
        line + "\n"
    };
    let mut table = line("GROUP", "TYPE", "STATE");
    for group in groups {
        let state = if group.state.is_empty() { "Unknown" } else { &group.state };
        table.push_str(&line(&group.id, kind_name(&group.kind), state));
    }
    table
}

/// `GroupType.toString` of what ListGroups says.
fn kind_name(kind: &str) -> &'static str {
    ["Classic", "Consumer", "Share", "Streams"]
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(kind))
        .unwrap_or("Unknown")
}

/// The groups that consumers may be in, as Kafka's admin client gives them.
async fn consumer_groups(
    admin: &mut Admin,
    states: &[&str],
    types: &[&str],
) -> Result<Vec<GroupListing>, ClientError> {
    let mut groups = admin.groups(states, types).await?;
    groups.retain(|group| ["", "consumer"].contains(&&*group.protocol_type));
    sort_as_hash_map(&mut groups, HASH_MAP_CAPACITY, |group| &group.id);
    Ok(groups)
}

async fn all_groups(admin: &mut Admin) -> Result<Vec<String>, GroupError> {
    let groups = consumer_groups(admin, &[], &[]).await.map_err(rethrown)?;
    Ok(groups.into_iter().map(|group| group.id).collect())
}

/// The groups that are named, or all, each once and in the order of a `HashMap`.
async fn chosen_groups(
    arguments: &Arguments,
    admin: &mut Admin,
) -> Result<Vec<String>, GroupError> {
    let mut groups = match arguments.has("all-groups") {
        true => all_groups(admin).await?,
        false => arguments.options.all("group").to_vec(),
    };
    groups.sort();
    groups.dedup();
    sort_as_hash_map(&mut groups, HASH_MAP_CAPACITY, |group| group);
    Ok(groups)
}

/// Brokers match subscriptions by RE2, which is what the `regex` crate follows.
fn validate_regex(pattern: &str) {
    let verdict = match Regex::new(pattern) {
        Ok(_) => "valid".to_owned(),
        Err(regex::Error::Syntax(text)) => format!("invalid: {}", syntax_reason(&text)),
        Err(other) => format!("invalid: {other}"),
    };
    print(&format!("The regular expression `{pattern}` is {verdict}.\n"));
}

/// The last line of a syntax error says why, those before it show where.
fn syntax_reason(text: &str) -> &str {
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of Kafka 4.3.0's tool.
    #[test]
    fn the_list_has_the_columns_that_were_asked_for() {
        let group = |id: &str, kind: &str, state: &str| GroupListing {
            id: id.to_owned(),
            protocol_type: "consumer".to_owned(),
            state: state.to_owned(),
            kind: kind.to_owned(),
        };
        let groups = [group("readers", "classic", "Empty"), group("g", "", "")];
        assert_eq!(
            listing(&groups, true, true),
            "GROUP                     TYPE                 STATE               \n\
             readers                   Classic              Empty               \n\
             g                         Unknown              Unknown             \n"
        );
        let long = [group("a-group-with-a-rather-long-name", "consumer", "Stable")];
        assert_eq!(
            listing(&long, false, true),
            "GROUP                                     STATE               \n\
             a-group-with-a-rather-long-name           Stable              \n"
        );
        assert_eq!(listing(&[], true, false), "GROUP                     TYPE                \n");
    }

    #[test]
    fn a_syntax_error_is_one_line() {
        let open = format!("a{}", '(');
        let Err(regex::Error::Syntax(text)) = Regex::new(&open) else { panic!("it is open") };
        assert_eq!(syntax_reason(&text), "unclosed group");
    }
}
