//! The changes of switching on and off, and that no other file is touched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toml::Value;

use super::{RuntimeError, Target, disable, enable};
use crate::doctor::{Examination, examine};
use crate::node::{InstalledRuntime, NRI, Node};

/// An image of a node.
struct Image(TempDir);

const MAIN: &str = "etc/containerd/config.toml";
const DROP_IN: &str = "etc/containerd/conf.d/nri-oci-hooks.toml";
const NRI_TABLE: &str = "[plugins.\"io.containerd.nri.v1.nri\"]\n";

impl Image {
    /// An image with containerd's own file.
    fn new(containerd: &str) -> Image {
        let image = Image(tempfile::tempdir().unwrap());
        image.write(MAIN, containerd);
        image
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn target(&self) -> Target {
        Target {
            node: Node::new(self.0.path()),
            runtime: None,
        }
    }

    /// Switches NRI on. Returns the number of changes.
    fn enable(&self) -> usize {
        let plan = enable(&self.target()).unwrap();
        plan.execute().unwrap();
        plan.changes.len()
    }

    fn disable(&self) -> usize {
        let plan = disable(&self.target()).unwrap();
        plan.execute().unwrap();
        plan.changes.len()
    }

    /// Every file and directory with its content, mode and owner.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        collect(self.0.path(), &mut files);
        files
    }

    /// The NRI table of the drop-in.
    fn table(&self) -> toml::Table {
        let file: toml::Table = self.read(DROP_IN).parse().unwrap();
        file["plugins"][NRI].as_table().unwrap().clone()
    }

    fn problems(&self) -> Vec<String> {
        let findings = examine(&Examination {
            node: Node::new(self.0.path()),
            config: None,
            checks_files: false,
        });
        let problems = findings.into_iter().filter(|finding| finding.is_problem());
        problems.map(|finding| finding.what).collect()
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, String>) {
    use std::os::unix::fs::MetadataExt;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let file = path.symlink_metadata().unwrap();
        let what = if file.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else if file.is_dir() {
            collect(&path, files);
            String::new()
        } else {
            fs::read_to_string(&path).unwrap()
        };
        files.insert(path, format!("{:o} {} {what}", file.mode(), file.uid()));
    }
}

/// Common forms of containerd's own file.
const MAINS: [&str; 9] = [
    "version = 3\n",
    "# mine\nversion = 2 # yes\n\n[plugins]\n",
    "version = 3\nimports = [] # none\n",
    "version = 3\nimports = [ ]\nroot = \"/x\"",
    "imports = [\n  \"/a.toml\", # a\n  # more\n]\nversion = 3\n",
    "imports = ['/etc/containerd/conf.d/*.toml']\nversion = 2\n",
    "version = 3\nimports = ['/a.toml','/b/*.toml' ]\r\n[grpc]\r\n",
    "version = 2\n[plugins.'io.containerd.nri.v1.nri']\ndisable = true\n",
    "version = 3\n[plugins]\n'io.containerd.nri.v1.nri' = { disable = true, disable_connections = true }\n",
];

#[test]
fn nri_is_on_a_second_time_changes_nothing_and_disabling_undoes_it_exactly() {
    for main in MAINS {
        let image = Image::new(main);
        image.write("a.toml", "");
        image.write("b/b.toml", "");
        let before = image.files();
        assert!(image.enable() > 0, "{main}");
        assert_eq!(image.problems(), [""; 0], "{main}");
        let after = image.files();
        assert_eq!(image.enable(), 0, "{main}");
        assert_eq!(image.files(), after, "{main}");
        for line in main.lines().filter(|line| line.contains('#')) {
            let comment = line.split_once('#').unwrap().1;
            assert!(image.read(MAIN).contains(comment), "{comment}");
        }
        assert!(image.disable() > 0, "{main}");
        assert_eq!(image.files(), before, "{main}");
        assert_eq!(image.disable(), 0, "{main}");
    }
}

#[test]
fn later_changes_stay_and_the_import_is_removed() {
    for main in MAINS.iter().filter(|main| !main.contains("conf.d")) {
        let image = Image::new(main);
        image.enable();
        let changed = format!("{}\n[debug]\nlevel = \"debug\" # mine\n", image.read(MAIN));
        image.write(MAIN, &changed);
        image.disable();
        let text = image.read(MAIN);
        assert!(
            text.contains("level = \"debug\" # mine") && !text.contains("nri-oci-hooks"),
            "{text}"
        );
        let (then, before): (toml::Table, toml::Table) = (text.parse().unwrap(), main.parse().unwrap());
        let imports = |table: &toml::Table| table.get("imports").cloned().unwrap_or(Value::Array(Vec::new()));
        assert_eq!(imports(&then), imports(&before));
        assert!(!image.path(DROP_IN).exists());
    }
}

#[test]
fn only_drop_ins_of_this_program_are_imported() {
    let image = Image::new("version = 3\n");
    image.write(
        "etc/containerd/conf.d/unread.toml",
        &format!("{NRI_TABLE}disable = true\n"),
    );
    image.enable();
    let main: toml::Table = image.read(MAIN).parse().unwrap();
    let imports = main["imports"].as_array().unwrap();
    assert_eq!(imports.len(), 1);
    assert_eq!(
        imports[0].as_str(),
        Some("/etc/containerd/conf.d/nri-oci-hooks*.toml")
    );
    image.disable();
    assert!(image.path("etc/containerd/conf.d/unread.toml").exists());
}

#[test]
fn a_file_that_cannot_be_changed_safely_is_refused() {
    for main in [
        "version = [",
        "root = \"/x\"\n",
        "version = 1\n",
        "version = 2\nimports = \"x\"\n",
    ] {
        let image = Image::new(main);
        let target = Target {
            runtime: Some(InstalledRuntime::Containerd2),
            ..image.target()
        };
        let refused = enable(&target).unwrap_err();
        assert!(matches!(refused, RuntimeError::Main { .. }), "{refused}");
        assert_eq!(image.read(MAIN), main);
    }
}

#[test]
fn a_drop_in_of_another_owner_is_neither_replaced_nor_removed() {
    let image = Image::new("version = 3\n");
    image.enable();
    for text in ["# by hand\n".to_owned(), image.read(DROP_IN) + "# changed\n"] {
        image.write(DROP_IN, &text);
        for refused in [enable(&image.target()), disable(&image.target())] {
            assert!(matches!(refused, Err(RuntimeError::NotOurs(_))), "{refused:?}");
        }
        assert_eq!(image.read(DROP_IN), text);
    }
    // The text of the package, or of an earlier release.
    let text = include_str!("../../../deploy/containerd/containerd-2.toml");
    let earlier = super::seal::sealed("# earlier\n").replace("runtime enable", "install");
    for text in [text, &earlier] {
        image.write(DROP_IN, text);
        assert_eq!(image.enable(), 1);
        image.write(DROP_IN, text);
        assert_eq!(image.disable(), 2);
        image.enable();
    }
}

#[test]
fn the_administrators_settings_for_nri_stay() {
    let own = "disable = true\ndisable_connections = true\nsocket_path = \"/run/my.sock\"\nplugin_path = '/srv/plugins'\n\"odd key\" = [1, 2]\nplugin_request_timeout = \"9s\" # patient\n";
    for format in [2, 3] {
        let image = Image::new(&format!("version = {format}\n{NRI_TABLE}{own}"));
        let plan = enable(&image.target()).unwrap();
        plan.execute().unwrap();
        let table = image.table();
        assert_eq!(table["disable"].as_bool(), Some(false));
        assert_eq!(table["disable_connections"].as_bool(), Some(false));
        assert_eq!(table["plugin_request_timeout"].as_str(), Some("9s"));
        assert_eq!(table["plugin_registration_timeout"].as_str(), Some("10s"));
        // containerd 2 reads them from the main file.
        let whole = (format == 2).then_some("/run/my.sock");
        assert_eq!(table.get("socket_path").and_then(Value::as_str), whole);
        assert_eq!(table.contains_key("odd key"), format == 2);
        for note in [
            "plugin_request_timeout of /etc/containerd/config.toml still applies",
            "start the daemon with --nri-socket /run/my.sock",
        ] {
            assert!(plan.notes.iter().any(|it| it == note), "{:?}", plan.notes);
        }
    }
}

#[test]
fn in_containerd_1_7_the_last_table_before_ours_counts_and_no_other() {
    let imports = "imports = [\"/etc/containerd/conf.d/*.toml\"]\n";
    let image = Image::new(&format!(
        "version = 2\n{imports}{NRI_TABLE}socket_path = \"/main\"\n"
    ));
    image.write(
        "etc/containerd/conf.d/a.toml",
        &format!("{NRI_TABLE}plugin_path = \"/a\"\n"),
    );
    image.write("etc/containerd/conf.d/z.toml", "version = 2\n");
    image.enable();
    let table = image.table();
    assert_eq!(table["socket_path"].as_str(), Some("/var/run/nri/nri.sock"));
    assert_eq!(table["plugin_path"].as_str(), Some("/a"));
}

#[test]
fn the_runtimes_own_file_keeps_its_owner_its_mode_and_its_place() {
    let image = Image::new("");
    fs::remove_file(image.path(MAIN)).unwrap();
    image.write("srv/containerd.toml", "version = 3\n");
    let own = image.path("srv/containerd.toml");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&own, Some(12), Some(34)).unwrap();
    symlink("/srv/containerd.toml", image.path(MAIN)).unwrap();
    let before = image.files();
    assert_eq!(image.enable(), 2);
    assert!(image.read("srv/containerd.toml").starts_with("imports = "));
    assert_eq!(image.enable(), 0);
    image.disable();
    assert_eq!(image.files(), before);
}

#[test]
fn a_created_main_file_is_removed_again() {
    let image = Image::new("");
    fs::remove_file(image.path(MAIN)).unwrap();
    let target = Target {
        runtime: Some(InstalledRuntime::Containerd2),
        ..image.target()
    };
    enable(&target).unwrap().execute().unwrap();
    assert_eq!(image.problems(), [""; 0]);
    disable(&target).unwrap().execute().unwrap();
    assert!(!image.path(MAIN).exists() && !image.path(DROP_IN).exists());
}

#[test]
fn crio_gets_a_drop_in_and_loses_it_again() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write(
        "etc/crio/crio.conf.d/10-crio.conf",
        "[crio.nri]\nenable_nri = false\n",
    );
    let before = image.files();
    assert_eq!(image.enable(), 1);
    assert_eq!(image.problems(), [""; 0]);
    assert_eq!(image.enable(), 0);
    assert_eq!(image.disable(), 1);
    assert_eq!(image.files(), before);
}

#[test]
fn the_version_of_containerd_in_an_image_is_not_guessed() {
    let image = Image(tempfile::tempdir().unwrap());
    assert!(matches!(enable(&image.target()), Err(RuntimeError::NoRuntime(_))));
    // The program is not executed, because that would leave a trace.
    let trace = image.path("trace");
    image.write(
        "usr/bin/containerd",
        &format!("#!/bin/sh\ntouch {}\necho containerd v2.1.0\n", trace.display()),
    );
    fs::set_permissions(
        image.path("usr/bin/containerd"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let error = enable(&image.target()).unwrap_err();
    assert!(matches!(error, RuntimeError::WhichContainerd(_)), "{error}");
    assert!(error.to_string().contains("--runtime") && !trace.exists());
}

#[test]
fn links_of_an_image_lead_into_the_image() {
    let image = Image::new("version = 3\n");
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), image.path("etc/containerd/conf.d")).unwrap();
    image.enable();
    assert_eq!(image.enable(), 0);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(image.problems(), [""; 0]);
    image.disable();
}
