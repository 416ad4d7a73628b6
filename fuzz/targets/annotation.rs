//! Any annotation of any pod selects a hook-spec of the administrator, or is refused with a printable line. It never
//! leads out of the directory of hook-specs.
//!
//! The input is lines: the namespace, the container, then the annotations, each as `KEY VALUE`. `~` at the beginning of
//! a key stands for the key of the annotation, and in a value for the directory of hook-specs.
#![no_main]

use std::collections::HashMap;
use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::config::{Config, Delivery, Overrides};
use nri_oci_hooks::select::{Deadline, Selector, Subject};
use tempfile::TempDir;

mod messages;

const KEY: &str = "hook-spec.noderesource.dev";

struct Node {
    directory: TempDir,
    selector: Selector,
}

/// A directory of two hook-specs: pods in namespaces `a*` may select one, and all others the other.
static NODE: LazyLock<Node> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    for name in ["gpu", "net"] {
        fs::write(directory.path().join(format!("{name}.json")), "{}").unwrap();
    }
    let text = format!(
        "[annotation]\nspec_dirs = [{:?}]\nmax_hooks = 3\nmax_timeout = 9\nstages = ['prestart']\n\
         rules = [{{effect='allow', namespaces=['a*'], specs=['gpu']}}, {{effect='allow', specs=['*n*']}},\n\
         {{effect='deny', namespaces=['a?'], specs=['net']}}]",
        directory.path()
    );
    let config = Config::from_text("config.toml", &text, &Overrides::default()).unwrap();
    Node {
        directory,
        selector: Selector::new(config),
    }
});

fuzz_target!(|text: &str| {
    let directory = NODE.directory.path().to_str().unwrap();
    let mut lines = text.split('\n');
    let namespace = lines.next().unwrap_or_default();
    let container = lines.next().unwrap_or_default();
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let key = match key.strip_prefix('~') {
            Some(scope) => format!("{KEY}{scope}"),
            None => key.to_owned(),
        };
        (key, value.replace('~', directory))
    };
    let annotations: HashMap<String, String> = lines.map(pair).collect();
    let subject = Subject {
        namespace,
        annotations: &annotations,
        container_annotations: &annotations,
        container,
        command: None,
        has_bind_mounts: false,
        delivery: Delivery::Runner,
    };
    match NODE.selector.select(&subject, Deadline::none()) {
        Ok(selected) => {
            let files = selected
                .specs
                .iter()
                .map(|chosen| chosen.file.strip_prefix(directory));
            assert!(
                files
                    .into_iter()
                    .all(|name| matches!(name, Some("/gpu.json" | "/net.json")))
            );
        }
        Err(error) => messages::assert_line(&error.to_string()),
    }
});
