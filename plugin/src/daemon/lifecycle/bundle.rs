//! Finds a container's bundle where no OCI runtime reports it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::ContainerId;
use crate::process::Init;

/// The bundle of the container whose init is `init`, by the known behaviour of its parent process. A
/// containerd shim works in the directory of bundles, and conmon gets the bundle with option `-b`.
pub(super) fn find(init: Init, id: &ContainerId) -> Option<String> {
    let parent = init.parent()?;
    let working = fs::read_link(format!("/proc/{parent}/cwd")).ok();
    let beside = working.and_then(|directory| Some(directory.parent()?.join(id.as_str())));
    let bundle = beside
        .filter(|path| is_bundle(path))
        .or_else(|| from_option(parent).filter(|path| is_bundle(path)))?;
    bundle.into_os_string().into_string().ok()
}

fn from_option(pid: i32) -> Option<PathBuf> {
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = arguments.split('\0');
    arguments.find(|argument| *argument == "-b")?;
    arguments.next().map(Into::into)
}

fn is_bundle(path: &Path) -> bool {
    path.is_absolute() && path.join("config.json").is_file()
}
