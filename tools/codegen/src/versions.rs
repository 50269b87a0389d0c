//! Version ranges as definitions write them: `3`, `2-5`, `7+`, `none`.

use anyhow::{Context, Result};

/// Versions from `min` to `max`, both included; empty where `min > max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    pub fn parse(text: &str) -> Result<Versions> {
        let number = |text: &str| text.parse::<i16>().context("not a version");
        let text = text.trim();
        if text.is_empty() || text == "none" {
            return Ok(Versions::NONE);
        }
        if let Some(min) = text.strip_suffix('+') {
            return Ok(Versions { min: number(min)?, max: i16::MAX });
        }
        match text.split_once('-') {
            Some((min, max)) => Ok(Versions { min: number(min)?, max: number(max)? }),
            None => Ok(Versions { min: number(text)?, max: number(text)? }),
        }
    }

    pub fn is_empty(self) -> bool {
        self.min > self.max
    }

    pub fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    pub fn and(self, other: Versions) -> Versions {
        let both = Versions { min: self.min.max(other.min), max: self.max.min(other.max) };
        if both.is_empty() { Versions::NONE } else { both }
    }

    /// How many of `within` are in this range.
    pub fn part_of(self, within: Versions) -> Part {
        let both = self.and(within);
        if both.is_empty() {
            return Part::Never;
        }
        let from = (both.min > within.min).then_some(both.min);
        let to = (both.max < within.max).then_some(both.max);
        match (from, to) {
            (None, None) => Part::Always,
            (Some(min), None) => Part::When(format!("version >= {min}")),
            (None, Some(max)) => Part::When(format!("version <= {max}")),
            (Some(min), Some(max)) => Part::When(format!("({min}..={max}).contains(&version)")),
        }
    }
}

/// Whether something holds for each version of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Always,
    Never,
    /// A condition in Rust over `version`.
    When(String),
}

impl Part {
    /// The condition as a Rust expression.
    pub fn condition(&self) -> String {
        match self {
            Part::Always => "true".into(),
            Part::Never => "false".into(),
            Part::When(condition) => condition.clone(),
        }
    }

    /// The opposite of the condition as a Rust expression.
    pub fn negation(&self) -> String {
        match self {
            Part::Always => "false".into(),
            Part::Never => "true".into(),
            Part::When(condition) if condition.starts_with("version >=") => {
                condition.replace(">=", "<")
            }
            Part::When(condition) if condition.starts_with("version <=") => {
                condition.replace("<=", ">")
            }
            Part::When(condition) => format!("!{condition}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Versions};

    #[test]
    fn ranges_parse_and_become_conditions() {
        let within = Versions { min: 2, max: 7 };
        let when = |text: &str| Part::When(text.into());
        for (text, part) in [
            ("0+", Part::Always),
            ("2-7", Part::Always),
            ("3+", when("version >= 3")),
            ("0-4", when("version <= 4")),
            ("3-4", when("(3..=4).contains(&version)")),
            ("5", when("(5..=5).contains(&version)")),
            ("0-1", Part::Never),
            ("8+", Part::Never),
            ("none", Part::Never),
        ] {
            let versions = Versions::parse(text).expect("a range of the table");
            assert_eq!(versions.part_of(within), part, "{text}");
        }
    }
}
