//! A file system that takes no writes when it is told to, as one does of which a snapshot is made.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

/// A mounted ext4 in a file of its own. It is thawed and unmounted when this is dropped.
#[derive(Debug)]
pub struct FreezingFolder {
    folder: TempDir,
}

impl FreezingFolder {
    /// Makes and mounts it, empty.
    ///
    /// # Errors
    /// The machine has no `mkfs.ext4` or no loop device.
    pub fn mount() -> Result<FreezingFolder> {
        let folder = FreezingFolder {
            folder: tempfile::tempdir()?,
        };
        let image = folder.folder.path().join("image");
        std::fs::create_dir(folder.mount_point())?;
        std::fs::File::create(&image)?.set_len(16 * 1024 * 1024)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(folder.mount_point()))?;
        Ok(folder)
    }

    /// Where it is mounted.
    pub fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Whoever writes waits from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn freeze(&self) -> Result<()> {
        run(Command::new("fsfreeze").arg("-f").arg(self.mount_point()))
    }

    /// Whoever has waited goes on.
    ///
    /// # Errors
    /// It is not frozen.
    pub fn thaw(&self) -> Result<()> {
        run(Command::new("fsfreeze").arg("-u").arg(self.mount_point()))
    }
}

impl Drop for FreezingFolder {
    fn drop(&mut self) {
        // It may not be frozen; and what cannot be unmounted is for the machine's end.
        let _ = self.thaw();
        let _ = run(Command::new("umount").arg("-l").arg(self.mount_point()));
    }
}

fn run(command: &mut Command) -> Result<()> {
    let ended = command.output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{command:?}: {said}");
    Ok(())
}
