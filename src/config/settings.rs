//! What the operator wrote: the known keys of the file and the command line, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use super::disposition::{Disposition, disposition, missing_part};
use super::nearest::nearest;
use super::properties::{self, PropertiesError};
use crate::model::config_key::{
    ConfigKey, ConfigSource, ConfigSynonym, ConfigTable, ConfigValue, InvalidConfig,
};

/// Every key of a broker: Kafka's, then our own. Where our default differs from Kafka's it stands
/// here: each batch is on disk before its acknowledgement, and data is not under `/tmp`.
pub static BROKER_KEYS: LazyLock<ConfigTable> = LazyLock::new(|| {
    ConfigTable::parse(
        &[include_str!("kafka-4.4.0-broker.tsv"), OWN_KEYS],
        &[
            ("log.dir", "./data"),
            ("log.flush.interval.messages", "1"),
            ("node.id", "1"),
            ("process.roles", "broker,controller"),
        ],
    )
});

/// Our own keys, one a line.
pub const OWN_KEYS: &str = include_str!("klamm.tsv");

/// The listeners of a broker without a configuration file: nobody but this machine is served.
const LISTENERS_WITHOUT_FILE: &str = "PLAINTEXT://127.0.0.1:9092";

/// Keys that Kafka knows only by their beginning: what one listener does differently.
const LISTENER_PREFIX: &str = "listener.name.";

/// A configuration file that somebody has read.
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile<'a> {
    /// Its path, as the operator gave it.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// Where a key was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// The file's path.
        name: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// As `--override`.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { name, line } => write!(f, "{name}:{line}"),
            Place::CommandLine => f.write_str("--override"),
        }
    }
}

/// A key as it was written.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its text.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// Why the broker does not start: one sentence with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is no properties file.
    #[error("{place}: {reason}")]
    File {
        /// The file, with the line where there is one.
        place: String,
        /// What is wrong with it.
        reason: PropertiesError,
    },
    /// A value that its key does not take.
    #[error("{place}: {key}={value} is not valid: {reason}")]
    Invalid {
        /// Where it was written.
        place: Place,
        /// The key.
        key: &'static str,
        /// The value, unless it is secret.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// A value that would have to be ignored, and must not be.
    #[error("{place}: {key}={value} is refused: {reason}")]
    Refused {
        /// Where it was written.
        place: Place,
        /// The key.
        key: String,
        /// The value, unless it is secret.
        value: String,
        /// What would be lost, and what to do.
        reason: &'static str,
    },
    /// An override without a `=`.
    #[error("--override {0}: it has to be key=value")]
    MalformedOverride(String),
    /// An override of a key that nobody knows.
    #[error("--override {key}: no such key{}", did_you_mean(*nearest))]
    UnknownOverride {
        /// The key.
        key: String,
        /// The known key that it resembles.
        nearest: Option<&'static str>,
    },
    /// Values that are each valid and contradict each other or the machine.
    #[error("{0}")]
    Contradiction(String),
}

/// Something that does not hinder the start and that the operator should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// A key that nobody knows; it does nothing.
    #[error("{place}: unknown key {key}{}", did_you_mean(*nearest))]
    UnknownKey {
        /// Where it was written.
        place: Place,
        /// The key.
        key: String,
        /// The known key that it resembles.
        nearest: Option<&'static str>,
    },
    /// A key of Kafka's that has no effect here, or none yet.
    #[error("{place}: {key} has no effect: {note}")]
    NoEffect {
        /// Where it was written.
        place: Place,
        /// The key.
        key: &'static str,
        /// What replaces it, or from when it acts.
        note: &'static str,
    },
    /// A value that asks for more than there is.
    #[error("{place}: {key}={value} acts in part: {note}")]
    InPart {
        /// Where it was written.
        place: Place,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What does not act.
        note: &'static str,
    },
}

fn did_you_mean(nearest: Option<&'static str>) -> String {
    nearest.map_or(String::new(), |name| format!(", did you mean {name}?"))
}

/// The known keys that were given, each of its type.
#[derive(Debug)]
pub struct Settings {
    given: BTreeMap<&'static str, Given>,
    has_file: bool,
}

impl Settings {
    /// Reads the file and then the overrides, of which the last of a key wins.
    ///
    /// # Errors
    /// For a malformed file, an unknown override, a value of the wrong type or outside its range,
    /// and a value that this broker must not ignore.
    pub fn gather(
        file: Option<ConfigFile<'_>>,
        overrides: &[String],
    ) -> Result<(Settings, Vec<Remark>), ConfigError> {
        let mut remarks = Vec::new();
        let mut given = BTreeMap::new();
        if let Some(file) = file {
            read_file(file, &mut given, &mut remarks)?;
        }
        for text in overrides {
            let (key, value) = parse_override(text)?;
            given.insert(key, Given { text: value.into(), place: Place::CommandLine });
        }
        for (name, one) in &given {
            let key = BROKER_KEYS.find(name).expect("only known keys are gathered");
            let value = parse_given(key, one)?;
            let place = || one.place.clone();
            match disposition(name) {
                Disposition::Refused(reason) if differs(key, &value) => {
                    let (place, value) = (place(), shown(key, &one.text));
                    return Err(ConfigError::Refused {
                        place,
                        key: key.name.into(),
                        value,
                        reason,
                    });
                }
                Disposition::Noted(note) => {
                    remarks.push(Remark::NoEffect { place: place(), key: key.name, note });
                }
                Disposition::Implemented => {
                    remarks.extend(missing_part(name, &value).map(|note| {
                        let (place, value) = (place(), shown(key, &one.text));
                        Remark::InPart { place, key: key.name, value, note }
                    }))
                }
                Disposition::Refused(_) => {}
            }
        }
        Ok((Settings { given, has_file: file.is_some() }, remarks))
    }

    /// The key as it was given, if it was.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// A key's default for this broker; `None` is null.
    pub fn default(&self, key: &ConfigKey) -> Option<&'static str> {
        match key.name {
            "listeners" if !self.has_file => Some(LISTENERS_WITHOUT_FILE),
            _ => key.default,
        }
    }

    /// The value that was given, or else the default's; `None` where that is null.
    pub fn value(&self, name: &str) -> Option<ConfigValue> {
        let key = key_of(name);
        let text = self.given.get(name).map(|one| one.text.as_str()).or(self.default(key));
        text.map(|text| key.parse(text).expect("gathered values and committed defaults are valid"))
    }

    /// A number's value or default.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            ConfigValue::Number(number) => Some(number),
            other => unreachable!("{name} is a number, not {other:?}"),
        }
    }

    /// A boolean's value or default.
    pub fn boolean(&self, name: &str) -> bool {
        self.value(name) == Some(ConfigValue::Boolean(true))
    }

    /// A text's value or default.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_text())
    }

    /// A list's value or default.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            None => Vec::new(),
            Some(ConfigValue::List(parts)) => parts,
            Some(other) => unreachable!("{name} is a list, not {other:?}"),
        }
    }

    /// The error for a value that was given and passes its type, but not more.
    pub fn invalid(&self, name: &str, reason: impl Into<String>) -> ConfigError {
        let (key, reason) = (key_of(name), reason.into());
        match self.given.get(name) {
            Some(one) => {
                let (place, value) = (one.place.clone(), shown(key, &one.text));
                ConfigError::Invalid { place, key: key.name, value, reason }
            }
            None => {
                let value = self.default(key).unwrap_or("null");
                ConfigError::Contradiction(format!("the default {name}={value}: {reason}"))
            }
        }
    }

    /// Every place that gives a value to one of some keys, as Kafka's `ConfigHelper` lists them:
    /// first what was written, then the defaults, and nothing before the first of `name` itself.
    pub fn synonyms(&self, name: &str) -> Vec<ConfigSynonym> {
        let key = key_of(name);
        let names = || key.synonyms.iter().map(|synonym| key_of(synonym.name));
        let visible = |key: &ConfigKey, text: &str| (!key.sensitive()).then(|| text.to_owned());
        let given = names().filter_map(|one| {
            let value = visible(one, &self.given.get(one.name)?.text);
            Some(ConfigSynonym { name: one.name, value, source: ConfigSource::StaticBrokerConfig })
        });
        let defaults = names().filter_map(|one| {
            let value = visible(one, self.default(one)?);
            Some(ConfigSynonym { name: one.name, value, source: ConfigSource::DefaultConfig })
        });
        given.chain(defaults).skip_while(|synonym| synonym.name != name).collect()
    }
}

fn key_of(name: &str) -> &'static ConfigKey {
    BROKER_KEYS.find(name).expect("every key that is read is in a table")
}

fn read_file(
    file: ConfigFile<'_>,
    given: &mut BTreeMap<&'static str, Given>,
    remarks: &mut Vec<Remark>,
) -> Result<(), ConfigError> {
    let parsed = properties::parse(file.bytes).map_err(|reason| {
        let place = match reason {
            PropertiesError::MalformedEscape { line } => format!("{}:{line}", file.name),
            PropertiesError::TooLarge(_) => file.name.into(),
        };
        ConfigError::File { place, reason }
    })?;
    for (name, property) in parsed {
        let place = Place::File { name: file.name.into(), line: property.line };
        if let Some(key) = BROKER_KEYS.find(&name) {
            given.insert(key.name, Given { text: property.text, place });
        } else if name.starts_with(LISTENER_PREFIX) {
            let reason = "settings of a single listener (its limits, TLS or SASL) are not \
                          supported yet, remove the line";
            let (key, value) = (name, "...".into());
            return Err(ConfigError::Refused { place, key, value, reason });
        } else {
            let nearest = nearest_key(&name);
            remarks.push(Remark::UnknownKey { place, key: name, nearest });
        }
    }
    Ok(())
}

fn parse_override(text: &str) -> Result<(&'static str, &str), ConfigError> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(ConfigError::MalformedOverride(text.into()));
    };
    match BROKER_KEYS.find(name.trim()) {
        Some(key) => Ok((key.name, value)),
        None => {
            let (key, nearest) = (name.trim().to_owned(), nearest_key(name));
            Err(ConfigError::UnknownOverride { key, nearest })
        }
    }
}

fn nearest_key(name: &str) -> Option<&'static str> {
    nearest(name, BROKER_KEYS.keys().iter().map(|key| key.name))
}

fn parse_given(key: &'static ConfigKey, one: &Given) -> Result<ConfigValue, ConfigError> {
    key.parse(&one.text).map_err(|error| {
        let reason = match error {
            InvalidConfig::EmptyPart(_) => "it takes a list without empty parts".into(),
            _ => format!("it takes {}", key.allowed()),
        };
        let (place, value) = (one.place.clone(), shown(key, &one.text));
        ConfigError::Invalid { place, key: key.name, value, reason }
    })
}

/// Whether a value is another than the key's default; an empty text or list is like none.
fn differs(key: &ConfigKey, value: &ConfigValue) -> bool {
    let text = value.to_text();
    match key.default {
        Some(default) => key.parse(default).map(|value| value.to_text()).as_ref() != Ok(&text),
        None => !text.is_empty(),
    }
}

/// A value for a message: nothing secret, nothing long.
fn shown(key: &ConfigKey, text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    if key.sensitive() {
        return "[hidden]".into();
    }
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
