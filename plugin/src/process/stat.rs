//! The kernel's facts about any process in `/proc/PID/stat` (proc_pid_stat(5)).

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// The name of a program as in the kernel: at most 15 bytes, the rest is zero.
pub(crate) type Name = [u8; 16];

/// The time now, as of the start of a process: in clock ticks since boot.
pub(crate) fn ticks_now() -> Option<u64> {
    let per_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let uptime = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    Some(uptime.as_secs() * per_second + u64::from(uptime.subsec_nanos()) * per_second / 1_000_000_000)
}

/// The facts about a process at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    state: char,
    /// The kernel's name of its program; it changes when the process executes another one.
    pub(crate) name: Name,
    /// The number of its parent.
    pub(crate) parent: i32,
    /// Its start time, in clock ticks since boot.
    pub(crate) started: u64,
    /// Whether it has been killed, which the kernel does as soon as it can.
    killed: bool,
}

impl Stat {
    /// The facts about the process with this number; `None` if there is none.
    pub(crate) fn of(pid: i32) -> Option<Stat> {
        Stat::at(&format!("/proc/{pid}/stat"))
    }

    /// The facts about a thread of this process; `None` if it has ended.
    pub(crate) fn of_thread(thread_id: i32) -> Option<Stat> {
        Stat::at(&format!("/proc/self/task/{thread_id}/stat"))
    }

    fn at(path: &str) -> Option<Stat> {
        // It has at most 16 bytes for the name and 21 for each of some fifty numbers.
        let mut text = [0; 2048];
        let length = File::open(path).ok()?.read(&mut text).ok()?;
        Stat::parse(&text[..length])
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The second field, the name in parentheses, may hold any bytes; so its end is searched from the end
        // of the line.
        let name_ends = text.iter().rposition(|byte| *byte == b')')?;
        let name_begins = text.iter().position(|byte| *byte == b'(')? + 1;
        let mut name = Name::default();
        let length = name_ends.checked_sub(name_begins)?.min(name.len());
        name[..length].copy_from_slice(&text[name_begins..name_begins + length]);
        let mut fields = str::from_utf8(text.get(name_ends + 2..)?).ok()?.split(' ');
        Some(Stat {
            name,
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            // Field 22.
            started: fields.nth(17)?.parse().ok()?,
            // Field 31: the pending signals.
            killed: fields.nth(8)?.parse::<u64>().ok()? & 1 << (Signal::SIGKILL as u64 - 1) != 0,
        })
    }

    /// Whether it waits in a way that a signal can end.
    pub(crate) fn sleeps(&self) -> bool {
        self.state == 'S'
    }

    /// Whether it has ended, though its parent has not reaped it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// Whether it has ended, or will as soon as the kernel can: one of its threads may wait for a disk.
    pub(crate) fn is_ending(&self) -> bool {
        self.has_ended() || self.killed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_is_never_taken_for_another_field() {
        let line =
            b"12 (a) Z 1 (b\xff)) S 7 12 12 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 99 1 2 3 4 5 6 7 256 0\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.started), ('S', 7, 4711));
        assert_eq!(stat.name, *b"a) Z 1 (b\xff)\0\0\0\0\0");
        assert!(stat.killed && stat.is_ending() && !stat.has_ended());
        for line in ["", "12 (a", "12 (a)", "12 (a) S", "12 (a) S x 1"] {
            assert_eq!(Stat::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn this_process_lives_and_has_a_parent() {
        let stat = Stat::of(std::process::id() as i32).unwrap();
        assert!(!stat.has_ended() && !stat.is_ending());
        assert_eq!(stat.parent, nix::unistd::getppid().as_raw());
        assert_eq!(Stat::of(i32::MAX), None);
    }
}
