//! Which pods may select which hook-specs, and the limits of those.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use super::node::{KEY, Node, annotations, chosen, programs, refused, subject};
use crate::select::{Deadline, Selector, Subject};

/// Rules, each as `effect | namespaces | specs`, with blanks between patterns; `-` leaves them out.
fn rules(list: &[&str]) -> String {
    let rule = |rule: &&str| {
        let mut parts = rule.split('|').map(str::trim);
        let effect = parts.next().unwrap();
        let mut table = format!("effect=\"{effect}\"");
        for (key, patterns) in ["namespaces", "specs"].iter().zip(parts) {
            let patterns: Vec<String> = patterns.split(' ').map(|text| format!("{text:?}")).collect();
            if patterns != ["\"-\""] {
                table += &format!(", {key}=[{}]", patterns.join(","));
            }
        }
        format!("{{{table}}}")
    };
    let list: Vec<String> = list.iter().map(rule).collect();
    format!("annotation.rules = [{}]", list.join(","))
}

/// The programs of a pod in `namespace` that selects `value`, or the reason why it gets none.
fn selected(selector: &Selector, namespace: &str, value: &str) -> Result<String, String> {
    let annotations = annotations(&[(KEY, value)]);
    let subject = Subject {
        namespace,
        ..subject(&annotations)
    };
    let selected = selector
        .select(&subject, Deadline::none())
        .map_err(|error| error.to_string())?;
    Ok(programs(&selected))
}

/// A node with the hook-specs `gpu` and `net` (programs `a` and `b`), and `x/gpu` (`c`).
fn node() -> Node {
    let node = Node::new();
    fs::create_dir(node.path("specs/x")).unwrap();
    node.spec("specs/gpu.json", &["a"]);
    node.spec("specs/net.json", &["b"]);
    node.spec("specs/x/gpu.json", &["c"]);
    node
}

#[test]
fn without_rules_any_namespace_may_select_any_hook_spec() {
    let node = node();
    let selector = node.selector("");
    for namespace in ["apps", "kube-system", ""] {
        assert!(
            selected(&selector, namespace, "gpu").is_ok() && selected(&selector, namespace, "net").is_ok()
        );
    }
}

#[test]
fn a_selection_is_allowed_by_an_allow_without_a_deny() {
    let node = node();
    let by_path = node.text("specs/gpu.json");
    let deep = node.text("specs/x/gpu.json");
    let directory = format!("allow | - | {}/*", node.text("specs"));
    for (list, namespace, value, allowed) in [
        (&["allow"][..], "apps", "gpu", true),
        (&["deny"], "apps", "gpu", false),
        (&["allow", "deny"], "apps", "gpu", false),
        (&["deny", "allow"], "apps", "gpu", false),
        (&["allow | apps"], "apps", "gpu", true),
        (&["allow | apps"], "app", "gpu", false),
        (&["allow | apps"], "appss", "gpu", false),
        (&["allow | apps"], "", "gpu", false),
        (&["allow | *"], "", "gpu", true),
        (&["allow | team-*"], "team-a", "gpu", true),
        (&["allow | team-*"], "xteam-a", "gpu", false),
        (&["allow | - | gpu"], "apps", "gpu", true),
        (&["allow | - | gpu"], "apps", "net", false),
        (&["allow | - | gpu"], "apps", "gpu,net", false),
        (
            &["allow | - | gpu", "allow | apps | net"],
            "apps",
            "gpu,net",
            true,
        ),
        (&["allow", "deny | apps | net"], "apps", "gpu,net", false),
        (&["allow", "deny | apps | net"], "other", "gpu,net", true),
        (&["allow", "deny | - | gpu"], "apps", "gpu", false),
        (&["allow", "deny | - | g*"], "apps", "gpu", false),
        (&["allow", "deny | - | GPU"], "apps", "gpu", true),
        // One hook-spec by its other names.
        (&["allow", "deny | - | gpu"], "apps", &by_path, false),
        (&["allow", "deny | - | gpu.json"], "apps", "gpu", false),
        (&["allow | - | gpu"], "apps", &by_path, true),
        (&["allow | - | x/*"], "apps", &by_path, false),
        (&["allow | - | x/*"], "apps", &deep, true),
        (&["allow | - | gpu"], "apps", &deep, false),
        (&["allow", "deny | - | x/gpu"], "apps", &deep, false),
        (&["allow", "deny | - | *gpu"], "apps", &deep, false),
        (&[&directory], "apps", "gpu", true),
        (&[&directory], "apps", &deep, true),
    ] {
        let outcome = selected(&node.selector(&rules(list)), namespace, value);
        assert_eq!(
            outcome.is_ok(),
            allowed,
            "{list:?} {namespace} {value}: {outcome:?}"
        );
    }
}

#[test]
fn a_refusal_names_the_rule_that_denies_or_reports_that_none_allows() {
    let node = node();
    let list = ["allow | apps | net gpu", "deny | - | g*"];
    let selector = node.selector(&rules(&list));
    assert_eq!(
        refused(&selector, &[(KEY, "net,gpu")]),
        format!(
            "annotation {KEY}: gpu: pods in namespace apps may not select it: annotation.rules[1] of the node's \
             configuration denies it"
        )
    );
    assert_eq!(
        selected(&selector, "other", "net").unwrap_err(),
        format!(
            "annotation {KEY}: net: pods in namespace other may not select it: no rule of annotation.rules in \
             the node's configuration allows it"
        )
    );
}

#[test]
fn a_pod_that_may_not_select_a_hook_spec_cannot_find_out_whether_it_exists() {
    let node = node();
    node.mode("specs/net.json", 0o666);
    let selector = node.selector(&rules(&["allow | - | x"]));
    let message = |name: &str| {
        selected(&selector, "apps", name)
            .unwrap_err()
            .replace(name, "NAME")
    };
    assert_eq!(message("none"), message("gpu"));
    assert_eq!(message("none"), message("net"), "nor whether it is valid");
}

#[test]
fn a_deny_of_a_file_counts_for_every_link_to_it_and_an_allow_for_the_name_alone() {
    let node = node();
    symlink("gpu.json", node.path("specs/alias.json")).unwrap();
    symlink("../specs/gpu.json", node.path("more/far.json")).unwrap();
    for alias in ["alias", "far"] {
        let denied = node.selector(&rules(&["allow", "deny | - | gpu"]));
        let message = selected(&denied, "apps", alias).unwrap_err();
        assert!(message.contains("rules[1]"), "{message}");
        assert!(selected(&node.selector(&rules(&["allow | - | gpu"])), "apps", alias).is_err());
        let allowed = node.selector(&rules(&["allow | - | alias far"]));
        assert_eq!(selected(&allowed, "apps", alias).as_deref(), Ok("a"));
    }
}

#[test]
fn only_the_first_directory_that_has_the_name_counts() {
    let node = node();
    node.spec("more/gpu.json", &["b"]);
    let of = |directory: &str| rules(&[&format!("allow | - | {}/*", node.text(directory))]);
    assert_eq!(
        selected(&node.selector(&of("specs")), "apps", "gpu").as_deref(),
        Ok("a")
    );
    assert!(selected(&node.selector(&of("more")), "apps", "gpu").is_err());
    fs::remove_file(node.path("specs/gpu.json")).unwrap();
    assert_eq!(
        selected(&node.selector(&of("more")), "apps", "gpu").as_deref(),
        Ok("b")
    );
}

#[test]
fn the_default_hook_spec_needs_no_rule_and_has_no_limit() {
    let node = node();
    node.spec("default.json", &["c", "c"]);
    let limits = "annotation.max_hooks = 1\nannotation.max_timeout = 1\nannotation.stages = [\"poststop\"]";
    let selector = node.selector_with_default(&format!("{}\n{limits}", rules(&["deny"])));
    assert_eq!(chosen(&selector, &[]), "cc");
}

#[test]
fn a_selected_hook_spec_keeps_the_limits_or_is_refused() {
    let node = node();
    let program = node.text("bin/a");
    let spec = |text: &str| {
        let text = text.replace("PATH", &format!("\"path\":\"{program}\""));
        node.write("specs/x.json", &format!("{{{text}}}"));
    };
    let refusal = |limit: &str, selection: &str| selected(&node.selector(limit), "apps", selection).err();
    let says = |refusal: Option<String>, text: &str| {
        let refusal = refusal.expect("refused");
        assert!(refusal.contains(text), "{refusal}");
    };

    spec("\"prestart\":[{PATH,\"timeout\":60}],\n\"poststart\":[{PATH,\"timeout\":61}]");
    assert_eq!(refusal("annotation.max_timeout = 61", "x"), None);
    says(
        refusal("annotation.max_timeout = 60", "x"),
        "x: poststart[0], line 2, may run for 61 s, but hooks that pods select may run for at most 60 s",
    );
    let stages = "annotation.stages = [\"prestart\", \"poststop\"]";
    says(
        refusal(stages, "x"),
        "x: has poststart hooks, but hook-specs that pods select may only have these: prestart | poststop",
    );

    spec("\"prestart\":[{PATH}],\"poststart\":[]");
    assert_eq!(refusal(stages, "x"), None, "a stage without hooks is none");
    says(
        refusal("annotation.max_timeout = 29", "x"),
        "may run for 30 s, but hooks that pods select may run for at most 29 s",
    );
    assert_eq!(
        refusal("default_timeout = 29\nannotation.max_timeout = 29", "x"),
        None
    );

    assert_eq!(refusal("annotation.max_hooks = 3", "x,gpu,net"), None);
    says(
        refusal("annotation.max_hooks = 2", "x,gpu,net"),
        "selects 3 hooks; at most 2 are allowed",
    );
}

#[test]
fn a_selection_that_is_not_checked_by_the_deadline_is_refused() {
    let node = node();
    let selector = node.selector(&rules(&["allow | - | *"]));
    let annotations = annotations(&[(KEY, "gpu")]);
    let select = |deadline| selector.select(&subject(&annotations), deadline);
    assert!(select(Deadline::none()).is_ok());
    let message = select(Deadline::at(Instant::now())).unwrap_err().to_string();
    assert!(
        message.contains("against annotation.rules") && message.contains("takes longer than"),
        "{message}"
    );
}
