//! Starts one hook, as a root process that inherits nothing from the runner.

use std::convert::Infallible;
use std::ffi::{CString, NulError};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, getppid, pipe2, setsid, write};

use crate::model::ResolvedHook;
use crate::process::cgroup::{Entrance, Group};
use crate::system::{fork_child, fork_to_exec, reset_signals};

/// A started hook, and our ends of its pipes.
#[derive(Debug)]
pub(super) struct Started {
    /// Its process id.
    pub(super) pid: Pid,
    /// Its stdout. Reading never blocks.
    pub(super) stdout: File,
    /// Its stderr. Reading never blocks.
    pub(super) stderr: File,
}

/// Everything that the new process needs, created before it exists.
struct Execution {
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    directory: CString,
    parent: Pid,
    stdin: File,
    stdout: OwnedFd,
    stderr: OwnedFd,
    /// The pipe for the error if the program cannot be executed. Executing it closes this.
    failure: OwnedFd,
}

impl Started {
    /// Starts `hook` in `group`, with `state` on stdin, in `bundle`, or in `/` if that is gone.
    ///
    /// Only the supervisor of the hook may call this: if it dies, the hook is killed.
    ///
    /// # Errors
    /// The kernel lacks processes or descriptors, or cannot execute the program.
    pub(super) fn new(
        hook: &ResolvedHook,
        group: Option<&Group>,
        state: &File,
        bundle: &str,
    ) -> io::Result<Started> {
        // Each hook reads from the beginning, with an offset of its own.
        let stdin = File::open(format!("/proc/self/fd/{}", state.as_raw_fd()))?;
        let (our_stdout, stdout) = pipe2(OFlag::O_CLOEXEC)?;
        let (our_stderr, stderr) = pipe2(OFlag::O_CLOEXEC)?;
        let (reason, failure) = pipe2(OFlag::O_CLOEXEC)?;
        let entrance = group.map(Group::entrance).transpose()?;
        let strings = |list: &[String]| -> Result<Vec<CString>, NulError> {
            list.iter().map(|text| CString::new(text.as_bytes())).collect()
        };
        let execution = Execution {
            path: CString::new(hook.program().as_bytes())?,
            args: strings(&hook.args)?,
            env: strings(&hook.env)?,
            directory: CString::new(bundle)?,
            parent: nix::unistd::getpid(),
            stdin,
            stdout,
            stderr,
            failure,
        };
        let pid = execution.start(entrance.as_ref())?;
        drop(execution);
        let mut number = [0; size_of::<i32>()];
        if File::from(reason).read(&mut number)? == number.len() {
            return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number)));
        }
        for ours in [&our_stdout, &our_stderr] {
            nix::fcntl::fcntl(ours, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Started {
            pid,
            stdout: our_stdout.into(),
            stderr: our_stderr.into(),
        })
    }
}

impl Execution {
    /// Starts the hook in the group of `entrance`, so that none of its processes is ever outside.
    fn start(&self, entrance: Option<&Entrance>) -> io::Result<Pid> {
        let (directory, unified, version_1) = match entrance {
            Some(Entrance {
                directory,
                unified,
                version_1,
            }) => (directory.as_ref(), unified.as_ref(), version_1.as_slice()),
            None => (None, None, &[][..]),
        };
        fork_to_exec(directory.map(AsFd::as_fd), || self.become_hook(version_1.iter()))
            // The kernel may be unable to start a process inside a group.
            .or_else(|_| fork_child(|| self.become_hook(unified.into_iter().chain(version_1))))
    }

    /// Joins `groups` and executes the hook in this process. Returns only if that fails, with the exit
    /// status.
    fn become_hook<'g>(&self, groups: impl Iterator<Item = &'g File>) -> i32 {
        let Err(error) = self.execute(groups);
        // No process reads it if the supervisor has died.
        let _ = write(&self.failure, &(error as i32).to_ne_bytes());
        127
    }

    /// Executes the hook in this process.
    fn execute<'g>(&self, groups: impl Iterator<Item = &'g File>) -> nix::Result<Infallible> {
        for group in groups {
            write(group, b"0")?;
        }
        setsid()?;
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != self.parent {
            // The supervisor died before its death could kill this process.
            return Err(nix::Error::ESRCH);
        }
        reset_signals();
        dup2_stdin(&self.stdin)?;
        dup2_stdout(&self.stdout)?;
        dup2_stderr(&self.stderr)?;
        if self.directory.is_empty() || chdir(self.directory.as_c_str()).is_err() {
            chdir(c"/")?;
        }
        execve(&self.path, &self.args, &self.env)
    }
}
