//! Any text as a configuration: read without a panic, every error told as it should be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::config::{Config, Overrides};

mod told;

fuzz_target!(|text: &str| {
    if let Err(errors) = Config::from_text("fuzzed.toml", text, &Overrides::default()) {
        told::assert_errors(&errors, text.len());
    }
});
