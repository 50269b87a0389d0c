//! A key's value: text to value and back, with Kafka's rules and messages (`ConfigDef.parseType`).

use super::{ConfigKey, ConfigType};

/// Why a value, a key or a combination is refused; the text is Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// No topic key has that name.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicKey(String),
    /// A value that its type or its validator refuses.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// The key.
        name: &'static str,
        /// The value, as Kafka shows it.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A list has an empty part.
    #[error("Configuration '{0}' values must not be empty.")]
    EmptyPart(&'static str),
    /// A topic key was sent without a value.
    #[error("Null value not supported for topic configs: {0}")]
    Null(String),
    /// APPEND or SUBTRACT for a key that is no list.
    #[error("Can't {operation} to key {name} because its type is not LIST.")]
    NotAList {
        /// The operation's name.
        operation: &'static str,
        /// The key.
        name: String,
    },
    /// Two keys contradict each other, or this broker cannot honour the value.
    #[error("{0}")]
    Unsupported(String),
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    /// Of `Boolean`.
    Boolean(bool),
    /// Of `Int`, `Short` and `Long`.
    Number(i64),
    /// Of `Double`.
    Double(f64),
    /// Of `String`, `Class` and `Password`.
    Text(String),
    /// Of `List`.
    List(Vec<String>),
}

impl ConfigValue {
    /// The value as Kafka prints it (`ConfigDef.convertToString`).
    pub fn to_text(&self) -> String {
        match self {
            ConfigValue::Boolean(value) => value.to_string(),
            ConfigValue::Number(value) => value.to_string(),
            ConfigValue::Double(value) => java_double(*value),
            ConfigValue::Text(text) => text.clone(),
            ConfigValue::List(parts) => parts.join(","),
        }
    }
}

/// Prints as Java's `Double.toString`: decimal between 10⁻³ and 10⁷, else with an exponent.
fn java_double(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Cuts what Java's `String.trim` cuts.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

impl ConfigKey {
    /// Parses and validates the text of a value.
    pub fn parse(&self, text: &str) -> Result<ConfigValue, InvalidConfig> {
        let mut value = self.parse_type(text)?;
        self.validator.check(self.name, &mut value)?;
        Ok(value)
    }

    fn parse_type(&self, text: &str) -> Result<ConfigValue, InvalidConfig> {
        let trimmed = trim(text);
        let refused =
            |reason: String| InvalidConfig::Value { name: self.name, value: text.into(), reason };
        let number = |low: i64, high: i64| match trimmed.parse::<i64>() {
            Ok(value) if (low..=high).contains(&value) => Ok(ConfigValue::Number(value)),
            _ => Err(refused(format!("Not a number of type {}", self.kind.name()))),
        };
        match self.kind {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => {
                Ok(ConfigValue::Boolean(true))
            }
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => {
                Ok(ConfigValue::Boolean(false))
            }
            ConfigType::Boolean => Err(refused("Expected value to be either true or false".into())),
            ConfigType::Short => number(i16::MIN.into(), i16::MAX.into()),
            ConfigType::Int => number(i32::MIN.into(), i32::MAX.into()),
            ConfigType::Long => number(i64::MIN, i64::MAX),
            ConfigType::Double => match trimmed.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(ConfigValue::Double(value)),
                _ => Err(refused("Not a number of type DOUBLE".into())),
            },
            ConfigType::List if trimmed.is_empty() => Ok(ConfigValue::List(Vec::new())),
            ConfigType::List => {
                Ok(ConfigValue::List(trimmed.split(',').map(|part| trim(part).into()).collect()))
            }
            ConfigType::String | ConfigType::Class | ConfigType::Password => {
                Ok(ConfigValue::Text(trimmed.into()))
            }
        }
    }

    /// What the key takes, as the end of a sentence: `an integer of at least 1`.
    pub fn allowed(&self) -> String {
        let kind = match self.kind {
            ConfigType::Boolean => "true or false",
            ConfigType::Short => "an integer of 16 bits",
            ConfigType::Int => "an integer of 32 bits",
            ConfigType::Long => "an integer of 64 bits",
            ConfigType::Double => "a number",
            ConfigType::List => "a list separated by commas",
            ConfigType::String | ConfigType::Class | ConfigType::Password => "text",
        };
        self.validator.allowed(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::java_double;

    #[test]
    fn doubles_print_as_in_java() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e7, "1.0E7"),
            (1.5e300, "1.5E300"),
            (f64::MAX, "1.7976931348623157E308"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }
}
