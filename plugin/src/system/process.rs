//! Processes: what a runner needs that safe libraries do not offer.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::{ForkResult, Pid, fork};

/// Does `work` in a copy of this process, which then ends with the status that `work` returns.
/// Returns the copy's process id.
///
/// # Errors
/// The kernel has no room for another process, or this process has more than one thread.
pub fn in_a_copy(work: impl FnOnce() -> i32) -> io::Result<Pid> {
    require_one_thread()?;
    // SAFETY: this process has one thread, this one, so the copy is whole: no lock in it is held by a thread
    // that it does not have.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => end_with(work()),
    }
}

/// As in linux/sched.h: the constant of `libc` is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Does `work`, which is to end in an execve, in a copy of this process that begins its life in `group`, a
/// control group of version 2 by its directory. Waits until it has executed its program, or has ended with
/// the status that `work` returned. Returns its process id.
///
/// # Errors
/// The kernel has no room for another process, this process has more than one thread, or the kernel does not
/// start a process in a control group (`ENOSYS`, `EINVAL` or `E2BIG` before Linux 5.7).
pub fn in_a_copy_to_be_replaced(
    group: Option<BorrowedFd<'_>>,
    work: impl FnOnce() -> i32,
) -> io::Result<Pid> {
    require_one_thread()?;
    // SAFETY: all of its fields are numbers, for which 0 is a value: that of leaving the field out.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    // Not CLONE_VM: the copy has memory and a stack of its own.
    arguments.flags = libc::CLONE_VFORK as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = group {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: as fork, with the same memory in both processes and nothing shared. This process has one
    // thread, this one, so the copy is whole.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of_val(&arguments)) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => end_with(work()),
        pid => Ok(Pid::from_raw(pid as i32)),
    }
}

/// Fails if this process has other threads: what they do at this moment would be missing in a copy.
fn require_one_thread() -> io::Result<()> {
    // It is the number of entries in it, and two (proc_task_getattr). Only this thread could add one.
    if fs::metadata("/proc/self/task")?.nlink() == 3 {
        return Ok(());
    }
    Err(io::Error::other("a process with threads cannot be copied"))
}

fn end_with(status: i32) -> ! {
    // SAFETY: it does not return; it leaves to the original what is to be done at exit.
    unsafe { libc::_exit(status) }
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
    let listed = fs::read_dir("/proc/self/fd")?;
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
