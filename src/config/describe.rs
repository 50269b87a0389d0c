//! A broker's configuration as DescribeConfigs answers it.

use super::settings::{BROKER_KEYS, Settings};
use crate::model::config_key::{ConfigEntry, ConfigSource};

/// Every key that is not internal, Kafka's in Kafka's order and then our own. All are read-only:
/// this version takes them from the file and the command line alone.
pub fn describe_broker(settings: &Settings) -> Vec<ConfigEntry> {
    let keys = BROKER_KEYS.keys().iter().filter(|key| !key.internal);
    keys.map(|key| {
        let value = settings.text(key.name).filter(|_| !key.sensitive());
        let synonyms = settings.synonyms(key.name);
        let source = synonyms.first().map_or(ConfigSource::DefaultConfig, |one| one.source);
        ConfigEntry { key, value, source, read_only: true, synonyms }
    })
    .collect()
}
