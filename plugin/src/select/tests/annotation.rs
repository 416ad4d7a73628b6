//! The selections that an annotation may and may not make.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use proptest::prelude::*;

use super::node::{KEY, Node, annotations, chosen, programs, refused, select, subject};
use crate::select::{Deadline, Subject};

#[test]
fn the_nearest_scope_counts_alone() {
    let node = Node::new();
    for name in ["a", "b", "c"] {
        node.spec(&format!("specs/{name}.json"), &[name]);
    }
    let selector = node.selector("");
    let (pod, main, other) = (
        format!("{KEY}/pod"),
        format!("{KEY}/container.main"),
        format!("{KEY}/container.x"),
    );
    assert_eq!(chosen(&selector, &[(KEY, "a")]), "a");
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "b")]), "b");
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "b"), (&main, "c")]), "c");
    assert_eq!(
        chosen(&selector, &[(KEY, "a"), (&main, "")]),
        "",
        "an empty value means none"
    );
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "  ")]), "");
    assert_eq!(
        chosen(&selector, &[(KEY, "a"), (&other, "b")]),
        "a",
        "another container's does not count"
    );
}

#[test]
fn a_scope_that_does_not_exist_is_refused() {
    let selector = Node::new().selector("");
    for scope in [
        "/containr.main",
        "/container",
        "/container.",
        "/Container.main",
        "/Pod",
        "/pods",
        "/",
        "/pod/",
        "//pod",
        "/ pod",
    ] {
        let message = refused(&selector, &[(&format!("{KEY}{scope}"), "")]);
        assert!(
            message.contains("unknown scope; write hook-spec"),
            "{scope}: {message}"
        );
    }
}

#[test]
fn keys_that_only_look_like_ours_do_not_count() {
    let selector = Node::new().selector("");
    for key in [
        "hook-spec.noderesource.dev2",
        "hook-spec.noderesource.dev.x/pod",
        "x.hook-spec.noderesource.dev",
        "Hook-Spec.noderesource.dev",
        "hook-spec.noder\u{435}source.dev",
        "hook-spec.noderesource.dev\0/pod",
        "io.kubernetes.cri.sandbox-id",
    ] {
        assert_eq!(chosen(&selector, &[(key, "../../etc/passwd")]), "", "{key}");
    }
}

#[test]
fn a_container_name_of_the_maximum_length_for_its_key_is_addressed() {
    let node = Node::new();
    node.spec("specs/a.json", &["a"]);
    let name = "n".repeat(53);
    let annotations = annotations(&[(&format!("{KEY}/container.{name}"), "a")]);
    let subject = Subject {
        container: &name,
        ..subject(&annotations)
    };
    assert_eq!(
        programs(&node.selector("").select(&subject, Deadline::none()).unwrap()),
        "a"
    );
}

#[test]
fn a_container_whose_name_is_too_long_for_a_key_has_the_scope_of_its_pod() {
    let node = Node::new();
    node.spec("specs/a.json", &["a"]);
    let name = "n".repeat(54);
    let cut = format!("{KEY}/container.{}", &name[..53]);
    let annotations = annotations(&[(&format!("{KEY}/pod"), "a"), (&cut, "")]);
    let subject = Subject {
        container: &name,
        ..subject(&annotations)
    };
    assert_eq!(
        programs(&node.selector("").select(&subject, Deadline::none()).unwrap()),
        "a"
    );
}

#[test]
fn a_flood_of_annotations_changes_nothing_and_its_refusal_stays_one_line() {
    let node = Node::new();
    node.spec("specs/a.json", &["a"]);
    let selector = node.selector("");
    let flood = |scope: &str| -> Vec<(String, String)> {
        let number = |number| (format!("{KEY}{scope}{number}"), "../x".to_owned());
        (0..10_000).map(number).collect()
    };
    let chosen = |flood: &[(String, String)]| {
        let mut list: Vec<(&str, &str)> = flood.iter().map(|(key, value)| (&**key, &**value)).collect();
        list.push((KEY, "a"));
        select(&selector, &list).map(|selected| programs(&selected))
    };
    assert_eq!(chosen(&flood("")).unwrap(), "a", "keys of others");
    assert_eq!(chosen(&flood("/container.")).unwrap(), "a", "other containers'");
    let refusal = chosen(&flood("/pod")).unwrap_err().to_string();
    assert!(
        refusal.len() < 500 && refusal.contains("/pod0: unknown scope"),
        "{refusal}"
    );
}

#[test]
fn a_value_that_is_not_a_list_of_names_and_plain_paths_is_refused() {
    let node = Node::new();
    node.spec("specs/gpu.json", &["a"]);
    let selector = node.selector("");
    let inside = |tail: &str| node.text("specs") + tail;
    let long = "x".repeat(262_144);
    let commas = ",".repeat(1000);
    let many = ["gpu"; 17].join(",");
    let (dots, doubled, dot, slash, control) = (
        inside("/../specs/gpu.json"),
        inside("//gpu.json"),
        inside("/./gpu.json"),
        inside("/gpu.json/"),
        inside("/gpu.json\n"),
    );
    let long_path = inside(&"/x".repeat(3000));
    for (attack, value, says) in [
        ("a relative path", "specs/gpu", "neither the bare name"),
        ("a way up", "../gpu", "neither the bare name"),
        ("dots alone", "..", "neither the bare name"),
        ("one dot", ".", "neither the bare name"),
        ("a hidden file", ".gpu", "neither the bare name"),
        ("a home directory", "~/gpu", "neither the bare name"),
        ("an option", "-f", "neither the bare name"),
        ("a glob", "*", "neither the bare name"),
        ("a command", "$(reboot)", "neither the bare name"),
        ("a backslash", "a\\b", "neither the bare name"),
        ("a NUL", "gpu\0", "neither the bare name"),
        ("a line break at the end", "gpu\n", "neither the bare name"),
        (
            "a line break between",
            "gpu\nERROR all is lost",
            "neither the bare name",
        ),
        ("a terminal escape", "\x1b[2Jgpu", "neither the bare name"),
        ("a look-alike letter", "gp\u{446}", "neither the bare name"),
        (
            "a full-width dot and slash",
            "\u{ff0e}\u{ff0f}gpu",
            "neither the bare name",
        ),
        (
            "a Cyrillic letter in a known name",
            "g\u{440}u",
            "neither the bare name",
        ),
        ("a full-width comma", "gpu\u{ff0c}net", "neither the bare name"),
        ("a zero-width blank", "gpu\u{200b}", "neither the bare name"),
        (
            "a blank that does not break",
            "\u{a0}gpu",
            "neither the bare name",
        ),
        ("a carriage return", "gpu\r", "neither the bare name"),
        (
            "a way up, as in an address",
            "%2e%2e%2fgpu",
            "neither the bare name",
        ),
        ("a device", "/dev/stdin", "is outside the directories"),
        (
            "the daemon's own files",
            "/proc/self/environ",
            "is outside the directories",
        ),
        ("a configuration", "{\"prestart\":[]}", "neither the bare name"),
        ("text that runs backwards", "\u{202e}upg", "neither the bare name"),
        ("a blank inside", "gpu net", "neither the bare name"),
        ("a tab around", "\tgpu", "neither the bare name"),
        ("a web address", "http://x/gpu", "neither the bare name"),
        ("256 KiB", &long, "neither the bare name"),
        ("1,000 commas", &commas, "selects 1001 hook-specs; at most 16"),
        ("17 specs", &many, "selects 17 hook-specs; at most 16"),
        ("a comma at the end", "gpu,", "element 2 of the list is empty"),
        ("a comma in front", ",gpu", "element 1 of the list is empty"),
        ("two commas", "gpu, ,gpu", "element 2 of the list is empty"),
        ("a path with ..", &dots, "not a plain absolute path"),
        ("a path with //", &doubled, "not a plain absolute path"),
        ("a path with .", &dot, "not a plain absolute path"),
        ("a path with a last slash", &slash, "not a plain absolute path"),
        ("a path with a line break", &control, "not a plain absolute path"),
        ("a path too long", &long_path, "not a plain absolute path"),
        ("the root", "/", "not a plain absolute path"),
        ("a good one and a bad one", "gpu,../x", "neither the bare name"),
        ("a name that is not there", "none", "no such hook-spec in "),
        ("a name with its ending", "gpu.json", "no such hook-spec in "),
        ("a name in other letters", "GPU", "no such hook-spec in "),
    ] {
        let message = refused(&selector, &[(KEY, value)]);
        assert!(
            message.starts_with(&format!("annotation {KEY}: ")),
            "{attack}: {message}"
        );
        assert!(message.contains(says), "{attack}: {message}");
    }
}

#[test]
fn the_maximum_number_of_specs_can_be_selected() {
    let node = Node::new();
    node.spec("specs/a.json", &["a"]);
    assert_eq!(
        chosen(&node.selector(""), &[(KEY, &["a"; 16].join(","))]),
        "a".repeat(16)
    );
}

#[test]
fn a_name_of_the_maximum_length_of_a_file_name_is_looked_up() {
    let node = Node::new();
    let name = "n".repeat(250);
    node.spec(&format!("specs/{name}.json"), &["a"]);
    assert_eq!(chosen(&node.selector(""), &[(KEY, &name)]), "a");
    assert!(refused(&node.selector(""), &[(KEY, &"n".repeat(251))]).contains("neither the bare name"));
}

#[test]
fn the_first_spec_directory_that_has_the_name_takes_precedence_and_a_missing_directory_has_none() {
    let node = Node::new();
    node.spec("more/x.json", &["b"]);
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "b");
    node.spec("specs/x.json", &["a"]);
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "a");
    fs::remove_dir_all(node.path("specs")).unwrap();
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "b");
}

#[test]
fn a_path_can_be_selected_only_inside_a_spec_directory() {
    let node = Node::new();
    fs::create_dir(node.path("specs/deep")).unwrap();
    fs::create_dir(node.path("specs2")).unwrap();
    for spec in ["specs/deep/x.json", "specs2/x.json", "x.json"] {
        node.spec(spec, &["a"]);
    }
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[(KEY, &node.text("specs/deep/x.json"))]), "a");
    for outside in [
        node.text("specs2/x.json"),
        node.text("x.json"),
        "/etc/passwd".into(),
        node.text("specs"),
    ] {
        let message = refused(&selector, &[(KEY, &outside)]);
        assert!(message.contains("is outside the directories"), "{message}");
        assert!(
            message.contains(&node.text("specs")),
            "says what is allowed: {message}"
        );
    }
    let there = refused(&selector, &[(KEY, "/etc/passwd")]).replace("passwd", "none");
    assert_eq!(
        there,
        refused(&selector, &[(KEY, "/etc/none")]),
        "a pod cannot find out which files exist outside"
    );
}

#[test]
fn a_link_that_leads_out_of_the_spec_directories_is_refused_and_one_that_stays_is_followed() {
    let node = Node::new();
    node.spec("outside.json", &["a"]);
    node.spec("more/inside.json", &["b"]);
    symlink(node.path("outside.json"), node.path("specs/out.json")).unwrap();
    symlink(node.path("more/inside.json"), node.path("specs/in.json")).unwrap();
    symlink(node.root.path(), node.path("specs/up")).unwrap();
    let selector = node.selector("");
    assert!(refused(&selector, &[(KEY, "out")]).contains("is outside the directories"));
    assert!(refused(&selector, &[(KEY, &node.text("specs/out.json"))]).contains("is outside"));
    assert!(refused(&selector, &[(KEY, &node.text("specs/up/outside.json"))]).contains("is outside"));
    assert_eq!(chosen(&selector, &[(KEY, "in")]), "b");
}

#[test]
fn a_spec_directory_that_is_itself_a_link_holds_the_files_of_its_target() {
    let node = Node::new();
    node.spec("more/x.json", &["b"]);
    fs::remove_dir(node.path("specs")).unwrap();
    symlink("more", node.path("specs")).unwrap();
    assert_eq!(
        chosen(&node.selector(""), &[(KEY, &node.text("specs/x.json"))]),
        "b"
    );
}

#[test]
fn a_selected_spec_must_keep_every_rule() {
    let node = Node::new();
    node.spec("specs/x.json", &["a"]);
    let selector = node.selector("");
    node.mode("specs/x.json", 0o666);
    assert!(refused(&selector, &[(KEY, "x")]).contains("must be writable by root alone"));
    node.mode("specs/x.json", 0o644);
    node.mode("specs", 0o777);
    assert!(refused(&selector, &[(KEY, "x")]).contains("unless it is sticky"));
    node.mode("specs", 0o755);
    chown(node.path("specs/x.json"), Some(65534), None).unwrap();
    assert!(refused(&selector, &[(KEY, "x")]).contains("owned by uid 65534"));
    fs::remove_file(node.path("specs/x.json")).unwrap();
    fs::create_dir(node.path("specs/x.json")).unwrap();
    assert!(refused(&selector, &[(KEY, "x")]).contains("must be a regular file, but is a directory"));
    node.write("specs/y.json", r#"{"prestart":[{"path":"x"}],"poststrt":[]}"#);
    let message = refused(&selector, &[(KEY, "y")]);
    assert!(
        message.starts_with(&format!("annotation {KEY}: hook-spec y: ")),
        "{message}"
    );
    assert!(message.contains("[path-not-absolute] | ") && message.contains("did you mean poststart?"));
}

#[test]
fn many_errors_are_bounded_and_counted() {
    let node = Node::new();
    node.write(
        "specs/x.json",
        &format!("{{\"prestart\":[{}1]}}", "1,".repeat(99)),
    );
    let message = refused(&node.selector(""), &[(KEY, "x")]);
    assert!(message.len() < 1300, "{}", message.len());
    assert!(message.ends_with(" more"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_annotation_makes_the_selector_panic_or_leave_the_spec_directories(
        scope in "(/pod|/container\\.main|)",
        value in "[a-c./,~ \u{0}\n\u{e9}-]{0,40}",
    ) {
        let node = Node::new();
        node.spec("specs/a.json", &["a"]);
        let key = format!("{KEY}{scope}");
        if let Ok(selected) = select(&node.selector(""), &[(&key, &value)]) {
            prop_assert!(selected.specs.iter().all(|spec| *spec.file == node.text("specs/a.json")));
        }
    }
}
