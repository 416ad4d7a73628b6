//! The systemd unit by which the host has the daemon before any pod starts, and while none is there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{PodError, UnitError, systemd};
use crate::write::{is_put, put};

const UNIT: &str = "nri-oci-hooks.service";

/// Where the unit is put, and where packages put theirs.
const DIRECTORY: &str = "/etc/systemd/system";
const PACKAGES: [&str; 3] = [
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Locked by the pod that sees to the unit, as long as it lives.
const LOCK: &str = "/run/nri-oci-hooks-unit.lock";

/// How the unit begins that a pod has put there.
const MARK: &str =
    "# Put here by a pod of nri-oci-hooks, which also removes it: change the DaemonSet instead.\n";

const SERVICE: &str = include_str!("../../../deploy/systemd/nri-oci-hooks.service");

/// The transient unit that waits for the end of the pod, however that comes.
const WATCH: &str = "nri-oci-hooks-pod";

/// The transient unit that removes the unit.
const REMOVAL: &str = "nri-oci-hooks-removal";

/// How long after the end of a pod the unit is removed, in seconds, unless the next pod takes over: so a rollout or a
/// deleted pod is told from a deleted DaemonSet.
const GRACE: u64 = 300;

const MODE: u32 = 0o644;

/// The unit, as it is to be on the host. All of it blocks.
#[derive(Debug)]
pub struct HostUnit {
    /// What it executes.
    command: Vec<String>,
    text: String,
    lock: Option<File>,
}

/// What the unit on the host needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// It is as it is to be.
    Nothing,
    /// It does not run.
    Start,
    /// It runs another program, or one with other arguments.
    Replace,
}

impl HostUnit {
    /// Whether the host of this pod runs systemd; before its namespaces are entered.
    pub fn is_possible() -> bool {
        Path::new("/proc/1/root/run/systemd/system").is_dir()
    }

    /// The unit that executes `command`, whose first word is the program on the host.
    ///
    /// # Errors
    /// A word is not one that a unit can name.
    pub fn new(command: Vec<String>) -> Result<HostUnit, UnitError> {
        // What systemd takes as it stands, with no meaning of its own.
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

    /// Whether this pod is the one that sees to the unit: the first that asks, until it ends. Then no earlier pod has
    /// the unit removed any more, and systemd removes it after the end of this one, unless the next takes over.
    ///
    /// # Errors
    /// The kernel or systemd refuses.
    pub fn is_owned(&mut self) -> Result<bool, UnitError> {
        if self.lock.is_some() {
            return Ok(true);
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(LOCK);
        let file = file.map_err(|error| UnitError::Pod(PodError::io("open", LOCK)(error)))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(UnitError::Pod(PodError::io("lock", LOCK)(error))),
        }
        keep();
        watch()?;
        self.lock = Some(file);
        Ok(true)
    }

    /// Puts it on the host and enables it, unless it is there. Returns what it needs to run as it is to.
    ///
    /// # Errors
    /// A unit of somebody else is there, or the host refuses it.
    pub fn put(&self) -> Result<Needed, UnitError> {
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
            Some(pid) if !self.is_run_by(pid) => Needed::Replace,
            _ => Needed::Nothing,
        })
    }

    /// Has systemd start it, and does not wait for that.
    ///
    /// # Errors
    /// systemd refuses.
    pub fn start(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["start", "--no-block", UNIT]).map(drop)
    }

    /// Has systemd end what runs and start it as it is to be. Returns when the new daemon has its containers.
    ///
    /// # Errors
    /// systemd refuses, or the daemon does not become ready.
    pub fn restart(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["restart", UNIT]).map(drop)
    }

    /// Has the daemon look at its files now.
    ///
    /// # Errors
    /// systemd refuses.
    pub fn reload(&self) -> Result<(), UnitError> {
        systemd::systemctl(&["reload", UNIT]).map(drop)
    }

    /// Whether the process runs the program that is on the host now, with these arguments.
    fn is_run_by(&self, pid: u32) -> bool {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let program = self.command.first().map(Path::new);
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let words = line.trim_end_matches('\0').split('\0');
        program.and_then(identity) == identity(&process.join("exe")) && words.eq(&self.command)
    }
}

/// Nobody is to remove the unit.
fn keep() {
    for unit in [
        &format!("{WATCH}.service"),
        &format!("{REMOVAL}.timer"),
        &format!("{REMOVAL}.service"),
    ] {
        // There is none, most of the time.
        let _ = systemd::systemctl(&["stop", unit]);
    }
}

/// Has systemd wait until the lock is free, as it is when this process has ended, and then remove the unit after the
/// time of grace. The lock is held while that is arranged, so the next pod finds it arranged and calls it off.
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

/// A unit that no pod has put on the host.
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
    fn what_systemd_would_read_otherwise_is_refused() {
        for word in ["a b", "%h", "$A", "a\nExecStartPre=/bin/x", "\"", ""] {
            let command = vec!["/p".to_owned(), "run".to_owned(), word.to_owned()];
            let error = HostUnit::new(command).unwrap_err();
            assert!(matches!(error, UnitError::NotPlain(_)), "{error}");
        }
    }

    #[test]
    fn another_program_or_other_arguments_are_to_be_replaced() {
        let this = |more: &[&str]| {
            let arguments = std::env::args().skip(1);
            let program = fs::read_link("/proc/self/exe").unwrap();
            let mut command: Vec<String> = [program.to_str().unwrap().to_owned()]
                .into_iter()
                .chain(arguments)
                .collect();
            command.extend(more.iter().map(ToString::to_string));
            HostUnit {
                command,
                text: String::new(),
                lock: None,
            }
        };
        let pid = std::process::id();
        let first = std::env::args().next().unwrap();
        let mut same = this(&[]);
        let program = same.command[0].clone();
        assert_eq!(same.is_run_by(pid), first == program);
        assert!(!this(&["--more"]).is_run_by(pid));
        same.command[0] = "/bin/sh".into();
        assert!(!same.is_run_by(pid));
    }
}
