//! The keys and values of a configuration.

use std::num::{NonZeroU16, NonZeroU64};

use super::brief::{found, read};
use crate::config::{AnnotationKey, Config, Delivery, FailurePolicy, MissedAction, Overrides};
use crate::diagnostic::{MAX_ERRORS, Rule};
use crate::model::Timeout;

#[test]
fn an_empty_configuration_means_the_defaults() {
    let config = read("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.hook_spec, None);
    assert_eq!(config.failure_policy, FailurePolicy::Fail);
    assert_eq!(config.delivery, Delivery::Runner);
    assert_eq!(config.default_timeout.seconds(), 30);
    assert_eq!(config.annotation.key.as_str(), "hook-spec.noderesource.dev");
    assert_eq!(config.annotation.spec_dirs, ["/etc/nri-oci-hooks/specs".into()]);
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"
        hook_spec = "/etc/hooks/default.json"
        hooks_dirs = ["/usr/share/hooks.d/", "/etc/hooks.d"]
        exclude_namespaces = ["kube-system", "a"]
        failure_policy = "ignore"
        delivery = "direct"
        default_timeout = 1_0
        state_dir = "/var/lib/x"
        listen = "127.0.0.1:9790"
        [runtimes.kata]
        delivery = "events"
        [limits]
        processes = 77
        memory = "64Mi"
        cpu_weight = 20
        [missed]
        action = "restart"
        [annotation]
        key = "hooks.example.com"
        spec_dirs = ["/a/b/", "/c"]
        "#,
    )
    .unwrap();
    assert_eq!(config.hook_spec.as_deref(), Some("/etc/hooks/default.json"));
    assert_eq!(
        config.hooks_dirs,
        ["/usr/share/hooks.d".into(), "/etc/hooks.d".into()]
    );
    assert!(config.exclude_namespaces.contains("kube-system"));
    assert_eq!(config.failure_policy, FailurePolicy::Ignore);
    assert_eq!(config.delivery("kata"), Delivery::Events);
    assert_eq!(config.delivery("runc"), Delivery::Direct);
    assert_eq!(&*config.state_dir, "/var/lib/x");
    assert_eq!(config.listen, "127.0.0.1:9790".parse().ok());
    assert_eq!(config.default_timeout, Timeout::from_seconds(10).unwrap());
    assert_eq!(config.limits.processes.get(), 77);
    assert_eq!(config.limits.memory.map(NonZeroU64::get), Some(64 << 20));
    assert_eq!(config.limits.cpu_weight.map(NonZeroU16::get), Some(20));
    assert_eq!(config.missed, MissedAction::Restart);
    assert_eq!(config.annotation.key.as_str(), "hooks.example.com");
    assert_eq!(config.annotation.spec_dirs, ["/a/b".into(), "/c".into()]);
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, expected) in [
        ("hook_spec = 1", "wrong-type 1:13 hook_spec"),
        ("hook_spec = \"x.json\"", "path-not-absolute 1:13 hook_spec"),
        ("hooks_dirs = \"/a\"", "wrong-type 1:14 hooks_dirs"),
        (
            "hooks_dirs = [\"/a\", \"b\"]",
            "path-not-absolute 1:21 hooks_dirs[1]",
        ),
        ("hook_spec = \"\"", "path-not-absolute 1:13 hook_spec"),
        ("hook_spec = \"/a\\u0000\"", "nul-character 1:13 hook_spec"),
        ("state_dir = \"x\"", "path-not-absolute 1:13 state_dir"),
        ("listen = 9790", "wrong-type 1:10 listen"),
        ("listen = \"9790\"", "invalid-value 1:10 listen"),
        ("listen = \"localhost:9790\"", "invalid-value 1:10 listen"),
        ("listen = \"run/x.sock\"", "invalid-value 1:10 listen"),
        ("limits.processes = 0", "invalid-value 1:20 limits.processes"),
        ("limits.processes = \"9\"", "wrong-type 1:20 limits.processes"),
        (
            "limits.processes = 4194305",
            "invalid-value 1:20 limits.processes",
        ),
        ("limits.memory = 1048576", "wrong-type 1:17 limits.memory"),
        ("limits.memory = \"1Ki\"", "invalid-value 1:17 limits.memory"),
        (
            "limits.cpu_weight = 10001",
            "invalid-value 1:21 limits.cpu_weight",
        ),
        ("limits.x = 1", "unknown-key 1:8"),
        ("missed = \"restart\"", "wrong-type 1:10 missed"),
        ("missed.action = \"kill\"", "invalid-value 1:17 missed.action"),
        ("missed.x = 1", "unknown-key 1:8"),
        ("runtimes = 1", "wrong-type 1:12 runtimes"),
        ("runtimes.kata = 1", "wrong-type 1:17 runtimes.kata"),
        (
            "runtimes.kata.delivery = \"x\"",
            "invalid-value 1:26 runtimes.kata.delivery",
        ),
        ("runtimes.kata.x = 1", "unknown-key 1:15"),
        (
            "exclude_namespaces = \"kube-system\"",
            "wrong-type 1:22 exclude_namespaces",
        ),
        (
            "exclude_namespaces = [\"a\", 1]",
            "wrong-type 1:28 exclude_namespaces[1]",
        ),
        (
            "exclude_namespaces = [\"kube_system\"]",
            "invalid-value 1:23 exclude_namespaces[0]",
        ),
        (
            "exclude_namespaces = [\"\"]",
            "invalid-value 1:23 exclude_namespaces[0]",
        ),
        ("failure_policy = \"Fail\"", "invalid-value 1:18 failure_policy"),
        ("failure_policy = true", "wrong-type 1:18 failure_policy"),
        ("delivery = \"nothing\"", "invalid-value 1:12 delivery"),
        ("default_timeout = 0", "timeout-zero 1:19 default_timeout"),
        ("default_timeout = -0", "timeout-zero 1:19 default_timeout"),
        ("default_timeout = -5", "timeout-negative 1:19 default_timeout"),
        (
            "default_timeout = 3.5",
            "timeout-not-integer 1:19 default_timeout",
        ),
        ("default_timeout = \"30\"", "wrong-type 1:19 default_timeout"),
        (
            "default_timeout = 0x80000000",
            "timeout-too-large 1:19 default_timeout",
        ),
        ("annotation = \"a\"", "wrong-type 1:14 annotation"),
        ("annotation.key = \"\"", "invalid-value 1:18 annotation.key"),
        ("annotation.key = \"a/b\"", "invalid-value 1:18 annotation.key"),
        ("annotation.key = \"A.b\"", "invalid-value 1:18 annotation.key"),
        ("annotation.key = \"a..b\"", "invalid-value 1:18 annotation.key"),
        ("annotation.key = \"k8s.io\"", "invalid-value 1:18 annotation.key"),
        (
            "annotation.key = \"hooks.kubernetes.io\"",
            "invalid-value 1:18 annotation.key",
        ),
        (
            "annotation.spec_dirs = \"/a\"",
            "wrong-type 1:24 annotation.spec_dirs",
        ),
        (
            "annotation.spec_dirs = [\"a\"]",
            "path-not-absolute 1:25 annotation.spec_dirs[0]",
        ),
        (
            "annotation.spec_dirs = [\"/\"]",
            "invalid-value 1:25 annotation.spec_dirs[0]",
        ),
        (
            "annotation.spec_dirs = [\"/a/../b\"]",
            "invalid-value 1:25 annotation.spec_dirs[0]",
        ),
        (
            "annotation.spec_dirs = [\"/a//b\"]",
            "invalid-value 1:25 annotation.spec_dirs[0]",
        ),
        ("hook_spec = ", "invalid-toml 1:13"),
        ("hook_spec = \"/a\"\nhook_spec = \"/b\"", "invalid-toml 2:1"),
        ("{}", "invalid-toml 1:1"),
        ("hook-spec = \"/a\"", "unknown-key 1:1"),
        ("[annotations]", "unknown-key 1:2"),
        ("[annotation]\nspec_dir = []", "unknown-key 2:1"),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn a_key_of_the_maximum_length_of_kubernetes_is_accepted_and_a_longer_one_refused() {
    let key = |length: usize| AnnotationKey::new(&format!("{}.{}", "a".repeat(length - 3), "bc"));
    assert!(key(63).is_some());
    assert!(key(64).is_none());
    assert!(
        AnnotationKey::new("notk8s.io").is_some(),
        "only whole names are reserved"
    );
}

#[test]
fn every_error_is_reported_in_the_order_of_the_text() {
    let text = "\
failure_polcy = \"fail\"
default_timeout = 0
hook_spec = \"x\"

[annotation]
spec_dirs = [\"a\", \"/b\", 3]
key = \"A\"
";
    assert_eq!(
        found(text),
        [
            "unknown-key 1:1",
            "timeout-zero 2:19 default_timeout",
            "path-not-absolute 3:13 hook_spec",
            "path-not-absolute 6:14 annotation.spec_dirs[0]",
            "wrong-type 6:25 annotation.spec_dirs[2]",
            "invalid-value 7:7 annotation.key",
        ]
    );
}

#[test]
fn an_error_reads_as_one_line_that_says_what_to_do() {
    let line = |text: &str| read(text).unwrap_err()[0].to_string();
    assert_eq!(
        line("failure_polcy = 1"),
        "config.toml:1:1: unknown key failure_polcy; did you mean failure_policy? [unknown-key]"
    );
    assert_eq!(
        line("failure_policy = \"ignor\""),
        "config.toml:1:18: failure_policy: unknown value ignor; did you mean \"ignore\"? [invalid-value]"
    );
    assert!(!line("a = \"\u{1b}\nb").contains(['\n', '\u{1b}']));
}

#[test]
fn the_command_line_takes_precedence_over_the_text() {
    let overrides = Overrides {
        hook_spec: Some("/b.json".into()),
        delivery: Some(Delivery::Direct),
        state_dir: Some("/b".into()),
        listen: Some("none".parse().unwrap()),
    };
    let text = "hook_spec = \"/a.json\"\nstate_dir = \"/a\"\ndelivery = \"events\"\nlisten = \"/a\"";
    let config = Config::from_text("config.toml", text, &overrides).unwrap();
    assert_eq!(config.hook_spec.as_deref(), Some("/b.json"));
    assert_eq!(&*config.state_dir, "/b");
    assert_eq!(config.delivery, Delivery::Direct);
    assert_eq!(config.listen, None);
    let place = Overrides {
        listen: Some("127.0.0.1:1".parse().unwrap()),
        ..Overrides::default()
    };
    let config = Config::from_text("config.toml", text, &place).unwrap();
    assert_eq!(config.listen, Some("127.0.0.1:1".parse().unwrap()));
}

#[test]
fn a_relative_path_on_the_command_line_is_refused_beside_the_errors_of_the_text() {
    let overrides = Overrides {
        hook_spec: Some("b.json".into()),
        state_dir: Some("state".into()),
        ..Overrides::default()
    };
    let errors = Config::from_text("config.toml", "x = 1", &overrides).unwrap_err();
    let files: Vec<&str> = errors.iter().map(|error| &*error.file).collect();
    assert_eq!(files, ["config.toml", "--hook-spec", "--state-dir"]);
}

#[test]
fn a_file_is_read_like_a_text_and_a_missing_one_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let path = path.to_str().unwrap();
    let missing = Config::from_file(path, &Overrides::default()).unwrap_err();
    assert_eq!(missing[0].rule.name(), "not-found");
    std::fs::write(path, "default_timeout = 7").unwrap();
    let config = Config::from_file(path, &Overrides::default()).unwrap();
    assert_eq!(config.default_timeout.seconds(), 7);
    std::fs::write(path, b"\xFF").unwrap();
    assert_eq!(
        Config::from_file(path, &Overrides::default()).unwrap_err()[0]
            .rule
            .name(),
        "invalid-utf-8"
    );
    std::fs::write(path, vec![b'#'; 256 * 1024 + 1]).unwrap();
    assert_eq!(
        Config::from_file(path, &Overrides::default()).unwrap_err()[0]
            .rule
            .name(),
        "too-large"
    );
}

#[test]
fn errors_beyond_the_limit_are_counted_and_a_text_too_large_is_not_read() {
    let text: String = (0..10_000).map(|number| format!("key_{number} = 1\n")).collect();
    let errors = read(&text).unwrap_err();
    assert_eq!(errors.len(), MAX_ERRORS + 1);
    assert_eq!(errors[MAX_ERRORS].message, "has 9000 more errors");
    let errors = read(&"#".repeat(256 * 1024 + 1)).unwrap_err();
    assert_eq!((errors.len(), errors[0].rule), (1, Rule::TooLarge));
}
