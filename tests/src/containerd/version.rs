//! Which runtimes can be chosen.

use std::path::PathBuf;

use anyhow::Result;

use crate::cache;

/// The containerd lines under test, which differ in configuration and NRI library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.7, with NRI off by default.
    V1_7,
    /// 2.1 or a later 2, with NRI on by default.
    V2_1,
}

impl Version {
    /// The folder of its programs.
    ///
    /// # Errors
    /// It has not been fetched.
    pub fn programs(self) -> Result<PathBuf> {
        let package = match self {
            Version::V1_7 => "containerd-1.7",
            Version::V2_1 => "containerd-2",
        };
        Ok(cache::folder(package)?.join("usr/bin"))
    }
}

/// The program that containerd has containers run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OciRuntime {
    /// runc; the release that Debian has runs poststart hooks before process 1.
    Runc,
    /// crun; runs poststart hooks after process 1 has started.
    Crun,
}
