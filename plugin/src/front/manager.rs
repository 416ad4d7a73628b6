//! The service manager, if there is one: what the daemon has for it, and that the front runs.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// As sd_notify(3) has it. Nothing is said twice, and nothing waits.
#[derive(Debug)]
pub(super) struct Manager {
    peer: Option<UnixDatagram>,
    /// How often it wants to hear from the front, and when it does next.
    watchdog: Option<(Duration, Instant)>,
}

impl Manager {
    /// That of this process.
    pub(super) fn from_env() -> Manager {
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Manager {
            peer: peer(),
            watchdog: limit.map(|limit| (limit / 2, Instant::now())),
        }
    }

    /// Passes on what the daemon says.
    pub(super) fn notify(&self, state: &str) {
        if let Some(socket) = &self.peer {
            let _ = socket.send(state.as_bytes());
        }
    }

    /// When it is to hear from the front.
    pub(super) fn due(&self) -> Option<Instant> {
        self.watchdog.map(|(_, due)| due)
    }

    /// Says that the front runs, if that is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if let Some((interval, due)) = &mut self.watchdog
            && *due <= now
        {
            *due = now + *interval;
            self.notify("WATCHDOG=1");
        }
    }
}

/// Connected at once: the front may leave the mount namespace in which the name leads to the manager.
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
