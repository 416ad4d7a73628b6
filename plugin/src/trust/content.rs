//! Reading a trusted file whole, up to a maximum size. Failures are errors about the file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::access::Use;
use super::{PathCache, TrustError, TrustedFile};
use crate::diagnostic::{Diagnostic, Rule};

/// The maximum size of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxSize {
    /// In bytes.
    pub(crate) bytes: u64,
    /// In words, `10 MiB`.
    pub(crate) in_words: &'static str,
    /// The hint for a larger file.
    pub(crate) help: &'static str,
}

impl PathCache {
    /// The file called `name`, for reading; `name` is its absolute path.
    ///
    /// Fails as [`TrustedFile::to_read`] does.
    pub(crate) fn named(&mut self, name: &Arc<str>) -> Result<TrustedFile, Vec<Diagnostic>> {
        self.file_to_read(Path::new(&**name))
            .map_err(|error| error.error_of(name))
    }
}

impl TrustedFile {
    /// Its content; messages call the file `name`. The number of bytes that are read is bounded, because a
    /// file may grow after the check.
    ///
    /// Fails if it may not be read, was replaced since the check, or is larger than `most`.
    pub(crate) fn content(&self, name: &Arc<str>, max: MaxSize) -> Result<Vec<u8>, Vec<Diagnostic>> {
        let opened = self.open().map_err(|error| error.error_of(name))?;
        let mut bytes = Vec::new();
        let access = Use::Read.begin(self.real_path());
        let _access = access.map_err(|hangs| {
            let component = self.real_path().to_owned();
            let fault = hangs.into();
            TrustError { component, fault }.error_of(name)
        })?;
        let read = opened.take(max.bytes + 1).read_to_end(&mut bytes);
        let error = match read {
            Err(error) => Diagnostic::of_file(
                name,
                Rule::Unreadable,
                format!("cannot be read: {error}"),
                "resolve the error that the kernel reports",
            ),
            Ok(_) if bytes.len() as u64 > max.bytes => Diagnostic::of_file(
                name,
                Rule::TooLarge,
                format!("is larger than {} ({} bytes)", max.in_words, max.bytes),
                max.help,
            ),
            Ok(_) => return Ok(bytes),
        };
        Err(vec![error])
    }
}

impl TrustError {
    /// As the one error of the file called `name`.
    pub(crate) fn error_of(&self, name: &Arc<str>) -> Vec<Diagnostic> {
        vec![Diagnostic::of_file(
            name,
            self.rule(),
            self.to_string(),
            self.help(),
        )]
    }
}
