//! Which pods may select which hook-specs: the valid rules, and the refused ones.

use super::brief::{found, read};
use crate::config::{Effect, Glob, Limits};
use crate::model::{Stage, Timeout};

#[test]
fn there_is_no_rule_and_no_limit_by_default() {
    let annotation = read("").unwrap().annotation;
    assert_eq!((annotation.rules, annotation.limits), (vec![], Limits::default()));
    assert_eq!(Limits::default().stages, Stage::ALL.into());
}

#[test]
fn rules_and_limits_are_read_in_their_order() {
    let annotation = read(
        r#"
        [annotation]
        max_timeout = 60
        max_hooks = 8
        stages = ["prestart", "poststop"]

        [[annotation.rules]]
        effect = "allow"
        namespaces = ["team-*", "a?"]
        specs = ["gpu", "net/*", "/srv/specs/x.json"]

        [[annotation.rules]]
        effect = "deny"
        "#,
    )
    .unwrap()
    .annotation;
    assert_eq!(annotation.limits.max_timeout, Timeout::from_seconds(60));
    assert_eq!(annotation.limits.max_hooks.map(|most| most.get()), Some(8));
    assert_eq!(
        annotation.limits.stages,
        [Stage::Prestart, Stage::Poststop].into()
    );
    let [allow, deny] = &annotation.rules[..] else {
        panic!("{:?}", annotation.rules)
    };
    assert_eq!((allow.effect, deny.effect), (Effect::Allow, Effect::Deny));
    let patterns = |globs: &Option<Vec<Glob>>| -> Vec<String> {
        let globs = globs.iter().flatten();
        globs.map(|glob| glob.as_str().to_owned()).collect()
    };
    assert_eq!(patterns(&allow.namespaces), ["team-*", "a?"]);
    assert_eq!(patterns(&allow.specs), ["gpu", "net/*", "/srv/specs/x"]);
    assert_eq!((&deny.namespaces, &deny.specs), (&None, &None));
}

#[test]
fn an_unclear_rule_is_refused_with_its_place() {
    for (text, expected) in [
        ("rules = {}", "wrong-type 2:9 annotation.rules"),
        ("rules = [1]", "wrong-type 2:10 annotation.rules[0]"),
        ("rules = [{}]", "missing-key 2:10 annotation.rules[0]"),
        (
            "rules = [{effect=\"permit\"}]",
            "invalid-value 2:18 annotation.rules[0].effect",
        ),
        (
            "rules = [{effect=\"Deny\"}]",
            "invalid-value 2:18 annotation.rules[0].effect",
        ),
        (
            "rules = [{effect=true}]",
            "wrong-type 2:18 annotation.rules[0].effect",
        ),
        ("rules = [{effect=\"deny\", spec=[]}]", "unknown-key 2:26"),
        (
            "rules = [{effect=\"deny\", specs=\"gpu\"}]",
            "wrong-type 2:32 annotation.rules[0].specs",
        ),
        (
            "rules = [{effect=\"deny\", specs=[]}]",
            "invalid-value 2:32 annotation.rules[0].specs",
        ),
        (
            "rules = [{effect=\"deny\", specs=[\"\"]}]",
            "invalid-value 2:33 annotation.rules[0].specs[0]",
        ),
        (
            "rules = [{effect=\"deny\", specs=[\"../gpu\"]}]",
            "invalid-value 2:33 annotation.rules[0].specs[0]",
        ),
        (
            "rules = [{effect=\"deny\", specs=[\"//gpu\"]}]",
            "invalid-value 2:33 annotation.rules[0].specs[0]",
        ),
        (
            "rules = [{effect=\"deny\", specs=[\"gpu\\n\"]}]",
            "invalid-value 2:33 annotation.rules[0].specs[0]",
        ),
        (
            "rules = [{effect=\"deny\", specs=[\".json\"]}]",
            "invalid-value 2:33 annotation.rules[0].specs[0]",
        ),
        (
            "rules = [{effect=\"deny\", namespaces=[]}]",
            "invalid-value 2:37 annotation.rules[0].namespaces",
        ),
        (
            "rules = [{effect=\"deny\", namespaces=[\"*\", \"Team\"]}]",
            "invalid-value 2:43 annotation.rules[0].namespaces[1]",
        ),
        (
            "rules = [{effect=\"deny\", namespaces=[\"-*\"]}]",
            "invalid-value 2:38 annotation.rules[0].namespaces[0]",
        ),
        (
            "rules = [{effect=\"deny\", namespaces=[\"\"]}]",
            "invalid-value 2:38 annotation.rules[0].namespaces[0]",
        ),
        ("max_timeout = 0", "timeout-zero 2:15 annotation.max_timeout"),
        (
            "max_timeout = 1.5",
            "timeout-not-integer 2:15 annotation.max_timeout",
        ),
        ("max_hooks = 0", "invalid-value 2:13 annotation.max_hooks"),
        ("max_hooks = -1", "invalid-value 2:13 annotation.max_hooks"),
        (
            "max_hooks = 4294967296",
            "invalid-value 2:13 annotation.max_hooks",
        ),
        ("max_hooks = 2.0", "wrong-type 2:13 annotation.max_hooks"),
        ("max_hooks = \"2\"", "wrong-type 2:13 annotation.max_hooks"),
        ("stages = []", "invalid-value 2:10 annotation.stages"),
        ("stages = \"prestart\"", "wrong-type 2:10 annotation.stages"),
        (
            "stages = [\"prestop\"]",
            "invalid-value 2:11 annotation.stages[0]",
        ),
        ("max_timeouts = 1", "unknown-key 2:1"),
    ] {
        assert_eq!(found(&format!("[annotation]\n{text}")), [expected], "{text}");
    }
}

#[test]
fn all_errors_of_all_rules_are_reported_at_once() {
    let text = "\
[[annotation.rules]]
effect = \"alow\"
namespace = [\"a\"]

[[annotation.rules]]
specs = [\"a\", \"b/\"]
";
    assert_eq!(
        found(text),
        [
            "invalid-value 2:10 annotation.rules[0].effect",
            "unknown-key 3:1",
            "missing-key 5:1 annotation.rules[1]",
            "invalid-value 6:15 annotation.rules[1].specs[1]",
        ]
    );
}

#[test]
fn default_hook_specs_are_read_in_their_order_that_for_all_first() {
    let config = read(
        r#"
        hook_spec = "/a.json"
        [[default_specs]]
        hook_spec = "/b.json"
        namespaces = ["ml-*"]
        [[default_specs]]
        hook_spec = "/c.json"
        "#,
    )
    .unwrap();
    let defaults: Vec<_> = config
        .defaults()
        .map(|(file, namespaces)| (&**file, namespaces.map(|names| names.contains("ml-x"))))
        .collect();
    assert_eq!(
        defaults,
        [("/a.json", None), ("/b.json", Some(true)), ("/c.json", None)]
    );
    for (text, expected) in [
        ("[[default_specs]]\nnamespaces = [\"a\"]", "missing-key"),
        ("[[default_specs]]\nhook_spec = \"b.json\"", "path-not-absolute"),
        (
            "[[default_specs]]\nhook_spec = \"/b.json\"\nnamespaces = []",
            "invalid-value",
        ),
        (
            "[[default_specs]]\nhook_spec = \"/b.json\"\nnamespaces = [\"A\"]",
            "invalid-value",
        ),
        (
            "[[default_specs]]\nhook_spec = \"/b.json\"\nnamespace = [\"a\"]",
            "unknown-key",
        ),
        ("default_specs = \"/b.json\"", "wrong-type"),
    ] {
        let errors = read(text).unwrap_err();
        assert_eq!(errors[0].rule.name(), expected, "{text}");
    }
}
