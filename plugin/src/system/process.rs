//! Processes: what a runner needs that safe libraries do not offer.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{ForkResult, Pid, fork};

/// Does `work` in a copy of this process, which then ends with the status that `work` returns.
/// Returns the copy's process id.
///
/// # Errors
/// The kernel has no room for another process.
pub fn in_a_copy(work: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: what runs in the copy may take locks that other threads held at the fork. A runner
    // has one thread, and the C library keeps its allocator usable in a copy of any process.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = work();
            // SAFETY: _exit does not return; it leaves to the original what is to be done at exit.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Gives every signal its default effect, and lets all through: what a program expects of whoever
/// starts it.
pub fn take_default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL installs no code of ours. For SIGKILL, SIGSTOP and those that the C
        // library keeps it fails, and changes nothing.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    // Fails only for arguments that are none of these.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Makes every descriptor but the standard three close when another program is executed.
///
/// # Errors
/// The kernel has no `close_range` and no `/proc`.
pub fn close_descriptors_on_exec() -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC as i32;
    // SAFETY: it changes a flag of descriptors and touches no memory.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, flag) } == 0 {
        return Ok(());
    }
    // Before Linux 5.11.
    for name in
        std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
    {
        if let Some(descriptor) = name.parse().ok().filter(|number| *number > 2) {
            // SAFETY: as above; a descriptor that is closed by now is an error without effect.
            unsafe {
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Ok(())
}
