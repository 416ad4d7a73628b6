//! Changes of the configuration take effect as a whole, or not at all.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::{Delivery, Overrides};
use crate::select::{Deadline, Subject};

/// A node with a configuration file and some hook-specs.
struct Node(tempfile::TempDir);

impl Node {
    fn new() -> Self {
        let node = Node(tempfile::tempdir().unwrap());
        node.write("program", "");
        node.mode("program", 0o755);
        for name in ["a.json", "b.json"] {
            let program = node.path("program");
            node.write(name, &format!("{{\"prestart\":[{{\"path\":\"{program}\"}}]}}"));
        }
        node
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A configuration whose default hook-spec is `name`.
    fn configure(&self, name: &str) {
        self.write("config.toml", &self.with_default(name));
    }

    fn with_default(&self, name: &str) -> String {
        format!("hook_spec = {:?}", self.path(name))
    }

    fn active(&self) -> ActiveConfiguration {
        let overrides = Overrides {
            delivery: Some(Delivery::Direct),
            state_dir: Some(self.path("state")),
            ..Overrides::default()
        };
        let source = ConfigSource::optional_file(&self.path("config.toml"), overrides);
        let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
        active.up_to_date().unwrap().selector.refresh();
        active
    }
}

/// The hook-specs that a container gets now: `a`, `b` or nothing.
fn chosen(active: &ActiveConfiguration) -> String {
    let subject = Subject {
        namespace: "apps",
        annotations: &HashMap::new(),
        container_annotations: &HashMap::new(),
        container: "main",
        command: None,
        has_bind_mounts: false,
        delivery: Delivery::default(),
    };
    let applied = active.up_to_date().unwrap();
    let selected = applied.selector.select(&subject, Deadline::none());
    let specs = selected.unwrap().specs;
    let name = |file: &str| file.rsplit('/').next().unwrap().replace(".json", "");
    specs.iter().map(|spec| name(&spec.file)).collect()
}

fn refused(active: &ActiveConfiguration) -> Vec<Diagnostic> {
    active.now().refused().to_vec()
}

#[test]
fn a_change_of_the_file_is_active_for_the_next_container() {
    let node = Node::new();
    let active = node.active();
    assert_eq!(chosen(&active), "", "no file leaves the defaults");
    node.configure("a.json");
    assert_eq!(chosen(&active), "a");
    node.configure("b.json");
    assert_eq!(chosen(&active), "b");
    assert_eq!(refused(&active), []);
}

#[test]
fn an_invalid_file_is_refused_whole_and_the_last_good_one_stays_active() {
    let node = Node::new();
    node.configure("a.json");
    let active = node.active();
    let good = node.with_default("b.json");
    for (bad, rule) in [
        (format!("{good}\nx = 1"), "unknown-key"),
        (format!("{good}\ndefault_timeout = 0"), "timeout-zero"),
        ("hook_spec = ".into(), "invalid-toml"),
        (node.with_default("none.json"), "not-found"),
        (node.with_default("program"), "empty-file"),
    ] {
        node.write("config.toml", &bad);
        assert_eq!(chosen(&active), "a", "{bad}");
        assert_eq!(refused(&active)[0].rule.name(), rule, "{bad}");
    }
    node.write("config.toml", &good);
    assert_eq!(chosen(&active), "b");
    assert_eq!(refused(&active), []);
}

#[test]
fn a_change_refused_because_of_another_file_is_taken_when_that_file_is_fixed() {
    let node = Node::new();
    node.configure("a.json");
    let active = node.active();
    node.configure("late.json");
    assert_eq!(chosen(&active), "a");
    node.write("late.json", "{}");
    assert_eq!(chosen(&active), "late");
}

#[test]
fn a_file_that_others_may_write_or_that_is_gone_changes_nothing() {
    let node = Node::new();
    node.configure("a.json");
    let active = node.active();
    node.configure("b.json");
    node.mode("config.toml", 0o666);
    assert_eq!(chosen(&active), "a");
    assert_eq!(refused(&active)[0].rule.name(), "writable-by-others");
    fs::remove_file(node.path("config.toml")).unwrap();
    assert_eq!(chosen(&active), "a");
    assert_eq!(refused(&active)[0].rule.name(), "not-found");
    std::os::unix::fs::symlink("nowhere", node.path("config.toml")).unwrap();
    assert_eq!(chosen(&active), "a");
    assert_eq!(refused(&active)[0].rule.name(), "not-found");
}

#[test]
fn an_untrusted_file_that_appears_where_none_was_is_refused_and_reported() {
    let node = Node::new();
    let active = node.active();
    node.configure("a.json");
    node.mode("config.toml", 0o666);
    assert_eq!(chosen(&active), "");
    assert_eq!(refused(&active)[0].rule.name(), "writable-by-others");
}

#[test]
fn the_last_good_default_hook_spec_outlives_a_reload() {
    let node = Node::new();
    node.configure("a.json");
    let active = node.active();
    node.write("a.json", "broken");
    node.write(
        "config.toml",
        &format!("default_timeout = 7\n{}", node.with_default("a.json")),
    );
    assert_eq!(chosen(&active), "a");
    let applied = active.up_to_date().unwrap();
    assert_eq!(applied.selector.config().default_timeout.seconds(), 7);
}

#[test]
fn a_setting_that_a_running_daemon_cannot_change_is_refused_and_reported() {
    let node = Node::new();
    let text = |delivery: &str, state_dir: &str| {
        let (spec, state_dir) = (node.with_default("a.json"), node.path(state_dir));
        node.write(
            "config.toml",
            &format!("{spec}\ndelivery = {delivery:?}\nstate_dir = {state_dir:?}"),
        );
    };
    text("direct", "state");
    let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
    let mut active = ActiveConfiguration::new(source.clone(), RunnerProgram::this().unwrap());
    assert_eq!(chosen(&active), "a");
    for (delivery, state_dir, field) in [
        ("direct", "elsewhere", "state_dir"),
        ("runner", "state", "delivery"),
        ("events", "state", "delivery"),
    ] {
        text(delivery, state_dir);
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active)[0].field.as_deref(), Some(field));
        assert!(!std::path::Path::new(&node.path(state_dir)).exists());
    }
    text("direct", "state");
    active.up_to_date().unwrap();
    assert_eq!(refused(&active), []);

    // With `events` the daemon subscribes to more events at the start.
    text("runner", "state");
    active = ActiveConfiguration::new(source.clone(), RunnerProgram::this().unwrap());
    assert_eq!(chosen(&active), "a");
    text("events", "state");
    assert_eq!(chosen(&active), "a");
    assert_eq!(refused(&active)[0].field.as_deref(), Some("delivery"));
    text("direct", "state");
    active.up_to_date().unwrap();
    assert_eq!(refused(&active), [], "an event too many does no harm");
}

#[test]
fn a_configuration_from_the_runtime_counts_in_place_of_the_file() {
    let node = Node::new();
    node.configure("a.json");
    let active = node.active();
    active.configure(&node.with_default("b.json")).unwrap();
    assert_eq!(chosen(&active), "b");
    node.write("config.toml", "default_timeout = 7");
    assert_eq!(chosen(&active), "b");
    assert!(active.configure("x = 1").is_err());
    assert_eq!(chosen(&active), "b", "what is no good changes nothing");
}
#[test]
fn a_configuration_that_was_never_valid_refuses_containers_until_it_is() {
    let node = Node::new();
    node.write("config.toml", "hook_spec = ");
    let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
    let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
    for _ in 0..2 {
        assert_eq!(active.up_to_date().unwrap_err()[0].rule.name(), "invalid-toml");
    }
    assert_eq!(refused(&active)[0].rule.name(), "invalid-toml");
    let good = node.with_default("a.json");
    node.write("config.toml", &format!("{good}\ndelivery = \"direct\""));
    assert_eq!(chosen(&active), "a");
    assert_eq!(refused(&active), []);
}

#[test]
fn no_event_waits_for_the_thread_that_makes_the_first_configuration() {
    let node = Node::new();
    let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
    let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
    let _made = active.first.lock();
    assert_eq!(active.up_to_date().unwrap_err()[0].rule.name(), "not-answering");
}
