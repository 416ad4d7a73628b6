//! Process functions of the runner that safe libraries do not offer.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::{ForkResult, Pid, fork};

/// Runs `work` in a forked child, which then ends with the status that `work` returns. Returns the child's
/// process id.
///
/// # Errors
/// The kernel cannot start another process, or this process has more than one thread.
pub(crate) fn fork_child(work: impl FnOnce() -> i32) -> io::Result<Pid> {
    require_one_thread()?;
    // SAFETY: this process has one thread, this one, so the child is complete: no lock in it is held by a
    // thread that it lacks.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => end_with(work()),
    }
}

/// From linux/sched.h: the constant of `libc` has a type that is too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Runs `work`, which must end in an execve, in a forked child that starts in `group`, a control group of
/// version 2 by its directory. Waits until the child has executed its program, or has ended with the status
/// that `work` returned. Returns its process id.
///
/// # Errors
/// The kernel cannot start another process, or this process has more than one thread. Or the kernel cannot
/// start a process in a control group (`ENOSYS`, `EINVAL` or `E2BIG` before Linux 5.7).
pub(crate) fn fork_to_exec(group: Option<BorrowedFd<'_>>, work: impl FnOnce() -> i32) -> io::Result<Pid> {
    require_one_thread()?;
    // SAFETY: all of its fields are numbers; 0 is valid, and means that the field is not used.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    // Not CLONE_VM: the child has memory and a stack of its own.
    arguments.flags = libc::CLONE_VFORK as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = group {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: as fork, with the same memory in both processes and nothing shared. This process has one
    // thread, this one, so the child is complete.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of_val(&arguments)) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => end_with(work()),
        pid => Ok(Pid::from_raw(pid as i32)),
    }
}

/// Fails if this process has other threads: they would be missing in a child, in the middle of their work.
fn require_one_thread() -> io::Result<()> {
    // The link count is the number of entries in the directory, plus two (proc_task_getattr). Only this
    // thread could add one.
    if fs::metadata("/proc/self/task")?.nlink() == 3 {
        return Ok(());
    }
    Err(io::Error::other("a process with threads cannot be forked"))
}

fn end_with(status: i32) -> ! {
    // SAFETY: it does not return; the functions that run at exit are left to the parent.
    unsafe { libc::_exit(status) }
}

/// Restores the default effect of every signal, and unblocks all, as a program expects at its start.
pub(crate) fn reset_signals() {
    // The kernel's sigaction: SIG_DFL, no flags, an empty mask. The C library would exclude the signals that
    // it uses itself, and they would stay ignored.
    const DEFAULT: [u64; 4] = [0; 4];
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads DEFAULT, which is as large as its structure, and writes nothing; none of
        // our code is installed. For SIGKILL and SIGSTOP it fails, and changes nothing.
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
    // Fails only for other arguments.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Lets this process wait for its children. It cannot if its parent ignored SIGCHLD: then the kernel reaps
/// them.
pub(crate) fn allow_waiting_for_children() {
    // Fails only for signals that cannot be handled. SAFETY: none of our code is installed.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// Closes every descriptor except the standard three and `except`, so that a forked child holds none that it
/// does not need.
///
/// # Errors
/// The kernel has no `close_range` and no `/proc`.
pub(crate) fn close_descriptors_except(except: &[RawFd]) -> io::Result<()> {
    let mut except: Vec<libc::c_uint> = except
        .iter()
        .filter_map(|number| (*number).try_into().ok())
        .collect();
    except.sort_unstable();
    let mut from = 3;
    for number in except.into_iter().filter(|number| *number >= 3) {
        close_range(from, number - 1)?;
        from = number + 1;
    }
    close_range(from, libc::c_uint::MAX)
}

/// Closes the descriptors from `first` to `last`.
fn close_range(first: libc::c_uint, last: libc::c_uint) -> io::Result<()> {
    // SAFETY: it touches no memory. The owners of these descriptors are never used again in this child.
    if first > last || unsafe { libc::close_range(first, last, 0) } == 0 {
        return Ok(());
    }
    // Before Linux 5.9.
    for number in open_descriptors()? {
        if (first..=last).contains(&number) {
            // SAFETY: as above; a descriptor that is already closed is an error without effect.
            unsafe {
                libc::close(number as RawFd);
            }
        }
    }
    Ok(())
}

/// The numbers of all open descriptors.
fn open_descriptors() -> io::Result<Vec<libc::c_uint>> {
    let listed = fs::read_dir("/proc/self/fd")?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// Marks every descriptor except the standard three to be closed when another program is executed.
///
/// # Errors
/// The kernel has no `close_range` and no `/proc`.
pub(crate) fn close_descriptors_on_exec() -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC as i32;
    // SAFETY: it changes a flag of descriptors and touches no memory.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, flag) } == 0 {
        return Ok(());
    }
    // Before Linux 5.11.
    for number in open_descriptors()?.into_iter().filter(|number| *number > 2) {
        // SAFETY: as above; a descriptor that is already closed is an error without effect.
        unsafe {
            libc::fcntl(number as RawFd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}
