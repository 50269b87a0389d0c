//! What the tool does with files that nobody vouches for.

use std::io::Cursor;

use super::parser::{Decoder, Parser};
use super::segment::{Show, dump};
use super::*;

const SEGMENTS: [&[u8]; 4] = [
    include_bytes!("../../../tests/vectors/dump-log/mix/00000000000000000000.log"),
    include_bytes!("../../../tests/vectors/dump-log/kafka-groups/00000000000000000000.log"),
    include_bytes!("../../../tests/vectors/dump-log/control/00000000000000000000.log"),
    include_bytes!("../../../tests/vectors/dump-log/transactions/00000000000000000000.log"),
];

fn parsers() -> Vec<Parser> {
    let mut parsers = vec![
        Parser::Plain(Decoder::Text, Decoder::Text),
        Parser::Plain(Decoder::Integer, Decoder::Long),
    ];
    for (_, keeper) in KEEPERS {
        parsers.push(Parser::coordinator(keeper).expect("the table is understood"));
    }
    parsers
}

/// Dumps `bytes` in every way; what is printed stays in proportion.
fn check(bytes: &[u8], shows: &[Show]) {
    for show in shows {
        let mut out = Vec::new();
        let _ = dump(Cursor::new(bytes), "x.log", bytes.len() as u64, show, &mut out);
        assert!(out.len() <= 1 << 20, "{} bytes out of {}", out.len(), bytes.len());
    }
}

fn shows() -> Vec<Show> {
    let show = |parser| Show {
        records: true,
        contents: true,
        skip_metadata: false,
        bytes_max: i32::MAX,
        parser,
    };
    parsers().into_iter().map(show).collect()
}

#[test]
fn any_end_and_any_damage_is_an_error_or_an_end() {
    let shows = shows();
    for segment in SEGMENTS {
        for end in (0..segment.len()).step_by(7) {
            check(&segment[..end], &shows[..1]);
        }
        for at in (0..segment.len()).step_by(5) {
            let mut damaged = segment.to_vec();
            for value in [0, 0x7f, 0x80, 0xff, damaged[at] ^ 1] {
                damaged[at] = value;
                // The records' bytes matter to their own parser alone.
                let which = at % shows.len();
                check(&damaged, &shows[which..=which]);
            }
        }
    }
}

#[test]
fn a_declared_length_allocates_nothing_that_the_file_does_not_have() {
    let mut bytes = SEGMENTS[0][..61].to_vec();
    bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    let mut out = Vec::new();
    let dumped = dump(Cursor::new(&bytes), "a/x.log", 61, &shows()[0], &mut out);
    assert!(dumped.is_ok());
    assert_eq!(out, b"Found 61 invalid bytes at the end of x.log\n");
}

#[test]
fn wrong_arguments_are_told() {
    for (text, expected) in [
        ("--print-data-log", "Missing required argument \"[files]\""),
        ("--nonsense", "nonsense is not a recognized option"),
        ("--files x --max-bytes y", "Cannot parse argument 'y' of option max-bytes"),
        ("--files x --key-decoder-class a.B", "Failed to load decoder class a.B"),
        ("--files nowhere/x.log", "nowhere/x.log: For input string: \"x\""),
    ] {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let said = begin(&words).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, expected, "{text}");
    }
}
