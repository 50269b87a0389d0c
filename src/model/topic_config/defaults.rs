//! What a broker's configuration gives to topics that were not given it themselves.

use super::{TOPIC_KEYS, TopicConfig, refuse_unsupported};
use crate::model::config_key::{
    ConfigKey, ConfigSource, ConfigSynonym, ConfigValue, InvalidConfig,
};

/// The default of one topic key.
#[derive(Clone, Debug)]
pub struct TopicDefault {
    /// The value's text; `None` is Kafka's null.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Every place that gives it, the one in force first, as DescribeConfigs shows them.
    pub synonyms: Vec<ConfigSynonym>,
}

/// The defaults of all topic keys on one broker.
#[derive(Clone, Debug)]
pub struct TopicDefaults {
    // Both in the order of `TOPIC_KEYS`.
    entries: Vec<TopicDefault>,
    values: Vec<Option<ConfigValue>>,
    config: TopicConfig,
}

impl TopicDefaults {
    /// Asks for each key's default.
    ///
    /// # Errors
    /// Those of `TopicConfig::resolve`; the key is the topic's.
    pub fn new(
        mut default_of: impl FnMut(&'static ConfigKey) -> TopicDefault,
    ) -> Result<TopicDefaults, InvalidConfig> {
        let entries: Vec<TopicDefault> = TOPIC_KEYS.keys().iter().map(&mut default_of).collect();
        let mut values = Vec::with_capacity(entries.len());
        for (key, entry) in TOPIC_KEYS.keys().iter().zip(&entries) {
            let value = entry.value.as_ref().map(|text| key.parse(text)).transpose()?;
            if let Some(value) = &value {
                refuse_unsupported(key.name, value)?;
            }
            values.push(value);
        }
        let config = TopicConfig::from_values(&values)?;
        Ok(TopicDefaults { entries, values, config })
    }

    /// The configuration of a topic without overrides.
    pub fn config(&self) -> &TopicConfig {
        &self.config
    }

    pub(super) fn entries(&self) -> &[TopicDefault] {
        &self.entries
    }

    pub(super) fn values(&self) -> &[Option<ConfigValue>] {
        &self.values
    }
}

impl Default for TopicDefaults {
    /// The defaults of a broker without a configuration file.
    fn default() -> TopicDefaults {
        let plain = |key: &'static ConfigKey| TopicDefault {
            value: key.default.map(str::to_owned),
            source: ConfigSource::DefaultConfig,
            synonyms: Vec::new(),
        };
        TopicDefaults::new(plain).expect("the committed defaults are valid")
    }
}
