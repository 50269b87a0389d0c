//! `configs`: describe and alter the configs of topics, brokers and what else has some (`ConfigCommand`).
//!
//! Deliberately absent: quotas and SCRAM credentials of users, clients and addresses.

mod arguments;
mod changes;

use std::fmt::Write;
use std::process::ExitCode;

use thiserror::Error;

use self::arguments::{Arguments, EntityType};
use super::java_exception::described;
use super::java_order::sort_as_hash_map;
use super::options::OptionError;
use super::tool::{Help, Stop, block_on, bootstrap, load_properties, print};
use super::tools::Tool;
use crate::client::{
    Admin, ClientError, ClientOptions, Cluster, ConfigSynonym, ResourceConfig, ResourceKind,
};
use crate::model::ErrorCode;
use crate::protocol::api_key::ApiKey;

const HELP: Help = Help {
    purpose: "This tool helps to manipulate and describe entity config for a topic, client, user, broker, \
              ip, client-metrics or group",
    options: include_str!("../help/configs.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "configs",
    about: "Describe and alter the configs of topics, brokers and other entities",
    help: HELP,
    run: run_tool,
};

/// `java.util.HashMap`'s, in whose order topics are printed.
const HASH_MAP_CAPACITY: usize = 16;

/// Why a command failed.
#[derive(Debug, Error)]
enum ConfigsError {
    /// The message is all that is said.
    #[error("{0}")]
    Said(String),
    /// The command line is said first.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl From<OptionError> for ConfigsError {
    fn from(error: OptionError) -> ConfigsError {
        ConfigsError::Said(error.to_string())
    }
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(given: &[String]) -> Result<ExitCode, Stop> {
    let arguments = Arguments::parse(&HELP, given)?;
    let mut properties = match arguments.options.one("command-config")? {
        Some(path) => load_properties(path)?,
        None => Default::default(),
    };
    let servers = arguments.options.one("bootstrap-server")?.unwrap_or_default();
    let executing = |what: &dyn std::fmt::Display| {
        let given = given.join(" ");
        Stop::Failed(format!("Error while executing config command with args '{given}'\n{what}"))
    };
    let servers = bootstrap(servers)
        .map_err(|error| executing(&format!("Failed to create new KafkaAdminClient: {error}")))?;
    let client = ClientOptions::new(servers, "adminclient-1");
    let client = super::client_options::client(client, &mut properties)?;
    super::client_options::warn_unused(&properties);
    let mut admin = Admin::new(Cluster::new(client));
    let outcome =
        block_on(run(&arguments, &mut admin)).map_err(|error| Stop::Failed(error.to_string()))?;
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(ConfigsError::Said(message)) => Err(Stop::Failed(message)),
        Err(ConfigsError::Client(error)) => Err(executing(&as_exception(&error))),
    }
}

/// A failure as its exception; an API that is missing is called as Java's constants are.
fn as_exception(error: &ClientError) -> String {
    let ClientError::Unsupported { api, .. } = error else { return described(error) };
    let mut constant = String::new();
    for letter in api.chars() {
        if letter.is_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.extend(letter.to_uppercase());
    }
    let message = format!("The node does not support {constant}");
    described(&ClientError::refused(ErrorCode::UnsupportedVersion, Some(&message)))
}

async fn run(arguments: &Arguments, admin: &mut Admin) -> Result<(), ConfigsError> {
    let Some(kind) = resource_kind(arguments.entity_type()) else {
        return Err(refused_quotas(arguments, admin).await?);
    };
    if arguments.alters {
        alter(arguments, kind, admin).await
    } else {
        describe(arguments, kind, admin).await
    }
}

/// Users, clients and addresses have quotas and credentials where others have configs.
fn resource_kind(entity_type: EntityType) -> Option<ResourceKind> {
    match entity_type {
        EntityType::Topics => Some(ResourceKind::Topic),
        EntityType::Brokers => Some(ResourceKind::Broker),
        EntityType::BrokerLoggers => Some(ResourceKind::BrokerLogger),
        EntityType::ClientMetrics => Some(ResourceKind::ClientMetrics),
        EntityType::Groups => Some(ResourceKind::Group),
        EntityType::Users | EntityType::Clients | EntityType::Ips => None,
    }
}

/// Why quotas are neither shown nor set: most likely because the broker has none.
async fn refused_quotas(
    arguments: &Arguments,
    admin: &mut Admin,
) -> Result<ConfigsError, ClientError> {
    let name = arguments.entity_type().name();
    if admin.has_api(ApiKey::DescribeClientQuotas).await? {
        return Ok(ConfigsError::Said(format!(
            "The quotas and credentials of {name} are not managed by this version of the tool"
        )));
    }
    let api = ApiKey::DescribeClientQuotas.name();
    Ok(ConfigsError::Client(ClientError::Unsupported { address: String::new(), api }))
}

async fn alter(
    arguments: &Arguments,
    kind: ResourceKind,
    admin: &mut Admin,
) -> Result<(), ConfigsError> {
    let (types, names) = (&arguments.entity_types, &arguments.entity_names);
    if types.len() != names.len() {
        let message = "An entity name must be specified for every entity type";
        return Err(ConfigsError::Said(message.to_owned()));
    }
    let (entity_type, name) = (arguments.entity_type(), names[0].as_str());
    let changes = changes::of(&arguments.options)?;
    if entity_type == EntityType::BrokerLoggers {
        let known = admin.resource_configs(kind, name).await?;
        let is_unknown = |change: &&crate::client::ConfigChange| {
            !known.iter().any(|config| config.name == change.name)
        };
        let unknown: Vec<&str> =
            changes.iter().filter(is_unknown).map(|change| change.name.as_str()).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(",");
            return Err(ConfigsError::Said(format!("Invalid broker logger(s): {unknown}")));
        }
    }
    admin.alter_configs(kind, name, &changes).await?;
    if name.is_empty() {
        let entities = entity_type.name();
        print(&format!("Completed updating default config for {entities} in the cluster.\n"));
    } else {
        print(&format!("Completed updating config for {} {name}.\n", entity_type.singular()));
    }
    Ok(())
}

async fn describe(
    arguments: &Arguments,
    kind: ResourceKind,
    admin: &mut Admin,
) -> Result<(), ConfigsError> {
    let entity_type = arguments.entity_type();
    let all = arguments.options.has("all");
    let entities = match arguments.entity_names.first() {
        Some(name) => {
            // What is described in full tells by itself that it is not there.
            if !all && !entities(entity_type, admin).await?.contains(name) {
                let entity = entity_type.singular();
                print(&format!(
                    "The {entity} '{name}' doesn't exist and doesn't have dynamic config.\n"
                ));
                return Ok(());
            }
            vec![name.clone()]
        }
        None => entities(entity_type, admin).await?,
    };
    for name in entities {
        if name.is_empty() {
            let entities = entity_type.name();
            print(&format!("Default configs for {entities} in the cluster are:\n"));
        } else {
            let which = if all { "All" } else { "Dynamic" };
            print(&format!("{which} configs for {} {name} are:\n", entity_type.singular()));
        }
        let configs = admin.resource_configs(kind, &name).await?;
        let source = dynamic_source(entity_type, &name).filter(|_| !all);
        print(&config_lines(configs, source));
    }
    Ok(())
}

/// The entities of a type; an empty name is the default of all.
async fn entities(entity_type: EntityType, admin: &mut Admin) -> Result<Vec<String>, ClientError> {
    match entity_type {
        EntityType::Topics => {
            let mut topics: Vec<String> =
                admin.topics(true).await?.into_iter().map(|(name, _)| name).collect();
            sort_as_hash_map(&mut topics, HASH_MAP_CAPACITY, |name| name);
            Ok(topics)
        }
        EntityType::Brokers | EntityType::BrokerLoggers => {
            let brokers = admin.live_brokers().await?;
            let names = brokers.into_iter().map(|broker| broker.0.to_string());
            Ok(names.chain([String::new()]).collect())
        }
        EntityType::Groups => {
            let groups = admin.groups(&[], &[]).await?;
            let mut names: Vec<String> = groups.into_iter().map(|group| group.id).collect();
            match admin.config_resources(ResourceKind::Group).await {
                Ok(more) => names.extend(more),
                // A broker of before KIP-1142 has no list of those that only have configs.
                Err(ClientError::Unsupported { .. } | ClientError::Request(_)) => {}
                Err(error) => return Err(error),
            }
            names.sort();
            names.dedup();
            Ok(names)
        }
        EntityType::ClientMetrics => admin.config_resources(ResourceKind::ClientMetrics).await,
        EntityType::Users | EntityType::Clients | EntityType::Ips => Ok(Vec::new()),
    }
}

/// `ConfigEntry.ConfigSource` by the code of `DescribeConfigsResponse`.
const SOURCES: [&str; 9] = [
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "DYNAMIC_CLIENT_METRICS_CONFIG",
    "DYNAMIC_GROUP_CONFIG",
];

fn source_name(code: i8) -> &'static str {
    usize::try_from(code).ok().and_then(|at| SOURCES.get(at)).copied().unwrap_or(SOURCES[0])
}

/// Where the configs come from that are shown without `--all`.
fn dynamic_source(entity_type: EntityType, name: &str) -> Option<&'static str> {
    match entity_type {
        EntityType::Topics => Some("DYNAMIC_TOPIC_CONFIG"),
        EntityType::Brokers if name.is_empty() => Some("DYNAMIC_DEFAULT_BROKER_CONFIG"),
        EntityType::Brokers => Some("DYNAMIC_BROKER_CONFIG"),
        EntityType::ClientMetrics => Some("DYNAMIC_CLIENT_METRICS_CONFIG"),
        EntityType::Groups => Some("DYNAMIC_GROUP_CONFIG"),
        _ => None,
    }
}

/// The configs in the order of their names, of `source` or all.
fn config_lines(mut configs: Vec<ResourceConfig>, source: Option<&str>) -> String {
    configs.retain(|config| source.is_none_or(|source| source_name(config.source) == source));
    configs.sort_by(|one, other| one.name.cmp(&other.name));
    let mut lines = String::new();
    for config in &configs {
        let value = config.value.as_deref().unwrap_or("null");
        let synonyms: Vec<String> = config.synonyms.iter().map(synonym).collect();
        let _ = writeln!(
            lines,
            "  {}={value} sensitive={} synonyms={{{}}}",
            config.name,
            config.is_sensitive,
            synonyms.join(", ")
        );
    }
    lines
}

fn synonym(synonym: &ConfigSynonym) -> String {
    let value = synonym.value.as_deref().unwrap_or("null");
    format!("{}:{}={value}", source_name(synonym.source), synonym.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: Option<&str>, places: &[(i8, &str, &str)]) -> ResourceConfig {
        let synonyms = places.iter().map(|(source, name, value)| ConfigSynonym {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: *source,
        });
        ResourceConfig {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            source: places.first().map_or(5, |(source, ..)| *source),
            is_sensitive: value.is_none(),
            synonyms: synonyms.collect(),
        }
    }

    /// What Kafka 4.3.0's tool printed.
    #[test]
    fn lines_are_kafkas() {
        let configs = vec![
            config("retention.ms", Some("1000"), &[(1, "retention.ms", "1000")]),
            config("flush.ms", Some("9223372036854775807"), &[]),
            config(
                "cleanup.policy",
                Some("compact,delete"),
                &[(1, "cleanup.policy", "compact,delete"), (5, "log.cleanup.policy", "delete")],
            ),
        ];
        let set = "  cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:\
            cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}\n";
        let kept = "  retention.ms=1000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000}\n";
        let default = "  flush.ms=9223372036854775807 sensitive=false synonyms={}\n";
        let source = dynamic_source(EntityType::Topics, "a");
        assert_eq!(config_lines(configs.clone(), source), format!("{set}{kept}"));
        assert_eq!(config_lines(configs, None), format!("{set}{default}{kept}"));
        let secret = vec![config("ssl.key.password", None, &[])];
        let expected = "  ssl.key.password=null sensitive=true synonyms={}\n";
        assert_eq!(config_lines(secret, None), expected);
    }
}
