//! A file system that takes no writes when it is told to, as one does of which a snapshot is made.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::node::Node;

/// A mounted ext4 in a file of its own. It is thawed and unmounted when this is dropped.
#[derive(Debug)]
pub struct FreezingFolder {
    /// Holds the image.
    _folder: TempDir,
    mounted: PathBuf,
    /// The command that enters the mount namespace of a node; empty for that of the machine.
    entrance: Vec<String>,
}

impl FreezingFolder {
    /// Makes and mounts it, empty.
    ///
    /// # Errors
    /// The machine has no `mkfs.ext4` or no loop device.
    pub fn mount() -> Result<FreezingFolder> {
        let folder = tempfile::tempdir()?;
        let mounted = folder.path().join("mounted");
        fs::create_dir(&mounted)?;
        FreezingFolder::mount_by(folder, mounted, Vec::new())
    }

    /// The same at `path`, in the mount namespace of `node`, where the machine's own do not see it.
    ///
    /// # Errors
    /// As [`FreezingFolder::mount`].
    pub fn mount_in(node: &Node, path: &Path) -> Result<FreezingFolder> {
        fs::create_dir_all(path)?;
        let mounts = format!("--mount=/proc/{}/ns/mnt", node.init());
        // Seen under the same path inside and outside.
        let folder = tempfile::tempdir_in(node.folder())?;
        FreezingFolder::mount_by(folder, path.into(), vec!["nsenter".into(), mounts])
    }

    fn mount_by(folder: TempDir, mounted: PathBuf, entrance: Vec<String>) -> Result<FreezingFolder> {
        let image = folder.path().join("image");
        fs::File::create(&image)?.set_len(16 * 1024 * 1024)?;
        let folder = FreezingFolder {
            _folder: folder,
            mounted,
            entrance,
        };
        folder.run("mkfs.ext4", &["-q".as_ref(), image.as_ref()])?;
        let (option, place) = (["-o", "loop"].map(OsStr::new), folder.mounted.as_ref());
        folder.run("mount", &[option[0], option[1], image.as_ref(), place])?;
        Ok(folder)
    }

    /// Where it is mounted.
    pub fn mount_point(&self) -> PathBuf {
        self.mounted.clone()
    }

    /// Whoever writes waits from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn freeze(&self) -> Result<()> {
        self.run("fsfreeze", &["-f".as_ref(), self.mounted.as_ref()])
    }

    /// Whoever has waited goes on.
    ///
    /// # Errors
    /// It is not frozen.
    pub fn thaw(&self) -> Result<()> {
        self.run("fsfreeze", &["-u".as_ref(), self.mounted.as_ref()])
    }

    fn run(&self, program: &str, arguments: &[&OsStr]) -> Result<()> {
        let mut words = self.entrance.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().context("there is a program")?);
        run(command.args(words).args(arguments))
    }
}

impl Drop for FreezingFolder {
    fn drop(&mut self) {
        // It may not be frozen; and what cannot be unmounted is for the machine's end.
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
