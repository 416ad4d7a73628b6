//! The files and annotations that give a container no hooks although they could, and the reported reason.

use std::collections::HashMap;

use super::node::{KEY, Node};
use crate::config::Delivery;
use crate::select::{Deadline, Selector, Subject, Unknown};

/// Each reason, with the node's directory called NODE.
fn unused(node: &Node, selector: &Selector, namespace: &str, annotations: &[(&str, &str)]) -> Vec<String> {
    let annotations: HashMap<String, String> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let subject = Subject {
        namespace,
        annotations: &annotations,
        container_annotations: &HashMap::new(),
        container: "main",
        command: Some("/bin/main"),
        has_bind_mounts: true,
        delivery: Delivery::default(),
    };
    let chosen = selector
        .select(&subject, Deadline::none())
        .map_or_else(|_| Vec::new(), |selected| selected.specs);
    let unused = selector
        .unused(&subject, &Unknown::default(), &chosen)
        .into_iter();
    unused
        .map(|unused| unused.to_string().replace(&node.text(""), "NODE/"))
        .collect()
}

#[test]
fn the_default_spec_is_unused_where_none_is_configured_and_in_excluded_namespaces() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    assert_eq!(
        unused(&node, &node.selector(""), "apps", &[]),
        ["default hook-spec: none is configured (hook_spec)"]
    );
    let selector = node.selector_with_default("exclude_namespaces = [\"kube-system\"]");
    assert_eq!(unused(&node, &selector, "apps", &[]), [""; 0]);
    assert_eq!(
        unused(&node, &selector, "kube-system", &[]),
        ["NODE/default.json: namespace kube-system is among exclude_namespaces"]
    );
}

#[test]
fn an_annotation_is_unused_if_another_counts_or_is_meant_or_it_says_none() {
    let node = Node::new();
    node.spec("default.json", &[]);
    let selector = node.selector_with_default("");
    let key = |scope: &str| format!("{KEY}{scope}");
    let annotations = [
        (&*key(""), "x"),
        (&key("/pod"), ""),
        (&key("/container.side"), "x"),
        ("hook-spec.example.com", "x"),
        ("hookspec.noderesource.dev/pod", "x"),
        ("devices.noderesource.dev", "x"),
    ];
    assert_eq!(
        unused(&node, &selector, "apps", &annotations),
        [
            "annotation hook-spec.example.com: is not known; did you mean hook-spec.noderesource.dev?",
            "annotation hook-spec.noderesource.dev: hook-spec.noderesource.dev/pod is more specific",
            "annotation hook-spec.noderesource.dev/container.side: is for container side",
            "annotation hook-spec.noderesource.dev/pod: is empty, so it selects nothing",
            "annotation hookspec.noderesource.dev/pod: is not known; did you mean hook-spec.noderesource.dev?",
        ]
    );
}

#[test]
fn a_file_of_hooks_d_is_unused_if_a_condition_does_not_hold_and_in_excluded_namespaces() {
    let node = Node::new();
    node.spec("default.json", &[]);
    let file = |name: &str, when: &str| {
        let program = node.text("bin/a");
        let text = format!(
            "{{\"version\":\"1.0.0\",\"hook\":{{\"path\":\"{program}\"}},\"when\":{{{when}}},\"stages\":[\"prestart\"]}}"
        );
        node.write(&format!("hooks.d/{name}.json"), &text);
    };
    std::fs::create_dir(node.path("hooks.d")).unwrap();
    file("holds", "\"always\":true");
    file("never", "\"always\":false");
    file(
        "other",
        "\"commands\":[\"^/bin/sh$\"],\"annotations\":{\"^a$\":\"b\"},\"hasBindMounts\":true",
    );
    let hooks_d = format!("hooks_dirs = [\"{}\"]", node.text("hooks.d"));
    let selector = node.selector_with_default(&format!("{hooks_d}\nexclude_namespaces = [\"kube-system\"]"));
    assert_eq!(
        unused(&node, &selector, "apps", &[]),
        [
            "NODE/hooks.d/never.json: these conditions do not hold: always",
            "NODE/hooks.d/other.json: these conditions do not hold: annotations, commands",
        ]
    );
    assert_eq!(
        unused(&node, &selector, "kube-system", &[])[1],
        "NODE/hooks.d/holds.json: namespace kube-system is among exclude_namespaces"
    );
}

#[test]
fn a_spec_is_unused_if_it_is_not_selected_or_denied_or_if_its_name_means_another() {
    let node = Node::new();
    node.spec("default.json", &[]);
    for name in [
        "specs/selected",
        "specs/free",
        "specs/denied",
        "more/free",
        "more/only",
    ] {
        node.spec(&format!("{name}.json"), &[]);
    }
    node.write("specs/notes.txt", "");
    let rules = "[[annotation.rules]]\neffect = \"allow\"\n[[annotation.rules]]\neffect = \"deny\"\nspecs = [\"denied\"]";
    let text = format!(
        "hook_spec = \"{}\"\n[annotation]\nspec_dirs = [\"{}\", \"{}\"]\n{rules}",
        node.text("default.json"),
        node.text("specs"),
        node.text("more")
    );
    let config = crate::config::Config::from_text("config.toml", &text, &Default::default()).unwrap();
    assert_eq!(
        unused(&node, &Selector::new(config), "apps", &[(KEY, "selected")]),
        [
            "NODE/specs/denied.json: pods in namespace apps may not select it: annotation.rules[1] of the node's configuration denies it",
            "NODE/specs/free.json: no annotation selects it",
            "NODE/more/free.json: its name means NODE/specs/free.json, which is found first",
            "NODE/more/only.json: no annotation selects it",
        ]
    );
}
