//! The node that is examined: this one, or an image of one in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    root: PathBuf,
}

impl Node {
    /// The node whose files are below `root`: this one if that is `/`.
    pub fn new(root: impl Into<PathBuf>) -> Node {
        Node { root: root.into() }
    }

    /// Whether it is this node, whose programs can be asked.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where the file that the node calls `path` is.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What the node calls the file at `path`.
    pub fn name(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        Path::new("/").join(below)
    }

    /// The files of `folder` whose names end with `suffix`, in the order of their names.
    pub(super) fn files(&self, folder: &str, suffix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = paths
            .filter(|path| path.to_string_lossy().ends_with(suffix))
            .collect();
        files.sort();
        files
    }

    /// The first number with dots in what `program --version` says; `None` if it cannot be asked.
    pub(super) fn version(&self, program: &str) -> Option<Version> {
        if !self.is_live() {
            return None;
        }
        let asked = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        String::from_utf8_lossy(&asked.stdout)
            .split_whitespace()
            .find_map(Version::parse)
    }
}

/// A version, as far as it is told by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

impl Version {
    /// `1.7.24~ds1`, `v2.1.9+unknown`, `1.30`.
    pub(super) fn parse(text: &str) -> Option<Version> {
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
