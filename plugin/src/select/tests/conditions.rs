//! The conditions of hooks.d files: what they mean, and what becomes of a pod that makes them expensive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::hooks_d::HooksD;
use super::node::{annotations, subject};
use crate::select::conditions::Conditions;
use crate::select::{Budget, Overspent, SelectError, Selector, Subject};
use crate::spec::{When, parse_hooks_d};

/// The conditions `when` of a file of hooks.d.
fn conditions(when: &str) -> When {
    let text = format!(r#"{{"version":"1.0.0","hook":{{"path":"/a"}},"when":{when},"stages":["prestart"]}}"#);
    let parsed = parse_hooks_d(&Arc::from("hook.json"), text.as_bytes());
    assert_eq!(parsed.mistakes, [], "{when}");
    parsed.when
}

/// Whether the conditions `when` hold for a container with these annotations, command and mounts.
fn holds(when: &str, list: &[(&str, &str)], command: Option<&str>, has_bind_mounts: bool) -> bool {
    let annotations = annotations(list);
    let subject = Subject {
        command,
        has_bind_mounts,
        ..subject(&annotations)
    };
    let when = conditions(when);
    let mut budget = Budget::unhurried();
    let unmet = Conditions::of(&subject).unmet(&when, &mut budget).unwrap();
    let hold = Conditions::of(&subject).hold(&when, &mut budget).unwrap();
    assert_eq!(hold, unmet.is_empty(), "{when:?}");
    hold
}

#[test]
fn all_conditions_that_are_set_must_hold() {
    let team = &[("com.example.team", "fluid"), ("other", "x")][..];
    for (when, annotations, command, mounts, expected) in [
        (r#"{"always":true}"#, &[][..], None, false, true),
        (r#"{"always":false}"#, &[], None, false, false),
        (r#"{"hasBindMounts":true}"#, &[], None, true, true),
        (r#"{"hasBindMounts":true}"#, &[], None, false, false),
        (r#"{"hasBindMounts":false}"#, &[], None, false, false),
        (r#"{"hasBindMounts":false}"#, &[], None, true, false),
        (
            r#"{"commands":["^/bin/a$","/init$"]}"#,
            &[],
            Some("/sbin/init"),
            false,
            true,
        ),
        (
            r#"{"commands":["^/bin/a$","/init$"]}"#,
            &[],
            Some("/sbin/initd"),
            false,
            false,
        ),
        (r#"{"commands":["init"]}"#, &[], Some("/sbin/initd"), false, true),
        (r#"{"commands":[".*"]}"#, &[], None, false, false),
        (r#"{"annotations":{"team$":"^fluid$"}}"#, team, None, false, true),
        (
            r#"{"annotations":{"^team$":"^fluid$"}}"#,
            team,
            None,
            false,
            false,
        ),
        (r#"{"annotations":{"team$":"^x$"}}"#, team, None, false, false),
        (r#"{"annotations":{".":"^x$"}}"#, team, None, false, true),
        (
            r#"{"annotations":{"team$":"fluid","other":"y"}}"#,
            team,
            None,
            false,
            false,
        ),
        (
            r#"{"annotations":{"team$":"fluid","other":"x"}}"#,
            team,
            None,
            false,
            true,
        ),
        (r#"{"annotations":{".*":".*"}}"#, &[], None, false, false),
        (
            r#"{"always":true,"commands":["init"]}"#,
            &[],
            Some("sh"),
            false,
            false,
        ),
        (
            r#"{"always":false,"commands":["init"]}"#,
            &[],
            Some("init"),
            false,
            false,
        ),
        (
            r#"{"hasBindMounts":true,"annotations":{"o":"x"}}"#,
            team,
            None,
            true,
            true,
        ),
        (
            r#"{"hasBindMounts":true,"annotations":{"o":"x"}}"#,
            team,
            None,
            false,
            false,
        ),
    ] {
        assert_eq!(
            holds(when, annotations, command, mounts),
            expected,
            "{when} {annotations:?} {command:?} {mounts}"
        );
    }
}

#[test]
fn a_command_too_long_to_be_executed_matches_no_pattern() {
    let path = |length: usize| "/".repeat(length);
    let when = r#"{"commands":["^/"]}"#;
    assert!(holds(when, &[], Some(&path(4095)), false));
    assert!(!holds(when, &[], Some(&path(4096)), false));
}

/// A node with a default hook-spec and `count` files of hooks.d with this condition on annotations,
/// in which `N` stands for the number of the file.
fn node(count: usize, condition: &str) -> (HooksD, Selector) {
    let node = HooksD::new();
    node.0.spec("default.json", &["a"]);
    for number in 0..count {
        let condition = condition.replace('N', &number.to_string());
        node.file(
            &format!("vendor/{number:03}.json"),
            "b",
            &format!(r#"{{"annotations":{condition}}}"#),
        );
    }
    let selector = node.selector(&format!("hook_spec = \"{}\"", node.0.text("default.json")));
    (node, selector)
}

/// The annotations of a hostile pod: as much of `key` and `value` as Kubernetes lets one have.
fn many(key: &str, value: &str) -> HashMap<String, String> {
    let mut bytes = 0;
    let numbered = (0..).map(|number| (key.replace('N', &format!("{number}")), value.to_owned()));
    numbered
        .take_while(|(key, value)| {
            bytes += key.len() + value.len();
            bytes <= 256 * 1024
        })
        .collect()
}

#[test]
fn a_pod_that_makes_conditions_too_expensive_is_refused_and_told_so() {
    for (condition, annotations, why) in [
        (
            r#"{"^com\\.example\\.(gpu|net)-N$":"^true$"}"#,
            many("com.example.gpu-N", ""),
            "takes more than",
        ),
        (
            r#"{".*gpu.*xN":".*(nvidia|amd).*$"}"#,
            many("gpuNx1", ""),
            "takes more than",
        ),
        (
            r#"{".":"(nvidia|amd)"}"#,
            HashMap::from([("a".to_owned(), "b".repeat(256 * 1024))]),
            "for a single pattern and text",
        ),
    ] {
        let (_node, selector) = node(250, condition);
        let started = Instant::now();
        let error = selector
            .select(&subject(&annotations), Budget::unhurried())
            .unwrap_err();
        assert!(matches!(error, SelectError::Conditions { .. }), "{error}");
        let message = error.to_string();
        let about = format!("{} annotations", annotations.len());
        for part in [
            "hooks.d file ",
            "/vendor/",
            &about,
            why,
            "fewer or shorter annotations",
        ] {
            assert!(message.contains(part), "{condition}: {message}");
        }
        assert!(started.elapsed().as_secs() < 20, "a debug build takes its time");
    }
}

#[test]
fn conditions_that_are_literals_cost_next_to_nothing_whatever_the_pod_has() {
    for (condition, annotations) in [
        (
            r#"{"^com\\.example\\.gpu-N$":"^true$"}"#,
            many("com.example.gpu-N", "true"),
        ),
        (r#"{"^com\\.example/gpu$":".*"}"#, many("com.example.gpu-N", "")),
        (
            r#"{"^io\\.example/(gpu|net)-N$":"^true$"}"#,
            many("com.example.gpu-N", ""),
        ),
    ] {
        let (_node, selector) = node(250, condition);
        selector
            .select(&subject(&annotations), Budget::unhurried())
            .unwrap();
    }
}

#[test]
fn what_many_files_have_in_common_is_found_out_once() {
    let (_node, selector) = node(256, r#"{"[a-z]+\\.(gpu|net)":"^(on|off)$"}"#);
    let annotations: HashMap<_, _> = (0..100)
        .map(|n| (format!("com.example.gpu-{n}"), "?".to_owned()))
        .collect();
    selector
        .select(&subject(&annotations), Budget::unhurried())
        .unwrap();
}

#[test]
fn conditions_end_when_the_answer_is_due_whatever_the_failure_policy() {
    for policy in ["fail", "ignore"] {
        let node = HooksD::new();
        node.file("vendor/gpu.json", "b", r#"{"annotations":{"[a-z]":"x"}}"#);
        let selector = node.selector(&format!("failure_policy = \"{policy}\""));
        let annotations = annotations(&[("a", "y")]);
        let select = |budget| selector.select(&subject(&annotations), budget);
        assert!(select(Budget::unhurried()).is_ok());
        let error = select(Budget::until(Instant::now())).unwrap_err();
        assert!(
            matches!(
                error,
                SelectError::Conditions {
                    why: Overspent::Time,
                    ..
                }
            ),
            "nobody leaves out a hook by making it expensive: {error}"
        );
    }
}
