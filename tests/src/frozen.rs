//! A file system that takes no writes on request, as during a snapshot.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::node::Node;

/// A mounted ext4 in a file of its own. It is thawed and unmounted when this is dropped.
#[derive(Debug)]
pub struct FreezingDirectory {
    /// Holds the image.
    _directory: TempDir,
    mounted: PathBuf,
    /// The command that enters the mount namespace of a node; empty for that of the machine.
    entrance: Vec<String>,
}

impl FreezingDirectory {
    /// Makes and mounts it, empty.
    ///
    /// # Errors
    /// The machine has no `mkfs.ext4` or no loop device.
    pub fn mount() -> Result<FreezingDirectory> {
        let directory = tempfile::tempdir()?;
        let mounted = directory.path().join("mounted");
        fs::create_dir(&mounted)?;
        FreezingDirectory::mount_by(directory, mounted, Vec::new())
    }

    /// The same at `path`, in the mount namespace of `node`, where the machine's own do not see it.
    ///
    /// # Errors
    /// As [`FreezingDirectory::mount`].
    pub fn mount_in(node: &Node, path: &Path) -> Result<FreezingDirectory> {
        fs::create_dir_all(path)?;
        let mounts = format!("--mount=/proc/{}/ns/mnt", node.init());
        // Seen under the same path inside and outside.
        let directory = tempfile::tempdir_in(node.directory())?;
        FreezingDirectory::mount_by(directory, path.into(), vec!["nsenter".into(), mounts])
    }

    fn mount_by(directory: TempDir, mounted: PathBuf, entrance: Vec<String>) -> Result<FreezingDirectory> {
        let image = directory.path().join("image");
        fs::File::create(&image)?.set_len(16 * 1024 * 1024)?;
        let directory = FreezingDirectory {
            _directory: directory,
            mounted,
            entrance,
        };
        directory.run("mkfs.ext4", &["-q".as_ref(), image.as_ref()])?;
        let (option, place) = (["-o", "loop"].map(OsStr::new), directory.mounted.as_ref());
        directory.run("mount", &[option[0], option[1], image.as_ref(), place])?;
        Ok(directory)
    }

    /// Where it is mounted.
    pub fn mount_point(&self) -> PathBuf {
        self.mounted.clone()
    }

    /// A writer waits from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn freeze(&self) -> Result<()> {
        self.run("fsfreeze", &["-f".as_ref(), self.mounted.as_ref()])
    }

    /// Waiting writers go on.
    ///
    /// # Errors
    /// It is not suspended.
    pub fn thaw(&self) -> Result<()> {
        self.run("fsfreeze", &["-u".as_ref(), self.mounted.as_ref()])
    }

    fn run(&self, program: &str, arguments: &[&OsStr]) -> Result<()> {
        let mut words = self.entrance.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().context("there is a program")?);
        run(command.args(words).args(arguments))
    }
}

impl Drop for FreezingDirectory {
    fn drop(&mut self) {
        // It may not be suspended. A file system that cannot be unmounted stays until the machine ends.
        let _ = self.thaw();
        let _ = self.run("umount", &["-l".as_ref(), self.mounted.as_ref()]);
    }
}

fn run(command: &mut Command) -> Result<()> {
    let ended = command.output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{command:?}: {said}");
    Ok(())
}
