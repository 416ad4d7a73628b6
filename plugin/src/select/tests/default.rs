//! The default hook-spec: the containers that get it, and the effect of an invalid one.

use std::fs;

use super::node::{KEY, Node, annotations, chosen, programs, refused, select, subject};
use crate::select::{Deadline, Subject};

#[test]
fn an_excluded_namespace_is_exempt_from_the_default_only() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    for excluded in ["apps", "ap*s", "app?"] {
        let selector = node.selector_with_default(&format!("exclude_namespaces = [\"{excluded}\"]"));
        assert_eq!(chosen(&selector, &[(KEY, "b")]), "b", "{excluded}");
    }
    let selector = node.selector_with_default("exclude_namespaces = [\"apps\"]");
    assert_eq!(chosen(&selector, &[(KEY, "b")]), "b");
    let annotations = annotations(&[]);
    let elsewhere = Subject {
        namespace: "app",
        ..subject(&annotations)
    };
    assert_eq!(
        programs(&selector.select(&elsewhere, Deadline::none()).unwrap()),
        "a"
    );
}

#[test]
fn a_default_for_some_namespaces_comes_behind_the_one_for_all_and_is_nobody_elses() {
    let node = Node::new();
    for (file, program) in [("default.json", "a"), ("some.json", "b"), ("others.json", "c")] {
        node.spec(file, &[program]);
    }
    let (some, others) = (node.text("some.json"), node.text("others.json"));
    let config = format!(
        "default_specs = [{{hook_spec = \"{some}\", namespaces = [\"ml-*\", \"ap?s\"]}}, \
         {{hook_spec = \"{others}\", namespaces = [\"web\"]}}]\n"
    );
    let selector = node.selector_with_default(&format!("exclude_namespaces = [\"ml-system\"]\n{config}"));
    let annotations = annotations(&[]);
    let of = |namespace| {
        let subject = Subject {
            namespace,
            ..subject(&annotations)
        };
        selector.select(&subject, Deadline::none())
    };
    for (namespace, expected) in [
        ("apps", "ab"),
        ("ml-x", "ab"),
        ("web", "ac"),
        ("default", "a"),
        ("ml-system", ""),
    ] {
        assert_eq!(programs(&of(namespace).unwrap()), expected, "{namespace}");
    }
    // One that is invalid refuses the containers that it is for. Its last good version goes on counting.
    node.write("others.json", "broken");
    assert_eq!(programs(&of("web").unwrap()), "ac");
    assert_eq!(selector.errors().len(), 1);
    let selector = node.selector_with_default(&config);
    assert_eq!(chosen(&selector, &[]), "ab");
    let elsewhere = Subject {
        namespace: "web",
        ..subject(&annotations)
    };
    let error = selector.select(&elsewhere, Deadline::none()).unwrap_err();
    assert!(error.to_string().contains("others.json"), "{error}");
}

#[test]
fn a_default_that_was_never_valid_fails_each_create_until_it_is() {
    let node = Node::new();
    let selector = node.selector_with_default("");
    assert!(refused(&selector, &[]).contains("default.json does not exist"));
    node.write("default.json", "{");
    assert!(refused(&selector, &[]).contains("[invalid-json]"));
    node.spec("default.json", &["a"]);
    assert_eq!(chosen(&selector, &[]), "a");
}

#[test]
fn an_invalid_default_does_not_affect_an_excluded_namespace() {
    let node = Node::new();
    let selector = node.selector_with_default("exclude_namespaces = [\"apps\"]");
    assert_eq!(chosen(&selector, &[]), "");
}

#[test]
fn the_last_good_default_stays_active_when_the_file_becomes_invalid() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    let selector = node.selector_with_default("");
    node.write("default.json", "{\"prestart\":[{\"path\":\"x\"}]}");
    assert_eq!(chosen(&selector, &[]), "a");
    fs::remove_file(node.path("default.json")).unwrap();
    assert_eq!(chosen(&selector, &[]), "a");
    node.spec("default.json", &["b"]);
    node.mode("default.json", 0o666);
    assert_eq!(
        chosen(&selector, &[]),
        "a",
        "a file that others may write to is not read"
    );
    node.mode("default.json", 0o644);
    assert_eq!(chosen(&selector, &[]), "b");
}

#[test]
fn a_program_that_is_no_longer_trusted_is_not_run_by_any_version_of_the_default() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("");
    assert_eq!(chosen(&selector, &[(KEY, "b")]), "ab");
    node.mode("bin/b", 0o777);
    assert!(refused(&selector, &[(KEY, "b")]).contains("[writable-by-others]"));
    assert_eq!(chosen(&selector, &[]), "a");
    node.mode("bin/a", 0o777);
    assert!(refused(&selector, &[]).contains("[writable-by-others]"));
    node.write("default.json", "broken");
    assert!(
        refused(&selector, &[]).contains("[writable-by-others]"),
        "not through the last good one either"
    );
    node.mode("bin/a", 0o755);
    assert_eq!(chosen(&selector, &[]), "a");
}

#[test]
fn with_policy_ignore_only_the_invalid_part_is_left_out() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    let selected = select(&selector, &[(KEY, "b,../x")]).unwrap();
    assert_eq!((programs(&selected).as_str(), selected.ignored.len()), ("a", 1));
    fs::remove_file(node.path("default.json")).unwrap();
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    let selected = select(&selector, &[(KEY, "b")]).unwrap();
    assert_eq!((programs(&selected).as_str(), selected.ignored.len()), ("b", 1));
}
