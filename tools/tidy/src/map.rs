//! Every room has a floor and a line in `src/lib.rs`, the map of the house.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::layers::Layers;
use crate::source::Source;

const MAP: &str = "src/lib.rs";

pub fn check(sources: &[Source<'_>], layers: &Layers, findings: &mut Vec<Finding>) {
    let rooms: BTreeSet<&str> = sources.iter().filter_map(Source::room).collect();
    let Some(map) = sources.iter().find(|source| source.path == MAP) else {
        findings.push(Finding::new(MAP, 1, "the map of the house is missing"));
        return;
    };
    let described = described(map.content);
    for room in rooms {
        if layers.floor(room).is_none() {
            let message = format!("the room {room} has no floor in config/layers.toml");
            findings.push(Finding::new(MAP, 1, message));
        }
        if !matches!(room, "lib" | "main") && !described.contains(room) {
            let message = format!("the room {room} is not described: `/// …` above `mod {room};`");
            findings.push(Finding::new(MAP, 1, message));
        }
    }
}

/// The modules that the map declares right below a doc comment.
fn described(map: &str) -> BTreeSet<&str> {
    let mut described = BTreeSet::new();
    let mut after_doc = false;
    for line in map.lines().map(str::trim) {
        let declaration = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(name) = declaration.strip_prefix("mod ").and_then(|l| l.strip_suffix(';'))
            && after_doc
        {
            described.insert(name);
        }
        after_doc = line.starts_with("///") || (after_doc && line.starts_with("#["));
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_without_floor_or_line_are_found() {
        let layers = Layers::parse("floors = [['model', 'record'], ['lib']]").unwrap();
        let map = "//! Map.\n/// Words.\npub mod model;\npub mod record;\n";
        let sources = [
            Source::new("src/lib.rs", map),
            Source::new("src/model/mod.rs", ""),
            Source::new("src/record.rs", ""),
            Source::new("src/cellar/mod.rs", ""),
        ];
        let mut findings = Vec::new();
        check(&sources, &layers, &mut findings);
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the room cellar has no floor in config/layers.toml",
                "the room cellar is not described: `/// …` above `mod cellar;`",
                "the room record is not described: `/// …` above `mod record;`",
            ]
        );
    }
}
