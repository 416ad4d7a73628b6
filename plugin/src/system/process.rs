//! Processes: what a runner needs that safe libraries do not offer.

use std::io;
use std::os::fd::RawFd;

use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
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

/// How much of a stack what comes before an execve gets, in bytes: it calls the kernel and nothing else.
const STACK_BEFORE_EXEC: usize = 16 * 1024;

/// Does `work`, which is to end in an execve, in a new process, and waits until that has executed its
/// program, or has ended with the status that `work` returned. Returns its process id.
///
/// Until then the new process has this one's memory, where `work` can leave word, and leaves what it
/// allocates. To copy it first, as [`in_a_copy`] does, would take longer.
///
/// # Errors
/// The kernel has no room for another process.
pub fn in_a_process_to_be_replaced(mut work: impl FnMut() -> i32) -> nix::Result<Pid> {
    let mut stack = [0; STACK_BEFORE_EXEC];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: the new process has a stack of its own, and this one, which has one thread, waits in the
    // kernel for as long as the other uses its memory.
    unsafe {
        clone(
            Box::new(|| work() as isize),
            &mut stack,
            flags,
            Some(libc::SIGCHLD),
        )
    }
}

/// Gives every signal its default effect, and lets all through: what a program expects of whoever
/// starts it.
pub fn take_default_signals() {
    // The kernel's sigaction: SIG_DFL, no flags, an empty mask. The C library would keep back the
    // signals that it uses itself, and leave them ignored if they were.
    const DEFAULT: [u64; 4] = [0; 4];
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads DEFAULT, which is as large as its structure, and writes nothing;
        // no code of ours is installed. For SIGKILL and SIGSTOP it fails, and changes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                std::ptr::null::<u64>(),
                size_of::<u64>(),
            );
        }
    }
    // Fails only for arguments that are none of these.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Lets this process wait for its children, which it cannot if whoever started it ignored that they
/// end: then the kernel takes them in by itself.
pub fn keep_ended_children() {
    // Fails only for signals that cannot be handled.
    // SAFETY: no code of ours is installed.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// Closes every descriptor but the standard three and those `kept`: for a copy of a process, which is
/// to hold none of what it does not need.
///
/// # Errors
/// The kernel has no `close_range` and no `/proc`.
pub fn close_descriptors_but(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<libc::c_uint> = kept
        .iter()
        .filter_map(|number| (*number).try_into().ok())
        .collect();
    kept.sort_unstable();
    let mut from = 3;
    for number in kept.into_iter().filter(|number| *number >= 3) {
        close_range(from, number - 1)?;
        from = number + 1;
    }
    close_range(from, libc::c_uint::MAX)
}

/// Closes the descriptors from `first` to `last`.
fn close_range(first: libc::c_uint, last: libc::c_uint) -> io::Result<()> {
    // SAFETY: it touches no memory. What owned such a descriptor is never used again in this copy.
    if first > last || unsafe { libc::close_range(first, last, 0) } == 0 {
        return Ok(());
    }
    // Before Linux 5.9.
    for number in open_descriptors()? {
        if (first..=last).contains(&number) {
            // SAFETY: as above; one that is closed by now is an error without effect.
            unsafe {
                libc::close(number as RawFd);
            }
        }
    }
    Ok(())
}

/// The numbers of the descriptors that are open now.
fn open_descriptors() -> io::Result<Vec<libc::c_uint>> {
    let listed = std::fs::read_dir("/proc/self/fd")?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
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
    for number in open_descriptors()?.into_iter().filter(|number| *number > 2) {
        // SAFETY: as above; a descriptor that is closed by now is an error without effect.
        unsafe {
            libc::fcntl(number as RawFd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}
