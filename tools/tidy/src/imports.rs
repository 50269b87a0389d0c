//! An import goes down the floors, never up or across.

use crate::finding::Finding;
use crate::layers::Layers;
use crate::source::{Source, Token, after_bracket, reads};

pub fn check(source: &Source<'_>, layers: &Layers, findings: &mut Vec<Finding>) {
    let Some(from) = source.room() else { return };
    for (line, to) in rooms_named(source) {
        if let Some(objection) = layers.objection(from, to) {
            findings.push(Finding::new(source.path, line, objection));
        }
    }
}

/// Every room that a path of this file begins with: `crate::x`, `crate::{x, y}`, and `super::…` once it
/// has climbed to the crate's root.
fn rooms_named<'a>(source: &Source<'a>) -> Vec<(usize, &'a str)> {
    let tokens = &source.tokens;
    let mut named = Vec::new();
    // Brackets that inline modules opened: `super` inside one climbs out of it first.
    let mut module_ends: Vec<usize> = Vec::new();
    let depth_file = source.module().len();
    let mut at = 0;
    while at < tokens.len() {
        module_ends.retain(|end| *end > at);
        let begins_a_path = at == 0 || tokens[at - 1].text != "::";
        match tokens[at].text {
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => {
                module_ends.push(after_bracket(tokens, at + 2));
            }
            "crate" if begins_a_path && reads(tokens, at + 1, &["::"]) => {
                first_words(tokens, at + 2, &mut named);
            }
            "super" if begins_a_path => {
                let mut depth = depth_file + module_ends.len();
                let mut next = at;
                while reads(tokens, next, &["super", "::"]) {
                    depth = depth.saturating_sub(1);
                    next += 2;
                }
                if depth == 0 {
                    first_words(tokens, next, &mut named);
                }
            }
            _ => {}
        }
        at += 1;
    }
    named
}

/// The word at `at`, or the first word of each entry of the group there.
fn first_words<'a>(tokens: &[Token<'a>], at: usize, named: &mut Vec<(usize, &'a str)>) {
    let Some(token) = tokens.get(at) else { return };
    if token.text != "{" {
        named.push((token.line, token.text));
        return;
    }
    let end = after_bracket(tokens, at);
    let mut entry_begins = true;
    let mut i = at + 1;
    while i + 1 < end {
        match tokens[i].text {
            "," => entry_begins = true,
            "{" => {
                i = after_bracket(tokens, i);
                continue;
            }
            word if entry_begins => {
                named.push((tokens[i].line, word));
                entry_begins = false;
            }
            _ => {}
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_rooms(path: &str, content: &str, expected: &[&str]) {
        let source = Source::new(path, content);
        let rooms: Vec<&str> = rooms_named(&source).into_iter().map(|(_, room)| room).collect();
        assert_eq!(rooms, expected, "{path}: {content}");
    }

    #[test]
    fn rooms_are_read_from_every_kind_of_path() {
        let path = "src/storage/log.rs";
        check_rooms(path, "use crate::model::Offset;", &["model"]);
        check_rooms(
            path,
            "use crate::{api, model::{a, b::{c, d}}, shard::x};",
            &["api", "model", "shard"],
        );
        check_rooms(
            path,
            "pub(crate) fn f() -> crate::shard::X { crate::api::y() }",
            &["shard", "api"],
        );
        check_rooms(path, "use super::journal; use super::{a, b};", &[]);
        check_rooms(path, "use super::super::shard::X;", &["shard"]);
        check_rooms(path, "use super::super::{shard, api::y};", &["shard", "api"]);
        check_rooms(path, "mod tests { use super::*; use super::super::a; }", &[]);
        check_rooms(path, "mod tests { use super::super::super::shard; }", &["shard"]);
        check_rooms("src/storage/mod.rs", "use super::shard;", &["shard"]);
        check_rooms(path, "// crate::api\nlet x = \"crate::api\";", &[]);
        check_rooms(path, "use other::crate_name::x;", &[]);
    }

    #[test]
    fn an_import_up_is_a_finding_at_its_line() {
        let layers = Layers::parse("floors = [['storage'], ['shard']]").unwrap();
        let source = Source::new("src/storage/log.rs", "//! X.\nuse crate::shard::Y;\n");
        let mut findings = Vec::new();
        check(&source, &layers, &mut findings);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["src/storage/log.rs:2: storage imports shard: that is up"]);
    }
}
