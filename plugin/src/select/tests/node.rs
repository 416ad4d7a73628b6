//! A node with hook-specs, programs and a selector.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::config::{Config, Delivery, Overrides};
use crate::model::Stage;
use crate::select::{Deadline, SelectError, Selected, Selector, Subject};

pub(super) const KEY: &str = "hook-spec.noderesource.dev";

/// A node: a default hook-spec, two spec directories, and programs to run.
pub(super) struct Node {
    pub(super) root: TempDir,
}

impl Node {
    pub(super) fn new() -> Node {
        let node = Node {
            root: tempfile::tempdir().unwrap(),
        };
        for directory in ["specs", "more", "bin"] {
            fs::create_dir(node.path(directory)).unwrap();
        }
        for program in ["a", "b", "c"] {
            fs::write(node.path(&format!("bin/{program}")), "").unwrap();
            node.mode(&format!("bin/{program}"), 0o755);
        }
        node
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A hook-spec that runs `programs` at prestart.
    pub(super) fn spec(&self, name: &str, programs: &[&str]) {
        let hook = |program: &&str| format!("{{\"path\":\"{}\"}}", self.text(&format!("bin/{program}")));
        let hooks: Vec<String> = programs.iter().map(hook).collect();
        self.write(name, &format!("{{\"prestart\":[{}]}}", hooks.join(",")));
    }

    pub(super) fn selector(&self, more: &str) -> Selector {
        let text = format!(
            "{more}\nannotation.spec_dirs = [\"{}\", \"{}\"]",
            self.text("specs"),
            self.text("more")
        );
        let config = Config::from_text("config.toml", &text, &Overrides::default()).unwrap();
        let selector = Selector::new(config);
        selector.refresh();
        selector
    }

    /// As [`Node::selector`], with the default hook-spec `default.json`.
    pub(super) fn selector_with_default(&self, more: &str) -> Selector {
        self.selector(&format!("hook_spec = \"{}\"\n{more}", self.text("default.json")))
    }
}

/// The annotations of a pod.
pub(super) fn annotations(list: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    list.iter().map(owned).collect()
}

/// The container `main` of a pod in the namespace `apps`.
pub(super) fn subject(annotations: &HashMap<String, String>) -> Subject<'_> {
    static NONE: LazyLock<HashMap<String, String>> = LazyLock::new(HashMap::new);
    Subject {
        namespace: "apps",
        annotations,
        container_annotations: &NONE,
        container: "main",
        command: None,
        has_bind_mounts: false,
        delivery: Delivery::default(),
    }
}

pub(super) fn select(selector: &Selector, list: &[(&str, &str)]) -> Result<Selected, SelectError> {
    selector.select(&subject(&annotations(list)), Deadline::none())
}

/// The last letters of the programs run at prestart: `ab` for `bin/a`, `bin/b`.
pub(super) fn programs(selected: &Selected) -> String {
    selected
        .resolved
        .stage(Stage::Prestart)
        .iter()
        .filter_map(|hook| hook.path.chars().last())
        .collect()
}

pub(super) fn chosen(selector: &Selector, annotations: &[(&str, &str)]) -> String {
    select(selector, annotations).map_or_else(|error| error.to_string(), |selected| programs(&selected))
}

pub(super) fn refused(selector: &Selector, annotations: &[(&str, &str)]) -> String {
    let message = select(selector, annotations).unwrap_err().to_string();
    assert!(message.len() < 2048, "{} bytes: {message}", message.len());
    assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message}");
    message
}
