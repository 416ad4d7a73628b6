//! The processes that a soak kills beside plugin and runtime.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::node::Node;

/// How long a process of the wanted kind is looked for.
const HUNT: Duration = Duration::from_millis(800);

/// How often.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A kind of process that serves one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A runner that its OCI runtime waits for.
    Runner,
    /// A detached copy of a runner that holds a start.
    Holder,
    /// The shim of a pod.
    Shim,
}

/// A process that was found.
#[derive(Debug)]
pub(super) struct Victim {
    pid: i32,
    /// The id of the pod of a shim; else empty.
    pub(super) pod: String,
}

/// The known figures of one process.
struct Seen {
    arguments: Vec<String>,
    parent: i32,
    session: i32,
}

impl Victim {
    /// Looks for a process of this kind in `node`; `None` if there is none for a while.
    ///
    /// # Errors
    /// The node has ended.
    pub(super) async fn find(node: &Node, kind: Kind) -> Result<Option<Victim>> {
        let namespace = namespace(node.init()).context("the node has ended")?;
        let begin = Instant::now();
        while begin.elapsed() < HUNT {
            let found = processes()?
                .filter(|pid| self::namespace(*pid).as_ref() == Some(&namespace))
                .find_map(|pid| victim(pid, kind));
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(None)
    }

    /// Kills it, if it still is what was found. Returns whether it was.
    pub(super) fn kill(&self, kind: Kind) -> bool {
        let pidfd = Pid::from_raw(self.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // Looked at again: the number may have been given to another process before.
        let is_same = victim(self.pid, kind).is_some_and(|found| found.pod == self.pod);
        pidfd.is_some_and(|pidfd| is_same && pidfd_send_signal(pidfd, Signal::KILL).is_ok())
    }
}

fn processes() -> Result<impl Iterator<Item = i32>> {
    let listed = fs::read_dir("/proc").context("read /proc")?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()))
}

fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The process, if it is of this kind.
fn victim(pid: i32, kind: Kind) -> Option<Victim> {
    let seen = Seen::of(pid)?;
    let is_of_kind = match kind {
        Kind::Shim => seen.is_shim(),
        // A supervisor's parent is a runner or a holder.
        _ if !seen.is_stage() || Seen::of(seen.parent).is_some_and(|parent| parent.is_stage()) => false,
        // A runner leads its session, which a holder of a start has from it.
        Kind::Runner => seen.session == pid,
        Kind::Holder => seen.session != pid,
    };
    let pod = seen.value("-id").unwrap_or_default().to_owned();
    is_of_kind.then_some(Victim { pid, pod })
}

impl Seen {
    fn of(pid: i32) -> Option<Seen> {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some(Seen {
            arguments: line.split_terminator('\0').map(str::to_owned).collect(),
            parent,
            session,
        })
    }

    fn is_stage(&self) -> bool {
        self.arguments.get(1).is_some_and(|word| word == "stage")
    }

    fn is_shim(&self) -> bool {
        let program = self
            .arguments
            .first()
            .is_some_and(|it| it.contains("containerd-shim"));
        let is_command = |word: &String| ["start", "delete"].contains(&word.as_str());
        program && self.value("-id").is_some() && !self.arguments.iter().any(is_command)
    }

    fn value(&self, option: &str) -> Option<&str> {
        let mut arguments = self.arguments.iter();
        arguments.find(|argument| *argument == option)?;
        arguments.next().map(String::as_str)
    }
}
