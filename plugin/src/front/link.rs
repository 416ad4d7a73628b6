//! The daemon's side: requests the connection from the front, and signals the front that the daemon runs.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::{UnixDatagram, UnixStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::absent::Absence;
use super::control::{self, FromDaemon, FromFront, NOTES, Report, VARIABLE};
use super::handover;
use crate::system;

static LINK: OnceLock<Link> = OnceLock::new();

/// The front of this daemon; none if it has none.
pub(crate) fn link() -> Option<&'static Link> {
    LINK.get()
}

/// The front of this daemon.
#[derive(Debug)]
pub(crate) struct Link {
    control: OwnedFd,
    report: Mutex<Report>,
    /// Whether the next Synchronize replaces one that an earlier daemon has answered.
    is_resumed: AtomicBool,
    absence: Absence,
    /// The notes of an earlier daemon.
    notes: Mutex<Option<File>>,
    sessions: OnceLock<AsyncMutex<mpsc::Receiver<Option<UnixStream>>>>,
}

impl Link {
    /// Takes the link to the front from the environment, if this is its daemon; from here on this process
    /// ends with the front. Call it once, before there are other threads.
    ///
    /// # Errors
    /// The environment is invalid.
    pub(crate) fn take() -> io::Result<()> {
        // No front at all, for measurements.
        let Some(value) = env::var_os(VARIABLE).filter(|value| value != "none") else {
            return Ok(());
        };
        let control = descriptor(&value)?;
        set_pdeathsig(Signal::SIGKILL)?;
        // The front waits for some signals by a mask, which its child inherits.
        SigSet::empty().thread_set_mask()?;
        let report = match control::receive(&control)? {
            Some((FromFront::Changed(report), _)) => report,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let link = Link {
            control,
            is_resumed: AtomicBool::new(report.is_resumed),
            absence: Absence::default(),
            notes: Mutex::new(inherited(NOTES)?.map(File::from)),
            report: Mutex::new(report),
            sessions: OnceLock::new(),
        };
        // The front may have ended before.
        control::send(&link.control, &FromDaemon::Began(handover::FORMAT), None)?;
        let _ = LINK.set(link);
        Ok(())
    }

    /// Reads the front's messages, forever; in a task of its own, before [`Link::connect`].
    pub(crate) async fn listen(&'static self) -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(1);
        let _ = self.sessions.set(AsyncMutex::new(receiver));
        // It is a packet socket, which ends with the front; tokio has no other type for it.
        let control = net::UnixDatagram::from(self.control.try_clone()?);
        control.set_nonblocking(true)?;
        let control = UnixDatagram::from_std(control)?;
        loop {
            let received = control.async_io(Interest::READABLE, || control::receive::<FromFront>(&control));
            let Some((message, descriptor)) = received.await? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let session = match (message, descriptor) {
                (FromFront::Session(report), Some(descriptor)) => {
                    self.is_resumed.store(report.is_resumed, Ordering::Relaxed);
                    self.update(report);
                    let socket = net::UnixStream::from(descriptor);
                    socket.set_nonblocking(true)?;
                    Some(UnixStream::from_std(socket)?)
                }
                (FromFront::Changed(report), _) => {
                    self.update(report);
                    continue;
                }
                (FromFront::Upgraded, _) => {
                    tracing::info!("the front has the new release; the plugin stays registered");
                    continue;
                }
                _ => None,
            };
            // The caller may have given up.
            let _ = sender.try_send(session);
        }
    }

    /// A connection to the runtime: that of the front, or a new one to `socket`, which the front holds from
    /// here on. Waits for a runtime whose absence was returned before.
    ///
    /// # Errors
    /// The runtime cannot be connected to, or the front is gone.
    pub(crate) async fn connect(&self, socket: &Path) -> io::Result<UnixStream> {
        if let Some(session) = self.request(&FromDaemon::Wanted, None).await? {
            return Ok(session);
        }
        let runtime = self.absence.connect(socket).await?;
        let session = self.request(&FromDaemon::Connected, Some(runtime)).await?;
        session.ok_or_else(|| io::Error::other("the front of the daemon refused the connection"))
    }

    async fn request(
        &self,
        message: &FromDaemon,
        runtime: Option<UnixStream>,
    ) -> io::Result<Option<UnixStream>> {
        let gone = || io::Error::other("the front of the daemon has ended");
        let mut sessions = self.sessions.get().ok_or_else(gone)?.lock().await;
        // The answer to an abandoned request.
        while sessions.try_recv().is_ok() {}
        control::send(&self.control, message, runtime.as_ref().map(AsFd::as_fd))?;
        sessions.recv().await.ok_or_else(gone)
    }

    /// Reports that the daemon runs. Never waits.
    ///
    /// # Errors
    /// The front does not take it.
    pub(crate) fn alive(&self) -> io::Result<()> {
        control::send(&self.control, &FromDaemon::Alive, None)
    }

    /// Reports that the daemon has entered the host's mount namespace. Never waits.
    ///
    /// # Errors
    /// The front does not take it.
    pub(crate) fn entered_host(&self) -> io::Result<()> {
        control::send(&self.control, &FromDaemon::EnteredHost, None)
    }

    /// Sends `state` to the service manager. Never waits.
    ///
    /// # Errors
    /// The front does not take it.
    pub(crate) fn notify(&self, state: String) -> io::Result<()> {
        control::send(&self.control, &FromDaemon::Notify(state), None)
    }

    /// Reports that the daemon ends with this `status`, and has nothing more to do. Never waits.
    pub(crate) fn ended(&self, status: u8) {
        // A front that does not take it waits for the process.
        let _ = control::send(&self.control, &FromDaemon::Ended(status), None);
    }

    /// Leaves notes for the next daemon on this connection, in place of earlier ones. Touches no file, and
    /// never waits.
    ///
    /// # Errors
    /// The kernel lacks memory, or the front does not take them.
    pub(crate) fn note(&self, notes: &impl Serialize) -> io::Result<()> {
        let memory = File::from(memfd_create("notes", MFdFlags::MFD_CLOEXEC)?);
        let mut writer = BufWriter::new(&memory);
        serde_json::to_writer(&mut writer, notes)?;
        writer.flush()?;
        drop(writer);
        control::send(&self.control, &FromDaemon::Noted, Some(memory.as_fd()))
    }

    /// The notes of an earlier daemon on this connection, once; none if it left none.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn take_notes<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut memory) = notes else { return Ok(None) };
        memory.rewind()?;
        Ok(Some(serde_json::from_reader(BufReader::new(memory))?))
    }

    /// The events since the front began.
    pub(crate) fn report(&self) -> Report {
        *self.lock()
    }

    /// Whether the Synchronize that is handled now replaces one that an earlier daemon has answered.
    pub(crate) fn take_resumed(&self) -> bool {
        self.is_resumed.swap(false, Ordering::Relaxed)
    }

    fn update(&self, now: Report) {
        let before = std::mem::replace(&mut *self.lock(), now);
        if now.answered > before.answered {
            let count = now.answered - before.answered;
            tracing::warn!(
                count,
                "the front answered requests that the daemon did not answer in time"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The descriptor that the variable names; none without the variable.
fn inherited(variable: &str) -> io::Result<Option<OwnedFd>> {
    env::var_os(variable).as_deref().map(descriptor).transpose()
}

fn descriptor(number: &OsStr) -> io::Result<OwnedFd> {
    let number = number.to_str().and_then(|text| text.parse().ok());
    number.map_or_else(
        || Err(io::ErrorKind::InvalidInput.into()),
        system::take_descriptor,
    )
}
