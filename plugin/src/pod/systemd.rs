//! Requests to systemd, by its own tools on the host.

use std::process::Command;

use super::UnitError;
use crate::host::TOOLS_PATH;

/// The state of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) is_up: bool,
    /// Its main process, if there is one.
    pub(super) pid: Option<u32>,
}

/// Sends a request to systemd.
pub(super) fn systemctl(arguments: &[&str]) -> Result<String, UnitError> {
    run("systemctl", arguments)
}

/// Runs `command` as the transient unit `name`, and does not wait for its end. It does not survive a reboot.
pub(super) fn run_now(name: &str, command: &[&str]) -> Result<(), UnitError> {
    let unit = format!("--unit={name}");
    let mut arguments = vec!["--quiet", "--collect", &unit];
    arguments.extend(command);
    run("systemd-run", &arguments).map(drop)
}

/// The command with which systemd runs `script` after `seconds`, as the transient unit `name`.
pub(super) fn run_later(name: &str, seconds: u64, script: &str) -> Vec<String> {
    let (unit, when) = (format!("--unit={name}"), format!("--on-active={seconds}s"));
    let words = [
        "systemd-run",
        "--quiet",
        &unit,
        &when,
        "--timer-property=AccuracySec=1s",
        "/bin/sh",
        "-c",
        script,
    ];
    words.map(str::to_owned).into()
}

/// The state of `unit`.
pub(super) fn state(unit: &str) -> Result<State, UnitError> {
    let output = systemctl(&["show", "--property=ActiveState,MainPID", unit])?;
    Ok(State::read(&output))
}

impl State {
    fn read(output: &str) -> State {
        let value = |key: &str| {
            output
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let pid = value("MainPID").and_then(|pid| pid.parse().ok());
        State {
            // A unit that ends or has failed must be started; the start waits until it has ended.
            is_up: matches!(value("ActiveState"), Some("active" | "activating" | "reloading")),
            pid: pid.filter(|pid| *pid != 0),
        }
    }
}

fn run(tool: &'static str, arguments: &[&str]) -> Result<String, UnitError> {
    let done = Command::new(tool)
        .args(arguments)
        .env_clear()
        .env("PATH", TOOLS_PATH)
        .output();
    let done = done.map_err(|source| UnitError::Tool { tool, source })?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(UnitError::Refused {
            what: format!("{tool} {}", arguments.join(" ")),
            said: String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_up_or_to_be_started() {
        let state = |text: &str| State::read(text);
        let up = State {
            is_up: true,
            pid: Some(7),
        };
        assert_eq!(state("MainPID=7\nActiveState=active\n"), up);
        assert_eq!(state("ActiveState=activating\nMainPID=7\n"), up);
        for word in ["inactive", "failed", "deactivating", ""] {
            let text = format!("MainPID=0\nActiveState={word}\n");
            assert_eq!(state(&text), State::default(), "{word}");
        }
    }
}
