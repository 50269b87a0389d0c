//! Any bytes as a configuration file and overrides, chosen by libFuzzer.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| klamm_fuzz::targets::config_file(bytes));
