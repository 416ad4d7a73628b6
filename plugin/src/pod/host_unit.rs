//! The systemd unit by which the host runs the daemon before and without its pod.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ownership::lock;
use super::{UnitError, systemd};
use crate::write::{is_put, put};

const UNIT: &str = "nri-oci-hooks.service";

/// The directory of the unit, and the directories of packages.
const DIRECTORY: &str = "/etc/systemd/system";
const PACKAGES: [&str; 3] = [
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Locked by the pod that owns the unit, as long as the pod lives.
const LOCK: &str = "/run/nri-oci-hooks-unit.lock";

/// The beginning of a unit from a pod.
const MARK: &str =
    "# Put here by a pod of nri-oci-hooks, which also removes it: change the DaemonSet instead.\n";

const SERVICE: &str = include_str!("../../../deploy/systemd/nri-oci-hooks.service");

/// The transient unit that waits for any end of the pod.
const WATCH: &str = "nri-oci-hooks-pod";

/// The transient unit that removes the unit.
const REMOVAL: &str = "nri-oci-hooks-removal";

/// The time from the end of a pod to the removal of its unit, in seconds, unless the next pod takes over. The
/// time distinguishes a rollout or a deleted pod from a deleted DaemonSet.
const GRACE: u64 = 300;

const MODE: u32 = 0o644;

/// The unit, as it must be on the host. All of its work blocks.
#[derive(Debug)]
pub(crate) struct HostUnit {
    /// The executed command.
    command: Vec<String>,
    text: String,
    lock: Option<File>,
}

/// The action that the unit on the host needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// The unit is up to date.
    Nothing,
    /// It does not run.
    Start,
    /// It runs another release of the program, with the same arguments.
    Upgrade,
    /// It runs with other arguments.
    Replace,
}

impl HostUnit {
    /// Whether the host of this pod runs systemd. Must be called before its namespaces are entered.
    pub(crate) fn is_possible() -> bool {
        Path::new("/proc/1/root/run/systemd/system").is_dir()
    }

    /// The unit that executes `command`, whose first word is the program on the host.
    ///
    /// # Errors
    /// A word cannot be part of a unit.
    pub(crate) fn new(command: Vec<String>) -> Result<HostUnit, UnitError> {
        // Characters that systemd takes literally.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
        if let Some(word) = command
            .iter()
            .find(|word| word.is_empty() || !word.chars().all(is_plain))
        {
            return Err(UnitError::NotPlain(word.clone()));
        }
        let text = SERVICE.replace("/usr/bin/nri-oci-hooks run", &command.join(" "));
        Ok(HostUnit {
            command,
            text: format!("{MARK}{text}"),
            lock: None,
        })
    }

    /// Whether this pod owns the unit: the first that asks, until it ends. Then no earlier pod removes the
    /// unit any more. After the end of this pod, systemd removes the unit, unless the next pod takes over.
    ///
    /// # Errors
    /// The kernel or systemd refuses.
    pub(crate) fn is_owned(&mut self) -> Result<bool, UnitError> {
        if self.lock.is_some() {
            return Ok(true);
        }
        let Some(lock) = lock(Path::new(LOCK)).map_err(UnitError::Pod)? else {
            return Ok(false);
        };
        cancel_removal();
        watch()?;
        self.lock = Some(lock);
        Ok(true)
    }

    /// Writes the unit to the host and enables it, unless it exists. Returns the action that it needs.
    ///
    /// # Errors
    /// The host has a unit that is not from a pod, or refuses this one.
    pub(crate) fn put(&self) -> Result<Needed, UnitError> {
        if let Some(path) = foreign() {
            return Err(UnitError::Foreign(path));
        }
        let path = path();
        if !is_put(&path, self.text.as_bytes(), MODE) {
            put(&path, self.text.as_bytes(), MODE).map_err(UnitError::File)?;
            systemd::systemctl(&["daemon-reload"])?;
            systemd::systemctl(&["enable", "--quiet", UNIT])?;
        }
        let state = systemd::state(UNIT)?;
        Ok(match state.pid {
            _ if !state.is_up => Needed::Start,
            Some(pid) => self.needed_by(pid),
            None => Needed::Nothing,
        })
    }

    /// Requests its start from systemd, and does not wait for that.
    ///
    /// # Errors
    /// systemd refuses.
    pub(crate) fn start(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["start", "--no-block", UNIT]).map(drop)
    }

    /// Requests a restart from systemd. Returns when the new daemon has its containers.
    ///
    /// # Errors
    /// systemd refuses, or the daemon does not become ready.
    pub(crate) fn restart(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["restart", UNIT]).map(drop)
    }

    /// Requests a reload. The daemon reads its files now, or the program on the host takes over in place,
    /// without a new registration.
    ///
    /// # Errors
    /// systemd refuses.
    pub(crate) fn reload(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["reload", UNIT]).map(drop)
    }

    /// The action that the running process `pid` needs, to be the program on the host with these arguments.
    fn needed_by(&self, pid: u32) -> Needed {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let program = self.command.first().map(Path::new);
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let words = line.trim_end_matches('\0').split('\0');
        if !words.eq(&self.command) {
            return Needed::Replace;
        }
        match program.and_then(identity) == identity(&process.join("exe")) {
            true => Needed::Nothing,
            false => Needed::Upgrade,
        }
    }
}

/// Cancels every removal of the unit.
fn cancel_removal() {
    for unit in [
        &format!("{WATCH}.service"),
        &format!("{REMOVAL}.timer"),
        &format!("{REMOVAL}.service"),
    ] {
        // Usually there is none.
        let _ = systemd::systemctl(&["stop", unit]);
    }
}

/// Starts a transient unit that waits until the lock is free, which is when this process has ended. Then that
/// unit removes the daemon's unit after the grace period. The lock is held during the setup, so the next pod
/// finds the transient unit and cancels it.
fn watch() -> Result<(), UnitError> {
    let removal = format!(
        "systemctl disable --now {UNIT}; rm -f {}; systemctl daemon-reload",
        path().display()
    );
    let later = systemd::run_later(REMOVAL, GRACE, &removal);
    let mut waiting = vec!["flock", LOCK];
    waiting.extend(later.iter().map(String::as_str));
    systemd::run_now(WATCH, &waiting)
}

fn path() -> PathBuf {
    Path::new(DIRECTORY).join(UNIT)
}

/// A unit on the host that is not from a pod.
fn foreign() -> Option<PathBuf> {
    let path = path();
    if path.symlink_metadata().is_ok() {
        let is_ours = fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK));
        return (!is_ours).then_some(path);
    }
    let packages = PACKAGES.iter().map(|directory| Path::new(directory).join(UNIT));
    packages.into_iter().find(|path| path.symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_unit_executes_the_pods_command_before_the_kubelet() {
        let unit = HostUnit::new(words("/opt/bin/nri-oci-hooks run --name a")).unwrap();
        assert!(unit.text.starts_with(MARK));
        assert!(
            unit.text
                .contains("\nExecStart=/opt/bin/nri-oci-hooks run --name a\n")
        );
        assert!(unit.text.contains("\nBefore=kubelet.service\n"));
        assert!(!unit.text.contains("/usr/bin/nri-oci-hooks"));
    }

    #[test]
    fn words_that_systemd_would_read_in_another_way_are_refused() {
        for word in ["a b", "%h", "$A", "a\nExecStartPre=/bin/x", "\"", ""] {
            let command = vec!["/p".to_owned(), "run".to_owned(), word.to_owned()];
            let error = HostUnit::new(command).unwrap_err();
            assert!(matches!(error, UnitError::NotPlain(_)), "{error}");
        }
    }

    #[test]
    fn other_arguments_need_a_restart_and_another_program_an_upgrade() {
        let unit = |command: Vec<String>| HostUnit {
            command,
            text: String::new(),
            lock: None,
        };
        let begin = |program: &str| {
            let mut command = std::process::Command::new(program);
            let piped = std::process::Stdio::piped;
            let mut child = command.arg("-").stdin(piped()).stdout(piped()).spawn().unwrap();
            // From here on, the process is the program with its words.
            child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        };
        let mut same = begin("/bin/cat");
        let mut command = words("/bin/cat -");
        assert_eq!(unit(command.clone()).needed_by(same.id()), Needed::Nothing);
        command.push("--more".into());
        assert_eq!(unit(command).needed_by(same.id()), Needed::Replace);
        // A replaced release: the words are the same, the file is not.
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("cat").to_str().unwrap().to_owned();
        let copy = |to: &str| {
            // Copied by another process: a file that is open for writing here could stay open in a child of
            // another test.
            let copied = std::process::Command::new("cp").args(["/bin/cat", to]).status();
            assert!(copied.unwrap().success());
        };
        copy(&program);
        let mut older = begin(&program);
        copy(&format!("{program}.new"));
        fs::rename(format!("{program}.new"), &program).unwrap();
        let unit = unit(vec![program, "-".to_owned()]);
        assert_eq!(unit.needed_by(older.id()), Needed::Upgrade);
        for child in [&mut same, &mut older] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
