//! Any bytes as any message of the protocol: decoded within the budget, or refused.
//!
//! The first two bytes choose the message and its version.

#![no_main]

use klamm::protocol::reader::Reader;
use klamm::protocol::rewrite::{MESSAGES, MessageKind, decode_any};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[message, version], body)) = bytes.split_first_chunk::<2>() else { return };
    let message = &MESSAGES[usize::from(message) % MESSAGES.len()];
    let span = message.versions.max - message.versions.min + 1;
    let version = message.versions.min + i16::from(version) % span;
    let rewritten = match message.kind {
        MessageKind::Request | MessageKind::Response => {
            decode_any(message.kind, message.key, version, body)
        }
        MessageKind::Header | MessageKind::Data => (message.rewrite)(body, version, version),
    };
    let Ok(rewritten) = rewritten else { return };
    assert!(rewritten.allocated <= Reader::new(body).budget());
    // What was accepted is sayable again, and then means the same to the reader.
    let again = rewritten.bytes.expect("what was accepted can be said");
    let stable = (message.rewrite)(&again, version, version).expect("what was said can be read");
    assert_eq!(stable.bytes, Ok(again));
});
