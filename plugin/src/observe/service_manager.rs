//! Notifies the service manager: systemd, or any other that has set `NOTIFY_SOCKET`, as in sd_notify(3).
//!
//! Without that variable, nothing is sent. Hooks and runners do not get it, because they have an environment
//! of their own. A service manager that does not read blocks only a thread of its own.

use std::env;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::front;
use crate::model::{escaped, one_line};

/// The maximum number of waiting messages; the service manager would not receive further ones in time anyway.
const MAX_WAITING: usize = 16;

/// The maximum time that the end waits until the service manager has received it.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

enum News {
    /// Ready, with its status.
    Ready(String),
    Status(String),
    /// Answered after it was sent.
    Stopping(SyncSender<()>),
}

/// The daemon has started, and looks for the runtime at `socket`.
pub(crate) fn starting(socket: &Path) {
    send(News::Status(format!(
        "no runtime yet at {}; containers get no hooks",
        escaped(&socket.to_string_lossy())
    )));
}

/// The runtime calls the daemon for every container from now on: dependent services (kubelet) may start.
pub(super) fn ready(runtime: &str) {
    send(News::Ready(format!("connected to {runtime}")));
}

/// The runtime no longer calls it. It stays ready for the service manager, which could not fix it.
pub(super) fn disconnected(reason: &str) {
    send(News::Status(format!(
        "disconnected, connecting again; containers get no hooks: {}",
        one_line(reason)
    )));
}

/// It ends because that was requested.
pub(crate) fn stopping() {
    let (done, sent) = sync_channel(1);
    if send(News::Stopping(done)) {
        let _ = sent.recv_timeout(STOP_TIMEOUT);
    }
}

/// Returns whether it will be sent.
fn send(news: News) -> bool {
    static SENDER: OnceLock<Option<SyncSender<News>>> = OnceLock::new();
    let sender = SENDER.get_or_init(|| {
        env::var_os("NOTIFY_SOCKET")?;
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let thread = thread::Builder::new().name("notify".into());
        thread
            .stack_size(128 * 1024)
            .spawn(move || pass_on(&receiver))
            .inspect_err(|error| tracing::warn!(%error, "cannot notify the service manager"))
            .ok()?;
        Some(sender)
    });
    sender
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
            tracing::warn!(%error, "cannot notify the service manager");
        }
        if let News::Stopping(done) = news {
            let _ = done.send(());
        }
    }
}

/// The service manager accepts messages of the front, if there is one.
fn notify(states: &[NotifyState]) -> io::Result<()> {
    match front::link() {
        Some(link) => link.notify(states.iter().map(|state| format!("{state}\n")).collect()),
        None => sd_notify::notify(states),
    }
}
