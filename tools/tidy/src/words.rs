//! Words that belong to one room only, and words that belong nowhere.

use crate::finding::Finding;
use crate::source::{Source, after_bracket, attribute, reads};

/// Crates of the machine: only the runtime imports them, so that the simulator runs the same code.
const MACHINE: &[&str] =
    &["glommio", "io_uring", "libc", "core_affinity", "memmap", "memmap2", "rustix", "nix"];

const RUNTIME: &str = "src/runtime/";

pub fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let tokens = &source.tokens;
    let in_runtime = source.path.starts_with(RUNTIME) || source.path == "src/runtime.rs";
    let in_src = source.path.starts_with("src/");
    for (at, token) in tokens.iter().enumerate() {
        let mut find = |message: String| {
            findings.push(Finding::new(source.path, token.line, message));
        };
        match token.text {
            word if MACHINE.contains(&word) && in_src && !in_runtime => {
                find(format!("{word} outside src/runtime"));
            }
            "unsafe" if !in_runtime => find("unsafe outside src/runtime".to_owned()),
            "thread_local" if !in_runtime && reads(tokens, at + 1, &["!"]) => {
                find("thread_local! outside src/runtime".to_owned());
            }
            "todo" | "unimplemented" if reads(tokens, at + 1, &["!", "("]) => {
                find(format!("{}! is a stub", token.text));
            }
            "." if !token.in_test && reads(tokens, at + 1, &["unwrap", "(", ")"]) => {
                find(".unwrap() outside tests: expect(\"why it cannot fail\")".to_owned());
            }
            "#" => {
                let Some(open) = attribute(tokens, at) else {
                    continue;
                };
                let end = after_bracket(tokens, open);
                if reads(tokens, open + 1, &["ignore"]) {
                    find("#[ignore]: a test that never runs proves nothing".to_owned());
                }
                if (open..end).any(|i| reads(tokens, i, &["allow", "("])) {
                    find("allow(…): expect(…, reason = \"…\") instead".to_owned());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_messages(path: &str, content: &str, expected: &[&str]) {
        let mut findings = Vec::new();
        check(&Source::new(path, content), &mut findings);
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(messages, expected, "{path}: {content}");
    }

    #[test]
    fn machine_words_stay_in_the_runtime() {
        check_messages("src/shard/x.rs", "use glommio::Task;", &["glommio outside src/runtime"]);
        check_messages("src/runtime/x.rs", "use glommio::Task; unsafe {}", &[]);
        check_messages("src/shard/x.rs", "// glommio\nlet x = \"libc\";", &[]);
        check_messages("tests/x.rs", "use libc::kill; unsafe {}", &["unsafe outside src/runtime"]);
        check_messages(
            "src/shard/x.rs",
            "thread_local! {}",
            &["thread_local! outside src/runtime"],
        );
        check_messages("src/runtime/x.rs", "thread_local! {}", &[]);
        check_messages("src/shard/x.rs", "#![deny(unsafe_code)]", &[]);
    }

    #[test]
    fn stubs_and_silencers_are_found() {
        let path = "src/x.rs";
        check_messages(path, "todo!()", &["todo! is a stub"]);
        check_messages(path, "unimplemented!(\"x\")", &["unimplemented! is a stub"]);
        check_messages(
            path,
            "#[test] #[ignore] fn x() {}",
            &["#[ignore]: a test that never runs proves nothing"],
        );
        check_messages(
            path,
            "#[allow(dead_code)] fn x() {}",
            &["allow(…): expect(…, reason = \"…\") instead"],
        );
        check_messages(
            path,
            "#![cfg_attr(test, allow(x))]",
            &["allow(…): expect(…, reason = \"…\") instead"],
        );
        check_messages(path, "self.allow(x); [allow(x)];", &[]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let message = ".unwrap() outside tests: expect(\"why it cannot fail\")";
        check_messages("src/x.rs", "fn f() { a.unwrap() }", &[message]);
        check_messages("src/x.rs", "fn f() { a.unwrap_or(b) }", &[]);
        check_messages("src/x.rs", "#[cfg(test)] mod tests { fn f() { a.unwrap() } }", &[]);
        check_messages("src/x/tests.rs", "fn f() { a.unwrap() }", &[]);
        check_messages("tests/x.rs", "fn f() { a.unwrap() }", &[]);
    }
}
