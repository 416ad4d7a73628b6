//! The configuration that a command uses.

use std::path::{self, Path};

use clap::Args;

use crate::config::{Config, ConfigSource, Overrides};
use crate::diagnostic::Diagnostic;

/// The configuration file that is used unless the command line names another.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/nri-oci-hooks/config.toml";

/// The option of every command that uses the daemon's configuration.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArg {
    /// Configuration file [default: /etc/nri-oci-hooks/config.toml, if it exists]
    #[arg(long, value_name = "FILE", value_parser = absolute)]
    pub(crate) config: Option<String>,
}

/// The path `given` on a command line, taken from the working directory if it is relative.
///
/// # Errors
/// It is empty, or there is no working directory.
pub(crate) fn absolute(given: &str) -> Result<String, String> {
    let path = path::absolute(given).map_err(|error| error.to_string())?;
    // A path that was a string remains one, and so is the working directory unless its name is no UTF-8.
    path.into_os_string()
        .into_string()
        .map_err(|_| "the working directory's name is not UTF-8".to_owned())
}

impl ConfigArg {
    /// The file: the named one, or else the default one if it exists.
    pub(crate) fn file(&self) -> Option<&str> {
        match &self.config {
            Some(file) => Some(file),
            // A file whose existence is unknown is assumed to exist; reading it reports the error.
            None => Path::new(DEFAULT_CONFIG)
                .try_exists()
                .unwrap_or(true)
                .then_some(DEFAULT_CONFIG),
        }
    }

    /// The configuration in that file, or the defaults if there is none, with `overrides`.
    ///
    /// Fails with all errors.
    pub(crate) fn read(&self, overrides: &Overrides) -> Result<Config, Vec<Diagnostic>> {
        self.source(overrides.clone()).read().map(|(config, _)| config)
    }

    /// The source of the configuration, with `overrides`.
    pub(crate) fn source(&self, overrides: Overrides) -> ConfigSource {
        match &self.config {
            Some(file) => ConfigSource::file(file, overrides),
            None => ConfigSource::optional_file(DEFAULT_CONFIG, overrides),
        }
    }
}
