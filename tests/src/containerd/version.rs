//! Which runtimes can be chosen.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};

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

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Version> {
        match text {
            "1.7" => Ok(Version::V1_7),
            "2" => Ok(Version::V2_1),
            _ => bail!("there is containerd 1.7 and 2, not {text:?}"),
        }
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

impl FromStr for OciRuntime {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<OciRuntime> {
        match text {
            "runc" => Ok(OciRuntime::Runc),
            "crun" => Ok(OciRuntime::Crun),
            _ => bail!("there are the OCI runtimes runc and crun, not {text:?}"),
        }
    }
}
