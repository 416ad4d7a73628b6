//! Which runtimes can be chosen.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};

use crate::{cache, workspace};

/// The containerd lines under test, which differ in configuration and NRI library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.7, with NRI off by default.
    V1_7,
    /// 2.1 as Debian has it, with NRI on by default.
    V2_1,
    /// 2.2.
    V2_2,
    /// 2.3.
    V2_3,
    /// 2.4, the newest.
    V2_4,
    /// 2.4 with NRI 0.12.5, in which plugins have a failure policy.
    V2_4Nri0_12_5,
}

impl Version {
    /// All of them.
    pub const ALL: [Version; 6] = [
        Version::V1_7,
        Version::V2_1,
        Version::V2_2,
        Version::V2_3,
        Version::V2_4,
        Version::V2_4Nri0_12_5,
    ];

    /// How the commands name it.
    pub fn word(self) -> &'static str {
        match self {
            Version::V1_7 => "1.7",
            Version::V2_1 => "2",
            Version::V2_2 => "2.2",
            Version::V2_3 => "2.3",
            Version::V2_4 => "2.4",
            Version::V2_4Nri0_12_5 => "2.4-nri-0.12.5",
        }
    }

    /// The directory of its programs.
    ///
    /// # Errors
    /// It is not in the cache.
    pub fn programs(self) -> Result<PathBuf> {
        let name = format!("containerd-{}", self.word());
        let package = match self {
            Version::V1_7 | Version::V2_1 => cache::directory(&name),
            _ => cache::built(&name),
        };
        Ok(package?.join("usr/bin"))
    }

    /// The runc of its time, with which it runs unless another OCI runtime is chosen.
    pub fn runc(self) -> OciRuntime {
        match self {
            Version::V1_7 | Version::V2_1 => OciRuntime::Runc,
            Version::V2_2 | Version::V2_3 => OciRuntime::Runc1_4,
            Version::V2_4 | Version::V2_4Nri0_12_5 => OciRuntime::Runc1_5,
        }
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Version> {
        let found = Version::ALL.into_iter().find(|version| version.word() == text);
        found.with_context(|| {
            let words = Version::ALL.map(Version::word).join(", ");
            format!("containerd is one of {words}, not {text:?}")
        })
    }
}

/// The program that containerd has containers run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OciRuntime {
    /// runc as Debian has it; like all up to 1.5, it runs poststart hooks inside of create.
    Runc,
    /// runc 1.4.
    Runc1_4,
    /// runc 1.5, the last that runs poststart hooks inside of create.
    Runc1_5,
    /// runc 1.6, the first that runs poststart hooks inside of start.
    Runc1_6,
    /// runc of Debian forky.
    RuncForky,
    /// crun; runs poststart hooks inside of start.
    Crun,
    /// crun of Debian forky.
    CrunForky,
}

impl OciRuntime {
    /// All of them.
    pub const ALL: [OciRuntime; 7] = [
        OciRuntime::Runc,
        OciRuntime::Runc1_4,
        OciRuntime::Runc1_5,
        OciRuntime::Runc1_6,
        OciRuntime::RuncForky,
        OciRuntime::Crun,
        OciRuntime::CrunForky,
    ];

    /// How the commands name it.
    pub fn word(self) -> &'static str {
        match self {
            OciRuntime::Runc => "runc",
            OciRuntime::Runc1_4 => "runc-1.4",
            OciRuntime::Runc1_5 => "runc-1.5",
            OciRuntime::Runc1_6 => "runc-1.6",
            OciRuntime::RuncForky => "runc-forky",
            OciRuntime::Crun => "crun",
            OciRuntime::CrunForky => "crun-forky",
        }
    }

    /// The program to run.
    ///
    /// # Errors
    /// It is not in the cache.
    pub fn program(self) -> Result<PathBuf> {
        match self {
            OciRuntime::Runc => Ok(cache::directory("runc")?.join("usr/sbin/runc")),
            OciRuntime::RuncForky => Ok(cache::directory(self.word())?.join("usr/bin/runc")),
            OciRuntime::Crun | OciRuntime::CrunForky => crun_adapter(self.word()),
            _ => Ok(cache::built(self.word())?.join("usr/bin/runc")),
        }
    }

    /// Whether it runs poststart hooks inside of create, when the container's program does not run yet: the state on
    /// their standard input then says `created`.
    pub fn runs_poststart_in_create(self) -> bool {
        matches!(
            self,
            OciRuntime::Runc | OciRuntime::Runc1_4 | OciRuntime::Runc1_5 | OciRuntime::RuncForky
        )
    }

    /// Whether it is a crun.
    pub fn is_crun(self) -> bool {
        matches!(self, OciRuntime::Crun | OciRuntime::CrunForky)
    }
}

/// The stand-in for the crun that is `name` in the cache: a link, by whose name it knows which.
fn crun_adapter(name: &str) -> Result<PathBuf> {
    cache::directory(name)?;
    let adapter = workspace::program("crun-adapter")?;
    let link = adapter.with_file_name(name);
    match symlink(&adapter, &link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).context("link the adapter of crun")
        }
        _ => Ok(link),
    }
}

impl FromStr for OciRuntime {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<OciRuntime> {
        let found = OciRuntime::ALL.into_iter().find(|oci| oci.word() == text);
        found.with_context(|| {
            let words = OciRuntime::ALL.map(OciRuntime::word).join(", ");
            format!("the OCI runtime is one of {words}, not {text:?}")
        })
    }
}
