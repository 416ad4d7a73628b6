//! Any text as a configuration: read without a panic, every error described as it should be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::config::{Config, Overrides};

mod messages;

fuzz_target!(|text: &str| {
    if let Err(errors) = Config::from_text("fuzzed.toml", text, &Overrides::default()) {
        messages::assert_errors(&errors, text.len());
    }
});
