//! Files that hang, until they answer again.

use std::path::{Path, PathBuf};

use anyhow::Result;
use e2e::Containerd;
use e2e::frozen::FreezingDirectory;
use e2e::hanging::{File, HangingDirectory};

/// The kind of file system that hangs.
pub(crate) enum Hanging {
    Answers(HangingDirectory),
    TakesWrites(FreezingDirectory),
}

impl Hanging {
    pub(crate) fn files(node: &Containerd, files: Vec<File>) -> Result<Hanging> {
        Ok(Hanging::Answers(HangingDirectory::mount_in(node.node(), |_| {
            files
        })?))
    }

    pub(crate) fn frozen(node: &Containerd, path: &Path) -> Result<Hanging> {
        Ok(Hanging::TakesWrites(FreezingDirectory::mount_in(
            node.node(),
            path,
        )?))
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Hanging::Answers(directory) => directory.path().into(),
            Hanging::TakesWrites(directory) => directory.mount_point(),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn hang(&self) -> Result<()> {
        match self {
            Hanging::Answers(directory) => directory.hang(),
            Hanging::TakesWrites(directory) => directory.freeze()?,
        }
        Ok(())
    }

    pub(crate) fn answer(&self) -> Result<()> {
        match self {
            Hanging::Answers(directory) => directory.answer(),
            Hanging::TakesWrites(directory) => directory.thaw()?,
        }
        Ok(())
    }
}

pub(crate) fn file(name: &'static str, content: impl Into<Vec<u8>>, mode: u16) -> File {
    let content = content.into();
    File { name, content, mode }
}
