//! What the kernel tells of any process in `/proc/PID/stat` (proc_pid_stat(5)).

use std::fs::File;
use std::io::Read;

/// A process at the moment it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    state: char,
    /// The number of its parent.
    pub(super) parent: i32,
    /// When it began, in clock ticks since boot.
    pub(super) started: u64,
}

impl Stat {
    /// Of the process with this number; `None` if there is none.
    pub(super) fn of(pid: i32) -> Option<Stat> {
        // It is at most 16 for the name and 21 for each of some fifty numbers.
        let mut text = [0; 2048];
        let length = File::open(format!("/proc/{pid}/stat"))
            .ok()?
            .read(&mut text)
            .ok()?;
        Stat::parse(&text[..length])
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The second field, the name in parentheses, may hold any bytes; so it is left behind from
        // the end.
        let name_ends = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = str::from_utf8(text.get(name_ends + 2..)?).ok()?.split(' ');
        Some(Stat {
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            // Field 22.
            started: fields.nth(17)?.parse().ok()?,
        })
    }

    /// Whether a signal has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    /// Whether it has ended, though its parent has not taken that in.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_process_is_taken_for_what_follows_it() {
        let line = b"12 (a) Z 1 (b\xff)) S 7 12 12 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 99 1\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.started), ('S', 7, 4711));
        for line in ["", "12 (a", "12 (a)", "12 (a) S", "12 (a) S x 1"] {
            assert_eq!(Stat::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn this_process_lives_and_has_a_parent() {
        let stat = Stat::of(std::process::id() as i32).unwrap();
        assert!(!stat.has_ended());
        assert_eq!(stat.parent, nix::unistd::getppid().as_raw());
        assert_eq!(Stat::of(i32::MAX), None);
    }
}
