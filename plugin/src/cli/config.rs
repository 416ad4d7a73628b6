//! Which configuration a command goes by.

use std::path::{self, Path};

use clap::Args;

use crate::config::{Config, ConfigSource, Overrides};
use crate::diagnostic::Diagnostic;

/// Where the configuration is unless a command is told otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/nri-oci-hooks/config.toml";

/// The option that every command has which goes by the daemon's configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArg {
    /// Configuration file [default: /etc/nri-oci-hooks/config.toml, if it is there]
    #[arg(long, value_name = "FILE", value_parser = absolute)]
    pub config: Option<String>,
}

/// The path `given` on a command line, taken from the working directory if it is relative.
///
/// # Errors
/// It is empty, or there is no working directory.
pub fn absolute(given: &str) -> Result<String, String> {
    let path = path::absolute(given).map_err(|error| error.to_string())?;
    // What was a string still is one, and so is the working directory unless it has a strange name.
    path.into_os_string()
        .into_string()
        .map_err(|_| "the working directory's name is not UTF-8".to_owned())
}

impl ConfigArg {
    /// The file: the one that was named, or else the default one if it is there.
    pub fn file(&self) -> Option<&str> {
        match &self.config {
            Some(file) => Some(file),
            // One that cannot be looked at is there for all we know; reading it says what is wrong.
            None => Path::new(DEFAULT_CONFIG)
                .try_exists()
                .unwrap_or(true)
                .then_some(DEFAULT_CONFIG),
        }
    }

    /// Where the configuration is, or would be.
    pub fn path(&self) -> &Path {
        Path::new(self.config.as_deref().unwrap_or(DEFAULT_CONFIG))
    }

    /// The configuration in that file, or the defaults if there is none, with `overrides`.
    ///
    /// Fails with every error there is.
    pub fn read(&self, overrides: &Overrides) -> Result<Config, Vec<Diagnostic>> {
        self.source(overrides.clone()).read().map(|(config, _)| config)
    }

    /// Where the configuration comes from, with `overrides`.
    pub fn source(&self, overrides: Overrides) -> ConfigSource {
        match &self.config {
            Some(file) => ConfigSource::file(file, overrides),
            None => ConfigSource::optional_file(DEFAULT_CONFIG, overrides),
        }
    }
}
