//! One Rust file as tokens without comments and literals, with the parts that only tests compile marked.

/// A word or a mark of a Rust file; `::` is one token, a literal is the token `""`.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    /// Counted from 1.
    pub line: usize,
    pub in_test: bool,
}

pub struct Source<'a> {
    /// Below the repository's root.
    pub path: &'a str,
    pub content: &'a str,
    pub tokens: Vec<Token<'a>>,
}

impl<'a> Source<'a> {
    pub fn new(path: &'a str, content: &'a str) -> Self {
        let mut tokens = Scanner { rest: content, line: 1, tokens: Vec::new() }.scan();
        mark_tests(path, &mut tokens);
        Self { path, content, tokens }
    }

    /// The room of a file under `src/`: `src/record/batch.rs` and `src/record.rs` are in `record`.
    pub fn room(&self) -> Option<&'a str> {
        let below = self.path.strip_prefix("src/")?;
        let room = below.split('/').next()?;
        Some(room.strip_suffix(".rs").unwrap_or(room))
    }

    /// The module path of a file under `src/`: `src/record/batch.rs` is `[record, batch]`.
    pub fn module(&self) -> Vec<&'a str> {
        let below = self.path.strip_prefix("src/").unwrap_or(self.path);
        let below = below.strip_suffix(".rs").unwrap_or(below);
        let mut module: Vec<&str> = below.split('/').collect();
        if matches!(module.last(), Some(&"mod" | &"lib" | &"main")) {
            module.pop();
        }
        module
    }
}

/// Whether the tokens from `at` on read as `words`.
pub fn reads(tokens: &[Token<'_>], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, word)| tokens.get(at + i).is_some_and(|t| t.text == *word))
}

/// The index after the bracket that closes the one at `open`.
pub fn after_bracket(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Where the attribute that begins at `at` has its bracket, if one begins there.
pub fn attribute(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    if reads(tokens, at, &["#", "["]) {
        Some(at + 1)
    } else if reads(tokens, at, &["#", "!", "["]) {
        Some(at + 2)
    } else {
        None
    }
}

/// Marks all tokens of files that are tests, and of items behind `#[test]` and `#[cfg(test)]`.
fn mark_tests(path: &str, tokens: &mut [Token<'_>]) {
    if path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches")) {
        for token in tokens {
            token.in_test = true;
        }
        return;
    }
    let mut at = 0;
    while at < tokens.len() {
        let Some(open) = attribute(tokens, at) else {
            at += 1;
            continue;
        };
        let end = after_bracket(tokens, open);
        if is_test_attribute(&tokens[open + 1..end]) {
            let item_end = after_item(tokens, end);
            for token in &mut tokens[at..item_end] {
                token.in_test = true;
            }
            at = item_end;
        } else {
            at = end;
        }
    }
}

fn is_test_attribute(inside: &[Token<'_>]) -> bool {
    let has = |word: &str| inside.iter().any(|token| token.text == word);
    match inside.first().map(|token| token.text) {
        Some("test") => true,
        Some("cfg") => has("test") && !has("not"),
        _ => false,
    }
}

/// The index after the item that begins at `at`: after its block, or after its `;`.
fn after_item(tokens: &[Token<'_>], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "{" => return after_bracket(tokens, at),
            "(" | "[" => at = after_bracket(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Scanner<'a> {
    fn scan(mut self) -> Vec<Token<'a>> {
        while let Some(first) = self.rest.chars().next() {
            if first.is_whitespace() {
                self.skip(first.len_utf8());
            } else if self.rest.starts_with("//") {
                self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.skip(block_comment_size(self.rest));
            } else if let Some(size) = literal_size(self.rest) {
                self.push("\"\"");
                self.skip(size);
            } else if first == '\'' || first.is_alphanumeric() || first == '_' {
                let size = word_size(self.rest);
                self.push(&self.rest[..size]);
                self.skip(size);
            } else {
                let size = if self.rest.starts_with("::") { 2 } else { first.len_utf8() };
                self.push(&self.rest[..size]);
                self.skip(size);
            }
        }
        self.tokens
    }

    fn push(&mut self, text: &'a str) {
        self.tokens.push(Token { text, line: self.line, in_test: false });
    }

    fn skip(&mut self, size: usize) {
        let (skipped, rest) = self.rest.split_at(size);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

/// A word, a number or a lifetime; at least one character.
fn word_size(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let more = text[first..].find(|c: char| !c.is_alphanumeric() && c != '_');
    more.map_or(text.len(), |more| first + more)
}

fn block_comment_size(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The size of the string or character literal that `text` begins with, if it does.
fn literal_size(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with(['"', '\'', '#']))
    })?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = rest.bytes().take_while(|b| *b == b'#').count();
        rest[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let body = prefix.len() + hashes + 1;
        return Some(text[body..].find(&close).map_or(text.len(), |at| body + at + close.len()));
    }
    match rest.as_bytes().first()? {
        b'"' => Some(prefix.len() + quoted_size(rest, b'"')),
        b'\'' if prefix != "c" && is_character(rest) => {
            Some(prefix.len() + quoted_size(rest, b'\''))
        }
        _ => None,
    }
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

fn quoted_size(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: &str) {
        let source = Source::new("src/x.rs", content);
        let words: Vec<&str> = source.tokens.iter().map(|token| token.text).collect();
        assert_eq!(words.join(" "), expected, "{content}");
    }

    #[test]
    fn comments_and_literals_are_no_words() {
        check("a // unsafe\n b", "a b");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"f("unsafe \" x", 'u', '\'', b'x', b"y")"#, r#"f ( "" , "" , "" , "" , "" )"#);
        check("r#\"a\"b\"# + r\"c\\\" + 1", "\"\" + \"\" + 1");
        check("&'a str, r#type", "& 'a str , r # type");
        check("crate::a::{b, c}", "crate :: a :: { b , c }");
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let source = Source::new("src/x.rs", "\"a\nb\"\n/* \n */ x");
        assert_eq!(source.tokens.last().unwrap().line, 4);
    }

    #[test]
    fn test_items_are_marked() {
        let source = Source::new(
            "src/x.rs",
            "fn a() {} #[cfg(test)] mod t { fn b() {} } fn c() {} #[cfg(not(test))] fn d() {}",
        );
        let marked: Vec<&str> =
            source.tokens.iter().filter(|t| t.in_test).map(|t| t.text).collect();
        assert!(marked.contains(&"b"));
        for outside in ["a", "c", "d"] {
            assert!(!marked.contains(&outside), "{outside}");
        }
    }

    #[test]
    fn a_file_knows_its_room_and_module() {
        for (path, room, module) in [
            ("src/record/batch.rs", Some("record"), vec!["record", "batch"]),
            ("src/record/mod.rs", Some("record"), vec!["record"]),
            ("src/config.rs", Some("config"), vec!["config"]),
            ("src/lib.rs", Some("lib"), vec![]),
            ("tests/x.rs", None, vec!["tests", "x"]),
        ] {
            let source = Source::new(path, "");
            assert_eq!((source.room(), source.module()), (room, module), "{path}");
        }
    }
}
