//! A file's size, its first sentence and its name.

use crate::finding::Finding;
use crate::source::Source;

const LINE_COUNT_MAX: usize = 700;

/// Written by `tools/codegen`, one file per message: nobody reads them from top to bottom.
const GENERATED: &str = "src/protocol/generated";

/// Words that say nothing about what a file holds.
const NAMES_FORBIDDEN: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "impl", "impls", "manager"];

pub fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let mut find = |line, message: String| findings.push(Finding::new(source.path, line, message));
    let line_count = source.content.lines().count();
    if line_count > LINE_COUNT_MAX && !source.path.starts_with(GENERATED) {
        find(LINE_COUNT_MAX + 1, format!("{line_count} lines: at most {LINE_COUNT_MAX}"));
    }
    if !begins_with_a_sentence(source.content) {
        find(1, "begins without a `//!` sentence".to_owned());
    }
    let stem = source.path.strip_suffix(".rs").unwrap_or(source.path);
    for part in stem.split('/').filter(|part| is_forbidden(part)) {
        find(1, format!("the name {part} says nothing about what is inside"));
    }
    for pair in source.tokens.windows(2) {
        if pair[0].text == "mod" && is_forbidden(pair[1].text) {
            find(
                pair[1].line,
                format!("the name {} says nothing about what is inside", pair[1].text),
            );
        }
    }
}

fn is_forbidden(name: &str) -> bool {
    name.split('_').any(|word| NAMES_FORBIDDEN.contains(&word))
}

fn begins_with_a_sentence(content: &str) -> bool {
    let mut paragraph = content
        .lines()
        .map_while(|line| line.strip_prefix("//! "))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .peekable();
    let begins = paragraph.peek().is_some_and(|line| {
        line.starts_with(|c: char| c.is_uppercase() || c.is_numeric() || c == '`')
    });
    begins && paragraph.any(|line| line.ends_with(['.', ':']) || line.contains(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_messages(path: &str, content: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        check(&Source::new(path, content), &mut findings);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn shapes() {
        let long = format!("//! X.\n{}", "\n".repeat(700));
        check_messages("src/a.rs", "//! A thing.\n", &[]);
        check_messages("src/a.rs", "//! A thing that\n//! goes on.\n", &[]);
        check_messages("src/a.rs", "fn x() {}", &["src/a.rs:1: begins without a `//!` sentence"]);
        check_messages(
            "src/a.rs",
            "//! a thing\n",
            &["src/a.rs:1: begins without a `//!` sentence"],
        );
        check_messages("src/a.rs", &long, &["src/a.rs:701: 701 lines: at most 700"]);
        check_messages("src/protocol/generated/a.rs", &long, &[]);
        check_messages(
            "src/log_util.rs",
            "//! X.",
            &["src/log_util.rs:1: the name log_util says nothing about what is inside"],
        );
        check_messages(
            "tests/common/mod.rs",
            "//! X.",
            &["tests/common/mod.rs:1: the name common says nothing about what is inside"],
        );
        check_messages(
            "src/a.rs",
            "//! X.\nmod helper {}",
            &["src/a.rs:2: the name helper says nothing about what is inside"],
        );
    }
}
