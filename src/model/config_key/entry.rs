//! One key of a DescribeConfigs answer.

use super::ConfigKey;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set on the topic.
    DynamicTopicConfig = 1,
    /// From the broker's configuration file or an override on its command line.
    StaticBrokerConfig = 4,
    /// Nobody set it.
    DefaultConfig = 5,
}

impl ConfigSource {
    /// The number on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// One of the places that could have given a value, the first of them did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key there.
    pub name: &'static str,
    /// Its value there, as it was written; `None` where it must not be shown.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// One key with its value, as DescribeConfigs answers it.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key: its name, type, sensitivity and documentation.
    pub key: &'static ConfigKey,
    /// The value in force; `None` where it is null or must not be shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether no request can change it.
    pub read_only: bool,
    /// Every place that gives a value, the one in force first.
    pub synonyms: Vec<ConfigSynonym>,
}
