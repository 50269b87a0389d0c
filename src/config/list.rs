//! Every key with its value, its default, its meaning and where its value comes from.
//!
//! The list is itself a properties file: what was given stands as a line, everything else as a comment,
//! so that it can be saved, changed and started with. Secrets are left out.

use super::broker_config::{BrokerConfig, Machine};
use super::cpu_list;
use super::disposition::{Disposition, disposition};
use super::settings::{BROKER_KEYS, ConfigError, ConfigFile, Settings};
use crate::model::config_key::ConfigKey;

/// The width of the text, in characters.
const WIDTH: usize = 100;

/// Lists the keys: our own, then Kafka's that act here, then those that do not.
///
/// # Errors
/// Those of [`BrokerConfig::load`]: what cannot be started with cannot be listed.
pub fn list(
    file: Option<ConfigFile<'_>>,
    overrides: &[String],
    machine: &Machine,
) -> Result<String, ConfigError> {
    let (config, _) = BrokerConfig::load(file, overrides, machine)?;
    let (settings, _) = Settings::gather(file, overrides)?;
    let own = |key: &&ConfigKey| super::is_own_key(key.name);
    let acts = |key: &&ConfigKey| disposition(key.name) == Disposition::Implemented;
    let keys = || {
        let mut keys: Vec<&ConfigKey> = BROKER_KEYS.keys().iter().collect();
        keys.sort_unstable_by_key(|key| key.name);
        keys.into_iter()
    };
    let mut text = String::new();
    let mut section = |title: &str, keys: Vec<&ConfigKey>| {
        text += &format!("### {title}\n\n");
        keys.into_iter().for_each(|key| describe(&mut text, &settings, &config, key));
    };
    section("Klamm's own keys", keys().filter(own).collect());
    section("Kafka's keys that act here", keys().filter(|key| !own(key) && acts(key)).collect());
    let inert = keys().filter(|key| !own(key) && !acts(key)).collect();
    section("Kafka's keys that have no effect here, or must keep their default", inert);
    Ok(text)
}

fn describe(text: &mut String, settings: &Settings, config: &BrokerConfig, key: &ConfigKey) {
    wrap(text, &plain(&key.documentation()));
    let default = settings.default(key).map_or("none".to_owned(), |default| format!("'{default}'"));
    let given = settings.given(key.name);
    let from = given.map_or("not set".to_owned(), |given| format!("set by {}", given.place));
    wrap(text, &format!("Default: {default}; it takes {}; {from}.", key.allowed()));
    if let Some(value) = in_force(config, key.name).filter(|_| given.is_none()) {
        wrap(text, &format!("In force: {value}."));
    }
    match disposition(key.name) {
        Disposition::Implemented => {}
        Disposition::Noted(note) => wrap(text, &format!("No effect: {note}.")),
        Disposition::Refused(reason) => {
            wrap(text, &format!("Another value than the default is refused: {reason}."));
        }
    }
    let value = given.map(|given| given.text.as_str()).or(settings.default(key));
    *text += &match given {
        Some(_) if key.sensitive() => format!("#{}=[hidden]\n\n", key.name),
        Some(given) => format!("{}={}\n\n", key.name, escaped(&given.text)),
        None => format!("#{}={}\n\n", key.name, escaped(value.unwrap_or_default())),
    };
}

/// What a key that is not set comes to on this machine.
fn in_force(config: &BrokerConfig, name: &str) -> Option<String> {
    match name {
        "num.shards" => Some(config.shard_cpus.len().to_string()),
        "shard.cpus" => Some(cpu_list::text(&config.shard_cpus)),
        "memory.bytes" => Some(config.memory_bytes.to_string()),
        _ => None,
    }
}

/// Kafka's documentation without its HTML.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        let Some((name, after)) = tag.split_once('>') else { break };
        text += before;
        // Words in two paragraphs or items are two words.
        if !matches!(name.trim_start_matches('/'), "code" | "b" | "i" | "em" | "strong") {
            text.push(' ');
        }
        rest = after;
    }
    text += rest;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain))
}

/// Adds words as lines of a comment.
fn wrap(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            *text += &line;
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line += word;
    }
    *text += &line;
    text.push('\n');
}

/// A value as a properties file has to write it.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        match character {
            '\\' => text += "\\\\",
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\t' => text += "\\t",
            ' ' if at == 0 => text += "\\ ",
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        for (html, text) in [
            ("a <code>b</code>c", "a bc"),
            ("one.<p>Two<br>three</p>", "one. Two three "),
            ("&lt;x&gt; &amp;lt; &quot;q&quot;", "<x> &lt; \"q\""),
            ("a < b", "a < b"),
            ("", ""),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }

    #[test]
    fn lines_are_not_too_wide() {
        let mut text = String::new();
        wrap(&mut text, &"word ".repeat(50));
        assert!(text.lines().all(|line| line.len() <= WIDTH && line.starts_with("# word")));
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 50);
    }
}
