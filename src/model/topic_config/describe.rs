//! A topic's configuration as DescribeConfigs and CreateTopics answer it.

use super::{TOPIC_KEYS, TopicDefaults, TopicOverrides};
use crate::model::config_key::{ConfigEntry, ConfigSource, ConfigSynonym};

/// Every key that is not internal, in Kafka's order, with its value and where that comes from.
pub fn describe_topic(defaults: &TopicDefaults, overrides: &TopicOverrides) -> Vec<ConfigEntry> {
    let keys = TOPIC_KEYS.keys().iter().zip(defaults.entries());
    keys.filter(|(key, _)| !key.internal)
        .map(|(key, default)| {
            let mut synonyms = default.synonyms.clone();
            let Some(text) = overrides.get(key.name) else {
                let (value, source) = (default.value.clone(), default.source);
                return ConfigEntry { key, value, source, read_only: false, synonyms };
            };
            // An override was validated when it was set, so its text is only ever prettier.
            let value = key.parse(text).map_or_else(|_| text.clone(), |value| value.to_text());
            let source = ConfigSource::DynamicTopicConfig;
            synonyms
                .insert(0, ConfigSynonym { name: key.name, value: Some(value.clone()), source });
            ConfigEntry { key, value: Some(value), source, read_only: false, synonyms }
        })
        .collect()
}
