//! What the service manager is told: systemd, or whoever else has set `NOTIFY_SOCKET`, as sd_notify(3) says.
//!
//! Without that variable nobody is told anything. Hooks and runners do not get it: their environment is their own.

use std::future::pending;
use std::path::Path;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::diagnostic::{one_line, shown};

/// It has started, and looks for the runtime at `socket`.
pub fn starting(socket: &Path) {
    tell(&[NotifyState::Status(&format!(
        "no runtime yet at {}; containers are created without hooks",
        shown(&socket.to_string_lossy())
    ))]);
}

/// The runtime calls it for every container from now on: what waits for it (kubelet) may begin.
pub(super) fn ready(runtime: &str) {
    let status = format!("connected to {runtime}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The runtime no longer does. It stays ready for the service manager, which could not mend it.
pub(super) fn disconnected(reason: &str) {
    tell(&[NotifyState::Status(&format!(
        "disconnected, and connecting anew: {}; containers are created without hooks",
        one_line(reason)
    ))]);
}

/// It ends because it was asked to.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the daemon is alive, for ever, twice as often as the service manager wants to hear it; never if it does
/// not want to. Run in the thread that answers the runtime, it falls silent when that hangs.
pub async fn stay_alive() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return pending().await;
    };
    let mut ticks = interval(limit / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!(%error, "the service manager cannot be told how the daemon is");
    }
}
