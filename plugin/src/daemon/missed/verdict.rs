//! Decides whether a container should have hooks that it does not have, and the action for it.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::config::MissedAction;
use crate::ledger::{BootId, DecidedSince};
use crate::model::ProcessId;

/// The known facts about one container that carries no mark of this plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'s> {
    /// Its init; `None` if the runtime reports none, or if it has ended.
    pub(super) init: Option<ProcessId>,
    /// The state of the container in the ledger.
    pub(super) entry: Entry,
    /// Whether a daemon decided at its creation that it gets no hooks.
    pub(super) was_decided: bool,
    /// The hooks that the active configuration gives it.
    pub(super) hooks: &'s Hooks,
    /// Whether its namespace is among `exclude_namespaces`.
    pub(super) is_excluded: bool,
    /// Whether the kubelet certainly creates the pod's containers again when they end.
    pub(super) always_restarts: bool,
    /// This daemon.
    pub(super) daemon: &'s Daemon,
}

/// The state of a container in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    None,
    /// It is registered.
    Registered,
    /// It is registered and runs, and its OCI runtime started none of its runners.
    NothingRan,
}

/// The hooks that the active configuration gives a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hooks {
    None,
    Some,
    /// It would be refused, for this reason.
    Refused(String),
}

/// The facts that are the same for all containers.
#[derive(Debug, Clone)]
pub(super) struct Daemon {
    /// The daemon's process.
    pub(super) process: ProcessId,
    pub(super) boot: BootId,
    /// The time since when decisions are noted; `None` if there is no ledger to note them in.
    pub(super) decided_since: Option<DecidedSince>,
    pub(super) action: MissedAction,
    /// The reason why the active configuration is not reliable.
    pub(super) unsound: Option<String>,
}

/// The result of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has its hooks, or a daemon decided that it gets none.
    NotMissed,
    /// The active configuration gives it none: decided from now on.
    DecidedNow,
    /// It lacks its hooks.
    Missed(Why, Then),
}

/// The reason why a container lacks its hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// It was created before the daemon started.
    Before,
    /// It was created while the daemon was not connected.
    Away,
    /// It was created without the daemon, at an unknown time.
    Without,
    /// The runtime did not take the daemon's answer, or its OCI runtime runs no hooks.
    AnswerLost,
    /// It would be refused now, for this reason.
    Refused(String),
}

/// The action for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// Report it.
    Report,
    /// Report it, though `action` is `"restart"`.
    LeaveRunning(Obstacle),
    /// End its init, too.
    End,
}

/// The reason why the init of a container without hooks is not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    Excluded,
    Unsound(String),
    NoLedger,
    BeforeDecisions,
    MayNotRestart,
    NoInit,
    Refused,
    AnswerLost,
    EndedLately,
    NotEnded(String),
}

impl Situation<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let why = match (self.entry, self.hooks) {
            (Entry::NothingRan, _) => Why::AnswerLost,
            (Entry::Registered, _) => return Verdict::NotMissed,
            (Entry::None, _) if self.was_decided => return Verdict::NotMissed,
            (Entry::None, Hooks::None) => return Verdict::DecidedNow,
            (Entry::None, Hooks::Refused(reason)) => Why::Refused(reason.clone()),
            (Entry::None, Hooks::Some) => self.when(),
        };
        let then = match self.daemon.action {
            MissedAction::Report => Then::Report,
            MissedAction::Restart => self.obstacle(&why).map_or(Then::End, Then::LeaveRunning),
        };
        Verdict::Missed(why, then)
    }

    fn when(&self) -> Why {
        match self.init {
            None => Why::Without,
            // In the same tick the daemon was not connected yet.
            Some(init) if init.started <= self.daemon.process.started => Why::Before,
            Some(_) => Why::Away,
        }
    }

    /// The reason why its init is not to be ended; `None` if it is.
    fn obstacle(&self, why: &Why) -> Option<Obstacle> {
        let daemon = self.daemon;
        Some(match (why, self.init, &daemon.decided_since) {
            _ if self.is_excluded => Obstacle::Excluded,
            (Why::AnswerLost, ..) => Obstacle::AnswerLost,
            (Why::Refused(_), ..) => Obstacle::Refused,
            _ if !self.always_restarts => Obstacle::MayNotRestart,
            (.., None) => Obstacle::NoLedger,
            (_, None, _) => Obstacle::NoInit,
            (_, Some(init), Some(since)) if !since.covers(init, &daemon.boot) => Obstacle::BeforeDecisions,
            _ => return daemon.unsound.clone().map(Obstacle::Unsound),
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Before => f.write_str("created before this daemon started"),
            Why::Away => f.write_str("created while the daemon was not connected"),
            Why::Without => f.write_str("created without the daemon"),
            Why::AnswerLost => {
                f.write_str("the runtime did not apply the daemon's answer, or its OCI runtime runs no hooks")
            }
            Why::Refused(reason) => write!(f, "created without the daemon, which would refuse it: {reason}"),
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Then::Report => f.write_str("delete its pod, so that it is created again"),
            Then::End => f.write_str("its init is being ended, so that the kubelet creates it again"),
            Then::LeaveRunning(obstacle) => write!(f, "not restarted: {obstacle}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Excluded => f.write_str("its namespace is excluded"),
            Obstacle::Unsound(reason) => write!(f, "fix the configuration first: {reason}"),
            Obstacle::NoLedger => f.write_str("there is no ledger"),
            Obstacle::BeforeDecisions => f.write_str("it was created before this node had the daemon"),
            Obstacle::MayNotRestart => f.write_str(
                "only pods of a Deployment, DaemonSet or StatefulSet, and static pods, are sure to restart",
            ),
            Obstacle::NoInit => f.write_str("the runtime reports no init process"),
            Obstacle::Refused => f.write_str("the daemon would refuse it"),
            Obstacle::AnswerLost => f.write_str("fix the runtime first"),
            Obstacle::EndedLately => f.write_str("it was restarted within the last hour"),
            Obstacle::NotEnded(reason) => f.write_str(reason),
        }
    }
}
