//! Notifies the service manager, if there is one: passes the daemon's messages on, and reports that the
//! front runs.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The protocol of sd_notify(3). No message is sent twice, and none waits.
#[derive(Debug)]
pub(super) struct Manager {
    peer: Option<UnixDatagram>,
    /// The interval in which it expects a message from the front, and the time of the next one.
    watchdog: Option<(Duration, Instant)>,
}

impl Manager {
    /// The service manager of this process.
    pub(super) fn from_env() -> Manager {
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Manager {
            peer: peer(),
            watchdog: limit.map(|limit| (limit / 2, Instant::now())),
        }
    }

    /// Passes on a message of the daemon.
    pub(super) fn notify(&self, state: &str) {
        if let Some(socket) = &self.peer {
            let _ = socket.send(state.as_bytes());
        }
    }

    /// The time of the front's next message.
    pub(super) fn due(&self) -> Option<Instant> {
        self.watchdog.map(|(_, due)| due)
    }

    /// Reports that the front runs, if that is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if let Some((interval, due)) = &mut self.watchdog
            && *due <= now
        {
            *due = now + *interval;
            self.notify("WATCHDOG=1");
        }
    }
}

/// The socket is connected at once: the front may leave the mount namespace in which the name leads to the
/// manager.
fn peer() -> Option<UnixDatagram> {
    let name = env::var_os("NOTIFY_SOCKET")?;
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&address.ok()?).ok()?;
    Some(socket)
}
