//! Any bytes as a hook-spec and as a file of hooks.d: read without a panic, every error described as it should be, and
//! what has none is read back from what it is written as.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::spec::{HookSpec, parse, parse_hooks_d};

mod messages;

fuzz_target!(|bytes: &[u8]| {
    let file = Arc::from("/specs/fuzzed.json");
    messages::assert_errors(&parse_hooks_d(&file, bytes).errors, bytes.len());
    let parsed = parse(&file, bytes);
    messages::assert_errors(&parsed.errors, bytes.len());
    if parsed.errors.is_empty() {
        let written = serde_json::to_vec(&parsed.spec).unwrap();
        let again = parse(&file, &written);
        assert_eq!(again.errors, []);
        assert_eq!(without_lines(again.spec), without_lines(parsed.spec));
    }
});

/// A hook-spec without the places of its hooks.
fn without_lines(mut spec: HookSpec) -> HookSpec {
    spec.stages.values_mut().flatten().for_each(|hook| hook.line = 0);
    spec
}
