//! The floors of `config/layers.toml`, and which room may import which.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    floors: Vec<Vec<String>>,
    #[serde(default)]
    only: BTreeMap<String, Vec<String>>,
}

impl Layers {
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("config/layers.toml")
    }

    pub fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|rooms| rooms.iter().any(|name| name == room))
    }

    /// Why `from` may not import `to`, or nothing when it may.
    pub fn objection(&self, from: &str, to: &str) -> Option<String> {
        if from == to {
            return None;
        }
        if let Some(only) = self.only.get(from) {
            let permitted = only.iter().any(|room| room == to);
            return (!permitted)
                .then(|| format!("{from} imports {to}: it may import only {}", only.join(", ")));
        }
        match (self.floor(from)?, self.floor(to)?) {
            (below, above) if below < above => Some(format!("{from} imports {to}: that is up")),
            (one, same) if one == same => Some(format!("{from} imports {to}: that is across")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_go_down() {
        let layers = Layers::parse(
            "floors = [['model'], ['runtime', 'metrics'], ['cli'], ['config']]\n\
             [only]\ncli = ['model', 'config']",
        )
        .unwrap();
        for (from, to, objection) in [
            ("runtime", "model", None),
            ("runtime", "runtime", None),
            ("model", "runtime", Some("model imports runtime: that is up")),
            ("metrics", "runtime", Some("metrics imports runtime: that is across")),
            ("cli", "config", None),
            ("cli", "runtime", Some("cli imports runtime: it may import only model, config")),
            ("config", "cli", None),
        ] {
            assert_eq!(layers.objection(from, to).as_deref(), objection, "{from} -> {to}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(Layers::parse("floors = []\nceilings = 1").is_err());
    }
}
