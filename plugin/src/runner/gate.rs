//! The gate: the exec FIFO through which runc starts a container, held until poststart is over.
//!
//! `runc create` leaves init blocked in an open of that FIFO for writing. `runc start` (1.0.0 to 1.5) opens
//! it for reading and returns when every writer has closed it. So another process that opens it for writing
//! holds that start, without an NRI event or a daemon.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::{Pid, gettid};

use super::stat::Stat;
use crate::process::Init;

/// The name of the FIFO in runc's directory of the container.
const NAME: &str = "exec.fifo";

/// The maximum time until the kernel counts a writer that opens the FIFO.
const OPEN_TIMEOUT: Duration = Duration::from_millis(200);

/// How often a thread is looked at. On a busy node it may wait for a processor, which is not to be used up by looking.
const POLL_INTERVAL: Duration = Duration::from_micros(50);

/// The exec FIFO of a container that was created and has not executed its program.
#[derive(Debug)]
pub(super) struct Gate {
    /// A descriptor that names the FIFO, and is neither reader nor writer.
    fifo: File,
}

impl Gate {
    /// The FIFO that `init` is about to open; `None` if its OCI runtime uses none.
    ///
    /// init has a descriptor of it until just before it executes the program. So the runner need not know the
    /// OCI runtime's directories.
    pub(super) fn of(init: Init) -> Option<Gate> {
        let directory = format!("/proc/{}/fd", init.pid()?);
        let links = fs::read_dir(directory).ok()?.flatten();
        let path = links
            .map(|link| link.path())
            .find(|link| fs::read_link(link).is_ok_and(|target| target.ends_with(NAME)))?;
        let fifo = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(path)
            .ok()?;
        let is_fifo = fifo.metadata().is_ok_and(|found| found.file_type().is_fifo());
        // This comes last: the FIFO belongs to this init only if init is still alive.
        (is_fifo && init.is_alive()).then_some(Gate { fifo })
    }

    /// Begins to open the FIFO for writing, which ends when the start is requested. After the return, a start
    /// waits.
    ///
    /// # Errors
    /// The kernel lacks descriptors or threads.
    pub(super) fn hold(&self) -> io::Result<Holding> {
        let path = self.path();
        let (opened, opener) = io::pipe()?;
        let (sender, thread_id) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            // No thread receives it if the other side has given up.
            let _ = sender.send(gettid());
            let file = OpenOptions::new().write(true).open(path);
            let mut opener = opener;
            let _ = opener.write_all(b".");
            file
        })?;
        let thread_id = thread_id.recv().ok().map(Pid::as_raw);
        thread_id.into_iter().for_each(await_sleep);
        Ok(Holding {
            thread,
            thread_id,
            opened,
        })
    }

    /// Whether a process has the FIFO open for reading: then a start waits until all writers have closed it.
    pub(super) fn has_reader(&self) -> bool {
        let mut nonblocking = OpenOptions::new();
        nonblocking.write(true).custom_flags(libc::O_NONBLOCK);
        nonblocking.open(self.path()).is_ok()
    }

    /// Lets an open for writing return without a start, because init has ended.
    pub(super) fn abandon(&self) {
        let reader = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(self.path());
        // The reader only had to exist.
        drop(reader);
    }

    /// A descriptor that becomes readable when a writer closes the FIFO: init does, just before it executes
    /// its program.
    ///
    /// # Errors
    /// The node has used up its inotify instances.
    pub(super) fn closing(&self) -> nix::Result<Inotify> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(&self.path(), AddWatchFlags::IN_CLOSE_WRITE)?;
        Ok(inotify)
    }

    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.fifo.as_raw_fd()).into()
    }
}

/// A held start, current or future.
#[derive(Debug)]
pub(super) struct Holding {
    thread: JoinHandle<io::Result<File>>,
    thread_id: Option<i32>,
    opened: PipeReader,
}

impl Holding {
    /// Becomes readable when the FIFO is open.
    pub(super) fn opened(&self) -> BorrowedFd<'_> {
        self.opened.as_fd()
    }

    /// The FIFO, open for writing. Waits until it is open, and until this process has one thread again.
    /// Dropping it ends the hold.
    ///
    /// # Errors
    /// It could not be opened.
    pub(super) fn into_file(self) -> io::Result<File> {
        let joined = self.thread.join();
        self.thread_id.into_iter().for_each(await_end);
        joined.unwrap_or_else(|_| Err(io::Error::other("the thread that opens the FIFO panicked")))
    }
}

/// Waits until the thread sleeps: its open waits for a reader, and the kernel counts it as a writer. There is
/// no other sign.
fn await_sleep(thread_id: i32) {
    let give_up = Instant::now() + OPEN_TIMEOUT;
    while Stat::of_thread(thread_id).is_some_and(|stat| !stat.sleeps()) && Instant::now() < give_up {
        thread::sleep(POLL_INTERVAL);
    }
}

/// Waits until the kernel no longer counts the thread. After a join it may still be ending, and a process
/// with threads starts no hooks.
fn await_end(thread_id: i32) {
    let give_up = Instant::now() + OPEN_TIMEOUT;
    while Stat::of_thread(thread_id).is_some() && Instant::now() < give_up {
        thread::sleep(POLL_INTERVAL);
    }
}
