//! The places of the node's control groups.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};

/// The path that every container runtime, the kubelet and systemd use.
const ROOT: &str = "/sys/fs/cgroup";

/// The directory in each hierarchy that holds the groups of hooks.
const PARENT: &str = "nri-oci-hooks";

/// A controller, which limits the processes of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Controller {
    Pids,
    Memory,
    Cpu,
}

impl Controller {
    pub(super) const ALL: [Controller; 3] = [Controller::Pids, Controller::Memory, Controller::Cpu];

    /// The kernel's name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Controller::Pids => "pids",
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
        }
    }
}

/// The places of the node's control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// The hierarchy of version 2; on a hybrid node it has no controllers, but it can kill.
    pub(super) unified: Option<PathBuf>,
    /// The hierarchies of version 1, by their controllers.
    pub(super) version_1: BTreeMap<Controller, PathBuf>,
}

impl Hierarchies {
    /// The hierarchies of this node.
    pub(super) fn find() -> Hierarchies {
        let root = Path::new(ROOT);
        let is = |path: &Path, kind: FsType| statfs(path).is_ok_and(|at| at.filesystem_type() == kind);
        let unified = [root.to_owned(), root.join("unified")];
        let version_1 = Controller::ALL.map(|controller| (controller, root.join(controller.name())));
        Hierarchies {
            unified: unified.into_iter().find(|path| is(path, CGROUP2_SUPER_MAGIC)),
            version_1: version_1
                .into_iter()
                .filter(|(_, path)| is(path, CGROUP_SUPER_MAGIC))
                .collect(),
        }
    }

    /// The directories that hold the groups of hooks.
    pub(super) fn parents(&self) -> impl Iterator<Item = PathBuf> {
        self.unified
            .iter()
            .chain(self.version_1.values())
            .map(|root| root.join(PARENT))
    }
}

/// Creates the group `name` below our directory of the hierarchy at `root`. An empty group of that name is
/// removed first.
pub(super) fn make(root: &Path, name: &str) -> io::Result<PathBuf> {
    let parent = root.join(PARENT);
    let path = parent.join(name);
    let made = fs::create_dir(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            // Another runner may create it at the same time.
            let _ = fs::create_dir(&parent);
            fs::create_dir(&path)
        }
        io::ErrorKind::AlreadyExists => {
            fs::remove_dir(&path)?;
            fs::create_dir(&path)
        }
        _ => Err(error),
    });
    made.map(|()| path)
}

/// The group `name` of the hierarchy at `root`, if it exists.
pub(super) fn existing(root: &Path, name: &str) -> Option<PathBuf> {
    Some(root.join(PARENT).join(name)).filter(|path| path.is_dir())
}

/// Enables `controller` for the groups below our directory of the hierarchy of version 2 at `root`.
pub(super) fn enable(root: &Path, controller: Controller) -> io::Result<()> {
    let word = format!("+{}", controller.name());
    write(&root.join("cgroup.subtree_control"), &word)?;
    write(&root.join(PARENT).join("cgroup.subtree_control"), &word)
}

/// Writes `text` into an existing file of a control group.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}
