//! Sends a signal to one process and no other.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::stat::Stat;

/// Sends `signal` to the process with the number `pid` that began at `started`, in clock ticks since boot. If
/// it has ended, no process gets the signal, even if one has its number.
///
/// # Errors
/// The process has ended.
pub(crate) fn send(pid: i32, started: u64, signal: Signal) -> io::Result<()> {
    send_if(pid, signal, || {
        Stat::of(pid).is_some_and(|stat| stat.started == started)
    })
}

/// Sends `signal` to the process with the number `pid` if `is_meant` returns true. From that call on, the
/// number can mean no other process: either this process gets the signal, or none.
///
/// # Errors
/// The process has ended, or is not meant.
pub(crate) fn send_if(pid: i32, signal: Signal, is_meant: impl FnOnce() -> bool) -> io::Result<()> {
    let number = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
    // Before Linux 5.3 there is only the number.
    let process = match pidfd_open(number, PidfdFlags::empty()) {
        Err(Errno::NOSYS) => None,
        process => Some(process?),
    };
    if !is_meant() {
        return Err(io::ErrorKind::NotFound.into());
    }
    match process {
        Some(process) => Ok(pidfd_send_signal(process, signal)?),
        None => Ok(kill_process(number, signal)?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_signal_reaches_the_process_that_began_then_and_no_other_with_its_number() {
        let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = sleep.id().try_into().unwrap();
        let started = Stat::of(pid).unwrap().started;
        let other = send(pid, started + 1, Signal::KILL).unwrap_err();
        assert_eq!(other.kind(), io::ErrorKind::NotFound);
        assert_eq!(sleep.try_wait().unwrap(), None);
        send(pid, started, Signal::USR1).unwrap();
        assert_eq!(sleep.wait().unwrap().signal(), Some(Signal::USR1.as_raw()));
        assert!(send(pid, started, Signal::KILL).is_err(), "it has ended");
    }
}
