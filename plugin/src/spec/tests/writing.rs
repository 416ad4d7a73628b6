//! A hook-spec that is written back reads the same.

use proptest::prelude::*;

use super::brief::read;
use crate::model::{OnFailure, Stage, Timeout};
use crate::spec::{Hook, HookSpec};

/// Any string that a hook-spec can hold: all but NUL.
fn any_text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn any_hook() -> impl Strategy<Value = Hook> {
    let list = |items: BoxedStrategy<String>| prop::option::of(prop::collection::vec(items, 0..4));
    let variable = ("[^=\0]{1,5}", any_text()).prop_map(|(key, value)| format!("{key}={value}"));
    let timeout = (1..=Timeout::MAX_SECONDS).prop_map(|seconds| Timeout::from_seconds(seconds).unwrap());
    (
        any_text(),
        list(any_text().boxed()),
        list(variable.boxed()),
        prop::option::of(timeout),
    )
        .prop_map(|(path, args, env, timeout)| Hook {
            path: format!("/{path}"),
            args,
            env,
            timeout,
            on_failure: OnFailure::default(),
            line: 1,
        })
}

fn any_spec() -> impl Strategy<Value = HookSpec> {
    let hooks = prop::collection::vec(any_hook(), 1..4);
    prop::collection::btree_map(prop::sample::select(Stage::ALL.to_vec()), hooks, 0..6)
        .prop_map(|stages| HookSpec { stages })
}

proptest! {
    #[test]
    fn a_hook_spec_that_is_written_back_reads_the_same(spec in any_spec()) {
        let text = serde_json::to_string(&spec).unwrap();
        let parsed = read(text.as_bytes());
        prop_assert_eq!(&parsed.errors, &[]);
        prop_assert_eq!(parsed.spec, spec);
    }
}
