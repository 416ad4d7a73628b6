//! Ends the inits of containers without hooks, so that the kubelet creates them again.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::OciHooks;
use super::registry::{Connection, WithoutHooks};
use super::verdict::{Obstacle, Then};
use crate::config::MissedAction;
use crate::process::{Init, Pidfd};

/// The maximum number of inits that are ended at a time.
const MAX_AT_ONCE: usize = 4;

/// The time for which a container that was ended is not ended again.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The time for an init that handles SIGTERM to end: the default grace period of Kubernetes.
const GRACE: Duration = Duration::from_secs(30);

/// The time after a Synchronize from which the runtime certainly calls the plugin for new containers.
const SUBSCRIBED_AFTER: Duration = Duration::from_millis(500);

/// The interval of checks whether the runtime is still connected.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// SIGTERM among the signals of `/proc/PID/status`.
const TERM: u64 = 1 << (15 - 1);

/// A container whose init is to be ended.
pub(super) struct ToEnd {
    pub(super) container: Arc<WithoutHooks>,
    pub(super) init: Init,
}

/// Ends the inits of `all`, a few at a time, as long as the runtime stays connected: containers created
/// without it would lack their hooks again. Blocks until it is done.
pub(super) fn end_all(plugin: &OciHooks, connection: Connection, all: Vec<ToEnd>) {
    if all.is_empty() {
        return;
    }
    thread::sleep(SUBSCRIBED_AFTER);
    let threads = all.len().min(MAX_AT_ONCE);
    let queue = Mutex::new(VecDeque::from(all));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        let work = || {
            while let Some(one) = next().filter(|_| plugin.missed().is_connected(connection)) {
                end_one(plugin, connection, &one);
            }
        };
        for _ in 0..threads {
            // Those threads that the kernel allows do the work.
            let _ = thread::Builder::new()
                .name("missed".into())
                .spawn_scoped(scope, work);
        }
    });
}

fn end_one(plugin: &OciHooks, connection: Connection, one: &ToEnd) {
    let WithoutHooks {
        namespace,
        pod,
        container,
        id,
        ..
    } = &*one.container;
    let _about = tracing::error_span!("container", namespace, pod, container, id).entered();
    if let Err(obstacle) = may_end(plugin, &one.container) {
        let then = Then::LeaveRunning(obstacle).to_string();
        tracing::warn!("it still runs without its hooks: {then}");
        return plugin.missed().set_then(id, then);
    }
    tracing::warn!("ending its init, so that the kubelet creates it again with its hooks");
    let pidfd = match one.init.pidfd() {
        Ok(Some(pidfd)) => pidfd,
        Ok(None) => return,
        Err(error) => {
            let obstacle = Obstacle::NotEnded(format!("cannot end its init: {error}"));
            return plugin
                .missed()
                .set_then(id, Then::LeaveRunning(obstacle).to_string());
        }
    };
    if handles_term(one.init) {
        one.init.terminate();
        let began = Instant::now();
        while !ends_within(&pidfd, POLL_INTERVAL) && began.elapsed() < GRACE {
            if !plugin.missed().is_connected(connection) {
                return;
            }
        }
    }
    one.init.kill();
}

/// Notes that the container is ended, if that is allowed now; fails with the reason otherwise.
fn may_end(plugin: &OciHooks, container: &WithoutHooks) -> Result<(), Obstacle> {
    let applied = plugin
        .configuration()
        .up_to_date()
        .map_err(|errors| Obstacle::Unsound(errors.first().map(ToString::to_string).unwrap_or_default()))?;
    applied.selector.refresh();
    if let Some(reason) = plugin.unsound(&applied) {
        return Err(Obstacle::Unsound(reason));
    }
    if applied.selector.config().missed != MissedAction::Restart {
        return Err(Obstacle::NotEnded("missed.action has been changed".into()));
    }
    let containers = applied.ledger.open().map_err(|_| Obstacle::NoLedger)?;
    let name = [&*container.namespace, &container.pod, &container.container];
    match containers.ledger().may_end(&name, INTERVAL) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Obstacle::EndedLately),
        Err(error) => Err(Obstacle::NotEnded(error.to_string())),
    }
}

/// Whether an init has a handler for SIGTERM. The kernel does not deliver the signal to an init without one.
fn handles_term(init: Init) -> bool {
    let status = init
        .pid()
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/status")));
    let status = status.and_then(Result::ok).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & TERM != 0)
}

fn ends_within(pidfd: &Pidfd, limit: Duration) -> bool {
    let mut events = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO);
    poll(&mut events, limit).is_ok_and(|ready| ready > 0)
}
