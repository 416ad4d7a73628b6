//! The source of the daemon's configuration, and whether it has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::{lstat, stat};

use super::read::MAX_SIZE;
use super::{Config, Overrides};
use crate::diagnostic::Diagnostic;
use crate::trust::access::Use;
use crate::trust::{Fault, FileIdentity, MaxSize, TrustError, TrustedFile};

/// The source of the daemon's configuration.
#[derive(Debug, Clone)]
pub struct ConfigSource {
    file: Arc<str>,
    may_be_absent: bool,
    overrides: Overrides,
}

/// The origin of a configuration that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// There was no file, so the defaults are active.
    NoFile,
    /// The file in this state.
    File {
        /// The state.
        identity: FileIdentity,
        /// Its path without links.
        real_path: PathBuf,
    },
}

/// A valid configuration, and its origin.
pub(crate) type ReadConfig = (Config, ReadFrom);

impl ConfigSource {
    /// The existing file at `path`, with `overrides`. A relative path begins at the current directory.
    pub fn file(path: &str, overrides: Overrides) -> ConfigSource {
        ConfigSource {
            file: absolute(path),
            may_be_absent: false,
            overrides,
        }
    }

    /// As [`ConfigSource::file`]; while there is no such file, the defaults are active.
    pub(crate) fn optional_file(path: &str, overrides: Overrides) -> ConfigSource {
        ConfigSource {
            may_be_absent: true,
            ..ConfigSource::file(path, overrides)
        }
    }

    /// The settings of the command line.
    pub(crate) fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The defaults with the settings of the command line, while nothing of the file is known.
    pub(crate) fn overridden_defaults(&self) -> Config {
        Config::from_text("the command line", "", &self.overrides).unwrap_or_default()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.file
    }

    /// Whether [`read`](ConfigSource::read) would find `read_from` unchanged. At most two system calls,
    /// because this is asked for every container; trust needs no second check for content that is not read
    /// again.
    ///
    /// Fails if the file system does not answer.
    pub(crate) fn is_still(&self, read_from: &ReadFrom) -> Result<bool, Vec<Diagnostic>> {
        let path = Path::new(&*self.file);
        let real_path = match read_from {
            ReadFrom::File { real_path, .. } => real_path,
            ReadFrom::NoFile => path,
        };
        let _access = Use::Read.begin(real_path).map_err(|hangs| {
            let (component, fault) = (real_path.to_owned(), hangs.into());
            TrustError { component, fault }.error_of(&self.file)
        })?;
        Ok(match (stat(path), read_from) {
            (Ok(now), ReadFrom::File { identity, .. }) => *identity == FileIdentity::from(&now),
            // A link that leads nowhere is not the absence of a file.
            (Err(Errno::ENOENT), ReadFrom::NoFile) => {
                self.may_be_absent && lstat(path).err() == Some(Errno::ENOENT)
            }
            _ => false,
        })
    }

    /// Reads it. The file must pass the rules of [`trust`](crate::trust), because it decides which programs
    /// run as root.
    ///
    /// Fails with all errors.
    pub(crate) fn read(&self) -> Result<ReadConfig, Vec<Diagnostic>> {
        self.read_with_text().1
    }

    /// As [`ConfigSource::read`], with the text that was read, to show the errors in it; empty if the file
    /// could not be read.
    pub(crate) fn read_with_text(&self) -> (Vec<u8>, Result<ReadConfig, Vec<Diagnostic>>) {
        let (text, read_from) = match self.text() {
            Ok(read) => read,
            Err(errors) => return (Vec::new(), Err(errors)),
        };
        let config = Config::from_bytes(&self.file, &text, &self.overrides);
        (text, config.map(|config| (config, read_from)))
    }

    fn text(&self) -> Result<(Vec<u8>, ReadFrom), Vec<Diagnostic>> {
        let Some(file) = self.open().map_err(|error| error.error_of(&self.file))? else {
            return Ok((Vec::new(), ReadFrom::NoFile));
        };
        let read_from = ReadFrom::File {
            identity: file.identity(),
            real_path: file.real_path().to_owned(),
        };
        Ok((file.content(&self.file, CONFIG_SIZE)?, read_from))
    }

    fn open(&self) -> Result<Option<TrustedFile>, TrustError> {
        match TrustedFile::to_read(Path::new(&*self.file)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if self.may_be_absent && self.is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether neither the file nor a link in its place exists.
    fn is_absent(&self, error: &TrustError) -> bool {
        error.fault == Fault::NotFound && Path::new(&*self.file).starts_with(&error.component)
    }
}

impl Config {
    /// The configuration in the file `path`, with `overrides`, as in [`ConfigSource::file`].
    ///
    /// Fails with all errors.
    pub(crate) fn from_file(path: &str, overrides: &Overrides) -> Result<Config, Vec<Diagnostic>> {
        Config::from_file_with_text(path, overrides).1
    }

    /// As [`Config::from_file`], with the text that was read, to show the errors in it; empty if the file
    /// could not be read.
    pub(crate) fn from_file_with_text(
        path: &str,
        overrides: &Overrides,
    ) -> (Vec<u8>, Result<Config, Vec<Diagnostic>>) {
        let (text, read) = ConfigSource::file(path, overrides.clone()).read_with_text();
        (text, read.map(|(config, _)| config))
    }
}

const CONFIG_SIZE: MaxSize = MaxSize {
    bytes: MAX_SIZE,
    in_words: "256 KiB",
    help: "a configuration is a few lines; is this the right file?",
};

fn absolute(path: &str) -> Arc<str> {
    match std::path::absolute(path) {
        Ok(absolute) => absolute.to_string_lossy().into(),
        // An empty path; the walk reports the error.
        Err(_) => path.into(),
    }
}
