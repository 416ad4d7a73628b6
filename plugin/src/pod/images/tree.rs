//! The files of an image: read with bounds, copied with nothing but their content, and their digest.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::geteuid;
use sha2::{Digest as _, Sha256};

use super::ImageError;
use crate::select::{DIGEST_PREFIX, REFERENCE};

pub(super) const MAX_FILES: usize = 1000;
pub(super) const MAX_BYTES: u64 = 512 << 20;
pub(super) const MAX_DEPTH: usize = 8;
const MAX_NAME: usize = 100;

/// The number of bytes of one read.
const CHUNK: usize = 64 * 1024;

/// The files of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The name of this version's directory.
    pub(super) version: String,
    /// The number of files.
    pub(crate) files: usize,
    /// Their total size, in bytes.
    pub(crate) bytes: u64,
}

impl Content {
    /// Reads the files of the directory `from`, and copies them into the empty directory `to`, if one is
    /// given.
    ///
    /// The copy is root's: all users may use directories and programs, and only root may write to them. A
    /// file is a program if any user may execute it. The rest of its mode is not copied, nor owner, times or
    /// attributes.
    pub(super) fn read(from: &Path, to: Option<&Path>) -> Result<Content, ImageError> {
        Content::read_as(false, from, to)
    }

    /// Reads the files of a version's directory.
    ///
    /// # Errors
    /// It is not as [`Content::read`] has made it.
    pub(super) fn of_version(directory: &Path) -> Result<Content, ImageError> {
        Content::read_as(true, directory, None)
    }

    fn read_as(is_copy: bool, from: &Path, to: Option<&Path>) -> Result<Content, ImageError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let root = Dir::open(from, flags, Mode::empty()).map_err(ImageError::io("open", from))?;
        let mut reading = Reading {
            from,
            to,
            is_copy,
            lines: Vec::new(),
            entries: 0,
            bytes: 0,
            chunk: vec![0; CHUNK],
        };
        reading.directory(root, Path::new(""), 0)?;
        reading.finish()
    }

    /// The digest in the form of images.
    pub(crate) fn digest(&self) -> String {
        self.version.replacen('-', ":", 1)
    }
}

struct Reading<'r> {
    from: &'r Path,
    to: Option<&'r Path>,
    /// Whether the files must be root's.
    is_copy: bool,
    /// For each file its path, and its part of the digest's input.
    lines: Vec<(PathBuf, String)>,
    entries: usize,
    bytes: u64,
    chunk: Vec<u8>,
}

impl Reading<'_> {
    fn directory(&mut self, mut directory: Dir, at: &Path, depth: usize) -> Result<(), ImageError> {
        let from = self.from.join(at);
        if depth > MAX_DEPTH {
            return Err(ImageError::TooMany);
        }
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(ImageError::io("list", &from))?;
            let name = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes())).to_owned();
            let is_own = self.is_copy && name == Path::new(REFERENCE) && depth == 0;
            if name == Path::new(".") || name == Path::new("..") || is_own {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_FILES {
                return Err(ImageError::TooMany);
            }
            names.push(name);
        }
        for name in names {
            let at = at.join(&name);
            check_name(&name, &self.from.join(&at))?;
            self.entry(&directory, &name, &at, depth)?;
        }
        if let Some(to) = self.to {
            sync(&to.join(at))?;
        }
        Ok(())
    }

    fn entry(&mut self, parent: &Dir, name: &Path, at: &Path, depth: usize) -> Result<(), ImageError> {
        let from = self.from.join(at);
        // This check is first: opening a device may wake it.
        let found = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let found = found.map_err(ImageError::io("look at", &from))?;
        if self.is_copy && (found.st_uid != geteuid().as_raw() || found.st_mode & 0o7022 != 0) {
            let (path, kind) = (from, "not writable by root alone");
            return Err(ImageError::Kind { path, kind });
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        if is(&found, SFlag::S_IFDIR) {
            if let Some(to) = self.to {
                make_directory(&to.join(at))?;
            }
            let below = Dir::openat(parent, name, flags | OFlag::O_DIRECTORY, Mode::empty());
            let below = below.map_err(ImageError::io("open", &from))?;
            return self.directory(below, at, depth + 1);
        }
        if !is(&found, SFlag::S_IFREG) {
            return Err(ImageError::kind(&from, found.st_mode));
        }
        let file = openat(parent, name, flags, Mode::empty()).map_err(ImageError::io("open", &from))?;
        let opened = fstat(file.as_fd()).map_err(ImageError::io("look at", &from))?;
        if !is(&opened, SFlag::S_IFREG) {
            return Err(ImageError::kind(&from, opened.st_mode));
        }
        // Nothing is copied of a file that is too large. One that grows meanwhile is found in the end.
        let size = opened.st_size.try_into().unwrap_or(u64::MAX);
        if self.bytes.saturating_add(size) > MAX_BYTES {
            return Err(ImageError::TooLarge);
        }
        self.file(File::from(file), opened.st_mode & 0o111 != 0, at)
    }

    fn file(&mut self, mut file: File, is_program: bool, at: &Path) -> Result<(), ImageError> {
        let from = self.from.join(at);
        let to = self.to.map(|to| to.join(at));
        let mut copy = to.as_ref().map(|to| create(to)).transpose()?;
        let mut digest = Sha256::new();
        loop {
            let length = file
                .read(&mut self.chunk)
                .map_err(ImageError::io("read", &from))?;
            if length == 0 {
                break;
            }
            self.bytes += length as u64;
            if self.bytes > MAX_BYTES {
                return Err(ImageError::TooLarge);
            }
            digest.update(&self.chunk[..length]);
            if let (Some(copy), Some(to)) = (&mut copy, &to) {
                copy.write_all(&self.chunk[..length])
                    .map_err(ImageError::io("write", to))?;
            }
        }
        if let (Some(copy), Some(to)) = (copy, &to) {
            let mode = if is_program { 0o755 } else { 0o644 };
            copy.set_permissions(Permissions::from_mode(mode))
                .and_then(|()| copy.sync_all())
                .map_err(ImageError::io("write", to))?;
        }
        let kind = if is_program { 'x' } else { '-' };
        let line = format!("{kind} {} {}\n", hex(&digest.finalize()), at.display());
        self.lines.push((at.to_owned(), line));
        Ok(())
    }

    fn finish(mut self) -> Result<Content, ImageError> {
        if self.lines.is_empty() {
            return Err(ImageError::Empty(self.from.to_owned()));
        }
        self.lines.sort();
        let mut digest = Sha256::new();
        for (_, line) in &self.lines {
            digest.update(line);
        }
        Ok(Content {
            version: format!("{DIGEST_PREFIX}{}", hex(&digest.finalize())),
            files: self.lines.len(),
            bytes: self.bytes,
        })
    }
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == kind
}

fn check_name(name: &Path, path: &Path) -> Result<(), ImageError> {
    let name = name.as_os_str().as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+@:".contains(byte);
    let is_good = name.len() <= MAX_NAME && !name.starts_with(b".") && name.iter().all(is_plain);
    match is_good {
        true => Ok(()),
        false => Err(ImageError::Name(path.to_owned())),
    }
}

fn create(path: &Path) -> Result<File, ImageError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.map_err(ImageError::io("write", path))
}

pub(super) fn make_directory(path: &Path) -> Result<(), ImageError> {
    let made = DirBuilder::new().mode(0o755).create(path);
    // Independent of the mask of this process.
    made.and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o755)))
        .map_err(ImageError::io("make directory", path))
}

/// Writes the names in a directory to the disk.
pub(super) fn sync(directory: &Path) -> Result<(), ImageError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(ImageError::io("write", directory))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
