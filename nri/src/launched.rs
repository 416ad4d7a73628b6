//! A plugin that the runtime launched, on the socket it inherited.

use std::env;
use std::fs;
use std::future::{Future, pending};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{SockType, getsockopt, sockopt};

use crate::error::Error;
use crate::identity::Identity;
use crate::plugin::Plugin;
use crate::runtime::RuntimeHandle;
use crate::session::{self, End};
use crate::workers::Workers;

const SOCKET: &str = "NRI_PLUGIN_SOCKET";
const NAME: &str = "NRI_PLUGIN_NAME";
const INDEX: &str = "NRI_PLUGIN_IDX";

/// A plugin that the runtime launched from its plugin directory: connected already, named by its file, and alive as
/// long as its connection.
///
/// ```no_run
/// # use containerd_nri::{Configuration, Context, EventMask, Launched, Plugin, Status, Subscription};
/// # struct Mine;
/// # impl Plugin for Mine {
/// #     async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
/// #         Ok(EventMask::ALL.into())
/// #     }
/// # }
/// # async fn example() -> Result<(), containerd_nri::Error> {
/// if let Some(launched) = Launched::from_env()? {
///     launched.run(Mine).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a launched plugin does nothing until it is run"]
pub struct Launched {
    identity: Identity,
    socket: UnixStream,
    runtime: RuntimeHandle,
}

impl Launched {
    /// A plugin on a socket that is already connected to the runtime, in any way. It lives as long as the
    /// connection.
    pub fn with_socket(identity: Identity, socket: UnixStream) -> Self {
        let runtime = RuntimeHandle::new();
        Self {
            identity,
            socket,
            runtime,
        }
    }

    /// A way to call the runtime, and to watch the connection.
    pub fn runtime(&self) -> RuntimeHandle {
        self.runtime.clone()
    }

    /// Uses the socket that the environment names. Returns `None` if this process was not launched by a
    /// runtime, that is without `NRI_PLUGIN_SOCKET`.
    ///
    /// # Errors
    /// [`Error::Launch`] if one of `NRI_PLUGIN_SOCKET`, `NRI_PLUGIN_NAME` and `NRI_PLUGIN_IDX` is invalid, or
    /// if the socket is already in use by this process.
    pub fn from_env() -> Result<Option<Self>, Error> {
        static TAKEN: AtomicBool = AtomicBool::new(false);

        let Some(value) = env::var_os(SOCKET) else {
            return Ok(None);
        };
        let value = value.to_string_lossy().into_owned();
        let failed = |problem: String| Error::Launch {
            variable: SOCKET,
            value: value.clone(),
            problem,
        };
        let identity = Identity {
            name: parsed(NAME)?,
            index: parsed(INDEX)?,
        };
        let fd = inherited_socket(&value).map_err(failed)?;
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Err(failed("the socket was taken over before".into()));
        }
        // SAFETY: the descriptor is open, as just checked, and the flag above makes this its only owner in
        // this process: it was inherited for this purpose, and no other code knows its number.
        #[allow(unsafe_code)]
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let socket = usable(fd).map_err(failed)?;
        Ok(Some(Self::with_socket(identity, socket)))
    }

    /// The name and index by which the runtime launched the plugin.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Runs until the runtime closes the connection.
    ///
    /// # Errors
    /// Every other reason for its end.
    pub async fn run<P: Plugin>(self, plugin: impl Into<Arc<P>>) -> Result<(), Error> {
        self.run_until(plugin, pending()).await
    }

    /// Runs until the runtime closes the connection, or `stop` is ready. Then the requests already received are
    /// answered, for at most 2 s. Dropping the future closes the connection at once.
    ///
    /// Needs a tokio runtime with I/O and time; one thread is enough.
    ///
    /// # Errors
    /// Every other reason for its end.
    pub async fn run_until<P: Plugin>(
        self,
        plugin: impl Into<Arc<P>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        self.socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixStream::from_std(self.socket)?;
        let workers = Workers::new();
        match session::run(
            plugin.into(),
            &workers,
            &self.identity,
            &self.runtime,
            socket,
            pin!(stop),
        )
        .await
        {
            End::Stopped
            | End::Failed {
                reason: Error::Closed,
                ..
            } => Ok(()),
            End::Failed { reason, .. } => Err(reason),
        }
    }
}

/// An environment variable that is one half of the plugin's identity.
fn parsed<T: std::str::FromStr<Err: ToString>>(variable: &'static str) -> Result<T, Error> {
    let value = env::var_os(variable)
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    value.parse().map_err(|error: T::Err| Error::Launch {
        variable,
        value,
        problem: error.to_string(),
    })
}

/// The number of an open descriptor that is a socket.
fn inherited_socket(value: &str) -> Result<RawFd, String> {
    let fd: RawFd = value
        .parse()
        .map_err(|_| "expected the number of a descriptor".to_owned())?;
    let link = fs::read_link(format!("/proc/self/fd/{fd}"))
        .map_err(|error| format!("the descriptor is not open: {error}"))?;
    if !link.to_string_lossy().starts_with("socket:") {
        return Err(format!("the descriptor is not a socket, but {}", link.display()));
    }
    Ok(fd)
}

/// A connected unix stream socket, ready for use: non-blocking, and not inherited by programs that the plugin
/// executes.
fn usable(fd: OwnedFd) -> Result<UnixStream, String> {
    match getsockopt(&fd, sockopt::SockType) {
        Ok(SockType::Stream) => {}
        Ok(other) => return Err(format!("the descriptor is not a stream socket, but {other:?}")),
        Err(error) => return Err(format!("cannot determine the type of the socket: {error}")),
    }
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .map_err(|error| format!("cannot set close-on-exec on the socket: {error}"))?;
    let socket = UnixStream::from(fd);
    socket
        .peer_addr()
        .map_err(|error| format!("the descriptor is not a connected unix socket: {error}"))?;
    socket
        .set_nonblocking(true)
        .map_err(|error| format!("cannot make the socket non-blocking: {error}"))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn only_the_number_of_an_open_socket_is_taken() {
        let file = fs::File::open("/dev/null").unwrap();
        for (value, problem) in [
            ("three", "expected the number".to_owned()),
            ("-1", "not open".to_owned()),
            ("2147483647", "not open".to_owned()),
            (
                &file.as_raw_fd().to_string(),
                "not a socket, but /dev/null".to_owned(),
            ),
        ] {
            let error = inherited_socket(value).unwrap_err();
            assert!(error.contains(&problem), "{value}: {error}");
        }
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert_eq!(
            inherited_socket(&ours.as_raw_fd().to_string()),
            Ok(ours.as_raw_fd())
        );
    }

    #[test]
    fn only_a_connected_unix_stream_socket_is_used() {
        let (datagram, _theirs) = UnixDatagram::pair().unwrap();
        assert!(
            usable(datagram.into())
                .unwrap_err()
                .contains("not a stream socket")
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(
            usable(listener.into())
                .unwrap_err()
                .contains("not a connected unix socket")
        );
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(usable(ours.into()).is_ok());
    }

    #[test]
    fn the_socket_is_not_passed_on_to_children() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        fcntl(&ours, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let socket = usable(ours.into()).unwrap();
        assert_eq!(fcntl(&socket, FcntlArg::F_GETFD), Ok(FdFlag::FD_CLOEXEC.bits()));
    }
}
