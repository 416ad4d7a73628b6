//! The conditions of hooks.d files: their meaning, and the refusal of a pod that makes them expensive.

use std::sync::Arc;
use std::time::Instant;

use super::hooks_d::HooksD;
use super::node::{annotations, subject};
use crate::select::conditions::Conditions;
use crate::select::{Deadline, Overdue, SelectError, Subject};
use crate::spec::{When, parse_hooks_d};

/// The conditions `when` of a file of hooks.d.
fn conditions(when: &str) -> When {
    let text = format!(r#"{{"version":"1.0.0","hook":{{"path":"/a"}},"when":{when},"stages":["prestart"]}}"#);
    let parsed = parse_hooks_d(&Arc::from("hook.json"), text.as_bytes());
    assert_eq!(parsed.errors, [], "{when}");
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
    let unmet = Conditions::of(&subject, Deadline::none()).unmet(&when).unwrap();
    let hold = Conditions::of(&subject, Deadline::none()).hold(&when).unwrap();
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

#[test]
fn a_container_s_annotations_count_unless_the_pod_has_the_same_key() {
    let pod = annotations(&[("team", "fluid"), ("gpu", "off")]);
    let container = annotations(&[("gpu", "on"), ("io.kubernetes.cri.container-name", "db")]);
    let subject = Subject {
        container_annotations: &container,
        ..subject(&pod)
    };
    for (when, expected) in [
        (
            r#"{"annotations":{"^io\\.kubernetes\\.cri\\.container-name$":"^db$"}}"#,
            true,
        ),
        (r#"{"annotations":{"^team$":"^fluid$"}}"#, true),
        (r#"{"annotations":{"^gpu$":"^on$"}}"#, false),
        (r#"{"annotations":{"^gpu$":"^off$"}}"#, true),
    ] {
        let when = conditions(when);
        let hold = Conditions::of(&subject, Deadline::none()).hold(&when).unwrap();
        assert_eq!(hold, expected, "{when:?}");
    }
}

#[test]
fn conditions_end_when_the_answer_is_due_whatever_the_failure_policy() {
    for policy in ["fail", "ignore"] {
        let node = HooksD::new();
        node.file("vendor/gpu.json", "b", r#"{"annotations":{"[a-z]":"x"}}"#);
        let selector = node.selector(&format!("failure_policy = \"{policy}\""));
        let annotations = annotations(&[("a", "y")]);
        let select = |deadline| selector.select(&subject(&annotations), deadline);
        assert!(select(Deadline::none()).is_ok());
        let error = select(Deadline::at(Instant::now())).unwrap_err();
        assert!(
            matches!(error, SelectError::Conditions { why: Overdue, .. }),
            "no pod can leave out a hook by making it expensive: {error}"
        );
    }
}
