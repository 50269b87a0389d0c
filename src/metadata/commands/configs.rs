//! Changing the configs of topics and brokers (Kafka's `ConfigAdminManager`, `ConfigurationControlManager`
//! and `ControllerConfigurationValidator`).

use std::collections::{BTreeMap, BTreeSet};

use super::topic_name::check_topic_name;
use super::{CommandError, Decision, Settings, duplicates};
use crate::metadata::image::Image;
use crate::metadata::record::{ConfigResource, Record};
use crate::model::topic_config::{
    AlterOperation, ConfigChange, alter_overrides, overrides_from_request,
};
use crate::model::{BrokerId, ErrorCode};

/// `ConfigResource.Type.TOPIC` on the wire.
pub const RESOURCE_TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER` on the wire.
pub const RESOURCE_BROKER: i8 = 4;
/// The longest value (Kafka: `Short.MAX_VALUE`).
const VALUE_BYTES_MAX: usize = 32_767;

/// Which dynamic configs a broker takes: the table of its keys is in a higher room.
#[derive(Clone, Copy, Debug)]
pub struct BrokerConfigRules {
    /// Judges one key and its new value; `None` takes the key away.
    pub check: fn(&str, Option<&str>) -> Result<(), CommandError>,
    /// The default of a key whose type is a list; `None` for every other.
    pub list_default: fn(&str) -> Option<&'static str>,
}

/// An AlterConfigs request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfigs {
    /// The resources, in request order.
    pub resources: Vec<ResourceChange<(String, Option<String>)>>,
    /// Judge only.
    pub validate_only: bool,
}

/// An IncrementalAlterConfigs request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncrementalAlterConfigs {
    /// The resources, in request order.
    pub resources: Vec<ResourceChange<IncrementalChange>>,
    /// Judge only.
    pub validate_only: bool,
}

/// What is to change on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange<C> {
    /// Kafka's `ConfigResource.Type`.
    pub resource_type: i8,
    /// A topic's name, a broker's id, or empty: every broker.
    pub name: String,
    /// What changes.
    pub changes: Vec<C>,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncrementalChange {
    /// The key.
    pub key: String,
    /// Kafka's `AlterConfigOp.OpType` as it stands on the wire.
    pub operation: i8,
    /// The operand.
    pub value: Option<String>,
}

/// What became of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigResult {
    /// As in the request.
    pub resource_type: i8,
    /// As in the request.
    pub name: String,
    /// Changed, or why not.
    pub result: Result<(), CommandError>,
}

type Configs = BTreeMap<String, String>;

/// Decides an AlterConfigs request: what is not named goes back to its default.
pub fn alter_configs(
    image: &Image,
    settings: &Settings,
    request: AlterConfigs,
) -> Decision<Vec<ConfigResult>> {
    decide_each(image, request.resources, request.validate_only, |resource, current| {
        check_keys(resource.changes.iter().map(|(key, value)| (key, value.is_none())))?;
        let pairs = resource.changes.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        if resource.resource_type == RESOURCE_TOPIC {
            return overrides_from_request(&settings.topic_defaults, pairs)
                .map_err(|error| CommandError::new(ErrorCode::InvalidConfig, error.to_string()));
        }
        let after: Configs =
            pairs.map(|(key, value)| (key.into(), value.unwrap_or_default().into())).collect();
        check_broker_configs(settings, current, &after)?;
        Ok(after)
    })
}

/// Decides an IncrementalAlterConfigs request.
pub fn incremental_alter_configs(
    image: &Image,
    settings: &Settings,
    request: IncrementalAlterConfigs,
) -> Decision<Vec<ConfigResult>> {
    decide_each(image, request.resources, request.validate_only, |resource, current| {
        let changes = resource.changes.iter().map(typed).collect::<Result<Vec<_>, _>>()?;
        check_keys(changes.iter().map(|change| {
            (change.name, change.operation != AlterOperation::Delete && change.value.is_none())
        }))?;
        if resource.resource_type == RESOURCE_TOPIC {
            return alter_overrides(&settings.topic_defaults, current, &changes)
                .map_err(|error| CommandError::new(error.code(), error.to_string()));
        }
        let mut after = current.clone();
        for change in &changes {
            alter_broker_config(settings, &mut after, change)?;
        }
        check_broker_configs(settings, current, &after)?;
        Ok(after)
    })
}

/// Decides every resource by `alter`, which makes the new configs from the current ones.
fn decide_each<C>(
    image: &Image,
    resources: Vec<ResourceChange<C>>,
    validate_only: bool,
    mut alter: impl FnMut(&ResourceChange<C>, &Configs) -> Result<Configs, CommandError>,
) -> Decision<Vec<ConfigResult>> {
    let twice: BTreeSet<(i8, String)> = duplicates(
        resources.iter().map(|resource| (resource.resource_type, resource.name.clone())),
    );
    let mut decision = Decision { records: Vec::new(), reply: Vec::new() };
    for resource in resources {
        let result = if twice.contains(&(resource.resource_type, resource.name.clone())) {
            Err(CommandError::new(
                ErrorCode::InvalidRequest,
                "Each resource must appear at most once.",
            ))
        } else {
            decide_one(image, &resource, &mut alter)
        };
        let result = result.map(|mut records| {
            if !validate_only {
                decision.records.append(&mut records);
            }
        });
        let ResourceChange { resource_type, name, .. } = resource;
        decision.reply.push(ConfigResult { resource_type, name, result });
    }
    decision
}

/// The order of the judgements is Kafka's: the name, the configs, then whether the resource exists.
fn decide_one<C>(
    image: &Image,
    resource: &ResourceChange<C>,
    alter: &mut impl FnMut(&ResourceChange<C>, &Configs) -> Result<Configs, CommandError>,
) -> Result<Vec<Record>, CommandError> {
    let target = target(image, resource.resource_type, &resource.name)?;
    let current = match target {
        Some(target) => current_configs(image, target),
        None => Configs::new(),
    };
    let after = alter(resource, &current)?;
    if after.values().any(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(CommandError::new(
            ErrorCode::InvalidConfig,
            "The configuration value cannot be added because it exceeds the maximum value size of \
             32767 bytes.",
        ));
    }
    let Some(target) = target else {
        return Err(CommandError::new(
            ErrorCode::UnknownTopicOrPartition,
            format!("The topic '{}' does not exist.", resource.name),
        ));
    };
    Ok(differences(target, &current, &after))
}

/// What a resource's name means; `None` is a topic that does not exist.
fn target(
    image: &Image,
    resource_type: i8,
    name: &str,
) -> Result<Option<ConfigResource>, CommandError> {
    let invalid = |message: String| CommandError::new(ErrorCode::InvalidRequest, message);
    match (resource_type, name) {
        (RESOURCE_TOPIC, "") => Err(invalid("Default topic resources are not allowed.".into())),
        (RESOURCE_TOPIC, name) => {
            check_topic_name(name)
                .map_err(|message| CommandError::new(ErrorCode::InvalidTopicException, message))?;
            Ok(image.topic_id(name).map(ConfigResource::Topic))
        }
        (RESOURCE_BROKER, "") => Ok(Some(ConfigResource::EveryBroker)),
        (RESOURCE_BROKER, name) => {
            let id: i32 = name
                .parse()
                .map_err(|_| invalid(format!("Node id must be an integer, but it is: {name}")))?;
            match image.broker(BrokerId(id)) {
                Some(broker) => Ok(Some(ConfigResource::Broker(broker.id))),
                None => Err(CommandError::new(
                    ErrorCode::BrokerIdNotRegistered,
                    format!("No node with id {id} found."),
                )),
            }
        }
        _ => Err(invalid(format!("Unknown resource type {resource_type}"))),
    }
}

fn current_configs(image: &Image, target: ConfigResource) -> Configs {
    fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Configs {
        pairs.map(|(key, value)| (key.into(), value.into())).collect()
    }
    match target {
        ConfigResource::Topic(id) => {
            image.topic(id).map(|topic| owned(topic.configs())).unwrap_or_default()
        }
        ConfigResource::Broker(id) => owned(image.broker_configs(Some(id))),
        ConfigResource::EveryBroker => owned(image.broker_configs(None)),
    }
}

fn differences(resource: ConfigResource, current: &Configs, after: &Configs) -> Vec<Record> {
    let record = |key: &String, value: Option<&String>| Record::Config {
        resource,
        key: key.as_str().into(),
        value: value.map(|value| value.as_str().into()),
    };
    let set = after.iter().filter(|(key, value)| current.get(*key) != Some(value));
    let gone = current.keys().filter(|key| !after.contains_key(*key));
    set.map(|(key, value)| record(key, Some(value)))
        .chain(gone.map(|key| record(key, None)))
        .collect()
}

fn typed(change: &IncrementalChange) -> Result<ConfigChange<'_>, CommandError> {
    let operation = AlterOperation::from_code(change.operation).ok_or_else(|| {
        let message = format!("Unknown operations type {}", change.operation);
        CommandError::new(ErrorCode::InvalidRequest, message)
    })?;
    Ok(ConfigChange { name: &change.key, operation, value: change.value.as_deref() })
}

/// Refuses a key that stands twice or lacks its value; `keys` says whether the value is missing.
fn check_keys<K: AsRef<str> + Ord + Clone>(
    keys: impl Iterator<Item = (K, bool)> + Clone,
) -> Result<(), CommandError> {
    let invalid = |message| Err(CommandError::new(ErrorCode::InvalidRequest, message));
    if !duplicates(keys.clone().map(|(key, _)| key)).is_empty() {
        return invalid("Error due to duplicate config keys".to_owned());
    }
    let nulls: Vec<K> = keys.filter(|(_, missing)| *missing).map(|(key, _)| key).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = nulls.iter().map(AsRef::as_ref).collect();
    invalid(format!("Null value not supported for : {}", names.join(", ")))
}

fn alter_broker_config(
    settings: &Settings,
    configs: &mut Configs,
    change: &ConfigChange<'_>,
) -> Result<(), CommandError> {
    let value = change.value.unwrap_or_default();
    let operation = match change.operation {
        AlterOperation::Set => {
            configs.insert(change.name.into(), value.into());
            return Ok(());
        }
        AlterOperation::Delete => {
            configs.remove(change.name);
            return Ok(());
        }
        AlterOperation::Append => "APPEND",
        AlterOperation::Subtract => "SUBTRACT",
    };
    let Some(default) = (settings.broker_configs.list_default)(change.name) else {
        return Err(CommandError::new(
            ErrorCode::InvalidConfig,
            format!("Can't {operation} to key {} because its type is not LIST.", change.name),
        ));
    };
    let before = configs.get(change.name).map_or(default, String::as_str);
    let mut parts: Vec<&str> = before.split(',').filter(|part| !part.is_empty()).collect();
    for part in value.split(',') {
        match change.operation {
            AlterOperation::Append if parts.contains(&part) => {}
            AlterOperation::Append => parts.push(part),
            _ => parts.retain(|one| *one != part),
        }
    }
    let joined = parts.join(",");
    configs.insert(change.name.into(), joined);
    Ok(())
}

fn check_broker_configs(
    settings: &Settings,
    current: &Configs,
    after: &Configs,
) -> Result<(), CommandError> {
    let check = settings.broker_configs.check;
    after
        .iter()
        .filter(|(key, value)| current.get(*key) != Some(value))
        .try_for_each(|(key, value)| check(key, Some(value)))?;
    current.keys().filter(|key| !after.contains_key(*key)).try_for_each(|key| check(key, None))
}

#[cfg(test)]
#[path = "configs_tests.rs"]
mod tests;
