//! The files that the init containers of the pod hand over to the daemon, in a directory that they share with
//! it.
//!
//! `DIR/nri-oci-hooks` is this program. The init containers of the images run it, so an image needs no
//! program for the hand-over. `DIR/images/NAME` is an image: `files`, and `image`, its reference; or `error`,
//! the reason why there are no files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::ImageError;
use super::tree::{Content, make_directory};
use crate::select::MAX_REFERENCE;

pub(super) const IMAGES: &str = "images";
pub(super) const FILES: &str = "files";
const IMAGE: &str = "image";
const ERROR: &str = "error";

const PROGRAM: &str = "nri-oci-hooks";
const SELF: &str = "/proc/self/exe";

/// The maximum length of an error, in bytes.
const MAX_ERROR: u64 = 4096;

/// Hands this program over in `to`.
///
/// # Errors
/// It cannot be copied.
pub(crate) fn hand_over_program(to: &Path) -> Result<(), ImageError> {
    let path = to.join(PROGRAM);
    // A running program cannot be written to.
    remove(&path)?;
    let mut options = OpenOptions::new();
    let copied = File::open(SELF).and_then(|mut program| {
        let mut copy = options.write(true).create_new(true).mode(0o755).open(&path)?;
        io::copy(&mut program, &mut copy)
    });
    copied.map(drop).map_err(ImageError::io("write", path))
}

/// Hands over the files of the image in which this process runs: those of its directory `from`, in `to`, by
/// `name` and with its reference `image`. Files of an earlier image of this name are replaced.
///
/// An invalid image is handed over as an error: the daemon reports it, and other images are not affected.
/// Returns the error then.
///
/// # Errors
/// Not even the error can be handed over.
pub(crate) fn hand_over_files(
    from: &Path,
    to: &Path,
    name: &str,
    image: &str,
) -> Result<Result<Content, ImageError>, ImageError> {
    check_image_name(name)?;
    check_reference(image)?;
    let to = to.join(IMAGES).join(name);
    remove(&to)?;
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).create(&to);
    made.map_err(ImageError::io("make directory", &to))?;
    write(&to.join(IMAGE), image)?;
    let files = to.join(FILES);
    make_directory(&files)?;
    let content = Content::read(from, Some(&files));
    if let Err(error) = &content {
        remove(&files)?;
        write(&to.join(ERROR), &error.to_string())?;
    }
    Ok(content)
}

/// The reference of the image that was handed over in `directory`.
///
/// # Errors
/// There is none, or the image was invalid.
pub(super) fn reference(directory: &Path) -> Result<String, ImageError> {
    if let Ok(error) = read(&directory.join(ERROR), MAX_ERROR) {
        return Err(ImageError::NotHandedOver(error));
    }
    let path = directory.join(IMAGE);
    let image = read(&path, MAX_REFERENCE as u64 + 1).map_err(ImageError::io("read", &path))?;
    check_reference(&image)?;
    Ok(image)
}

/// Fails unless `name` is valid for an image on the host.
pub(super) fn check_image_name(name: &str) -> Result<(), ImageError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=63).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(ImageError::ImageName(name.to_owned())),
    }
}

fn check_reference(image: &str) -> Result<(), ImageError> {
    match image.is_empty() || image.len() > MAX_REFERENCE || image.contains(char::is_control) {
        true => Err(ImageError::Reference),
        false => Ok(()),
    }
}

fn read(path: &Path, limit: u64) -> io::Result<String> {
    let mut options = OpenOptions::new();
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = options.read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: &Path, text: &str) -> Result<(), ImageError> {
    fs::write(path, text).map_err(ImageError::io("write", path))
}

/// Removes the file or directory at `path`, if it exists.
pub(super) fn remove(path: &Path) -> Result<(), ImageError> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ImageError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
