//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs.

use crate::api::encode::first_error;
use crate::api::reply::Reply;
use crate::api::request::RequestContext;
use crate::metadata::Topic;
use crate::metadata::commands::{
    self, AlterConfigs, Command, CommandError, IncrementalAlterConfigs, IncrementalChange,
    RESOURCE_BROKER, RESOURCE_TOPIC, ResourceChange, check_topic_name,
};
use crate::model::config_key::{ConfigEntry, ConfigSynonym};
use crate::model::topic_config::{TopicDefaults, TopicOverrides, describe_topic};
use crate::model::{BrokerId, ErrorCode};
use crate::protocol::alter_configs_request::AlterConfigsRequest;
use crate::protocol::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use crate::protocol::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use crate::protocol::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use crate::protocol::incremental_alter_configs_response as incremental;
use crate::protocol::{alter_configs_request, incremental_alter_configs_request};

/// `ConfigResource.Type.BROKER_LOGGER` on the wire.
const RESOURCE_BROKER_LOGGER: i8 = 8;
/// `ConfigResource.Type.CLIENT_METRICS` on the wire.
const RESOURCE_CLIENT_METRICS: i8 = 16;
/// `ConfigResource.Type.GROUP` on the wire.
const RESOURCE_GROUP: i8 = 32;

/// What one resource is answered with, before the request's own choices.
type Described = Result<Vec<ConfigEntry>, CommandError>;

/// Serves a DescribeConfigs request.
pub fn describe_configs(context: &RequestContext, request: &DescribeConfigsRequest<'_>) -> Reply {
    // One resource of an unknown type spoils the request, as in Kafka.
    let known = request.resources.iter().all(|resource| is_resource_type(resource.resource_type));
    let results: Vec<DescribeConfigsResult<'_>> = request
        .resources
        .iter()
        .map(|resource| {
            let described = match known {
                true => describe(context, resource),
                false => Err(with_message(ErrorCode::InvalidRequest)),
            };
            result(request, resource, described)
        })
        .collect();
    let codes = results.iter().map(|result| ErrorCode::from_code(result.error_code));
    let error = first_error(codes);
    let response = DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() };
    let responder = context.responder();
    Reply::Done(responder.answer(error, |writer, version| response.encode(writer, version)))
}

fn is_resource_type(code: i8) -> bool {
    let types = [RESOURCE_TOPIC, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS];
    types.contains(&code) || code == RESOURCE_GROUP
}

fn describe(context: &RequestContext, resource: &DescribeConfigsResource<'_>) -> Described {
    let settings = context.shard().settings();
    let name = &*resource.resource_name;
    match resource.resource_type {
        RESOURCE_TOPIC => {
            check_topic_name(name)
                .map_err(|reason| CommandError::new(ErrorCode::InvalidTopicException, reason))?;
            let image = context.shard().image();
            match image.topic_named(name) {
                Some((_, topic)) => Ok(describe_one_topic(&settings.topic_defaults, topic)),
                // Kafka leaves this message empty, which is not null.
                None => Err(CommandError::new(ErrorCode::UnknownTopicOrPartition, "")),
            }
        }
        RESOURCE_BROKER => match is_this_broker(name, settings.node_id, " or empty string")? {
            true => Ok(settings.broker_configs.clone()),
            // The defaults that are set for every broker while it runs: there are none.
            false => Ok(Vec::new()),
        },
        RESOURCE_BROKER_LOGGER => match is_this_broker(name, settings.node_id, "")? {
            // No logger can be changed while the broker runs, so none is listed.
            true => Ok(Vec::new()),
            false => Err(invalid("Broker id must not be empty")),
        },
        RESOURCE_CLIENT_METRICS if name.is_empty() => {
            Err(invalid("Client metrics subscription name must not be empty"))
        }
        // What a subscription has that nobody set.
        RESOURCE_CLIENT_METRICS => Ok(Vec::new()),
        _ if name.is_empty() => Err(invalid("Group name must not be empty")),
        _ => Err(invalid("Unsupported resource type: GROUP")),
    }
}

fn describe_one_topic(defaults: &TopicDefaults, topic: &Topic) -> Vec<ConfigEntry> {
    let overrides: TopicOverrides =
        topic.configs().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    describe_topic(defaults, &overrides)
}

/// True for this broker's id, false for no id at all; `or` says what else Kafka expects.
fn is_this_broker(name: &str, node: BrokerId, or: &str) -> Result<bool, CommandError> {
    if name.is_empty() {
        return Ok(false);
    }
    let id: i32 = name
        .parse()
        .map_err(|_| invalid(format!("Broker id must be an integer, but it is: {name}")))?;
    if id != node.0 {
        return Err(invalid(format!(
            "Unexpected broker id, expected {node}{or}, but received {name}"
        )));
    }
    Ok(true)
}

fn invalid(message: impl Into<String>) -> CommandError {
    CommandError::new(ErrorCode::InvalidRequest, message)
}

fn with_message(code: ErrorCode) -> CommandError {
    CommandError::new(code, code.message())
}

fn result<'a>(
    request: &DescribeConfigsRequest<'_>,
    resource: &'a DescribeConfigsResource<'_>,
    described: Described,
) -> DescribeConfigsResult<'a> {
    let answered = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: (&*resource.resource_name).into(),
        ..DescribeConfigsResult::default()
    };
    match described {
        Ok(entries) => {
            DescribeConfigsResult { configs: configs(request, resource, entries), ..answered }
        }
        Err(CommandError { code, message }) => DescribeConfigsResult {
            error_code: code.code(),
            error_message: message.map(Into::into),
            ..answered
        },
    }
}

fn configs(
    request: &DescribeConfigsRequest<'_>,
    resource: &DescribeConfigsResource<'_>,
    entries: Vec<ConfigEntry>,
) -> Vec<DescribeConfigsResourceResult<'static>> {
    let wanted = entries.into_iter().filter(|entry| is_wanted(resource, entry.key.name));
    wanted.map(|entry| config(request, entry)).collect()
}

/// No keys, and null, are all keys.
fn is_wanted(resource: &DescribeConfigsResource<'_>, key: &str) -> bool {
    match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|wanted| wanted == key),
        _ => true,
    }
}

fn config(
    request: &DescribeConfigsRequest<'_>,
    entry: ConfigEntry,
) -> DescribeConfigsResourceResult<'static> {
    let synonyms = match request.include_synonyms {
        true => entry.synonyms,
        false => Vec::new(),
    };
    let synonym = |synonym: ConfigSynonym| DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: synonym.value.map(Into::into),
        source: synonym.source.code(),
        ..DescribeConfigsSynonym::default()
    };
    DescribeConfigsResourceResult {
        name: entry.key.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.key.sensitive(),
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: entry.key.kind.code(),
        documentation: request.include_documentation.then(|| entry.key.documentation().into()),
        ..DescribeConfigsResourceResult::default()
    }
}

/// Serves an AlterConfigs request: what is not named goes back to its default.
pub fn alter_configs(context: &RequestContext, request: &AlterConfigsRequest<'_>) -> Reply {
    let resources = request.resources.iter().map(replacement);
    let (resources, asked) = split(resources, context.shard().settings().node_id);
    let command = AlterConfigs { resources, validate_only: request.validate_only };
    let decided = context.shard().command(Command::AlterConfigs(command));
    let responder = context.responder();
    Reply::later(async move {
        let altered = altered(asked, decided.await);
        let error = first_error(altered.iter().map(|one| one.code));
        let responses = altered.into_iter().map(|one| AlterConfigsResourceResponse {
            error_code: one.code.code(),
            error_message: one.message.map(Into::into),
            resource_type: one.resource_type,
            resource_name: one.name.into(),
            ..Default::default()
        });
        let response =
            AlterConfigsResponse { responses: responses.collect(), ..Default::default() };
        responder.answer(error, |writer, version| response.encode(writer, version))
    })
}

/// Serves an IncrementalAlterConfigs request.
pub fn incremental_alter_configs(
    context: &RequestContext,
    request: &IncrementalAlterConfigsRequest<'_>,
) -> Reply {
    let resources = request.resources.iter().map(increment);
    let (resources, asked) = split(resources, context.shard().settings().node_id);
    let command = IncrementalAlterConfigs { resources, validate_only: request.validate_only };
    let decided = context.shard().command(Command::IncrementalAlterConfigs(command));
    let responder = context.responder();
    Reply::later(async move {
        let altered = altered(asked, decided.await);
        let error = first_error(altered.iter().map(|one| one.code));
        let responses = altered.into_iter().map(|one| incremental::AlterConfigsResourceResponse {
            error_code: one.code.code(),
            error_message: one.message.map(Into::into),
            resource_type: one.resource_type,
            resource_name: one.name.into(),
            ..Default::default()
        });
        let response = incremental::IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..Default::default()
        };
        responder.answer(error, |writer, version| response.encode(writer, version))
    })
}

fn replacement(
    resource: &alter_configs_request::AlterConfigsResource<'_>,
) -> ResourceChange<(String, Option<String>)> {
    let configs = resource.configs.iter();
    ResourceChange {
        resource_type: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: configs
            .map(|config| (config.name.to_string(), config.value.as_deref().map(Into::into)))
            .collect(),
    }
}

fn increment(
    resource: &incremental_alter_configs_request::AlterConfigsResource<'_>,
) -> ResourceChange<IncrementalChange> {
    let changes = resource.configs.iter().map(|config| IncrementalChange {
        key: config.name.to_string(),
        operation: config.config_operation,
        value: config.value.as_deref().map(Into::into),
    });
    ResourceChange {
        resource_type: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: changes.collect(),
    }
}

/// One resource that is to change, and why it does not come before the controller.
struct AskedResource {
    resource_type: i8,
    name: String,
    refused: Option<CommandError>,
}

/// Takes out what this broker refuses itself: changes of another broker, as in Kafka.
fn split<C>(
    resources: impl Iterator<Item = ResourceChange<C>>,
    node: BrokerId,
) -> (Vec<ResourceChange<C>>, Vec<AskedResource>) {
    let mut fit = Vec::new();
    let mut asked = Vec::new();
    for resource in resources {
        let other = match resource.resource_type {
            RESOURCE_BROKER => resource.name.parse().ok().filter(|id: &i32| *id != node.0),
            _ => None,
        };
        let refused = other
            .map(|id| invalid(format!("Unexpected broker id, expected {node}, but received {id}")));
        let ResourceChange { resource_type, name, .. } = &resource;
        asked.push(AskedResource { resource_type: *resource_type, name: name.clone(), refused });
        if other.is_none() {
            fit.push(resource);
        }
    }
    (fit, asked)
}

/// What became of one resource, as it stands in both answers.
#[derive(Debug, PartialEq, Eq)]
struct Altered {
    resource_type: i8,
    name: String,
    code: ErrorCode,
    message: Option<String>,
}

/// One result for each resource, in the order of the request.
fn altered(
    asked: Vec<AskedResource>,
    decided: Result<commands::Reply, CommandError>,
) -> Vec<Altered> {
    let (mut results, missing) = match decided {
        Ok(commands::Reply::AlterConfigs(results)) => {
            (results.into_iter(), with_message(ErrorCode::UnknownServerError))
        }
        Ok(_) => (Vec::new().into_iter(), with_message(ErrorCode::UnknownServerError)),
        Err(CommandError { code, message: None }) => (Vec::new().into_iter(), with_message(code)),
        Err(error) => (Vec::new().into_iter(), error),
    };
    let mut tell = |AskedResource { resource_type, name, refused }| {
        let result = match refused {
            Some(error) => Err(error),
            None => results.next().map_or_else(|| Err(missing.clone()), |one| one.result),
        };
        let (code, message) = match result {
            Ok(()) => (ErrorCode::None, None),
            Err(CommandError { code, message }) => (code, message),
        };
        Altered { resource_type, name, code, message }
    };
    asked.into_iter().map(&mut tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::ConfigResult;

    fn check_broker(name: &str, expected: Result<bool, &str>) {
        let judged = is_this_broker(name, BrokerId(7), " or empty string");
        let told = judged.map_err(|error| {
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            error.message.expect("Kafka sends one")
        });
        assert_eq!(told, expected.map_err(str::to_owned));
    }

    #[test]
    fn only_this_broker_is_described_here() {
        check_broker("7", Ok(true));
        check_broker("", Ok(false));
        check_broker("8", Err("Unexpected broker id, expected 7 or empty string, but received 8"));
        check_broker("x", Err("Broker id must be an integer, but it is: x"));
    }

    fn described(
        keys: Option<&[&str]>,
        include: bool,
    ) -> Vec<DescribeConfigsResourceResult<'static>> {
        let resource = DescribeConfigsResource {
            configuration_keys: keys
                .map(|keys| keys.iter().map(|key| (*key).to_owned().into()).collect()),
            ..Default::default()
        };
        let request = DescribeConfigsRequest {
            include_synonyms: include,
            include_documentation: include,
            ..Default::default()
        };
        let overrides: TopicOverrides =
            [("retention.ms".to_owned(), "5".to_owned())].into_iter().collect();
        let entries = describe_topic(&TopicDefaults::default(), &overrides);
        configs(&request, &resource, entries)
    }

    #[test]
    fn keys_narrow_the_answer() {
        let all = described(None, false);
        assert!(all.len() > 20);
        assert_eq!(described(Some(&[]), false), all);
        let two = described(Some(&["retention.ms", "cleanup.policy", "nonsense"]), false);
        let names: Vec<&str> = two.iter().map(|config| &*config.name).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"retention.ms") && names.contains(&"cleanup.policy"));
    }

    #[test]
    fn synonyms_and_documentation_come_when_asked_for() {
        let told = |include| described(Some(&["retention.ms"]), include).remove(0);
        let (plain, full) = (told(false), told(true));
        for config in [&plain, &full] {
            assert_eq!((config.value.as_deref(), config.config_source), (Some("5"), 1));
            assert_eq!(
                (config.config_type, config.read_only, config.is_sensitive),
                (5, false, false)
            );
        }
        assert!(plain.synonyms.is_empty() && plain.documentation.is_none());
        assert_eq!((&*full.synonyms[0].name, full.synonyms[0].source), ("retention.ms", 1));
        assert!(full.documentation.is_some_and(|text| text.len() > 20));
    }

    #[test]
    fn every_resource_is_answered_in_its_place() {
        let change = |resource_type, name: &str| ResourceChange::<()> {
            resource_type,
            name: name.into(),
            changes: Vec::new(),
        };
        let resources = [
            change(RESOURCE_BROKER, "8"),
            change(RESOURCE_TOPIC, "8"),
            change(RESOURCE_BROKER, "7"),
            change(RESOURCE_BROKER, ""),
        ];
        let (fit, asked) = split(resources.into_iter(), BrokerId(7));
        let names: Vec<&str> = fit.iter().map(|resource| resource.name.as_str()).collect();
        assert_eq!(names, ["8", "7", ""]);
        let results = fit.into_iter().map(|resource| ConfigResult {
            resource_type: resource.resource_type,
            name: resource.name,
            result: match resource.resource_type {
                RESOURCE_TOPIC => Err(ErrorCode::UnknownTopicOrPartition.into()),
                _ => Ok(()),
            },
        });
        let altered = altered(asked, Ok(commands::Reply::AlterConfigs(results.collect())));
        let told: Vec<_> = altered.iter().map(|one| (one.resource_type, one.code)).collect();
        assert_eq!(
            told,
            [
                (RESOURCE_BROKER, ErrorCode::InvalidRequest),
                (RESOURCE_TOPIC, ErrorCode::UnknownTopicOrPartition),
                (RESOURCE_BROKER, ErrorCode::None),
                (RESOURCE_BROKER, ErrorCode::None),
            ]
        );
        let message = "Unexpected broker id, expected 7, but received 8";
        assert_eq!(altered[0].message.as_deref(), Some(message));
    }

    #[test]
    fn a_failure_as_a_whole_is_told_for_each() {
        let asked = |name: &str| AskedResource {
            resource_type: RESOURCE_TOPIC,
            name: name.into(),
            refused: None,
        };
        let altered = altered(vec![asked("a"), asked("b")], Err(ErrorCode::NotController.into()));
        assert!(altered.iter().all(|one| one.code == ErrorCode::NotController));
        assert_eq!(altered[1].name, "b");
        assert_eq!(first_error(altered.iter().map(|one| one.code)), ErrorCode::NotController);
    }
}
