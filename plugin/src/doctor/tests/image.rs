//! An image of a node.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::doctor::{Examination, examine};
use crate::node::{Finding, Level, Node};

/// An image of a node, valid until a fault is planted: containerd 2, a default hook-spec, a ledger.
pub(super) struct Image(pub(super) TempDir);

impl Image {
    pub(super) fn new() -> Image {
        // Below /tmp there would be a warning about the hook-spec.
        let image = Image(tempfile::tempdir_in("/run").unwrap());
        image.write(
            "etc/containerd/config.toml",
            "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n",
        );
        image.write(
            "etc/containerd/conf.d/nri.toml",
            "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n",
        );
        image.write(
            "hooks/default.json",
            "{\"prestart\":[{\"path\":\"/bin/true\",\"timeout\":1}]}",
        );
        for directory in ["state/live", "state/past", "opt/nri/plugins", "specs"] {
            fs::create_dir_all(image.path(directory)).unwrap();
        }
        image.configure("");
        image
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Adds a file to the plugin directory from which the runtime launches.
    pub(super) fn plugin(&self, name: &str) {
        let name = format!("opt/nri/plugins/{name}");
        self.write(&name, "");
        self.mode(&name, 0o755);
    }

    /// Adds a link to this program, with another name, that the runtime launches.
    pub(super) fn our_link(&self) {
        let program = "usr/local/bin/nri-oci-hooks";
        self.write(program, "");
        self.mode(program, 0o755);
        let target = format!("/{program}");
        symlink(target, self.path("opt/nri/plugins/20-hooks")).unwrap();
    }

    /// Writes the configuration, with `more` in it.
    pub(super) fn configure(&self, more: &str) {
        // The ledger is searched below the root, as all files of the node.
        let text = format!(
            "hook_spec = {:?}\nannotation.spec_dirs = [{:?}]\nstate_dir = \"/state\"\n{more}",
            self.text("hooks/default.json"),
            self.text("specs")
        );
        self.write("config.toml", &text);
    }

    pub(super) fn nri(&self, settings: &str) {
        let table = format!("[plugins.\"io.containerd.nri.v1.nri\"]\n{settings}\n");
        self.write("etc/containerd/conf.d/nri.toml", &table);
    }

    pub(super) fn examined(&self) -> Vec<Finding> {
        examine(&Examination {
            node: Node::new(self.0.path()),
            config: Some(self.text("config.toml")),
            checks_files: true,
        })
    }

    /// `level check` of every finding above a note.
    pub(super) fn faults(&self) -> Vec<String> {
        let findings = self
            .examined()
            .into_iter()
            .filter(|finding| finding.level > Level::Note);
        findings
            .map(|finding| {
                assert!(
                    finding.remedy.is_some_and(|remedy| remedy.len() > 5),
                    "{}",
                    finding.what
                );
                format!("{} {}", finding.level, finding.check)
            })
            .collect()
    }
}
