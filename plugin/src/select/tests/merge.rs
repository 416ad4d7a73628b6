//! The hooks of a container from several hook-specs.

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;

use super::node::{KEY, Node, chosen, select};
use crate::model::{HookLimits, Origin, ResolvedHook, Source, Stage, Timeout};
use crate::select::merge::merge;
use crate::select::{DEFAULT_PATH, LoadedSpec};

#[test]
fn without_default_and_annotation_a_container_gets_nothing() {
    let selected = select(&Node::new().selector(""), &[("other.key", "x")]).unwrap();
    assert!(selected.resolved.is_empty() && selected.specs.is_empty());
}

#[test]
fn default_hooks_come_first_then_the_annotations_in_its_order() {
    let node = Node::new();
    node.spec("default.json", &["a", "b"]);
    node.spec("specs/gpu.json", &["c"]);
    node.spec("more/net.json", &["b", "a"]);
    let selector = node.selector_with_default("");
    assert_eq!(chosen(&selector, &[]), "ab");
    assert_eq!(chosen(&selector, &[(KEY, "gpu")]), "abc");
    assert_eq!(chosen(&selector, &[(KEY, "gpu,net")]), "abcba");
    assert_eq!(chosen(&selector, &[(KEY, " net , gpu ")]), "abbac");
    assert_eq!(
        chosen(&selector, &[(KEY, "gpu,gpu")]),
        "abcc",
        "nothing is removed"
    );
    let selected = select(&selector, &[(KEY, "net")]).unwrap();
    let selection = Origin::Annotation {
        annotation: KEY.to_owned(),
        selected: "net".to_owned(),
    };
    let got = selected.specs.iter().map(|spec| (&*spec.file, &spec.by));
    assert_eq!(
        got.collect::<Vec<_>>(),
        [
            (&*node.text("default.json"), &Origin::Default),
            (&*node.text("more/net.json"), &selection)
        ]
    );
}

#[test]
fn missing_values_of_a_spec_are_filled_in() {
    let node = Node::new();
    let path = node.text("bin/a");
    node.write(
        "default.json",
        &format!(
            r#"{{"poststop":[{{"path":"{path}"}},{{"path":"{path}","args":[],"env":[]}},
                {{"path":"{path}","args":["x"],"env":["A=b"],"timeout":5}}]}}"#
        ),
    );
    let selected = select(&node.selector_with_default("default_timeout = 7"), &[]).unwrap();
    let hooks = selected.resolved.stage(Stage::Poststop);
    let filled = |hook: &ResolvedHook| (hook.args.clone(), hook.env.clone(), hook.timeout.seconds());
    let default = (vec![path.clone()], vec![DEFAULT_PATH.to_owned()], 7);
    assert_eq!(filled(&hooks[0]), default);
    assert_eq!(filled(&hooks[1]), default);
    assert_eq!(filled(&hooks[2]), (vec!["x".into()], vec!["A=b".into()], 5));
    assert_eq!(
        hooks[1].source,
        Source {
            file: node.text("default.json").into(),
            index: 1,
            line: 1
        }
    );
    assert_eq!(hooks[2].source.line, 2);
}

#[test]
fn unchanged_specs_give_the_same_resolved_hooks_and_a_change_gives_new_ones() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("");
    let resolved = |value: &str| select(&selector, &[(KEY, value)]).unwrap().resolved;
    let (first, other) = (resolved("b"), resolved(""));
    assert!(Arc::ptr_eq(&first, &resolved("b")) && Arc::ptr_eq(&other, &resolved("")));
    assert_eq!(first.stage(Stage::Prestart).len(), 2);
    node.spec("specs/b.json", &["c", "c"]);
    assert_eq!(resolved("b").stage(Stage::Prestart).len(), 3);
    assert!(Arc::ptr_eq(&other, &resolved("")), "unchanged hooks are cached");
}

fn any_hooks() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    prop::collection::vec(
        (0..Stage::ALL.len(), prop::collection::vec(any::<u8>(), 0..6)),
        0..6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_keeps_the_order_and_loses_nothing(files in prop::collection::vec(any_hooks(), 0..5)) {
        let node = Node::new();
        let mut specs = Vec::new();
        let mut expected: Vec<Vec<(String, usize)>> = vec![Vec::new(); Stage::ALL.len()];
        for (number, hooks) in files.iter().enumerate() {
            let mut stages = serde_json::Map::new();
            for (stage, arguments) in hooks {
                let stage = Stage::ALL[*stage].key();
                let list: Vec<_> = arguments
                    .iter()
                    .map(|argument| serde_json::json!({"path": node.text("bin/a"), "args": [argument.to_string()]}))
                    .collect();
                // A stage drawn twice counts once: keys are unique.
                stages.insert(stage.to_owned(), list.into());
            }
            let file = node.text(&format!("specs/{number}.json"));
            fs::write(&file, serde_json::to_string(&stages).unwrap()).unwrap();
            for (index, stage) in Stage::ALL.iter().enumerate() {
                let list = stages.get(stage.key()).and_then(|list| list.as_array()).cloned().unwrap_or_default();
                expected[index].extend(
                    list.iter().map(|hook| (hook["args"][0].as_str().unwrap().to_owned(), number)),
                );
            }
            specs.push(Arc::new(LoadedSpec::load(&file.into()).unwrap()));
        }
        let resolved = merge(&specs, Timeout::DEFAULT, HookLimits::default());
        for (index, stage) in Stage::ALL.iter().enumerate() {
            let merged: Vec<(String, usize)> = resolved
                .stage(*stage)
                .iter()
                .map(|hook| {
                    let file = hook.source.file.rsplit('/').next().unwrap();
                    (hook.args[0].clone(), file.trim_end_matches(".json").parse().unwrap())
                })
                .collect();
            prop_assert_eq!(&merged, &expected[index]);
        }
    }
}
