//! What is put in place, what is kept, and what is taken away.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{InstallError, Target, Way, install, uninstall};
use crate::doctor::{Examination, InstalledRuntime, Node, examine};
use crate::ledger::{Identity, Ledger};
use crate::select::Frozen;

/// An image of a node.
struct Image(TempDir);

impl Image {
    /// With containerd's own file.
    fn new(containerd: &str) -> Image {
        let image = Image(tempfile::tempdir().unwrap());
        image.write("etc/containerd/config.toml", containerd);
        image.write("program", "#!/bin/sh\n");
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

    fn target(&self, way: Way) -> Target {
        Target {
            node: Node::new(self.0.path()),
            runtime: None,
            way,
        }
    }

    fn install(&self, way: Way) -> Result<usize, InstallError> {
        let plan = install(&self.target(way), &self.path("program"))?;
        let open = plan.open().len();
        plan.execute()?;
        Ok(open)
    }

    /// Every file and link below the root, with its content or target.
    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        collect(self.0.path(), self.0.path(), &mut files);
        files
    }

    fn problems(&self) -> Vec<String> {
        let findings = examine(&Examination {
            node: Node::new(self.0.path()),
            config: None,
            looks_at_files: false,
        });
        let problems = findings.into_iter().filter(|finding| finding.is_problem());
        problems.map(|finding| finding.what).collect()
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        match fs::read_link(&path) {
            Ok(target) => drop(files.insert(name, target.to_str().unwrap().to_owned())),
            Err(_) if path.is_dir() => collect(root, &path, files),
            Err(_) => drop(files.insert(name, fs::read_to_string(&path).unwrap())),
        }
    }
}

#[test]
fn a_node_is_sound_after_installing_and_nothing_changes_the_second_time() {
    for (containerd, way) in [
        ("version = 2\n[plugins]\n", Way::Systemd),
        ("version = 3\n", Way::Systemd),
        (
            "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n",
            Way::Launched,
        ),
    ] {
        let image = Image::new(containerd);
        assert!(image.install(way).unwrap() > 4, "{containerd}");
        assert_eq!(image.problems(), [""; 0], "{containerd}");
        let files = image.files();
        assert_eq!(image.install(way).unwrap(), 0, "{containerd}");
        assert_eq!(image.files(), files);
    }
}

#[test]
fn a_newer_program_replaces_the_older_one_and_the_configuration_is_kept() {
    let image = Image::new("version = 3\n");
    image.install(Way::Systemd).unwrap();
    image.write("etc/nri-oci-hooks/config.toml", "delivery = \"direct\"\n");
    image.write("program", "#!/bin/sh\nnewer\n");
    assert_eq!(image.install(Way::Systemd).unwrap(), 1);
    assert_eq!(image.read("usr/local/bin/nri-oci-hooks"), "#!/bin/sh\nnewer\n");
    assert_eq!(
        image.read("etc/nri-oci-hooks/config.toml"),
        "delivery = \"direct\"\n"
    );
}

#[test]
fn what_was_there_is_kept_beside_it_and_comments_stay() {
    let own = "# ours\nversion = 3 # three\n[grpc]\n";
    let image = Image::new(own);
    image.write("etc/containerd/conf.d/nri-oci-hooks.toml", "# by hand\n");
    image.install(Way::Systemd).unwrap();
    let edited = image.read("etc/containerd/config.toml");
    assert!(
        edited.ends_with(own) && edited.starts_with("imports = "),
        "{edited}"
    );
    assert_eq!(image.read("etc/containerd/config.toml.before-nri-oci-hooks"), own);
    let drop_in = "etc/containerd/conf.d/nri-oci-hooks.toml";
    assert_eq!(
        image.read(&format!("{drop_in}.before-nri-oci-hooks")),
        "# by hand\n"
    );

    // What is kept is what the administrator had, not what we wrote.
    image.write(drop_in, "# changed\n");
    image.install(Way::Systemd).unwrap();
    assert_eq!(
        image.read(&format!("{drop_in}.before-nri-oci-hooks")),
        "# by hand\n"
    );
}

#[test]
fn nothing_executable_but_the_plugin_itself_is_ever_in_the_folder_of_plugins() {
    let image = Image::new("version = 3\n");
    image.write("opt/nri/plugins/10-oci-hooks", "an older program");
    fs::set_permissions(
        image.path("opt/nri/plugins/10-oci-hooks"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    image.install(Way::Launched).unwrap();
    let names: Vec<_> = fs::read_dir(image.path("opt/nri/plugins")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let target = fs::read_link(image.path("opt/nri/plugins/10-oci-hooks")).unwrap();
    assert_eq!(target, Path::new("/usr/local/bin/nri-oci-hooks"));
}

#[test]
fn crio_gets_its_drop_in_and_no_file_of_containerd() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("etc/crio/crio.conf", "");
    image.write("program", "x");
    image.install(Way::Systemd).unwrap();
    assert!(image.path("etc/crio/crio.conf.d/50-nri-oci-hooks.conf").exists());
    assert!(!image.path("etc/containerd").exists());
    assert_eq!(image.problems(), [""; 0]);
}

#[test]
fn a_runtime_that_is_not_there_or_a_file_that_cannot_be_changed_is_an_error_that_changes_nothing() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", "x");
    let error = image.install(Way::Systemd).unwrap_err();
    assert!(matches!(error, InstallError::NoRuntime(_)), "{error}");
    let image = Image::new("version = 1\n");
    let files = image.files();
    let error = image.install(Way::Systemd).unwrap_err().to_string();
    assert!(error.contains("its format is version 1"), "{error}");
    assert_eq!(image.files(), files);
}

#[test]
fn what_is_named_is_installed_for() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", "x");
    let target = Target {
        runtime: Some(InstalledRuntime::Containerd17),
        ..image.target(Way::Systemd)
    };
    install(&target, &image.path("program"))
        .unwrap()
        .execute()
        .unwrap();
    assert!(
        image
            .read("etc/containerd/config.toml")
            .starts_with("version = 2\nimports = ")
    );
}

#[test]
fn uninstalling_leaves_what_is_the_administrators_and_the_rest_as_it_was() {
    let image = Image::new("version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
    let before = image.files();
    image.install(Way::Systemd).unwrap();
    uninstall(&image.target(Way::Systemd)).execute().unwrap();
    let mut after = image.files();
    assert!(after.remove("etc/nri-oci-hooks/config.toml").is_some());
    assert_eq!(after, before);
    let plan = uninstall(&image.target(Way::Systemd));
    assert_eq!(plan.open().len(), 0, "done again it changes nothing");
}

#[test]
fn the_program_stays_as_long_as_containers_need_it() {
    let image = Image::new("version = 3\n");
    image.install(Way::Systemd).unwrap();
    image.write("etc/nri-oci-hooks/config.toml", "state_dir = \"/state\"\n");
    let ledger = Ledger::create(&image.path("state")).unwrap();
    let identity = Identity {
        id: "c1".parse().unwrap(),
        container: "app".into(),
        pod: "web".into(),
        namespace: "default".into(),
        uid: "u".into(),
    };
    ledger.add(identity, &Frozen::default(), true).unwrap();
    let plan = uninstall(&image.target(Way::Systemd));
    let left = "/usr/local/bin/nri-oci-hooks: it has yet to run hooks of 1 containers";
    assert!(
        plan.left.iter().any(|line| line.starts_with(left)),
        "{:?}",
        plan.left
    );
    plan.execute().unwrap();
    assert!(image.path("usr/local/bin/nri-oci-hooks").exists());
    assert!(!image.path("etc/systemd/system/nri-oci-hooks.service").exists());

    ledger.archive(&"c1".parse().unwrap()).unwrap();
    uninstall(&image.target(Way::Systemd)).execute().unwrap();
    assert!(!image.path("usr/local/bin/nri-oci-hooks").exists());
}
