//! The files to deploy do on a node what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::{Containerd, Version, on_each_containerd, workspace};
use nri_oci_hooks::config::{Config, Glob, Names, Overrides};
use nri_oci_hooks::diagnostic::Diagnostic;

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// The containerd has nothing about NRI but the drop-in; without it, 1.7 would not even make the socket.
async fn with_the_drop_in_alone_containers_get_their_hooks(version: Version) -> Result<()> {
    let containerd = Containerd::builder(version).drop_in(&workspace::drop_in(version));
    let containerd = containerd.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let _plugin = containerd.plugin().hook_spec(&spec).start().await?;

    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    Ok(())
}

/// A node's own configuration may be of an older syntax, switch NRI off, and have limits of its own.
async fn a_drop_in_wins_over_the_main_file(version: Version) -> Result<()> {
    let syntaxes: &[u8] = match version {
        Version::V1_7 => &[2],
        _ => &[2, 3],
    };
    for syntax in syntaxes {
        let dump = merged(version, *syntax, &workspace::drop_in(version))?;
        for line in [
            "disable = false",
            "disable_connections = false",
            "socket_path = \"/var/run/nri/nri.sock\"",
            "plugin_path = \"/opt/nri/plugins\"",
            "plugin_config_path = \"/etc/nri/conf.d\"",
            "plugin_request_timeout = \"5s\"",
            "plugin_registration_timeout = \"10s\"",
        ] {
            assert!(dump.contains(line), "{line} in version {syntax}: {dump}");
        }
    }
    Ok(())
}

/// It would be a node without pods if it were refused.
#[test]
fn a_containerd_that_knows_no_required_plugins_goes_on_without_them() -> Result<()> {
    let required = workspace::file("deploy/containerd/containerd-2.2-required.toml");
    let dump = merged(Version::V2_1, 3, &required)?;
    assert!(dump.contains("socket_path"), "{dump}");
    Ok(())
}

on_each_containerd!(
    with_the_drop_in_alone_containers_get_their_hooks,
    a_drop_in_wins_over_the_main_file,
);

/// The active table about NRI when a main file of this syntax, which switches NRI off, imports `drop_in`.
fn merged(version: Version, syntax: u8, drop_in: &Path) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let main = directory.path().join("config.toml");
    let text = format!(
        "version = {syntax}\nimports = [{drop_in:?}]\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n\
         disable = true\nplugin_request_timeout = \"9s\"\n"
    );
    fs::write(&main, text)?;
    let output = Command::new(version.programs()?.join("containerd"))
        .arg("--config")
        .arg(&main)
        .args(["config", "dump"])
        .output()?;
    let dump = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    // 2.x quotes otherwise.
    let dump = dump.replace('\'', "\"");
    let table = dump.split("[plugins.\"io.containerd.nri.v1.nri\"]").nth(1);
    let table = table.with_context(|| format!("no table about NRI: {complaint}"))?;
    Ok(table.split("[plugins").next().unwrap_or_default().to_owned())
}

/// The keys are those of CRI-O's `[crio.nri]`; no CRI-O is at hand to load them.
#[test]
fn the_crio_drop_ins_are_toml_and_set_the_same_limits() -> Result<()> {
    let read =
        |name: &str| -> Result<toml::Table> { Ok(fs::read_to_string(workspace::file(name))?.parse()?) };
    let nri = &read("deploy/crio/crio.conf")?["crio"]["nri"];
    assert_eq!(nri["enable_nri"].as_bool(), Some(true));
    assert_eq!(nri["nri_plugin_request_timeout"].as_str(), Some("5s"));
    assert_eq!(nri["nri_plugin_registration_timeout"].as_str(), Some("10s"));
    let required = &read("deploy/crio/crio-1.34-required.conf")?["crio"]["nri"]["default_validator"];
    let containerd = &read("deploy/containerd/containerd-2.2-required.toml")?["plugins"]["io.containerd.nri.v1.nri"]
        ["default_validator"];
    for (theirs, key) in [
        ("nri_validator_required_plugins", "required_plugins"),
        (
            "nri_validator_tolerate_missing_plugins_annotation",
            "tolerate_missing_plugins_annotation",
        ),
    ] {
        assert_eq!(required[theirs], containerd[key]);
    }
    Ok(())
}

#[test]
fn the_sample_configuration_is_valid_and_exempts_kube_system_alone() -> Result<()> {
    let text = fs::read_to_string(workspace::file("deploy/config.toml"))?;
    let config = read(&text);
    let expected = Config {
        exclude_namespaces: Names::new(vec![Glob::new("kube-system")]),
        ..Config::default()
    };
    assert_eq!(config, Ok(expected));
    Ok(())
}

/// Its text about the keys that are not set is what the daemon does.
#[test]
fn the_sample_configuration_contains_the_defaults() -> Result<()> {
    let text = fs::read_to_string(workspace::file("deploy/config.toml"))?;
    // An example stands in a paragraph that says so.
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.contains("Example"));
    let lines = paragraphs.flat_map(str::lines);
    let settings = lines.filter_map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)));
    let sample: Vec<String> = settings
        .map(|line| match line.split(' ').next() {
            Some("key" | "spec_dirs") => format!("annotation.{line}"),
            Some("action") => format!("missed.{line}"),
            Some("processes") => format!("limits.{line}"),
            _ => line.to_owned(),
        })
        .collect();
    assert!(sample.len() >= 7, "{sample:?}");
    assert_eq!(read(&sample.join("\n")), Ok(Config::default()));
    Ok(())
}

/// Whether a line without its # sets a key.
fn is_setting(line: &str) -> bool {
    let key = line.split_once(" = ").map_or("", |(key, _)| key);
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !key.is_empty() && key.bytes().all(is_part)
}

fn read(text: &str) -> Result<Config, Vec<Diagnostic>> {
    Config::from_text("deploy/config.toml", text, &Overrides::default())
}
