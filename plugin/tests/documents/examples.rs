//! The examples are what they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nri_oci_hooks::config::{Config, Overrides};
use nri_oci_hooks::manifest;
use nri_oci_hooks::spec::parse;

use crate::blocks::root;

/// The text of an example.
fn text(name: &str) -> String {
    fs::read_to_string(root().join("examples").join(name)).unwrap()
}

#[test]
fn hook_specs_configuration_and_manifest_have_no_mistake() {
    for name in ["default.json", "specs/arp.json", "specs/scratch.json"] {
        assert_eq!(parse(&name.into(), text(name).as_bytes()).mistakes, [], "{name}");
    }
    Config::from_text("config.toml", &text("config.toml"), &Overrides::default()).unwrap();
    let manifest = manifest::read(text("pod.yaml").as_bytes()).unwrap();
    assert_eq!(manifest.pods[0].containers.len(), 2);
}

#[test]
fn each_script_is_executable_says_what_runs_it_and_is_run_by_a_hook_spec() {
    let specs = ["default.json", "specs/arp.json", "specs/scratch.json"]
        .map(text)
        .concat();
    for entry in fs::read_dir(root().join("examples/hooks")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o111,
            0o111,
            "{name}"
        );
        assert!(
            fs::read_to_string(&path).unwrap().starts_with("#!/bin/sh\n"),
            "{name}"
        );
        assert!(
            specs.contains(&format!("/usr/local/lib/nri-oci-hooks/{name}\"")),
            "{name}"
        );
    }
}
