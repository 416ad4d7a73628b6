//! The references list what there is: every key with its default, every metric, and errors in the words of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nri_oci_hooks::config::{Config, keys};
use nri_oci_hooks::model::Stage;
use nri_oci_hooks::observe::Observer;

use crate::blocks::root;

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The part of the configuration's reference about each key: its name and its text.
fn sections(text: &str) -> Vec<(String, String)> {
    let parts = text.split("\n### `").skip(1);
    parts
        .map(|part| {
            let (key, rest) = part.split_once('`').unwrap();
            (key.to_owned(), rest.split("\n## ").next().unwrap().to_owned())
        })
        .collect()
}

/// The default of a key in the words of the reference.
fn default_of(key: &str) -> String {
    let config = Config::default();
    let or_none = |is_none: bool| if is_none { "none" } else { "something" }.to_owned();
    match key {
        "hook_spec" => or_none(config.hook_spec.is_none()),
        "hooks_dirs" => format!("`{:?}`", config.hooks_dirs),
        "exclude_namespaces" => format!("`{:?}`", Vec::from_iter(config.exclude_namespaces.patterns())),
        "failure_policy" => format!("`\"{}\"`", format!("{:?}", config.failure_policy).to_lowercase()),
        "delivery" => format!("`\"{}\"`", config.delivery),
        "default_timeout" => format!("`{}`", config.default_timeout.seconds()),
        "state_dir" => format!("`{:?}`", config.state_dir),
        "listen" => or_none(config.listen.is_none()),
        "limits.processes" => format!("`{}`", config.limits.processes),
        "limits.memory" => or_none(config.limits.memory.is_none()),
        "limits.cpu_weight" => or_none(config.limits.cpu_weight.is_none()),
        "missed.action" => format!("`\"{}\"`", format!("{:?}", config.missed).to_lowercase()),
        "annotation.key" => format!("`{:?}`", config.annotation.key.as_str()),
        "annotation.spec_dirs" => format!("`{:?}`", config.annotation.spec_dirs),
        "annotation.max_timeout" => or_none(config.annotation.limits.max_timeout.is_none()),
        "annotation.max_hooks" => or_none(config.annotation.limits.max_hooks.is_none()),
        "annotation.stages" if config.annotation.limits.stages == Stage::ALL.into() => "all".to_owned(),
        "runtimes.NAME.delivery" => "that of `delivery`".to_owned(),
        "annotation.rules[].effect" => "none; every rule has one".to_owned(),
        "default_specs[].hook_spec" => "none; every `[[default_specs]]` has one".to_owned(),
        "default_specs[].namespaces" | "annotation.rules[].namespaces" | "annotation.rules[].specs" => {
            "all".to_owned()
        }
        key => panic!("what is the default of {key}?"),
    }
}

#[test]
fn the_reference_of_the_configuration_has_every_key_with_its_default() {
    let sections = sections(&read("docs/configuration.md"));
    let listed: BTreeSet<&String> = sections.iter().map(|(key, _)| key).collect();
    let there = keys();
    assert_eq!(listed, there.iter().collect::<BTreeSet<_>>());
    for (key, text) in &sections {
        let default = format!("\nDefault: {}\n", default_of(key));
        assert!(format!("{text}\n").contains(&default), "{key}: not{default}");
    }
}

#[test]
fn the_sample_configuration_names_every_key() {
    let sample = read("deploy/config.toml");
    for key in keys() {
        let name = key.rsplit('.').next().unwrap();
        assert!(
            sample.contains(&format!("{name} = ")),
            "deploy/config.toml has no {key}"
        );
    }
}

#[test]
fn the_reference_of_the_metrics_has_every_one() {
    let text = read("docs/observing.md");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `nri_oci_hooks_")?.split('`').next());
    let listed: BTreeSet<String> = rows.map(|name| format!("nri_oci_hooks_{name}")).collect();
    assert_eq!(listed, Observer::metric_names());
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_there() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).unwrap();
    let names = Observer::metric_names();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut used = BTreeSet::new();
    for target in targets {
        let expression = target["expr"].as_str().unwrap();
        for part in expression.split("nri_oci_hooks_").skip(1) {
            let end = part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap();
            // The series of a histogram.
            let name = format!("nri_oci_hooks_{}", part[..end].trim_end_matches("_bucket"));
            assert!(names.contains(&name), "{expression}");
            used.insert(name);
        }
    }
    assert!(used.len() > 10, "{used:?}");
}

/// The beginnings of texts that runtimes print, not the program.
const OF_RUNTIMES: [&str; 6] = [
    "plugin \"10-oci-hooks\"",
    "plugin 10-oci-hooks",
    "connection to plugin",
    "context deadline exceeded",
    "validation error",
    "Failed to run CRI service",
];

/// The errors of the kernel in texts of the program.
const OF_THE_KERNEL: [&str; 2] = ["Exec format error", "No such file or directory"];

/// The code below `directory`, with each string on one line.
fn code(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for line in fs::read_to_string(path).unwrap().lines() {
                match text.strip_suffix('\\').map(str::len) {
                    Some(length) => text.truncate(length),
                    None => text.push('\n'),
                }
                text.push_str(line.trim_start());
            }
        }
    }
}

#[test]
fn the_texts_to_look_up_are_those_of_the_program() {
    let mut text = String::new();
    for directory in ["plugin/src", "nri/src"] {
        code(&root().join(directory), &mut text);
    }
    let page = read("docs/troubleshooting.md");
    let first_cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let quoted = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_ours = |quoted: &&str| !OF_RUNTIMES.iter().any(|begin| quoted.starts_with(begin));
    let mut seen = 0;
    for quoted in quoted.filter(is_ours) {
        // Parts that differ from case to case are left out.
        let parts = quoted.split([':', '…']).flat_map(|part| part.split(" N "));
        let parts = parts.map(|part| part.trim_end_matches(" N").trim());
        for part in parts.filter(|part| part.len() > 5) {
            if !OF_THE_KERNEL.contains(&part) {
                assert!(text.contains(part), "{quoted}: no {part:?} in the program");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} texts: are they still found?");
}
