//! The arguments of `configs`, and which of them go together (`ConfigCommandOptions`).

use std::net::ToSocketAddrs;

use crate::cli::options::Options;
use crate::cli::tool::{Help, Stop};

/// What has configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityType {
    /// `topics`
    Topics,
    /// `clients`
    Clients,
    /// `users`
    Users,
    /// `brokers`
    Brokers,
    /// `ips`
    Ips,
    /// `client-metrics`
    ClientMetrics,
    /// `groups`
    Groups,
    /// `broker-loggers`
    BrokerLoggers,
}

use EntityType as E;

/// The types in the order in which Kafka's tool lists them, with what one of them is called.
const TYPES: [(EntityType, &str); 8] = [
    (E::Topics, "topics"),
    (E::Clients, "clients"),
    (E::Users, "users"),
    (E::Brokers, "brokers"),
    (E::Ips, "ips"),
    (E::ClientMetrics, "client-metrics"),
    (E::Groups, "groups"),
    (E::BrokerLoggers, "broker-loggers"),
];

/// The options that name an entity and its type at once.
const NAME_FLAGS: [(&str, EntityType); 8] = [
    ("topic", E::Topics),
    ("client", E::Clients),
    ("user", E::Users),
    ("broker", E::Brokers),
    ("broker-logger", E::BrokerLoggers),
    ("ip", E::Ips),
    ("client-metrics", E::ClientMetrics),
    ("group", E::Groups),
];

/// The options that stand for the default of all entities of a type.
const DEFAULT_FLAGS: [(&str, EntityType); 4] = [
    ("client-defaults", E::Clients),
    ("user-defaults", E::Users),
    ("broker-defaults", E::Brokers),
    ("ip-defaults", E::Ips),
];

/// The types that have a default of all entities.
const WITH_DEFAULTS: [EntityType; 4] = [E::Users, E::Clients, E::Brokers, E::Ips];

impl EntityType {
    /// As `--entity-type` has it.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// The name of one: Kafka's tool leaves out the last letter, whatever it is.
    pub fn singular(self) -> &'static str {
        let name = self.name();
        &name[..name.len() - 1]
    }
}

/// Arguments that go together.
#[derive(Debug)]
pub struct Arguments {
    /// `--alter`; otherwise `--describe`.
    pub alters: bool,
    /// One, or users and clients.
    pub entity_types: Vec<EntityType>,
    /// As many at most; an empty one is the default of all.
    pub entity_names: Vec<String>,
    /// And everything else.
    pub options: Options,
}

impl Arguments {
    /// Reads the arguments in the order of Kafka's checks.
    pub fn parse(help: &Help, arguments: &[String]) -> Result<Arguments, Stop> {
        let options = Options::parse(help.options, arguments)?;
        help.check(arguments, &options)?;
        let alters = options.has("alter");
        if alters == options.has("describe") {
            let message = "Command must include exactly one action: --describe, --alter";
            return Err(Stop::Usage(message.to_owned()));
        }
        for other in ["add-config", "delete-config"] {
            if !alters && options.has(other) {
                let message =
                    format!("Option \"[describe]\" can't be used with option \"[{other}]\"");
                return Err(Stop::Usage(message));
            }
        }
        let names = entity_type_names(&options);
        check_types(&options, &names)?;
        let entity_types: Vec<EntityType> = names.iter().filter_map(|name| known(name)).collect();
        let entity_names = entity_names(&options)?;
        let arguments = Arguments { alters, entity_types, entity_names, options };
        arguments.check_names()?;
        if alters {
            arguments.check_alter()?
        } else {
            arguments.check_describe()?
        }
        if arguments.options.has("bootstrap-controller") {
            return said("This version of the tool talks to brokers only: use --bootstrap-server");
        }
        Ok(arguments)
    }

    /// The type that is named first.
    pub fn entity_type(&self) -> EntityType {
        self.entity_types[0]
    }

    fn is_any_of(&self, types: &[EntityType]) -> bool {
        self.entity_types.iter().any(|entity_type| types.contains(entity_type))
    }

    fn has_name(&self) -> bool {
        self.entity_names.iter().any(|name| !name.is_empty())
    }

    fn types_text(&self) -> String {
        self.entity_types.iter().map(|one| one.name()).collect::<Vec<_>>().join(",")
    }

    fn check_names(&self) -> Result<(), Stop> {
        let options = &self.options;
        let flags = NAME_FLAGS.iter().chain(&DEFAULT_FLAGS);
        let has_generic =
            ["entity-name", "entity-type", "entity-default"].iter().any(|name| options.has(name));
        if has_generic && flags.clone().any(|(flag, _)| options.has(flag)) {
            return said(
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            );
        }
        if options.has("bootstrap-server") && options.has("bootstrap-controller") {
            return said(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified",
            );
        }
        let name = self.entity_names.iter().find(|name| !name.is_empty());
        let Some(name) = name else { return Ok(()) };
        let entities = self.entity_type().name();
        if self.is_any_of(&[E::Brokers, E::BrokerLoggers]) && name.parse::<i32>().is_err() {
            return said(&format!(
                "The entity name for {entities} must be a valid integer broker id, but it is: {name}"
            ));
        }
        if self.is_any_of(&[E::Ips]) && (name.as_str(), 0).to_socket_addrs().is_err() {
            return said(&format!(
                "The entity name for {entities} must be a valid IP or resolvable host, but it is: {name}"
            ));
        }
        Ok(())
    }

    fn check_describe(&self) -> Result<(), Stop> {
        let types = self.types_text();
        if !self.is_any_of(&WITH_DEFAULTS) && self.options.has("entity-default") {
            return said(&format!(
                "--entity-default must not be specified with --describe of {types}"
            ));
        }
        if self.is_any_of(&[E::BrokerLoggers]) && !self.has_name() {
            return said(&format!("An entity name must be specified with --describe of {types}"));
        }
        Ok(())
    }

    fn check_alter(&self) -> Result<(), Stop> {
        if self.is_any_of(&WITH_DEFAULTS) {
            if self.entity_names.is_empty() {
                return said(
                    "An entity-name or default entity must be specified with --alter of users, clients, \
                     brokers or ips",
                );
            }
        } else if !self.has_name() {
            let types = self.types_text();
            return said(&format!("An entity name must be specified with --alter of {types}"));
        }
        let given = |name: &str| self.options.has(name);
        match (given("add-config"), given("add-config-file"), given("delete-config")) {
            (true, true, _) => {
                said("Only one of --add-config or --add-config-file must be specified")
            }
            (false, false, false) => said(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified \
                 with --alter",
            ),
            _ => Ok(()),
        }
    }
}

fn said<T>(message: &str) -> Result<T, Stop> {
    Err(Stop::Failed(message.to_owned()))
}

fn known(name: &str) -> Option<EntityType> {
    TYPES.iter().find(|(_, known)| *known == name).map(|(entity_type, _)| *entity_type)
}

/// The types that are named, in any of the ways.
fn entity_type_names(options: &Options) -> Vec<String> {
    let flags = NAME_FLAGS.iter().chain(&DEFAULT_FLAGS);
    let flagged = flags.filter(|(flag, _)| options.has(flag));
    let flagged = flagged.map(|(_, entity_type)| entity_type.name().to_owned());
    options.all("entity-type").iter().cloned().chain(flagged).collect()
}

fn check_types(options: &Options, names: &[String]) -> Result<(), Stop> {
    let repeated: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(at, name)| names[..*at].contains(name))
        .map(|(_, name)| name.as_str())
        .collect();
    if !repeated.is_empty() {
        let repeated = repeated.join(",");
        return said(&format!("Duplicate entity type(s) specified: {repeated}"));
    }
    if !options.has("bootstrap-server") && !options.has("bootstrap-controller") {
        return said("Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    if let Some(name) = names.iter().find(|name| known(name).is_none()) {
        let types: Vec<&str> = TYPES.iter().map(|(_, name)| *name).collect();
        let types = types.join(", ");
        return said(&format!(
            "Invalid entity type {name}, the entity type must be one of {types} with a \
             --bootstrap-server or --bootstrap-controller argument"
        ));
    }
    let are_both =
        names.len() == 2 && names.iter().all(|name| ["users", "clients"].contains(&&**name));
    match names.len() {
        0 => said("At least one entity type must be specified"),
        1 => Ok(()),
        _ if are_both => Ok(()),
        _ => said("Only 'users' and 'clients' entity types may be specified together"),
    }
}

/// The names that are given, in any of the ways; an empty one is the default of all.
fn entity_names(options: &Options) -> Result<Vec<String>, Stop> {
    let mut names = options.all("entity-name").to_vec();
    if options.has("entity-default") {
        names.push(String::new());
    }
    for (flag, _) in NAME_FLAGS {
        names.extend(options.one(flag)?.map(str::to_owned));
    }
    let defaults = DEFAULT_FLAGS.iter().filter(|(flag, _)| options.has(flag));
    names.extend(defaults.map(|_| String::new()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::HELP;
    use super::*;

    fn check(text: &str, expected: Result<(EntityType, &[&str]), &str>) {
        let text = format!("--bootstrap-server a:1 {text}");
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        match (Arguments::parse(&HELP, &arguments), expected) {
            (Ok(found), Ok((entity_type, names))) => {
                assert_eq!(found.entity_type(), entity_type, "{text}");
                assert_eq!(found.entity_names, names, "{text}");
            }
            (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected, "{text}"),
            (found, _) => panic!("{text} gave {found:?}"),
        }
    }

    /// The messages are those of Kafka 4.3.0's tool.
    #[test]
    fn arguments_go_together_as_in_kafkas_tool() {
        check("--describe --topic a", Ok((E::Topics, &["a"])));
        check("--describe --entity-type topics", Ok((E::Topics, &[])));
        check("--describe --entity-type brokers --entity-name 1", Ok((E::Brokers, &["1"])));
        check("--describe --broker-defaults", Ok((E::Brokers, &[""])));
        check(
            "--alter --entity-type brokers --entity-default --add-config a=b",
            Ok((E::Brokers, &[""])),
        );
        check("--describe --user a --client b", Ok((E::Clients, &["b", "a"])));
        check("--alter --topic a --delete-config b", Ok((E::Topics, &["a"])));
        let action = "Command must include exactly one action: --describe, --alter";
        check("--topic a", Err(action));
        check("--topic a --describe --alter", Err(action));
        check(
            "--topic a --describe --add-config b=c",
            Err("Option \"[describe]\" can't be used with option \"[add-config]\""),
        );
        check("--describe", Err("At least one entity type must be specified"));
        check(
            "--describe --entity-type nonsense",
            Err(
                "Invalid entity type nonsense, the entity type must be one of topics, clients, users, brokers, \
                 ips, client-metrics, groups, broker-loggers with a --bootstrap-server or \
                 --bootstrap-controller argument",
            ),
        );
        check(
            "--describe --entity-type topics --entity-type topics",
            Err("Duplicate entity type(s) specified: topics"),
        );
        check(
            "--describe --topic a --broker 1",
            Err("Only 'users' and 'clients' entity types may be specified together"),
        );
        check(
            "--describe --topic a --entity-name a",
            Err(
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            ),
        );
        check(
            "--describe --broker x",
            Err("The entity name for brokers must be a valid integer broker id, but it is: x"),
        );
        check(
            "--describe --entity-type topics --entity-default",
            Err("--entity-default must not be specified with --describe of topics"),
        );
        check(
            "--describe --entity-type broker-loggers",
            Err("An entity name must be specified with --describe of broker-loggers"),
        );
        check(
            "--alter --entity-type topics --add-config a=b",
            Err("An entity name must be specified with --alter of topics"),
        );
        check(
            "--alter --entity-type brokers --add-config a=b",
            Err(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            ),
        );
        check(
            "--alter --topic a",
            Err(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ),
        );
        check(
            "--alter --topic a --add-config a=b --add-config-file c",
            Err("Only one of --add-config or --add-config-file must be specified"),
        );
        let arguments = ["--describe", "--topic", "a"].map(str::to_owned);
        let without_server = Arguments::parse(&HELP, &arguments).map(|_| ()).unwrap_err();
        assert_eq!(
            without_server.to_string(),
            "Either --bootstrap-server or --bootstrap-controller must be specified."
        );
    }
}
