//! Any bytes as any message of the protocol, chosen by libFuzzer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| klamm_fuzz::targets::message(bytes));
