//! What a value must hold to beyond its type, with Kafka's messages (`ConfigDef.Validator`).

use super::{ConfigType, ConfigValue, InvalidConfig};

/// A validator, read from what its Kafka counterpart prints.
#[derive(Clone, Debug, PartialEq)]
pub enum Validator {
    /// Anything of the type.
    Any,
    /// `[1,...]` or `[1,...,9]`.
    Range {
        /// The least value.
        min: f64,
        /// The largest value, if there is one.
        max: Option<f64>,
    },
    /// `[1,...,9] or -1`, of the gzip level alone.
    RangeOr {
        /// The least value.
        min: i64,
        /// The largest value.
        max: i64,
        /// The value outside the range that is allowed.
        or: i64,
    },
    /// One of some texts; for a list each part must be one.
    OneOf {
        /// The texts.
        texts: Vec<&'static str>,
        /// Whether upper and lower case are the same.
        any_case: bool,
    },
    /// A text that is not empty.
    NotEmpty,
    /// A list without empty parts.
    ListWithoutEmptyParts,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
}

const THROTTLED_REPLICAS: &str = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";

impl Validator {
    pub(super) fn parse(kind: ConfigType, text: &'static str) -> Option<Validator> {
        match text {
            "" | "non-null string" => return Some(Validator::Any),
            "non-empty string" => return Some(Validator::NotEmpty),
            "non-empty list" => return Some(Validator::ListWithoutEmptyParts),
            THROTTLED_REPLICAS => return Some(Validator::ThrottledReplicas),
            _ => {}
        }
        if let Some((range, or)) = text.split_once(" or ") {
            let (min, max) = parse_range(range)?;
            let or = or.parse().ok()?;
            return Some(Validator::RangeOr { min: min as i64, max: max? as i64, or });
        }
        if !matches!(kind, ConfigType::String | ConfigType::List) {
            let (min, max) = parse_range(text)?;
            return Some(Validator::Range { min, max });
        }
        let (any_case, texts) = match text.strip_prefix("(case insensitive) ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let texts = texts.strip_prefix('[')?.strip_suffix(']')?.split(", ").collect();
        Some(Validator::OneOf { texts, any_case })
    }

    /// Refuses a value with Kafka's message; a list loses its duplicates as in Kafka.
    pub(super) fn check(
        &self,
        name: &'static str,
        value: &mut ConfigValue,
    ) -> Result<(), InvalidConfig> {
        let refuse = |value: String, reason| Err(InvalidConfig::Value { name, value, reason });
        match (self, value) {
            (Validator::Range { min, max }, value) => match self.outside(value) {
                Some(std::cmp::Ordering::Less) => {
                    refuse(value.to_text(), format!("Value must be at least {min}"))
                }
                Some(_) => {
                    let max = max.unwrap_or(f64::INFINITY);
                    refuse(value.to_text(), format!("Value must be no more than {max}"))
                }
                None => Ok(()),
            },
            (Validator::RangeOr { min, max, or }, ConfigValue::Number(number)) => {
                if (*min..=*max).contains(number) || number == or {
                    return Ok(());
                }
                let reason = format!("Value must be between {min} and {max} or equal to {or}");
                refuse(number.to_string(), reason)
            }
            (Validator::OneOf { .. }, ConfigValue::Text(text)) => match self.admits(text) {
                true => Ok(()),
                false => refuse(text.clone(), self.one_of()),
            },
            (Validator::OneOf { .. }, ConfigValue::List(parts)) => {
                without_duplicates(name, parts)?;
                match parts.iter().find(|part| !self.admits(part)) {
                    None => Ok(()),
                    Some(part) => refuse(part.clone(), self.one_of()),
                }
            }
            (Validator::ListWithoutEmptyParts, ConfigValue::List(parts)) => {
                without_duplicates(name, parts)
            }
            (Validator::NotEmpty, ConfigValue::Text(text)) if text.is_empty() => {
                refuse(String::new(), "String must be non-empty".into())
            }
            (Validator::ThrottledReplicas, ConfigValue::List(parts)) => {
                if throttled_replicas(parts) {
                    return Ok(());
                }
                let reason = format!(
                    "{name} must be the literal '*' or a list of replicas in the following \
                     format: {THROTTLED_REPLICAS}"
                );
                refuse(format!("[{}]", parts.join(", ")), reason)
            }
            _ => Ok(()),
        }
    }

    fn outside(&self, value: &ConfigValue) -> Option<std::cmp::Ordering> {
        let Validator::Range { min, max } = self else { return None };
        let number = match value {
            // Bounds are small enough, or the type's own limit, for a float to hold them exactly.
            ConfigValue::Number(number) => *number as f64,
            ConfigValue::Double(number) => *number,
            _ => return None,
        };
        if number < *min {
            return Some(std::cmp::Ordering::Less);
        }
        max.is_some_and(|max| number > max).then_some(std::cmp::Ordering::Greater)
    }

    fn admits(&self, text: &str) -> bool {
        let Validator::OneOf { texts, any_case } = self else { return true };
        texts.iter().any(|one| *one == text || (*any_case && one.eq_ignore_ascii_case(text)))
    }

    fn one_of(&self) -> String {
        match self {
            Validator::OneOf { texts, any_case: false } => {
                format!("String must be one of: {}", texts.join(", "))
            }
            Validator::OneOf { texts, any_case: true } => {
                format!("String must be one of (case insensitive): {}", texts.join(", "))
            }
            _ => String::new(),
        }
    }

    /// What is allowed, as the end of a sentence.
    pub(super) fn allowed(&self, kind: &str) -> String {
        let kind = match kind.split_once(" of ") {
            Some((number, _)) if !matches!(self, Validator::Any) => number,
            _ => kind,
        };
        match self {
            Validator::Range { min, max: None } => format!("{kind} of at least {min}"),
            Validator::Range { min, max: Some(max) } => format!("{kind} from {min} to {max}"),
            Validator::RangeOr { min, max, or } => format!("{kind} from {min} to {max}, or {or}"),
            Validator::OneOf { texts, .. } if kind.starts_with("a list") => {
                format!("a list of {}", texts.join(", "))
            }
            Validator::OneOf { texts, .. } => format!("one of {}", texts.join(", ")),
            Validator::NotEmpty => "text that is not empty".into(),
            Validator::ListWithoutEmptyParts => "a list without empty parts".into(),
            Validator::ThrottledReplicas => format!("* or {THROTTLED_REPLICAS}"),
            Validator::Any => kind.into(),
        }
    }
}

fn parse_range(text: &str) -> Option<(f64, Option<f64>)> {
    let (min, max) = text.strip_prefix('[')?.strip_suffix(']')?.split_once(",...")?;
    let max = match max.strip_prefix(',') {
        None => None,
        Some(max) => Some(max.parse().ok()?),
    };
    Some((min.parse().ok()?, max))
}

fn without_duplicates(name: &'static str, parts: &mut Vec<String>) -> Result<(), InvalidConfig> {
    let mut seen: Vec<String> = Vec::new();
    for part in parts.drain(..) {
        if !seen.contains(&part) {
            seen.push(part);
        }
    }
    *parts = seen;
    match parts.iter().any(|part| part.is_empty()) {
        true => Err(InvalidConfig::EmptyPart(name)),
        false => Ok(()),
    }
}

fn throttled_replicas(parts: &[String]) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let replica = |part: &String| match part.split_once(':') {
        Some((partition, broker)) => digits(partition) && digits(broker),
        None => part.is_empty(),
    };
    matches!(parts, [only] if only == "*") || parts.iter().all(replica)
}
