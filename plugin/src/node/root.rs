//! The examined node: this one, or an image of one in a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::resolve::in_root;
use crate::host::search_path;

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    root: PathBuf,
}

impl Node {
    /// The node with its files below `root`: this node if that is `/`. A relative path begins at the current
    /// directory.
    pub(crate) fn new(root: impl AsRef<Path>) -> Node {
        let root = root.as_ref();
        let real = root.canonicalize().or_else(|_| std::path::absolute(root));
        Node {
            root: real.unwrap_or_else(|_| root.to_owned()),
        }
    }

    /// Whether it is this node, whose programs can be executed.
    pub(crate) fn is_this_node(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The path of the node's file `path`. Links of an image are followed inside it; those of this node are
    /// left to the kernel, and to the checks of trust.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        if self.is_this_node() {
            Path::new("/").join(path)
        } else {
            self.real(path)
        }
    }

    /// Like [`Node::path`], with the links of this node followed too: for callers that write through them.
    pub(crate) fn real(&self, path: impl AsRef<Path>) -> PathBuf {
        in_root(&self.root, path.as_ref())
    }

    /// The path of the name `path` itself: for a link, the path of the link.
    pub(crate) fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        let directory = self.path(path.parent().unwrap_or(Path::new("/")));
        directory.join(path.file_name().unwrap_or_default())
    }

    /// The files of `directory`, by their paths on the node, in the order of their names; none if it cannot
    /// be listed.
    pub(crate) fn files(&self, directory: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(directory)).into_iter().flatten();
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        let mut files: Vec<PathBuf> = names.map(|name| Path::new(directory).join(name)).collect();
        files.sort();
        files
    }

    /// The first number with dots in the output of `program --version`; `None` if the program cannot be
    /// executed.
    pub(crate) fn version(&self, program: &str) -> Option<Version> {
        if !self.is_this_node() {
            return None;
        }
        let output = Command::new(program)
            .arg("--version")
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .output()
            .ok()?;
        String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .find_map(Version::parse)
    }
}

/// A version, as far as it consists of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Version {
    /// `1.7.24~ds1`, `v2.1.9+unknown`, `1.30`.
    pub(crate) fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.splitn(3, '.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().ok()
        });
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Version(major, minor, parts.next().flatten().unwrap_or_default()))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
