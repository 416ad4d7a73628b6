//! An image of a node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::doctor::{Examination, Node, examine};
use crate::install::{InstallError, Target, Way, install, ours};

/// An image of a node.
pub(super) struct Image(pub(super) TempDir);

impl Image {
    /// With containerd's own file.
    pub(super) fn new(containerd: &str) -> Image {
        let image = Image(tempfile::tempdir().unwrap());
        image.write("etc/containerd/config.toml", containerd);
        image.write("program", &ours::program("older"));
        image
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn target(&self, way: Way) -> Target {
        Target {
            node: Node::new(self.0.path()),
            runtime: None,
            way,
            config: None,
            state_dir: None,
        }
    }

    pub(super) fn install(&self, way: Way) -> Result<usize, InstallError> {
        let plan = install(&self.target(way), &self.path("program"))?;
        let open = plan.open().len();
        plan.execute()?;
        Ok(open)
    }

    /// Every file and link below the root, with its content or target.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        collect(self.0.path(), self.0.path(), &mut files);
        files
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let findings = examine(&Examination {
            node: Node::new(self.0.path()),
            config: None,
            looks_at_files: false,
        });
        let problems = findings.into_iter().filter(|finding| finding.is_problem());
        problems.map(|finding| finding.what).collect()
    }
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        match fs::read_link(&path) {
            Ok(target) => drop(files.insert(name, target.to_str().unwrap().to_owned())),
            Err(_) if path.is_dir() => collect(root, &path, files),
            Err(_) => drop(files.insert(name, fs::read_to_string(&path).unwrap())),
        }
    }
}
