//! Any bytes as a frame of the journal, and as the entries inside one.

#![no_main]

use klamm::storage::journal::{entry, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Few inputs have the checksum of a frame, so they are tried as its payload as well.
    let _ = frame::fuzz(bytes);
    let mut rest = bytes;
    while let Ok((_, left)) = entry::decode(rest) {
        assert!(left.len() < rest.len(), "an entry has a length");
        rest = left;
    }
});
