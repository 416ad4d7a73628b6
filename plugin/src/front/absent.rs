//! Connects to a runtime that may be absent, as soon as it is back.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::model::escaped_path;

/// The interval of attempts. A runtime that is back creates the containers that have waited for it at once,
/// without hooks until the daemon is registered.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The reason of the last failure, as long as it lasts.
#[derive(Debug, Default)]
pub(super) struct Absence(Mutex<Option<io::ErrorKind>>);

impl Absence {
    /// Connects to the runtime at `socket`. Waits for a runtime whose absence was returned before.
    ///
    /// # Errors
    /// It cannot be connected to, and that is new.
    pub(super) async fn connect(&self, socket: &Path) -> io::Result<UnixStream> {
        loop {
            let connected = UnixStream::connect(socket).await;
            let failure = connected.as_ref().err().map(io::Error::kind);
            let before = std::mem::replace(
                &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
                failure,
            );
            match connected {
                Err(_) if before == failure => sleep(POLL_INTERVAL).await,
                connected => return connected.map_err(|error| explained(&error, socket)),
            }
        }
    }
}

fn explained(error: &io::Error, socket: &Path) -> io::Error {
    let socket = escaped_path(socket);
    io::Error::other(format!(
        "cannot connect to the NRI socket {socket}: {error}; is the runtime up, with NRI enabled?"
    ))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::net::UnixListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_absent_runtime_is_an_error_once_and_connected_to_when_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("nri.sock");
        let absence = Absence::default();
        let error = absence.connect(&socket).await.unwrap_err();
        assert!(error.to_string().contains("is the runtime up"), "{error}");

        let mut connecting = pin!(absence.connect(&socket));
        let early = timeout(3 * POLL_INTERVAL, &mut connecting).await;
        assert!(early.is_err(), "{early:?}");
        let listener = UnixListener::bind(&socket).unwrap();
        connecting.await.unwrap();

        // The end of that one is reported again.
        drop(listener);
        absence.connect(&socket).await.unwrap_err();
    }
}
