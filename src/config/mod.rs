//! The operator's configuration: a Kafka `server.properties` and overrides, parsed once.
//!
//! `BrokerConfig::load` is the only way in: it knows every key of Kafka 4.4.0 (`disposition` says
//! what becomes of each), refuses what would silently weaken a set-up, and answers with plain
//! values and remarks for the operator. It touches neither the disk nor the machine: the caller
//! reads the file and says what the process may use. Topic configs live in `model::topic_config`,
//! below the rooms that store and enforce them. Deliberately absent: changing a broker's
//! configuration while it runs.

mod broker_config;
pub mod cpu_list;
mod describe;
mod disposition;
mod list;
mod listeners;
mod nearest;
mod properties;
mod settings;
mod topic_defaults;

#[cfg(test)]
mod tests;

pub use broker_config::{BrokerConfig, GroupConfig, Machine};
pub use list::list;
pub use listeners::{HostPort, Listener};
pub use nearest::nearest;
pub use properties::{FILE_BYTES_MAX, PropertiesError, Property, parse as parse_properties};
pub use settings::{ConfigError, ConfigFile, Place, Remark};

/// Whether a key is ours and not Kafka's.
fn is_own_key(name: &str) -> bool {
    settings::OWN_KEYS.lines().any(|line| line.split('\t').next() == Some(name))
}

/// Whether Kafka or Klamm knows a broker key of that name.
pub fn is_known_broker_key(name: &str) -> bool {
    settings::BROKER_KEYS.position(name).is_some()
}
