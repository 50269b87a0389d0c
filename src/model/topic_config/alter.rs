//! Changes of a topic's overrides, as CreateTopics, AlterConfigs and IncrementalAlterConfigs ask.

use super::{TOPIC_KEYS, TopicConfig, TopicDefaults, TopicOverrides};
use crate::model::ErrorCode;
use crate::model::config_key::{ConfigType, InvalidConfig};

/// What IncrementalAlterConfigs does to one key (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOperation {
    /// Give the key this value.
    Set,
    /// Take the override away.
    Delete,
    /// Add these parts to a list.
    Append,
    /// Take these parts from a list.
    Subtract,
}

impl AlterOperation {
    /// The operation of a number on the wire.
    pub const fn from_code(code: i8) -> Option<AlterOperation> {
        match code {
            0 => Some(AlterOperation::Set),
            1 => Some(AlterOperation::Delete),
            2 => Some(AlterOperation::Append),
            3 => Some(AlterOperation::Subtract),
            _ => None,
        }
    }
}

/// One change of IncrementalAlterConfigs.
#[derive(Clone, Copy, Debug)]
pub struct ConfigChange<'a> {
    /// The key.
    pub name: &'a str,
    /// What to do.
    pub operation: AlterOperation,
    /// The value, as far as the operation takes one.
    pub value: Option<&'a str>,
}

/// Why a change is refused; nothing of it is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterError {
    /// The request contradicts itself.
    #[error("{0}")]
    Request(String),
    /// The outcome would be no valid configuration.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
}

impl AlterError {
    /// The error code of the answer.
    pub const fn code(&self) -> ErrorCode {
        match self {
            AlterError::Request(_) => ErrorCode::InvalidRequest,
            AlterError::Config(_) => ErrorCode::InvalidConfig,
        }
    }
}

/// The overrides of a CreateTopics or AlterConfigs request, which replace all that were there.
///
/// # Errors
/// Kafka's: a key without a value, or whatever `TopicConfig::resolve` refuses.
pub fn overrides_from_request<'a>(
    defaults: &TopicDefaults,
    configs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicOverrides, InvalidConfig> {
    let mut overrides = TopicOverrides::new();
    let mut without_value = Vec::new();
    for (name, value) in configs {
        match value {
            Some(value) => drop(overrides.insert(name.into(), value.into())),
            None => without_value.push(name),
        }
    }
    if !without_value.is_empty() {
        return Err(InvalidConfig::Null(without_value.join(",")));
    }
    validate(defaults, &overrides)?;
    Ok(overrides)
}

/// The overrides after an IncrementalAlterConfigs request for one topic.
///
/// # Errors
/// Kafka's: a key twice or without its value is INVALID_REQUEST, all else INVALID_CONFIG.
pub fn alter_overrides(
    defaults: &TopicDefaults,
    current: &TopicOverrides,
    changes: &[ConfigChange<'_>],
) -> Result<TopicOverrides, AlterError> {
    let null = |change: &&ConfigChange<'_>| {
        change.operation != AlterOperation::Delete && change.value.is_none()
    };
    let nulls: Vec<&str> = changes.iter().filter(null).map(|change| change.name).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for : {}", nulls.join(", "));
        return Err(AlterError::Request(message));
    }
    let mut names: Vec<&str> = changes.iter().map(|change| change.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(AlterError::Request("Error due to duplicate config keys".into()));
    }
    let mut overrides = current.clone();
    for change in changes {
        apply(defaults, &mut overrides, change)?;
    }
    validate(defaults, &overrides)?;
    Ok(overrides)
}

fn apply(
    defaults: &TopicDefaults,
    overrides: &mut TopicOverrides,
    change: &ConfigChange<'_>,
) -> Result<(), InvalidConfig> {
    let value = change.value.unwrap_or_default();
    let operation = match change.operation {
        AlterOperation::Delete => {
            overrides.remove(change.name);
            return Ok(());
        }
        AlterOperation::Set => {
            overrides.insert(change.name.into(), value.into());
            return Ok(());
        }
        AlterOperation::Append => "APPEND",
        AlterOperation::Subtract => "SUBTRACT",
    };
    let key = TOPIC_KEYS.position(change.name);
    let Some(position) = key.filter(|&at| TOPIC_KEYS.keys()[at].kind == ConfigType::List) else {
        return Err(InvalidConfig::NotAList { operation, name: change.name.into() });
    };
    let before = match overrides.get(change.name) {
        Some(text) => Some(text),
        None => defaults.entries()[position].value.as_ref(),
    };
    let mut parts: Vec<&str> = before.map_or(Vec::new(), |text| text.split(',').collect());
    parts.retain(|part| !part.is_empty());
    for part in value.split(',') {
        match change.operation {
            AlterOperation::Append if parts.contains(&part) => {}
            AlterOperation::Append => parts.push(part),
            _ => parts.retain(|one| *one != part),
        }
    }
    let joined = parts.join(",");
    overrides.insert(change.name.into(), joined);
    Ok(())
}

fn validate(defaults: &TopicDefaults, overrides: &TopicOverrides) -> Result<(), InvalidConfig> {
    let pairs = overrides.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    TopicConfig::resolve(defaults, pairs).map(drop)
}

#[cfg(test)]
mod tests {
    use super::AlterOperation::{Append, Delete, Set, Subtract};
    use super::*;

    const CURRENT: [(&str, &str); 2] = [("retention.ms", "5"), ("cleanup.policy", "compact")];

    type Change = (&'static str, AlterOperation, Option<&'static str>);

    fn altered(changes: &[Change]) -> Result<Vec<(String, String)>, AlterError> {
        let current = CURRENT.into_iter().map(|(name, text)| (name.into(), text.into())).collect();
        let changes: Vec<ConfigChange<'_>> = changes
            .iter()
            .map(|&(name, operation, value)| ConfigChange { name, operation, value })
            .collect();
        let after = alter_overrides(&TopicDefaults::default(), &current, &changes)?;
        Ok(after.into_iter().collect())
    }

    fn check(changes: &[Change], expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|&(name, text)| (name.into(), text.into())).collect();
        assert_eq!(altered(changes), Ok(expected), "{changes:?}");
    }

    fn check_refused(changes: &[Change], code: ErrorCode, message: &str) {
        let error = altered(changes).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }

    #[test]
    fn changes_apply_one_key_at_a_time() {
        let kept = ("retention.ms", "5");
        check(&[], &[("cleanup.policy", "compact"), kept]);
        check(&[("cleanup.policy", Delete, None)], &[kept]);
        check(&[("segment.ms", Delete, Some("x"))], &[("cleanup.policy", "compact"), kept]);
        check(&[("cleanup.policy", Set, Some("delete"))], &[("cleanup.policy", "delete"), kept]);
        check(
            &[("cleanup.policy", Append, Some("compact,delete"))],
            &[("cleanup.policy", "compact,delete"), kept],
        );
        check(&[("cleanup.policy", Subtract, Some("compact,x"))], &[("cleanup.policy", ""), kept]);
        let throttled = "leader.replication.throttled.replicas";
        check(
            &[(throttled, Append, Some("0:1")), ("cleanup.policy", Delete, None)],
            &[(throttled, "0:1"), kept],
        );
    }

    #[test]
    fn append_begins_with_the_default() {
        let changes =
            [ConfigChange { name: "cleanup.policy", operation: Append, value: Some("compact") }];
        let after =
            alter_overrides(&TopicDefaults::default(), &TopicOverrides::new(), &changes).unwrap();
        assert_eq!(after["cleanup.policy"], "delete,compact");
    }

    #[test]
    fn refusals_are_kafkas() {
        check_refused(
            &[("retention.ms", Set, None), ("segment.ms", Append, None)],
            ErrorCode::InvalidRequest,
            "Null value not supported for : retention.ms, segment.ms",
        );
        check_refused(
            &[("retention.ms", Set, Some("1")), ("retention.ms", Delete, None)],
            ErrorCode::InvalidRequest,
            "Error due to duplicate config keys",
        );
        check_refused(
            &[("retention.ms", Append, Some("1"))],
            ErrorCode::InvalidConfig,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        );
        check_refused(
            &[("nonsense", Set, Some("1"))],
            ErrorCode::InvalidConfig,
            "Unknown topic config name: nonsense",
        );
        check_refused(
            &[("segment.bytes", Set, Some("1"))],
            ErrorCode::InvalidConfig,
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        );
        let created = overrides_from_request(
            &TopicDefaults::default(),
            [("segment.ms", None), ("retention.ms", Some("1")), ("flush.ms", None)],
        );
        assert_eq!(
            created.unwrap_err().to_string(),
            "Null value not supported for topic configs: segment.ms,flush.ms"
        );
    }
}
