//! What a ConfigMap's mount becomes on the host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Kept, Mirror, PodError};
use crate::spec::MAX_SIZE;

/// A ConfigMap's mount, which kubelet makes of a folder with a date for each version and links to the
/// newest, and the folder on the host.
struct Pod {
    folder: TempDir,
    versions: u32,
}

impl Pod {
    fn new(files: &[(&str, &str)]) -> Pod {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("mount/specs")).unwrap();
        fs::create_dir(folder.path().join("host")).unwrap();
        let mut pod = Pod { folder, versions: 0 };
        pod.publish(files);
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the mount show `files` and no others, at one stroke.
    fn publish(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        for (folder, below) in [("mount", ""), ("mount/specs", "specs/")] {
            let folder = self.path(folder);
            let version = format!("..version-{}", self.versions);
            fs::create_dir(folder.join(&version)).unwrap();
            for name in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                let is_key = !name.file_name().unwrap().to_string_lossy().starts_with("..");
                if is_key && name.is_symlink() {
                    fs::remove_file(name).unwrap();
                }
            }
            for (name, text) in files {
                let Some(name) = name.strip_prefix(below).filter(|name| !name.contains('/')) else {
                    continue;
                };
                fs::write(folder.join(&version).join(name), text).unwrap();
                symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
            }
            symlink(version, folder.join("..new")).unwrap();
            fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
        }
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(&self.path("mount"), &self.path("host")).unwrap()
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
fn the_host_has_what_the_configmap_has_and_keeps_up_with_it() {
    let first = [
        ("config.toml", "a"),
        ("default.json", "b"),
        ("specs/gpu.json", "c"),
    ];
    let mut pod = Pod::new(&first);
    let mut mirror = pod.mirror();
    assert_eq!(mirror.keep_up().unwrap(), Kept::Anew);
    assert_eq!(pod.host(), files(&first));
    assert_eq!(mirror.keep_up().unwrap(), Kept::AsTheyWere);

    let second = [("config.toml", "a2"), ("specs/fpga.json", "d")];
    pod.publish(&second);
    assert_eq!(mirror.keep_up().unwrap(), Kept::Anew);
    assert_eq!(pod.host(), files(&second), "what is gone there is gone here");
}

#[test]
fn what_is_put_there_is_for_root_to_write_whatever_the_mount_allows() {
    let pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "c")]);
    for name in ["mount", "mount/specs", "mount/..data/config.toml"] {
        fs::set_permissions(pod.path(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    pod.mirror().keep_up().unwrap();
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
    mirror.keep_up().unwrap();
    pod.publish(&[("config.toml", "ours, changed")]);
    mirror.keep_up().unwrap();
    let kept = "config.toml.before-nri-oci-hooks";
    let expected = [
        ("config.toml", "ours, changed"),
        (kept, "theirs"),
        ("other.json", "theirs"),
    ];
    assert_eq!(pod.host(), files(&expected));
}

#[test]
fn the_next_daemon_removes_what_an_earlier_one_put_there() {
    let mut pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "c")]);
    pod.mirror().keep_up().unwrap();
    pod.publish(&[("config.toml", "a")]);
    pod.mirror().keep_up().unwrap();
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
    pod.mirror().keep_up().unwrap();
    assert!(outside.exists());
}

#[test]
fn a_file_that_cannot_be_taken_over_is_named_and_tried_again() {
    let mut pod = Pod::new(&[("config.toml", "a")]);
    let large = fs::File::create(pod.path("mount/default.json")).unwrap();
    large.set_len(MAX_SIZE + 1).unwrap();
    let mut mirror = pod.mirror();
    for _ in 0..2 {
        let error = mirror.keep_up().unwrap_err();
        assert!(matches!(error, PodError::TooLarge(_)), "{error}");
        assert!(error.to_string().contains("mount/default.json"), "{error}");
    }
    fs::remove_file(pod.path("mount/default.json")).unwrap();
    pod.publish(&[("config.toml", "b")]);
    assert_eq!(mirror.keep_up().unwrap(), Kept::Anew);
    assert_eq!(pod.host(), files(&[("config.toml", "b")]));
}

#[test]
fn what_somebody_changes_on_the_host_is_put_right() {
    let pod = Pod::new(&[("config.toml", "a"), ("default.json", "b")]);
    let mut mirror = pod.mirror();
    mirror.keep_up().unwrap();
    fs::write(pod.path("host/config.toml"), "changed").unwrap();
    std::os::unix::fs::chown(pod.path("host/default.json"), Some(1000), None).unwrap();
    assert_eq!(mirror.keep_up().unwrap(), Kept::Anew);
    assert_eq!(pod.host(), files(&[("config.toml", "a"), ("default.json", "b")]));
    let owner = fs::metadata(pod.path("host/default.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 0);
}

#[test]
fn of_two_pods_the_first_keeps_the_files_until_it_ends() {
    let mut pod = Pod::new(&[("config.toml", "old")]);
    let mut old = pod.mirror();
    old.keep_up().unwrap();
    let mut new = pod.mirror();
    pod.publish(&[("config.toml", "new")]);
    assert_eq!(new.keep_up().unwrap(), Kept::ByAnother);
    assert_eq!(pod.host(), files(&[("config.toml", "old")]));
    drop(old);
    assert_eq!(new.keep_up().unwrap(), Kept::Anew);
    assert_eq!(pod.host(), files(&[("config.toml", "new")]));
}

#[test]
fn one_bad_file_keeps_none_of_the_others_back() {
    let pod = Pod::new(&[("config.toml", "a"), ("specs/gpu.json", "b")]);
    let large = fs::File::create(pod.path("mount/default.json")).unwrap();
    large.set_len(MAX_SIZE + 1).unwrap();
    assert!(pod.mirror().keep_up().is_err());
    assert_eq!(
        pod.host(),
        files(&[("config.toml", "a"), ("specs/gpu.json", "b")])
    );
}
