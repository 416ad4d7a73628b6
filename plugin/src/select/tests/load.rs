//! Loading a hook-spec from its file.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use proptest::prelude::*;

use super::node::{KEY, Node, select};
use crate::diagnostic::Rule;
use crate::model::Stage;
use crate::select::{LoadedSpec, SelectError, Selector};
use crate::spec::MAX_SIZE;

#[test]
fn a_spec_of_10_mib_exactly_is_loaded_and_one_byte_more_is_refused() {
    let node = Node::new();
    let file: Arc<str> = node.text("specs/x.json").into();
    let size = usize::try_from(MAX_SIZE).unwrap();
    node.write("specs/x.json", &format!("{{}}{}", " ".repeat(size - 2)));
    assert!(LoadedSpec::load(&file).is_ok());
    node.write("specs/x.json", &format!("{{}}{}", " ".repeat(size - 1)));
    let errors = LoadedSpec::load(&file).unwrap_err();
    assert_eq!((errors.len(), errors[0].rule), (1, Rule::TooLarge));
    fs::File::create(&*file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(
        LoadedSpec::load(&file).unwrap_err()[0].rule,
        Rule::TooLarge,
        "a terabyte of nothing"
    );
}

#[test]
fn errors_of_the_text_and_untrusted_programs_are_reported_together_in_order() {
    let node = Node::new();
    node.mode("bin/b", 0o644);
    let (a, b) = (node.text("bin/a"), node.text("bin/b"));
    let text = format!(
        "{{\"prestart\":[\n{{\"path\":\"{b}\",\"timeout\":0}},\n{{\"path\":\"/none\"}},\n{{\"path\":\"{b}\"}},\n\
         {{\"path\":\"{a}\"}},\n{{\"path\":\"{}\"}}],\"startContainer\":[{{\"path\":\"/in/container\"}}]}}",
        node.text("bin")
    );
    node.write("specs/x.json", &text);
    let errors = LoadedSpec::load(&node.text("specs/x.json").into()).unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.rule, error.place.unwrap().line))
        .collect();
    assert_eq!(
        found,
        [
            (Rule::NotExecutable, 2),
            (Rule::TimeoutZero, 2),
            (Rule::NotFound, 3),
            (Rule::NotRegular, 6)
        ],
        "each program once, where it is first named"
    );
}

#[test]
fn a_selector_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Selector>();
    shared::<SelectError>();
}

/// A hook-spec of one hook with these members, of which some are invalid.
fn any_members() -> impl Strategy<Value = Vec<&'static str>> {
    let members = vec![
        r#""path":"BIN/a""#,
        r#""path":"BIN/none""#,
        r#""path":"bin/a""#,
        r#""args":["a","b"]"#,
        r#""args":"a""#,
        r#""env":["A=b"]"#,
        r#""env":["A"]"#,
        r#""timeout":5"#,
        r#""timeout":0"#,
        r#""nice":1"#,
    ];
    prop::sample::subsequence(members.clone(), 0..=members.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_check_accepts_a_container_gets_and_what_it_refuses_none_gets(
        stage in prop::sample::select(vec!["prestart", "poststop", "prestop"]),
        members in any_members(),
        mode in prop::sample::select(vec![0o644, 0o600, 0o664, 0o755]),
    ) {
        let node = Node::new();
        let text = format!("{{\"{stage}\":[{{{}}}]}}", members.join(","));
        let text = text.replace("BIN", &node.text("bin"));
        for file in ["default.json", "specs/x.json"] {
            node.write(file, &text);
            node.mode(file, mode);
        }
        let checked = LoadedSpec::load(&node.text("specs/x.json").into());
        let selected = select(&node.selector(""), &[(KEY, "x")]);
        let default = select(&node.selector_with_default(""), &[]);
        match checked {
            Ok(_) => {
                prop_assert!(!selected.unwrap().resolved.is_empty());
                prop_assert!(!default.unwrap().resolved.is_empty());
            }
            Err(errors) => {
                let expected = &errors[0].message;
                prop_assert!(selected.unwrap_err().to_string().contains(expected));
                let expected = expected.replace("specs/x.json", "default.json");
                prop_assert!(default.unwrap_err().to_string().contains(&expected));
            }
        }
    }
}

/// Versions of programs, and links to the current ones, as hook images have them.
#[test]
fn a_container_keeps_the_version_of_a_program_that_it_was_created_with() {
    let node = Node::new();
    let versions = ["0", "1"].map(|digit| format!("bin/sha256-{}", digit.repeat(64)));
    for version in &versions {
        fs::create_dir(node.path(version)).unwrap();
        fs::copy(node.path("bin/a"), node.path(&format!("{version}/hook"))).unwrap();
    }
    let lead_to = |version: &str| {
        let _ = fs::remove_file(node.path("bin/current"));
        symlink(node.path(version), node.path("bin/current")).unwrap();
    };
    lead_to(&versions[0]);
    node.spec("default.json", &["current/hook", "b"]);
    node.spec("specs/x.json", &["current/hook"]);
    let selector = node.selector_with_default("");
    let programs = || {
        let selected = select(&selector, &[(KEY, "x")]).unwrap();
        let hooks = selected.resolved.stage(Stage::Prestart).iter();
        hooks
            .map(|hook| (hook.path.clone(), hook.program().to_owned()))
            .collect::<Vec<_>>()
    };
    let path = node.text("bin/current/hook");
    let b = node.text("bin/b");
    for version in [&versions[0], &versions[1]] {
        lead_to(version);
        let real = node.text(&format!("{version}/hook"));
        let expected = [
            (path.clone(), real.clone()),
            (b.clone(), b.clone()),
            (path.clone(), real),
        ];
        assert_eq!(programs(), expected);
    }
    // The same where the last good version of a hook-spec is active.
    node.write("default.json", "broken");
    node.write("specs/x.json", "broken");
    lead_to(&versions[0]);
    let real = node.text(&format!("{}/hook", versions[0]));
    assert_eq!(programs()[0], (path, real));
}
