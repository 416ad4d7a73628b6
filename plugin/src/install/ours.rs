//! What `install` has put in place itself, and so may be replaced and removed: told by what is in it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::doctor::Node;

/// How the first line of a file of ours begins, which ends with a digest of the rest.
const SEAL: &str = "# Written by nri-oci-hooks install. sha256 of what follows: ";

/// What tells the program, of whatever release, from others.
#[used]
static MARK: [u8; 40] = *b"<this file is the program nri-oci-hooks>";

/// Whose something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is not there.
    Nobodys,
    /// Ours, just as we put it there.
    Ours,
    /// Ours once; somebody has changed it.
    Changed,
    /// Somebody else's.
    Foreign,
}

impl Whose {
    /// Whether somebody would lose something with it.
    pub(super) fn is_to_be_kept(self) -> bool {
        matches!(self, Whose::Changed | Whose::Foreign)
    }
}

/// `text` with the line before it by which it is known again.
pub(super) fn sealed(text: &str) -> String {
    format!("{SEAL}{}\n{text}", digest(text))
}

/// Whose the file at `path` is. Ours is also the text that we would write there, without the seal: who
/// put it there by hand loses nothing.
pub(super) fn whose_file(path: &Path, unsealed: Option<&str>) -> Whose {
    let is_link = match path.symlink_metadata() {
        Ok(file) => file.is_symlink(),
        Err(_) => return Whose::Nobodys,
    };
    let there = fs::read_to_string(path).unwrap_or_default();
    if is_link {
        Whose::Foreign
    } else if unsealed == Some(&there) {
        Whose::Ours
    } else {
        match there.strip_prefix(SEAL).and_then(|rest| rest.split_once('\n')) {
            Some((sum, text)) if sum == digest(text) => Whose::Ours,
            Some(_) => Whose::Changed,
            None => Whose::Foreign,
        }
    }
}

/// Whose the program at `path` is: of this release or another, it is ours.
pub(super) fn whose_program(path: &Path) -> Whose {
    match path.symlink_metadata() {
        Err(_) => Whose::Nobodys,
        Ok(file) if file.is_file() && fs::read(path).is_ok_and(|content| is_program(&content)) => Whose::Ours,
        Ok(_) => Whose::Foreign,
    }
}

/// Whose what the node calls `name` is: a link to `target` is ours, and so is our program.
pub(super) fn whose_link(node: &Node, name: &str, target: &str) -> Whose {
    let place = node.place(name);
    match place.symlink_metadata() {
        Ok(link) if !link.is_symlink() => whose_program(&place),
        Ok(_) if node.real(name) == node.real(target) => Whose::Ours,
        Ok(_) => Whose::Foreign,
        Err(_) => Whose::Nobodys,
    }
}

fn is_program(content: &[u8]) -> bool {
    // Read from where it is, which keeps it in this program: a compiler might compare with copies.
    let mark = std::hint::black_box(&MARK);
    // The bytes before the first of the mark's are passed over fast: a program is large.
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| *byte == mark[0]) {
        rest = &rest[at..];
        if rest.starts_with(mark) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A program of ours, in tests.
#[cfg(test)]
pub(crate) fn program(more: &str) -> String {
    format!("#!/bin/sh\n{}\n{more}\n", String::from_utf8_lossy(&MARK))
}
