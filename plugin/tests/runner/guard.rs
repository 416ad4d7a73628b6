//! The bound that a test itself makes for hooks that multiply, so that this machine survives a runner that is wrong.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;
use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, feed};

const GROUPS: &str = "/sys/fs/cgroup";

/// How many processes hooks of one test may have, whatever the runner does.
const GUARD_PROCESSES: &str = "3000";

/// How many the hooks of others may have when a test begins.
const FEW_PROCESSES: usize = 1000;

/// How long one test may have any.
const GUARD_TIME: Duration = Duration::from_secs(120);

/// A bound that the test itself makes: on the number of processes of its runner, of all hooks in groups of
/// their own, and on their time.
pub(crate) struct Guard {
    pub(crate) own: PathBuf,
    hooks: PathBuf,
    /// The last part of the names of the groups of the fixture's hooks.
    suffix: String,
    over: Sender<()>,
    clock: Option<JoinHandle<()>>,
    _one_at_a_time: MutexGuard<'static, ()>,
    /// The same for the tests of another process: they share the limit of all hooks.
    _alone: File,
}

impl Guard {
    pub(crate) fn of(fixture: &Fixture) -> Guard {
        static ONE: Mutex<()> = Mutex::new(());
        let lock = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let root = [Path::new(GROUPS).join("pids"), GROUPS.into()];
        let root = root.into_iter().find(|root| root.is_dir()).unwrap();
        let control = root.join("cgroup.subtree_control");
        if control.exists() {
            fs::write(control, "+pids").unwrap();
        }
        let own = root.join(format!("nri-oci-hooks-test-{}", std::process::id()));
        let hooks = root.join("nri-oci-hooks");
        for path in [&own, &hooks] {
            fs::create_dir_all(path).unwrap();
        }
        let alone = File::open(&hooks).unwrap();
        alone.lock().unwrap();
        // The processes that an earlier test has killed count until this machine's init has waited for it.
        while number(&hooks.join("pids.current")) > FEW_PROCESSES {
            std::thread::sleep(Duration::from_millis(10));
        }
        for path in [&own, &hooks] {
            fs::write(path.join("pids.max"), GUARD_PROCESSES).unwrap();
        }
        let (over, clock) = channel::<()>();
        let groups = [own.clone(), hooks.clone()];
        let clock = std::thread::spawn(move || {
            if clock.recv_timeout(GUARD_TIME) == Err(RecvTimeoutError::Timeout) {
                groups.iter().for_each(|group| end(group));
            }
        });
        Guard {
            own,
            hooks,
            suffix: format!("-{:x}", fixture.container().header().unwrap().at.unix_nanos()),
            over,
            clock: Some(clock),
            _one_at_a_time: lock,
            _alone: alone,
        }
    }

    /// Runs a stage as an OCI runtime would, with the runner in the guard's group.
    pub(crate) fn run(&self, fixture: &Fixture, stage: Stage) -> Output {
        let runner = fixture.command(stage);
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ >$0; exec \"$@\""])
            .arg(self.own.join("cgroup.procs"));
        command.arg(runner.get_program()).args(runner.get_args());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        feed(command, &fixture.state("creating"))
            .wait_with_output()
            .unwrap()
    }

    /// The groups of the fixture's hooks that are there.
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(&self.hooks)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        listed
            .filter(|path| path.to_str().unwrap().ends_with(&self.suffix))
            .collect()
    }

    /// The processes of the fixture's hooks.
    pub(crate) fn of_hooks(&self) -> Vec<i32> {
        self.groups().iter().flat_map(|group| members(group)).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.over.send(());
        self.clock.take().unwrap().join().unwrap();
        for group in self.groups() {
            end(&group);
            let _ = fs::remove_dir(&group);
            let unified = Path::new(GROUPS).join("unified/nri-oci-hooks");
            let _ = fs::remove_dir(unified.join(group.file_name().unwrap()));
        }
        end(&self.own);
        fs::write(self.hooks.join("pids.max"), "max").unwrap();
        while fs::remove_dir(&self.own).is_err() {
            std::thread::yield_now();
        }
    }
}

/// How long the kernel takes to end what `script` has started in 2 s, from the one write to the one event. `None` if it
/// cannot do that at once (Linux 5.14).
pub(crate) fn killed_by_the_kernel_alone(guard: &Guard, script: &str) -> Option<Duration> {
    let unified = [Path::new(GROUPS).join("unified"), GROUPS.into()];
    let unified = unified
        .into_iter()
        .find(|root| root.is_dir())?
        .join("nri-oci-hooks/alone");
    let limited = guard.hooks.join("alone");
    for group in [&limited, &unified] {
        fs::create_dir_all(group).unwrap();
    }
    fs::write(limited.join("pids.max"), "1024").unwrap();
    let mut ended = None;
    if unified.join("cgroup.kill").exists() {
        let enter = "for group; do echo $$ >$group/cgroup.procs; done; exec sh -c \"$0\"";
        let mut hook = Command::new("sh");
        hook.args(["-c", enter, script]).args([&limited, &unified]);
        let mut hook = hook.spawn().unwrap();
        std::thread::sleep(Duration::from_secs(2));
        let mut events = File::open(unified.join("cgroup.events")).unwrap();
        let begin = Instant::now();
        fs::write(unified.join("cgroup.kill"), "1").unwrap();
        loop {
            let mut text = String::new();
            events.rewind().unwrap();
            events.read_to_string(&mut text).unwrap();
            if text.contains("populated 0") {
                break;
            }
            poll(
                &mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)],
                PollTimeout::NONE,
            )
            .unwrap();
        }
        ended = Some(begin.elapsed());
        hook.wait().unwrap();
    }
    for group in [&limited, &unified] {
        let _ = fs::remove_dir(group);
    }
    ended
}

/// The number that is all of a file.
fn number(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// The processes in `group` and below it.
pub(crate) fn members(group: &Path) -> Vec<i32> {
    let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = procs.lines().map(|line| line.parse().unwrap()).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(members(&entry.path()));
        }
    }
    found
}

/// Ends everything in `group` and below it, whatever it does. Nothing can be started in it afterwards.
fn end(group: &Path) {
    // It may have been removed.
    let _ = fs::write(group.join("pids.max"), "0");
    while !members(group).is_empty() {
        for pid in members(group) {
            let _ = kill(Pid::from_raw(pid), SIGKILL);
        }
    }
}
