//! Any bytes as a produced record batch, chosen by libFuzzer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| klamm_fuzz::targets::record_batch(bytes));
