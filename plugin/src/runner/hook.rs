//! Starting one hook, as root's own process with nothing of ours about it.

use std::convert::Infallible;
use std::ffi::{CString, NulError};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, getppid, pipe2, setsid};

use crate::select::FrozenHook;
use crate::system::{in_a_process_to_be_replaced, take_default_signals};

/// A hook that was started, and our ends of its pipes.
#[derive(Debug)]
pub(super) struct Started {
    /// Its process id.
    pub(super) pid: Pid,
    /// What it writes to stdout. Reading never blocks.
    pub(super) stdout: File,
    /// What it writes to stderr. Reading never blocks.
    pub(super) stderr: File,
}

/// All that the new process needs, made before it is there.
struct Execution {
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    directory: CString,
    parent: Pid,
    stdin: File,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Started {
    /// Starts `hook` with `state` on stdin, in `bundle`, or in `/` if that is gone.
    ///
    /// Must be called by the process that watches it: when that dies, the hook is killed.
    ///
    /// # Errors
    /// The kernel lacks processes or descriptors, or cannot execute the program.
    pub(super) fn new(hook: &FrozenHook, state: &File, bundle: &str) -> io::Result<Started> {
        // Each hook reads from the beginning, with an offset of its own.
        let stdin = File::open(format!("/proc/self/fd/{}", state.as_raw_fd()))?;
        let (our_stdout, stdout) = pipe2(OFlag::O_CLOEXEC)?;
        let (our_stderr, stderr) = pipe2(OFlag::O_CLOEXEC)?;
        let strings = |list: &[String]| -> Result<Vec<CString>, NulError> {
            list.iter().map(|text| CString::new(text.as_bytes())).collect()
        };
        let execution = Execution {
            path: CString::new(hook.path.as_bytes())?,
            args: strings(&hook.args)?,
            env: strings(&hook.env)?,
            directory: CString::new(bundle)?,
            parent: nix::unistd::getpid(),
            stdin,
            stdout,
            stderr,
        };
        let mut failure = None;
        let pid = in_a_process_to_be_replaced(|| {
            let Err(error) = execution.execute();
            failure = Some(error);
            127
        })?;
        if let Some(error) = failure {
            return Err(error.into());
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
    /// Turns this process into the hook.
    fn execute(&self) -> nix::Result<Infallible> {
        setsid()?;
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != self.parent {
            // The watcher died before it could take this process with it.
            return Err(nix::Error::ESRCH);
        }
        take_default_signals();
        dup2_stdin(&self.stdin)?;
        dup2_stdout(&self.stdout)?;
        dup2_stderr(&self.stderr)?;
        if self.directory.is_empty() || chdir(self.directory.as_c_str()).is_err() {
            chdir(c"/")?;
        }
        execve(&self.path, &self.args, &self.env)
    }
}
