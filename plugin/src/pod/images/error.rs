//! Errors of installing the programs of an image.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::tree::{MAX_BYTES, MAX_DEPTH, MAX_FILES};
use crate::model::{escaped, escaped_path, prose};
use crate::pod::PodError;

/// The reason why the programs of an image cannot be installed.
#[derive(Debug, Error)]
pub(crate) enum ImageError {
    /// The kernel refuses.
    #[error(transparent)]
    Pod(PodError),
    /// Something is neither a regular file nor a directory.
    #[error("{} is {kind}; replace it with a regular file of root", escaped_path(.path))]
    Kind {
        /// The path.
        path: PathBuf,
        /// The kind of the file.
        kind: &'static str,
    },
    /// The name of a file is not valid for a program.
    #[error(
        "{} is not a valid file name: use 1 to 100 of the characters A-Z a-z 0-9 . _ - + @ :, and no dot at the start",
        escaped_path(.0)
    )]
    Name(PathBuf),
    /// There are too many files, or directories in directories.
    #[error("has more than {MAX_FILES} files and directories, or more than {MAX_DEPTH} nested directories")]
    TooMany,
    /// The files are too large together.
    #[error("is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// There is no file.
    #[error("has no file in {}", escaped_path(.0))]
    Empty(PathBuf),
    /// The name of the image is invalid.
    #[error("{} is not a valid name of an image: use 1 to 63 of the characters a-z 0-9 -", escaped(.0))]
    ImageName(String),
    /// The reference of the image is too long or not UTF-8.
    #[error("the reference of the image must be one line of at most 1024 characters")]
    Reference,
    /// The init container has handed over an error instead.
    #[error("{}", prose(.0))]
    NotHandedOver(String),
    /// Users other than root could change programs there.
    #[error("{0}; name another directory with --hook-images-dir")]
    Untrusted(crate::trust::TrustError),
}

impl ImageError {
    /// Turns the kernel's error about `path` into an error.
    pub(super) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> ImageError {
        let failed = PodError::io(action, path);
        move |source| ImageError::Pod(failed(source.into()))
    }

    /// Whether the error may disappear: the content of an image does not change.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, ImageError::Pod(_) | ImageError::Untrusted(_))
    }

    pub(super) fn kind(path: &Path, mode: nix::libc::mode_t) -> ImageError {
        use nix::sys::stat::SFlag;
        let kind = match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
            SFlag::S_IFLNK => "a link",
            SFlag::S_IFIFO => "a pipe",
            SFlag::S_IFSOCK => "a socket",
            SFlag::S_IFBLK | SFlag::S_IFCHR => "a device",
            _ => "not a regular file",
        };
        let path = path.to_owned();
        ImageError::Kind { path, kind }
    }
}
