//! Java's `.properties` format, keeping for each key the line it stands on.
//!
//! A logical line is a key, then blanks, `=` or `:`, then a value. A line whose first character is
//! `#` or `!` is a comment. A line that ends in an odd number of backslashes goes on in the next,
//! without that line's leading blanks. `\t`, `\n`, `\r`, `\f` and `\uXXXX` stand for characters; a
//! backslash before anything else is dropped. Line ends are `\n`, `\r` and `\r\n`. Of several equal
//! keys the last wins. Where `java.util.Properties` reads Latin-1, this reads UTF-8 if the whole
//! file is UTF-8.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::model::units::MIB;

/// The largest file, in bytes: a hundred times what a full configuration with Kafka's own comments
/// takes.
pub const FILE_BYTES_MAX: usize = MIB;

/// A value and the line of its key, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The value.
    pub text: String,
    /// The line on which the key begins.
    pub line: usize,
}

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// More bytes than `FILE_BYTES_MAX`.
    #[error("{0} bytes are more than the {FILE_BYTES_MAX} that a configuration file may have")]
    TooLarge(usize),
    /// A `\u` without four hexadecimal digits, or half of a surrogate pair, on that line.
    #[error("malformed \\uxxxx encoding")]
    MalformedEscape {
        /// The line on which the key begins.
        line: usize,
    },
}

/// Reads a file's properties.
///
/// # Errors
/// For a file that is too large and for a malformed escape.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Property>, PropertiesError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(PropertiesError::TooLarge(bytes.len()));
    }
    let latin: String;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => {
            latin = bytes.iter().map(|&byte| char::from(byte)).collect();
            &latin
        }
    };
    let mut properties = BTreeMap::new();
    let mut lines = LogicalLines { characters: text.chars().peekable(), line: 1 };
    while let Some((line, raw)) = lines.next_line() {
        let (key, value) = split(&raw);
        let key = unescape(key, line)?;
        let text = unescape(value, line)?;
        properties.insert(key, Property { text, line });
    }
    Ok(properties)
}

/// Cuts a file into logical lines, still escaped, without comments and blank lines.
struct LogicalLines<'a> {
    characters: Peekable<Chars<'a>>,
    line: usize,
}

impl LogicalLines<'_> {
    fn next_line(&mut self) -> Option<(usize, String)> {
        loop {
            self.skip_blanks();
            match self.characters.peek()? {
                '#' | '!' => self.skip_to_line_end(),
                '\n' | '\r' => drop(self.end_line()),
                _ => {
                    let begin = self.line;
                    let (raw, cut_off) = self.read_line();
                    // Nothing but continuations, up to a blank line or the end, is no property.
                    if !raw.is_empty() || cut_off {
                        return Some((begin, raw));
                    }
                }
            }
        }
    }

    /// Reads to the end of the logical line, which it takes too. The answer's flag says that the
    /// file ends in a backslash, maybe with a line end, which Java drops and takes for a property.
    fn read_line(&mut self) -> (String, bool) {
        let mut raw = String::new();
        while let Some(&character) = self.characters.peek() {
            match character {
                '\n' | '\r' => {
                    self.end_line();
                    return (raw, false);
                }
                '\\' => {
                    self.characters.next();
                    match self.characters.peek() {
                        Some('\n' | '\r') => {
                            if self.end_line() == LineEnd::OfFile {
                                return (raw, true);
                            }
                            self.skip_blanks();
                            if raw.is_empty() {
                                return (raw, false);
                            }
                        }
                        Some(&escaped) => {
                            self.characters.next();
                            raw.push('\\');
                            raw.push(escaped);
                        }
                        None => return (raw, true),
                    }
                }
                _ => {
                    self.characters.next();
                    raw.push(character);
                }
            }
        }
        (raw, false)
    }

    fn skip_blanks(&mut self) {
        while self.characters.next_if(|&character| is_blank(character)).is_some() {}
    }

    fn skip_to_line_end(&mut self) {
        while self.characters.next_if(|character| !matches!(character, '\n' | '\r')).is_some() {}
    }

    fn end_line(&mut self) -> LineEnd {
        let first = self.characters.next();
        self.line += 1;
        if self.characters.peek().is_none() {
            return LineEnd::OfFile;
        }
        if first == Some('\r') {
            self.characters.next_if_eq(&'\n');
        }
        LineEnd::Inside
    }
}

/// Whether anything stood behind the first character of a line's end.
#[derive(PartialEq, Eq)]
enum LineEnd {
    Inside,
    OfFile,
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c')
}

/// Splits a raw line at the first unescaped separator: blanks, at most one `=` or `:`, blanks.
fn split(raw: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = raw.char_indices().find(|&(_, character)| {
        let separates = !escaped && (is_blank(character) || matches!(character, '=' | ':'));
        escaped = !escaped && character == '\\';
        separates
    });
    let (key, rest) = raw.split_at(end.map_or(raw.len(), |(at, _)| at));
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(is_blank))
}

fn unescape(raw: &str, line: usize) -> Result<String, PropertiesError> {
    let malformed = PropertiesError::MalformedEscape { line };
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\x0c'),
            Some('u') => text.push(unicode(&mut characters).ok_or(malformed.clone())?),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Ok(text)
}

/// Reads what follows `\u`: four digits, and for half of a surrogate pair the other half.
fn unicode(characters: &mut Chars<'_>) -> Option<char> {
    let high = four_digits(characters)?;
    let half = |unit: u32, from: u32| (from..from + 0x400).contains(&unit).then(|| unit - from);
    let Some(upper) = half(high, 0xd800) else { return char::from_u32(high) };
    if characters.next()? != '\\' || characters.next()? != 'u' {
        return None;
    }
    let lower = half(four_digits(characters)?, 0xdc00)?;
    char::from_u32(0x10000 + (upper << 10) + lower)
}

fn four_digits(characters: &mut Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | characters.next()?.to_digit(16)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_vector(text: &str) -> String {
        let mut plain = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            plain.push(match character {
                '\\' => match characters.next().unwrap() {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'f' => '\x0c',
                    other => other,
                },
                other => other,
            });
        }
        plain
    }

    /// What `java.util.Properties` reads, from `tests/vectors/java/PropertiesVectors.java`.
    #[test]
    fn reads_what_java_reads() {
        let vectors = include_str!("../../tests/vectors/config/properties.tsv");
        let cases: Vec<&str> = vectors.split("text\t").skip(1).collect();
        assert!(cases.len() > 400);
        for case in cases {
            let mut lines = case.split('\n').filter(|line| !line.is_empty());
            let text = from_vector(if case.starts_with('\n') { "" } else { lines.next().unwrap() });
            let mut expected = Some(BTreeMap::new());
            for line in lines {
                match line.split('\t').map(from_vector).collect::<Vec<_>>().as_slice() {
                    [_, key, value] => {
                        expected.as_mut().map(|pairs| pairs.insert(key.clone(), value.clone()));
                    }
                    _ => expected = None,
                }
            }
            let pairs = parse(text.as_bytes()).ok().map(|properties| {
                let pairs = properties.into_iter();
                pairs.map(|(key, property)| (key, property.text)).collect::<BTreeMap<_, _>>()
            });
            assert_eq!(pairs, expected, "{text:?}");
        }
    }

    fn check_lines(text: &str, expected: &[(&str, usize)]) {
        let properties = parse(text.as_bytes()).unwrap();
        let lines: Vec<_> =
            properties.iter().map(|(key, property)| (key.as_str(), property.line)).collect();
        assert_eq!(lines, expected, "{text:?}");
    }

    #[test]
    fn a_key_knows_its_line() {
        check_lines("a=1\nb=2\r\nc=3\rd=4", &[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        check_lines("# x\n\n!y\na=1\\\n 2\nb=3", &[("a", 4), ("b", 6)]);
        check_lines("a=1\na=2\n", &[("a", 2)]);
        let error = parse(b"a=1\n\nb=\\u12\n").unwrap_err();
        assert_eq!(error, PropertiesError::MalformedEscape { line: 3 });
    }

    #[test]
    fn other_bytes_are_latin_1_and_size_is_bounded() {
        assert_eq!(parse(b"a=\xe4").unwrap()["a"].text, "\u{e4}");
        assert_eq!(parse("a=\u{e4}".as_bytes()).unwrap()["a"].text, "\u{e4}");
        let large = vec![b'#'; FILE_BYTES_MAX + 1];
        assert_eq!(parse(&large), Err(PropertiesError::TooLarge(FILE_BYTES_MAX + 1)));
        assert_eq!(parse(&large[1..]), Ok(BTreeMap::new()));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let stock = include_bytes!("stock-server.properties");
        for size in 0..stock.len() {
            let _ = parse(&stock[..size]);
        }
        // Every byte of a text with all escapes, replaced by every byte there is.
        let text = b" a\\u00e4\\\r\n =\\uD83D\\uDE00\\t\\\\ # \\\n\n!x\nb:\\";
        for at in 0..text.len() {
            for byte in 0..=255 {
                let mut mutated = text.to_vec();
                mutated[at] = byte;
                let _ = parse(&mutated);
            }
        }
    }
}
