//! Any bytes as a frame of the journal, chosen by libFuzzer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| klamm_fuzz::targets::journal_frame(bytes));
