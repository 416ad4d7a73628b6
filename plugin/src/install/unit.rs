//! The unit: which options the daemon gets by it.

use std::fs;
use std::path::PathBuf;

use super::layout::{PROGRAM, UNIT, UNIT_DROP_INS};
use super::{InstallError, Target};
use crate::model::shown;

const SERVICE: &str = include_str!("../../../deploy/systemd/nri-oci-hooks.service");

/// The options that a unit gives to the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) config: Option<String>,
    pub(super) state_dir: Option<String>,
    pub(super) nri_socket: Option<String>,
}

impl Options {
    /// Those that the unit is to give: that were asked for, or else those of the one that is there.
    pub(super) fn to_give(target: &Target) -> Options {
        Options::asked_for(target, &[UNIT.into()])
    }

    /// Those in force: that were asked for, or else those of the unit, and what is dropped into it.
    pub(super) fn in_force(target: &Target) -> Options {
        let drop_ins = target.node.files(UNIT_DROP_INS).into_iter();
        let files: Vec<PathBuf> = [UNIT.into()].into_iter().chain(drop_ins).collect();
        Options::asked_for(target, &files)
    }

    fn asked_for(target: &Target, files: &[PathBuf]) -> Options {
        let read = |name: &PathBuf| fs::read_to_string(target.node.path(name)).unwrap_or_default();
        let there = Options::in_unit(&files.iter().map(read).collect::<String>());
        Options {
            config: target.config.clone().or(there.config),
            state_dir: target.state_dir.clone().or(there.state_dir),
            nri_socket: None,
        }
    }

    fn in_unit(text: &str) -> Options {
        let mut commands = text.lines().filter_map(|line| line.strip_prefix("ExecStart="));
        // An empty one takes back those before.
        let command = commands.rfind(|command| !command.is_empty());
        let words: Vec<&str> = command.unwrap_or_default().split_whitespace().collect();
        let value = |option: &str| {
            let at = words
                .iter()
                .position(|word| word.split('=').next() == Some(option))?;
            let value = words[at].split_once('=').map(|(_, value)| value);
            value.or(words.get(at + 1).copied()).map(str::to_owned)
        };
        Options {
            config: value("--config"),
            state_dir: value("--state-dir"),
            nri_socket: value("--nri-socket"),
        }
    }

    /// The unit that gives them to the daemon.
    ///
    /// # Errors
    /// One is not a path that a unit can name.
    pub(super) fn unit(&self) -> Result<String, InstallError> {
        let mut command = format!("{PROGRAM} run");
        for (option, value) in [
            ("--config", &self.config),
            ("--state-dir", &self.state_dir),
            ("--nri-socket", &self.nri_socket),
        ] {
            let Some(value) = value else { continue };
            // What systemd takes as it stands, with no meaning of its own.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
            if !value.starts_with('/') || !value.chars().all(is_plain) {
                return Err(InstallError::NotPlain {
                    option,
                    value: shown(value).to_string(),
                });
            }
            command += &format!(" {option} {value}");
        }
        Ok(SERVICE.replace("/usr/bin/nri-oci-hooks run", &command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_unit_are_found_in_it_again() {
        let options = Options {
            config: Some("/etc/other.toml".into()),
            state_dir: Some("/srv/state".into()),
            nri_socket: Some("/run/nri.sock".into()),
        };
        assert_eq!(Options::in_unit(&options.unit().unwrap()), options);
        let bare = Options::default();
        assert_eq!(Options::in_unit(&bare.unit().unwrap()), bare);
        let by_hand = Options::in_unit("[Service]\nExecStart=/x run --state-dir=/srv/state\n");
        assert_eq!(by_hand.state_dir.as_deref(), Some("/srv/state"));
    }

    #[test]
    fn what_systemd_would_read_otherwise_is_refused() {
        for value in [
            "relative",
            "/a b",
            "/%h",
            "/a\"",
            "/a\nExecStartPre=/bin/x",
            "/$A",
        ] {
            let options = Options {
                config: Some(value.into()),
                ..Options::default()
            };
            let error = options.unit().unwrap_err().to_string();
            assert!(error.contains("--config") && !error.contains('\n'), "{error}");
        }
    }
}
