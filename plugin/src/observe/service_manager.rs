//! What the service manager is told: systemd, or whoever else has set `NOTIFY_SOCKET`, as sd_notify(3) says.
//!
//! Without that variable nobody is told anything. Hooks and runners do not get it: their environment is their own.
//! A service manager that does not read holds up a thread of its own alone.

use std::env;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::front;
use crate::model::{one_line, shown};

/// How much news wait at most; of further ones, the service manager would not hear in time anyway.
const MAX_NEWS: usize = 16;

/// How long the end waits until the service manager knows of it.
const FAREWELL: Duration = Duration::from_millis(100);

enum News {
    /// Ready, with its status.
    Ready(String),
    Status(String),
    /// Answered when it was told.
    Stopping(SyncSender<()>),
}

/// It has started, and looks for the runtime at `socket`.
pub fn starting(socket: &Path) {
    tell(News::Status(format!(
        "no runtime yet at {}; containers are created without hooks",
        shown(&socket.to_string_lossy())
    )));
}

/// The runtime calls it for every container from now on: what waits for it (kubelet) may begin.
pub(super) fn ready(runtime: &str) {
    tell(News::Ready(format!("connected to {runtime}")));
}

/// The runtime no longer does. It stays ready for the service manager, which could not mend it.
pub(super) fn disconnected(reason: &str) {
    tell(News::Status(format!(
        "disconnected, and connecting anew: {}; containers are created without hooks",
        one_line(reason)
    )));
}

/// It ends because it was asked to.
pub fn stopping() {
    let (done, told) = sync_channel(1);
    if tell(News::Stopping(done)) {
        let _ = told.recv_timeout(FAREWELL);
    }
}

/// Returns whether it will be told.
fn tell(news: News) -> bool {
    static TELLING: OnceLock<Option<SyncSender<News>>> = OnceLock::new();
    let telling = TELLING.get_or_init(|| {
        env::var_os("NOTIFY_SOCKET")?;
        let (sender, receiver) = sync_channel(MAX_NEWS);
        let thread = thread::Builder::new().name("notify".into());
        thread
            .stack_size(128 * 1024)
            .spawn(move || pass_on(&receiver))
            .inspect_err(
                |error| tracing::warn!(%error, "the service manager cannot be told how the daemon is"),
            )
            .ok()?;
        Some(sender)
    });
    telling
        .as_ref()
        .is_some_and(|sender| sender.try_send(news).is_ok())
}

fn pass_on(news: &Receiver<News>) {
    for news in news {
        let states: &[NotifyState] = match &news {
            News::Ready(status) => &[NotifyState::Ready, NotifyState::Status(status)],
            News::Status(status) => &[NotifyState::Status(status)],
            News::Stopping(_) => &[NotifyState::Stopping],
        };
        if let Err(error) = notify(states) {
            tracing::warn!(%error, "the service manager cannot be told how the daemon is");
        }
        if let News::Stopping(done) = news {
            let _ = done.send(());
        }
    }
}

/// The service manager listens to the front, if there is one.
fn notify(states: &[NotifyState]) -> io::Result<()> {
    match front::link() {
        Some(link) => link.notify(states.iter().map(|state| format!("{state}\n")).collect()),
        None => sd_notify::notify(states),
    }
}
