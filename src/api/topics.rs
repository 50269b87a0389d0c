//! CreateTopics, DeleteTopics and CreatePartitions: requests to the controller and back.

use crate::api::encode::{Responder, first_error};
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::metadata::commands::{
    self, Assignment, Command, CommandError, CreateTopicResult, CreateTopics, CreatedTopic,
    DeleteTopicResult, NewPartitions, NewTopic, TopicReference,
};
use crate::model::config_key::ConfigEntry;
use crate::model::topic_config::{TopicDefaults, TopicOverrides, describe_topic};
use crate::model::{BrokerId, ErrorCode, PartitionIndex, TopicId};
use crate::protocol::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use crate::protocol::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use crate::protocol::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::protocol::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use crate::protocol::delete_topics_request::DeleteTopicsRequest;
use crate::protocol::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

/// The first version of CreateTopics whose answer describes the topic.
const VERSION_CREATED_DESCRIBED: i16 = 5;
/// The first version of DeleteTopics with entries that are a name or an id.
const VERSION_DELETE_BY_ID: i16 = 6;
/// The first version of DeleteTopics with an error of its own for topics that may not be deleted.
const VERSION_DELETION_DISABLED: i16 = 3;

/// Serves a CreateTopics request.
pub fn create_topics(context: &RequestContext, request: &CreateTopicsRequest<'_>) -> Reply {
    let topics: Vec<NewTopic> = request.topics.iter().map(new_topic).collect();
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let command = CreateTopics { topics, validate_only: request.validate_only };
    let decided = context.shard().command(Command::CreateTopics(command));
    let responder = context.responder();
    Reply::later(async move {
        let results = match decided.await {
            Ok(commands::Reply::CreateTopics(results)) => results,
            other => {
                let error = whole(other);
                let failed = |name| CreateTopicResult { name, result: Err(error.clone()) };
                names.into_iter().map(failed).collect()
            }
        };
        answer_created(&responder, results)
    })
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let assignments = topic.assignments.iter().map(|assignment| Assignment {
        partition: PartitionIndex(assignment.partition_index),
        brokers: assignment.broker_ids.iter().copied().map(BrokerId).collect(),
    });
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.to_string(),
        partition_count: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: configs
            .map(|config| (config.name.to_string(), config.value.as_deref().map(Into::into)))
            .collect(),
    }
}

fn answer_created(responder: &Responder, results: Vec<CreateTopicResult>) -> Outcome {
    let error = first_error(results.iter().map(|one| code_of(&one.result)));
    let defaults = &responder.shard.settings().topic_defaults;
    let topics = results.into_iter().map(|CreateTopicResult { name, result }| match result {
        Ok(topic) => created(name, topic, defaults, responder.version),
        Err(CommandError { code, message }) => CreatableTopicResult {
            name: name.into(),
            error_code: code.code(),
            error_message: message.map(Into::into),
            ..CreatableTopicResult::default()
        },
    });
    let response = CreateTopicsResponse { topics: topics.collect(), ..Default::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn created(
    name: String,
    topic: CreatedTopic,
    defaults: &TopicDefaults,
    version: i16,
) -> CreatableTopicResult<'static> {
    let configs = match version >= VERSION_CREATED_DESCRIBED {
        true => created_configs(defaults, &topic.configs),
        false => Vec::new(),
    };
    CreatableTopicResult {
        name: name.into(),
        topic_id: topic.id,
        error_message: None,
        num_partitions: topic.partition_count,
        replication_factor: topic.replication_factor,
        configs: Some(configs),
        ..CreatableTopicResult::default()
    }
}

/// Every config that the topic has now, by name.
fn created_configs(
    defaults: &TopicDefaults,
    overrides: &TopicOverrides,
) -> Vec<CreatableTopicConfigs<'static>> {
    let mut entries = describe_topic(defaults, overrides);
    entries.sort_by_key(|entry| entry.key.name);
    let config = |entry: ConfigEntry| CreatableTopicConfigs {
        name: entry.key.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.key.sensitive(),
        ..CreatableTopicConfigs::default()
    };
    entries.into_iter().map(config).collect()
}

/// Serves a DeleteTopics request.
pub fn delete_topics(context: &RequestContext, request: &DeleteTopicsRequest<'_>) -> Reply {
    let topics = references(request, context.version());
    let decided = context.shard().command(Command::DeleteTopics(topics.clone()));
    let responder = context.responder();
    Reply::later(async move {
        let results = match decided.await {
            Ok(commands::Reply::DeleteTopics(results)) => results,
            other => {
                let error = deletion_refused(whole(other), responder.version);
                let failed = |TopicReference { name, id }| DeleteTopicResult {
                    name,
                    id,
                    result: Err(error.clone()),
                };
                topics.into_iter().map(failed).collect()
            }
        };
        answer_deleted(&responder, results)
    })
}

fn references(request: &DeleteTopicsRequest<'_>, version: i16) -> Vec<TopicReference> {
    if version < VERSION_DELETE_BY_ID {
        let named = |name: &std::borrow::Cow<'_, str>| TopicReference {
            name: Some(name.to_string()),
            id: TopicId::ZERO,
        };
        return request.topic_names.iter().map(named).collect();
    }
    let topics = request.topics.iter();
    topics
        .map(|topic| TopicReference {
            name: topic.name.as_deref().map(Into::into),
            id: topic.topic_id,
        })
        .collect()
}

/// Kafka answers a request that fails as a whole without a message.
fn deletion_refused(error: CommandError, version: i16) -> CommandError {
    match error.code {
        ErrorCode::TopicDeletionDisabled if version < VERSION_DELETION_DISABLED => {
            ErrorCode::InvalidRequest.into()
        }
        code => code.into(),
    }
}

fn answer_deleted(responder: &Responder, results: Vec<DeleteTopicResult>) -> Outcome {
    let error = first_error(results.iter().map(|one| code_of(&one.result)));
    let responses = results.into_iter().map(|DeleteTopicResult { name, id, result }| {
        let (error_code, error_message) = told(result);
        DeletableTopicResult {
            name: name.map(Into::into),
            topic_id: id,
            error_code,
            error_message: error_message.map(Into::into),
            ..DeletableTopicResult::default()
        }
    });
    let response = DeleteTopicsResponse { responses: responses.collect(), ..Default::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

/// Serves a CreatePartitions request.
pub fn create_partitions(context: &RequestContext, request: &CreatePartitionsRequest<'_>) -> Reply {
    let topics: Vec<NewPartitions> = request.topics.iter().map(new_partitions).collect();
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let command = commands::CreatePartitions { topics, validate_only: request.validate_only };
    let decided = context.shard().command(Command::CreatePartitions(command));
    let responder = context.responder();
    Reply::later(async move {
        let results = match decided.await {
            Ok(commands::Reply::CreatePartitions(results)) => {
                results.into_iter().map(|one| (one.name, one.result)).collect()
            }
            other => {
                let error = whole(other);
                names.into_iter().map(|name| (name, Err(error.clone()))).collect()
            }
        };
        answer_grown(&responder, results)
    })
}

fn new_partitions(topic: &CreatePartitionsTopic<'_>) -> NewPartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        let brokers = assignments.iter().map(|one| &one.broker_ids);
        brokers.map(|ids| ids.iter().copied().map(BrokerId).collect()).collect()
    });
    NewPartitions { name: topic.name.to_string(), count: topic.count, assignments }
}

fn answer_grown(
    responder: &Responder,
    results: Vec<(String, Result<(), CommandError>)>,
) -> Outcome {
    let error = first_error(results.iter().map(|(_, result)| code_of(result)));
    let results = results.into_iter().map(|(name, result)| {
        let (error_code, error_message) = told(result);
        CreatePartitionsTopicResult {
            name: name.into(),
            error_code,
            error_message: error_message.map(Into::into),
            ..CreatePartitionsTopicResult::default()
        }
    });
    let response = CreatePartitionsResponse { results: results.collect(), ..Default::default() };
    responder.answer(error, |writer, version| response.encode(writer, version))
}

/// Why a command failed as a whole; the reply to another command would be a programmer's error.
fn whole(decided: Result<commands::Reply, CommandError>) -> CommandError {
    match decided {
        Err(CommandError { code, message: None }) => CommandError::new(code, code.message()),
        Err(error) => error,
        Ok(_) => ErrorCode::UnknownServerError.into(),
    }
}

/// The code and the message on the wire.
fn told(result: Result<(), CommandError>) -> (i16, Option<String>) {
    match result {
        Ok(()) => (ErrorCode::None.code(), None),
        Err(CommandError { code, message }) => (code.code(), message),
    }
}

fn code_of<T>(result: &Result<T, CommandError>) -> ErrorCode {
    result.as_ref().err().map_or(ErrorCode::None, |error| error.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::create_topics_request::{
        CreatableReplicaAssignment, CreatableTopicConfig,
    };
    use crate::protocol::delete_topics_request::DeleteTopicState;

    #[test]
    fn a_created_topic_is_described_by_name_from_version_5_on() {
        let overrides: TopicOverrides =
            [("retention.ms".to_owned(), "5".to_owned())].into_iter().collect();
        let topic = CreatedTopic {
            id: TopicId([4; 16]),
            partition_count: 3,
            replication_factor: 1,
            configs: overrides,
        };
        let defaults = TopicDefaults::default();
        let old = created("t".into(), topic.clone(), &defaults, 4);
        assert_eq!(old.configs, Some(Vec::new()));
        let new = created("t".into(), topic, &defaults, 5);
        assert_eq!((new.num_partitions, new.replication_factor, new.error_code), (3, 1, 0));
        let configs = new.configs.expect("never null");
        assert!(configs.is_sorted_by(|one, next| one.name < next.name));
        let find = |name| configs.iter().find(|config| config.name == name).expect("described");
        let (retention, policy) = (find("retention.ms"), find("cleanup.policy"));
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5"), 1));
        assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
    }

    #[test]
    fn topics_are_deleted_by_name_until_version_5() {
        let request = DeleteTopicsRequest {
            topic_names: vec!["a".into()],
            topics: vec![DeleteTopicState {
                name: None,
                topic_id: TopicId([1; 16]),
                ..Default::default()
            }],
            ..Default::default()
        };
        let named = TopicReference { name: Some("a".into()), id: TopicId::ZERO };
        assert_eq!(references(&request, 5), [named]);
        let by_id = TopicReference { name: None, id: TopicId([1; 16]) };
        assert_eq!(references(&request, 6), [by_id]);
    }

    #[test]
    fn disabled_deletion_has_its_own_error_from_version_3_on() {
        let refused = |version| {
            let error = CommandError::from(ErrorCode::TopicDeletionDisabled);
            deletion_refused(error, version).code
        };
        assert_eq!(refused(2), ErrorCode::InvalidRequest);
        assert_eq!(refused(3), ErrorCode::TopicDeletionDisabled);
    }

    #[test]
    fn a_request_becomes_a_command() {
        let topic = CreatableTopic {
            name: "t".into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: vec![CreatableReplicaAssignment {
                partition_index: 2,
                broker_ids: vec![1, 3],
                ..Default::default()
            }],
            configs: vec![CreatableTopicConfig {
                name: "k".into(),
                value: None,
                ..Default::default()
            }],
            ..Default::default()
        };
        let brokers = vec![BrokerId(1), BrokerId(3)];
        let expected = NewTopic {
            assignments: vec![Assignment { partition: PartitionIndex(2), brokers }],
            configs: vec![("k".into(), None)],
            ..NewTopic::named("t")
        };
        assert_eq!(new_topic(&topic), expected);
    }
}
