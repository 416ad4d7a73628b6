//! The host's copy of a ConfigMap's mount.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Mirror, PodError, Refreshed, refused_in};
use crate::config::{ConfigSource, Overrides};
use crate::spec::MAX_SIZE;

/// A ConfigMap's mount, and the directory on the host. The kubelet makes the mount of a directory with a date
/// for each version, and of links to the newest.
struct Pod {
    directory: TempDir,
    versions: u32,
}

impl Pod {
    fn new(files: &[(&str, &str)]) -> Pod {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("mount/specs")).unwrap();
        fs::create_dir(directory.path().join("host")).unwrap();
        let mut pod = Pod {
            directory,
            versions: 0,
        };
        pod.publish(files);
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes the mount show `files` and no others, atomically.
    fn publish(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        for (directory, below) in [("mount", ""), ("mount/specs", "specs/")] {
            let directory = self.path(directory);
            let version = format!("..version-{}", self.versions);
            fs::create_dir(directory.join(&version)).unwrap();
            for name in fs::read_dir(&directory)
                .unwrap()
                .map(|entry| entry.unwrap().path())
            {
                let is_key = !name.file_name().unwrap().to_string_lossy().starts_with("..");
                if is_key && name.is_symlink() {
                    fs::remove_file(name).unwrap();
                }
            }
            for (name, text) in files {
                let Some(name) = name.strip_prefix(below).filter(|name| !name.contains('/')) else {
                    continue;
                };
                fs::write(directory.join(&version).join(name), text).unwrap();
                symlink(Path::new("..data").join(name), directory.join(name)).unwrap();
            }
            symlink(version, directory.join("..new")).unwrap();
            fs::rename(directory.join("..new"), directory.join("..data")).unwrap();
        }
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(&self.path("mount"), &self.path("host")).unwrap()
    }

    /// The daemon's configuration, on the host.
    fn config(&self) -> ConfigSource {
        let file = self.path("host/config.toml");
        ConfigSource::file(file.to_str().unwrap(), Overrides::default())
    }

    /// A configuration with additional text. By it, the files on the host are the daemon's.
    fn config_text(&self, more: &str) -> String {
        let (default, specs) = (self.path("host/default.json"), self.path("host/specs"));
        format!("hook_spec = {default:?}\nannotation.spec_dirs = [{specs:?}]\n{more}")
    }

    /// The file on the host.
    fn on_host(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("host").join(name)).ok()
    }

    /// The errors that the daemon reports.
    fn refused(&self) -> String {
        refused_in(&self.path("host")).unwrap().join("\n")
    }

    /// The files on the host that do not begin with a dot.
    fn host(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for below in ["", "specs/"] {
            let Ok(listed) = fs::read_dir(self.path("host").join(below)) else {
                continue;
            };
            for path in listed.map(|entry| entry.unwrap().path()) {
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_file() && !name.starts_with('.') {
                    files.insert(format!("{below}{name}"), fs::read_to_string(&path).unwrap());
                }
            }
        }
        files
    }
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = files
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()));
    owned.collect()
}

#[test]
fn the_host_has_the_files_of_the_configmap_and_follows_its_changes() {
    let first = [
        ("config.toml", "a"),
        ("default.json", "b"),
        ("specs/gpu.json", "c"),
    ];
    let mut pod = Pod::new(&first);
    let mut mirror = pod.mirror();
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.host(), files(&first));
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Unchanged);

    let second = [("config.toml", "a2"), ("specs/fpga.json", "d")];
    pod.publish(&second);
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.host(), files(&second), "what is gone there is gone here");
}

#[test]
fn only_root_may_write_the_copied_files_whatever_the_mount_allows() {
    let pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "c")]);
    for name in ["mount", "mount/specs", "mount/..data/config.toml"] {
        fs::set_permissions(pod.path(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    pod.mirror().refresh(&pod.config()).unwrap();
    for (name, mode) in [
        ("host/config.toml", 0o644),
        ("host/specs", 0o755),
        ("host/specs/gpu.json", 0o644),
    ] {
        let found = fs::symlink_metadata(pod.path(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn files_of_the_administrator_are_kept_and_those_beside_left_alone() {
    let mut pod = Pod::new(&[("config.toml", "ours")]);
    fs::write(pod.path("host/config.toml"), "theirs").unwrap();
    fs::write(pod.path("host/other.json"), "theirs").unwrap();
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    pod.publish(&[("config.toml", "ours, changed")]);
    mirror.refresh(&pod.config()).unwrap();
    let backup = "config.toml.before-nri-oci-hooks";
    let expected = [
        ("config.toml", "ours, changed"),
        (backup, "theirs"),
        ("other.json", "theirs"),
    ];
    assert_eq!(pod.host(), files(&expected));
}

#[test]
fn the_next_daemon_removes_the_files_of_an_earlier_one() {
    let mut pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "c")]);
    pod.mirror().refresh(&pod.config()).unwrap();
    pod.publish(&[("config.toml", "a")]);
    pod.mirror().refresh(&pod.config()).unwrap();
    assert_eq!(pod.host(), files(&[("config.toml", "a")]));
}

#[test]
fn no_note_leads_to_the_removal_of_anything_outside() {
    let pod = Pod::new(&[("config.toml", "a")]);
    let outside = pod.path("outside");
    fs::write(&outside, "").unwrap();
    let names = [
        "../outside",
        outside.to_str().unwrap(),
        "specs/../../outside",
        "",
        ".",
        "specs/..",
    ];
    fs::write(pod.path("host/.files-from"), names.join("\n")).unwrap();
    pod.mirror().refresh(&pod.config()).unwrap();
    assert!(outside.exists());
}

#[test]
fn a_file_that_cannot_be_copied_is_named_and_tried_again() {
    let mut pod = Pod::new(&[("config.toml", "a")]);
    let large = fs::File::create(pod.path("mount/default.json")).unwrap();
    large.set_len(MAX_SIZE + 1).unwrap();
    let mut mirror = pod.mirror();
    for _ in 0..2 {
        let error = mirror.refresh(&pod.config()).unwrap_err();
        assert!(matches!(error, PodError::TooLarge(_)), "{error}");
        assert!(error.to_string().contains("mount/default.json"), "{error}");
    }
    fs::remove_file(pod.path("mount/default.json")).unwrap();
    pod.publish(&[("config.toml", "b")]);
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.host(), files(&[("config.toml", "b")]));
}

#[test]
fn changes_on_the_host_are_undone() {
    let pod = Pod::new(&[("config.toml", "a"), ("default.json", "b")]);
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    fs::write(pod.path("host/config.toml"), "changed").unwrap();
    std::os::unix::fs::chown(pod.path("host/default.json"), Some(1000), None).unwrap();
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.host(), files(&[("config.toml", "a"), ("default.json", "b")]));
    let owner = fs::metadata(pod.path("host/default.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
}

#[test]
fn the_first_of_two_pods_keeps_the_files_until_it_ends() {
    let mut pod = Pod::new(&[("config.toml", "old")]);
    let mut old = pod.mirror();
    old.refresh(&pod.config()).unwrap();
    let mut new = pod.mirror();
    pod.publish(&[("config.toml", "new")]);
    assert_eq!(new.refresh(&pod.config()).unwrap(), Refreshed::OwnedByAnother);
    assert_eq!(pod.host(), files(&[("config.toml", "old")]));
    drop(old);
    assert_eq!(new.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.host(), files(&[("config.toml", "new")]));
}

#[test]
fn one_invalid_file_keeps_none_of_the_others_back() {
    let pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "b")]);
    let large = fs::File::create(pod.path("mount/default.json")).unwrap();
    large.set_len(MAX_SIZE + 1).unwrap();
    assert!(pod.mirror().refresh(&pod.config()).is_err());
    assert_eq!(
        pod.host(),
        files(&[("config.toml", "a"), ("specs/gpu.json", "b")])
    );
}

/// A hook-spec of one hook; `path` is its program.
fn spec(path: &str) -> String {
    format!(r#"{{"prestart":[{{"path":"{path}"}}]}}"#)
}

const GOOD: &str = "/bin/sh";

#[test]
fn no_file_that_the_daemon_refuses_replaces_an_active_one() {
    let mut pod = Pod::new(&[]);
    let (config, good) = (pod.config_text(""), spec(GOOD));
    let all = |config: &str, default: &str, selectable: &str| {
        [
            ("config.toml", config.to_owned()),
            ("default.json", default.to_owned()),
            ("specs/gpu.json", selectable.to_owned()),
        ]
    };
    let publish = |pod: &mut Pod, files: &[(&str, String)]| {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        pod.publish(&files);
    };
    publish(&mut pod, &all(&config, &good, &good));
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    let before = pod.host();
    assert_eq!(pod.refused(), "");

    let (relative, absent, letter) = (spec("sh"), spec("/nowhere"), pod.config_text("hook_sepc = 1\n"));
    for (name, bad, rule) in [
        ("config.toml", &letter, "unknown-key"),
        ("default.json", &relative, "path-not-absolute"),
        ("default.json", &absent, "not-found"),
        ("specs/gpu.json", &relative, "path-not-absolute"),
    ] {
        let mut files = all(&config, &good, &good);
        files
            .iter_mut()
            .find(|(it, _)| *it == name)
            .unwrap()
            .1
            .clone_from(bad);
        publish(&mut pod, &files);
        for _ in 0..2 {
            assert_eq!(
                mirror.refresh(&pod.config()).unwrap(),
                Refreshed::Unchanged,
                "{name}"
            );
            let candidate = format!("{name}.refused");
            assert_eq!(pod.on_host(&candidate).as_ref(), Some(bad));
            assert!(
                pod.refused().contains(&format!("host/{candidate}")),
                "{}",
                pod.refused()
            );
            assert!(pod.refused().contains(rule), "{}", pod.refused());
            let mut host = pod.host();
            host.remove(&candidate);
            assert_eq!(host, before, "{name}");
        }
        // The next pod finds the directory as the previous one left it.
        mirror = {
            drop(mirror);
            pod.mirror()
        };
        publish(&mut pod, &all(&config, &good, &good));
        mirror.refresh(&pod.config()).unwrap();
        assert_eq!(pod.host(), before, "the refused file goes when a good one comes");
        assert_eq!(pod.refused(), "");
    }
}

#[test]
fn a_refused_file_is_copied_as_soon_as_its_program_exists() {
    let mut pod = Pod::new(&[]);
    let program = pod.path("program");
    let (config, good, unusable) = (pod.config_text(""), spec(GOOD), spec(program.to_str().unwrap()));
    pod.publish(&[("config.toml", &config), ("default.json", &good)]);
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    pod.publish(&[("config.toml", &config), ("default.json", &unusable)]);
    mirror.refresh(&pod.config()).unwrap();
    assert_eq!(pod.on_host("default.json"), Some(good));
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(pod.on_host("default.json"), Some(unusable));
    assert_eq!(pod.on_host("default.json.refused"), None);
    assert_eq!(pod.refused(), "");
}

#[test]
fn without_a_valid_file_the_daemon_gets_the_invalid_one_to_refuse() {
    let pod = Pod::new(&[("config.toml", "hook_sepc = 1"), ("specs/gpu.json", "broken")]);
    assert_eq!(pod.mirror().refresh(&pod.config()).unwrap(), Refreshed::Changed);
    let expected = [("config.toml", "hook_sepc = 1"), ("specs/gpu.json", "broken")];
    assert_eq!(pod.host(), files(&expected));
    assert_eq!(pod.refused(), "");
}

#[test]
fn a_configuration_whose_new_default_hook_spec_is_invalid_is_refused() {
    let mut pod = Pod::new(&[]);
    let (config, good) = (pod.config_text(""), spec(GOOD));
    pod.publish(&[("config.toml", &config), ("default.json", &good)]);
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    let other = config.replace("default.json", "other.json");
    pod.publish(&[
        ("config.toml", &other),
        ("default.json", &good),
        ("other.json", "broken"),
    ]);
    mirror.refresh(&pod.config()).unwrap();
    assert_eq!(pod.on_host("config.toml"), Some(config));
    assert!(pod.refused().contains("host/other.json"), "{}", pod.refused());

    pod.publish(&[("config.toml", &other), ("other.json", &good)]);
    assert_eq!(mirror.refresh(&pod.config()).unwrap(), Refreshed::Changed);
    assert_eq!(
        pod.host(),
        files(&[("config.toml", &other), ("other.json", &good)])
    );
    assert_eq!(pod.refused(), "");
}

#[test]
fn files_that_the_daemon_needs_stay_when_the_configmap_is_emptied() {
    let mut pod = Pod::new(&[]);
    let (config, good) = (pod.config_text(""), spec(GOOD));
    let all = [
        ("config.toml", &*config),
        ("default.json", &*good),
        ("specs/gpu.json", &*good),
    ];
    pod.publish(&all);
    let mut mirror = pod.mirror();
    mirror.refresh(&pod.config()).unwrap();
    pod.publish(&[]);
    for _ in 0..2 {
        mirror.refresh(&pod.config()).unwrap();
        assert_eq!(
            pod.host(),
            files(&all[..2]),
            "pods select what was removed no more"
        );
        for name in ["host/config.toml", "host/default.json"] {
            assert!(pod.refused().contains(name), "{}", pod.refused());
        }
    }
    pod.publish(&all);
    mirror.refresh(&pod.config()).unwrap();
    assert_eq!(pod.host(), files(&all));
    assert_eq!(pod.refused(), "");
    // Then the files are the pod's again, and are removed when the configuration names others.
    pod.publish(&[("config.toml", "default_timeout = 7")]);
    mirror.refresh(&pod.config()).unwrap();
    assert_eq!(pod.host(), files(&[("config.toml", "default_timeout = 7")]));
}

#[test]
fn a_valid_file_of_the_administrator_is_not_replaced_by_an_invalid_one() {
    let pod = Pod::new(&[("config.toml", "hook_sepc = 1")]);
    fs::write(pod.path("host/config.toml"), "default_timeout = 7").unwrap();
    pod.mirror().refresh(&pod.config()).unwrap();
    assert_eq!(pod.on_host("config.toml").as_deref(), Some("default_timeout = 7"));
    assert!(pod.refused().contains("unknown-key"), "{}", pod.refused());
}
