//! Options as Kafka's scripts take them, read off the very help text that they print (jopt-simple's rules).
//!
//! The help text is the table: a line that begins with `--name` declares an option, `<Type: …>` after it a
//! value that is required, `[Type: …]` one that may be left out. So nothing is accepted that is not
//! documented. Abbreviations are not accepted, words that belong to no option are ignored, and an option
//! given twice has two values: all as in Kafka's.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::config::nearest;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It is a flag.
    Nothing,
    /// A value has to follow.
    Value,
    /// A value may follow.
    MaybeValue,
}

/// An option, as a help text declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration<'a> {
    /// Its name, without dashes.
    pub name: &'a str,
    /// What it takes.
    pub takes: Takes,
    /// The first sentence about it.
    pub about: String,
}

/// Why the arguments are wrong, in jopt-simple's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// No such option; behind jopt-simple's words the one that was most likely meant.
    #[error("{name} is not a recognized option{}", suggestion(.nearest))]
    Unrecognized {
        /// What was given, without dashes.
        name: String,
        /// The declared option that is most like it.
        nearest: Option<String>,
    },
    /// An option without its value.
    #[error("Option {0} requires an argument")]
    MissingValue(String),
    /// A value given twice where one is wanted.
    #[error("Found multiple arguments for option {0}, but you asked for only one")]
    MultipleValues(String),
    /// A value that is not of the option's type.
    #[error("Cannot parse argument '{value}' of option {option}")]
    Conversion {
        /// The option, without dashes.
        option: String,
        /// What was given.
        value: String,
    },
    /// A value for an option that takes none.
    #[error("Option {0} does not accept an argument")]
    NoValueWanted(String),
}

/// The options that were given.
#[derive(Clone, Debug, Default)]
pub struct Options {
    given: BTreeMap<String, Vec<String>>,
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("\nDid you mean --{name}?")).unwrap_or_default()
}

/// The options that `help` declares, in its order.
pub fn declarations(help: &str) -> Vec<Declaration<'_>> {
    let column = help.lines().next().and_then(|head| head.find("Description")).unwrap_or(0);
    let lines: Vec<&str> = help.lines().collect();
    let declared = |at: usize| {
        let (name, takes) = declares(lines[at], lines.get(at + 1).copied().unwrap_or_default())?;
        let wrapped = lines[at + 1..].iter().take_while(|line| !line.starts_with("--"));
        let about = [lines[at]].into_iter().chain(wrapped.copied());
        let about = first_sentence(about.filter_map(|line| line.get(column..)));
        Some(Declaration { name, takes, about })
    };
    (0..lines.len()).filter_map(declared).collect()
}

/// What `line` declares. A name that fills its column has its type on the `next` line.
fn declares<'a>(line: &'a str, next: &str) -> Option<(&'a str, Takes)> {
    let rest = line.strip_prefix("--")?;
    let (name, after) = rest.split_once(' ').unwrap_or((rest, ""));
    // The line below the headings.
    if name.starts_with('-') {
        return None;
    }
    let wrapped = next.strip_prefix("  ").unwrap_or_default();
    let takes = match (after.as_bytes().first(), wrapped.as_bytes().first()) {
        (Some(b'<'), _) | (_, Some(b'<')) => Takes::Value,
        (Some(b'['), _) | (_, Some(b'[')) => Takes::MaybeValue,
        _ => Takes::Nothing,
    };
    Some((name, takes))
}

/// Joins wrapped lines up to the end of a sentence; a word that ends with a hyphen was broken there.
fn first_sentence<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() && !text.ends_with('-') {
            text.push(' ');
        }
        text.push_str(line.trim());
    }
    let sentence = text.split_once(". ").map_or(text.as_str(), |(sentence, _)| sentence);
    sentence.trim().trim_end_matches(['.', ':']).to_owned()
}

/// The option that `name` may stand for: one that begins with it, or that a typo made it of.
fn unrecognized(name: &str, declared: &[Declaration<'_>]) -> OptionError {
    const PREFIX_MIN: usize = 3;
    let names = || declared.iter().map(|option| option.name);
    let is_prefix = |full: &&str| name.len() >= PREFIX_MIN && full.starts_with(name);
    let meant = nearest(name, names()).or_else(|| names().find(is_prefix));
    OptionError::Unrecognized { name: name.to_owned(), nearest: meant.map(str::to_owned) }
}

impl Options {
    /// Reads `arguments` by the options that `help` declares.
    pub fn parse(help: &str, arguments: &[String]) -> Result<Options, OptionError> {
        let declared = declarations(help);
        let mut options = Options::default();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                break;
            }
            let Some(option) = argument.strip_prefix("--").or_else(|| short(argument)) else {
                continue;
            };
            let (name, inline) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let known = declared.iter().find(|option| option.name == name);
            let takes = known.ok_or_else(|| unrecognized(name, &declared))?.takes;
            let values = options.given.entry(name.to_owned()).or_default();
            match (takes, inline) {
                (Takes::Nothing, None) => {}
                (Takes::Nothing, Some(_)) => {
                    return Err(OptionError::NoValueWanted(name.to_owned()));
                }
                (_, Some(value)) => values.push(value),
                // Whatever follows is the value, also what looks like an option.
                (Takes::Value, None) => match rest.next() {
                    Some(value) => values.push(value.clone()),
                    None => return Err(OptionError::MissingValue(name.to_owned())),
                },
                (Takes::MaybeValue, None) => {
                    values.extend(rest.next_if(|next| !next.starts_with('-')).cloned());
                }
            }
        }
        Ok(options)
    }

    /// True where the option was given, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Every value of an option, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.given.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one value of an option.
    pub fn one(&self, name: &str) -> Result<Option<&str>, OptionError> {
        match self.all(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(OptionError::MultipleValues(name.to_owned())),
        }
    }

    /// The one value of an option as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, OptionError> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        let number = value.parse().map_err(|_| OptionError::Conversion {
            option: name.to_owned(),
            value: value.to_owned(),
        });
        number.map(Some)
    }
}

/// `-name`, which jopt-simple takes as a cluster of one-letter options: there are none.
fn short(argument: &str) -> Option<&str> {
    argument.strip_prefix('-').filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Option                                   Description
------                                   -----------
--codec [String: codec]                  A codec.
--list                                   Names --codec in its text.
--partition-size-limit-per-response      The maximum, per-
  <Integer: number>                        response. Not more.
--topic <String: topic>                  A topic.
";

    fn check(arguments: &str, expected: Result<&[(&str, &[&str])], &str>) {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let found = Options::parse(HELP, &arguments);
        match (found, expected) {
            (Ok(options), Ok(expected)) => {
                let given = options.given.iter().map(|(name, values)| {
                    (name.as_str(), values.iter().map(String::as_str).collect::<Vec<_>>())
                });
                let expected = expected.iter().map(|(name, values)| (*name, values.to_vec()));
                assert_eq!(
                    given.collect::<Vec<_>>(),
                    expected.collect::<Vec<_>>(),
                    "{arguments:?}"
                );
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected, "{arguments:?}"),
            (found, _) => panic!("{arguments:?} gave {found:?}"),
        }
    }

    #[test]
    fn arguments_are_read_as_jopt_simple_reads_them() {
        check("", Ok(&[]));
        check("--list extra words", Ok(&[("list", &[])]));
        check("--topic a --topic=b", Ok(&[("topic", &["a", "b"])]));
        check("--topic --list", Ok(&[("topic", &["--list"])]));
        check("--codec --list", Ok(&[("codec", &[]), ("list", &[])]));
        check("--codec zstd", Ok(&[("codec", &["zstd"])]));
        check("-- --list", Ok(&[]));
        let limit = "partition-size-limit-per-response";
        check(&format!("--{limit} 3"), Ok(&[(limit, &["3"])]));
        check("--nonsense", Err("nonsense is not a recognized option"));
        check("--top a", Err("top is not a recognized option\nDid you mean --topic?"));
        check("--lst", Err("lst is not a recognized option\nDid you mean --list?"));
        check("-topic a", Ok(&[("topic", &["a"])]));
        check("--topic", Err("Option topic requires an argument"));
        check("--list=x", Err("Option list does not accept an argument"));
    }

    #[test]
    fn a_declaration_has_its_first_sentence() {
        let found: Vec<(&str, String)> =
            declarations(HELP).into_iter().map(|option| (option.name, option.about)).collect();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, about)| (*name, about.as_str())).collect();
        let expected = [
            ("codec", "A codec"),
            ("list", "Names --codec in its text"),
            ("partition-size-limit-per-response", "The maximum, per-response"),
            ("topic", "A topic"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn one_value_and_numbers_are_checked() {
        let parse = |text: &str| {
            let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Options::parse(HELP, &arguments).expect("the arguments are well formed")
        };
        let twice = parse("--topic a --topic b").one("topic").map(|_| ()).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "Found multiple arguments for option topic, but you asked for only one"
        );
        let name = "partition-size-limit-per-response";
        let wrong = parse(&format!("--{name} x")).number::<i32>(name).unwrap_err();
        assert_eq!(wrong.to_string(), format!("Cannot parse argument 'x' of option {name}"));
        assert_eq!(parse(&format!("--{name} 7")).number::<i32>(name), Ok(Some(7)));
        assert_eq!(parse("").number::<i32>(name), Ok(None));
    }
}
