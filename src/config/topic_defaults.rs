//! The broker's keys as defaults of the topics' keys, with Kafka's precedence.

use super::settings::{ConfigError, Settings};
use crate::model::config_key::{ConfigKey, ConfigSource, InvalidConfig, ServerSynonym};
use crate::model::topic_config::{TopicDefault, TopicDefaults};

/// What topics have that were given nothing: of the several forms of a key (milliseconds, minutes,
/// hours) the finest that was written wins, and what Kafka would describe as its place is kept.
///
/// # Errors
/// For a value that the topic's key does not take, at the broker's key.
pub fn topic_defaults(settings: &Settings) -> Result<TopicDefaults, ConfigError> {
    let mut failure = None;
    let defaults = TopicDefaults::new(|key| {
        default_of(settings, key).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            plain(key)
        })
    });
    match (failure, defaults) {
        (Some(error), _) => Err(error),
        (None, Ok(defaults)) => Ok(defaults),
        (None, Err(error)) => Err(located(settings, error)),
    }
}

fn plain(key: &ConfigKey) -> TopicDefault {
    TopicDefault {
        value: key.default.map(str::to_owned),
        source: ConfigSource::DefaultConfig,
        synonyms: Vec::new(),
    }
}

fn default_of(settings: &Settings, key: &'static ConfigKey) -> Result<TopicDefault, ConfigError> {
    let Some(first) = key.synonyms.first() else { return Ok(plain(key)) };
    let written = key.synonyms.iter().find(|synonym| settings.given(synonym.name).is_some());
    let default = || key.synonyms.iter().find(|synonym| settings.value(synonym.name).is_some());
    let Some(chosen) = written.or_else(default) else { return Ok(plain(key)) };
    let text = converted(settings, key, chosen)?;
    let value = key.parse(&text).map_err(|_| {
        settings.invalid(chosen.name, format!("as {} it takes {}", key.name, key.allowed()))
    })?;
    let synonyms = settings.synonyms(first.name);
    let source = synonyms.first().map_or(ConfigSource::DefaultConfig, |synonym| synonym.source);
    Ok(TopicDefault { value: Some(value.to_text()), source, synonyms })
}

/// The text of a broker's key in the unit of the topic's.
fn converted(
    settings: &Settings,
    key: &ConfigKey,
    chosen: &ServerSynonym,
) -> Result<String, ConfigError> {
    if key.name != "retention.ms" && chosen.factor == 1 {
        return Ok(settings.text(chosen.name).unwrap_or_default());
    }
    let number = settings.number(chosen.name).unwrap_or_default().saturating_mul(chosen.factor);
    match (key.name, number) {
        ("retention.ms", 0) => {
            Err(settings.invalid(chosen.name, "it takes an integer of at least 1, or -1 for ever"))
        }
        ("retention.ms", ..0) => Ok("-1".into()),
        (_, number) => Ok(number.to_string()),
    }
}

/// Gives an error about a topic's key to the broker's key that caused it.
fn located(settings: &Settings, error: InvalidConfig) -> ConfigError {
    // Only two keys can contradict each other.
    let name = "log.cleaner.min.compaction.lag.ms";
    match settings.given(name) {
        Some(_) => settings.invalid(name, error.to_string()),
        None => ConfigError::Contradiction(error.to_string()),
    }
}
