//! The destination of log lines.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::libc::{S_IFCHR, S_IFMT};
use nix::sys::stat::{fstat, major, minor};

use super::journal::JOURNAL;

/// The file for a node without journald.
const FILE: &str = "/var/log/nri-oci-hooks.log";

/// The destination of log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// `auto`: journald if stderr is connected to it, otherwise stderr. If stderr is the null device, as for
    /// plugins that the runtime launches: journald or, if there is none, `/var/log/nri-oci-hooks.log`.
    Auto,
    /// `stderr`
    Stderr,
    /// `journald`, with its fields.
    Journald,
    /// A file, by absolute path.
    File(PathBuf),
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Destination::Auto),
            "stderr" => Ok(Destination::Stderr),
            "journald" => Ok(Destination::Journald),
            file if file.starts_with('/') => Ok(Destination::File(file.into())),
            _ => Err("must be auto, stderr, journald or the absolute path of a file".into()),
        }
    }
}

/// The facts that decide `auto`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) stderr: Stderr,
    pub(super) has_journald: bool,
}

/// The target of stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stderr {
    Null,
    Journald,
    Other,
}

impl Surroundings {
    /// The facts about this process.
    pub(super) fn of_process() -> Surroundings {
        Surroundings {
            stderr: stderr(),
            has_journald: Path::new(JOURNAL).exists(),
        }
    }

    /// The meaning of `auto` here.
    pub(super) fn choose(self) -> Destination {
        match self.stderr {
            Stderr::Journald if self.has_journald => Destination::Journald,
            Stderr::Journald | Stderr::Other => Destination::Stderr,
            Stderr::Null if self.has_journald => Destination::Journald,
            Stderr::Null => Destination::File(FILE.into()),
        }
    }
}

fn stderr() -> Stderr {
    let Ok(stat) = fstat(io::stderr()) else {
        // Closed: no process reads it.
        return Stderr::Null;
    };
    // The null device is character device 1:3 (Linux, devices.txt).
    if stat.st_mode & S_IFMT == S_IFCHR && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3) {
        return Stderr::Null;
    }
    // systemd names the stream that it connected to journald; it may have been redirected since.
    let journald = env::var("JOURNAL_STREAM").unwrap_or_default();
    if journald == format!("{}:{}", stat.st_dev, stat.st_ino) {
        return Stderr::Journald;
    }
    Stderr::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_go_to_a_destination_that_is_read() {
        let choose = |stderr, has_journald| Surroundings { stderr, has_journald }.choose();
        for has_journald in [true, false] {
            assert_eq!(choose(Stderr::Other, has_journald), Destination::Stderr);
        }
        assert_eq!(choose(Stderr::Journald, true), Destination::Journald);
        assert_eq!(choose(Stderr::Journald, false), Destination::Stderr);
        assert_eq!(choose(Stderr::Null, true), Destination::Journald);
        assert_eq!(choose(Stderr::Null, false), Destination::File(FILE.into()));
    }

    #[test]
    fn a_destination_is_named_by_a_word_or_an_absolute_path() {
        assert_eq!("auto".parse(), Ok(Destination::Auto));
        assert_eq!("journald".parse(), Ok(Destination::Journald));
        assert_eq!("/x/y".parse(), Ok(Destination::File("/x/y".into())));
        for wrong in ["", "x.log", "journal", "syslog"] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
