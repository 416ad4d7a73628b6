//! Hearing from runners that a stage is over: events that wait for it go on, it is counted, and what
//! failed is logged.

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::{io, iter};

use tokio::net::UnixDatagram;

use super::Observer;
use super::aside::aside;
use super::waiting::{Receiver, Sender, channel};
use crate::ledger::{
    EntryDirectory, Header, Ledger, LedgerError, Line, Notification, Record, StageResult, Trigger,
};
use crate::model::Stage;
use crate::runner::failures;
use crate::trust::access::Use;

/// How long what has notification first is not looked into. When a stage is over, its container's start or stop
/// goes on, which needs the processors more than the counting does.
const LATER: Duration = Duration::from_millis(50);

/// How many may wait to be looked into; the ledger may hang.
const MAX_WAITING: usize = 4096;

/// Hears what rings in `ledger` until it is dropped; what has notification until then is still looked into.
///
/// # Errors
/// The socket cannot be made, or there can be no further thread.
pub(super) async fn hear(ledger: Ledger, observer: Arc<Observer>) -> io::Result<()> {
    let here = ledger.clone();
    let made = aside(async move {
        let root = here.root();
        let _access = Use::Write.begin(root).map_err(|hangs| hangs.of(root))?;
        UnixDatagram::from_std(here.notification_socket()?)
    });
    let socket = made.await.ok_or_else(|| io::Error::other("it panicked"))??;
    let notifications = look_into(ledger, observer.clone())?;
    let mut message = [0; Notification::MAX_SIZE];
    loop {
        let length = socket.recv(&mut message).await?;
        // None of a later release, perhaps.
        if let Some(notification) = Notification::parse(&message[..length]) {
            if let Some(trouble) = &notification.trouble {
                observer
                    .plugin()
                    .cannot_record(&notification.id, notification.stage, trouble);
                continue;
            }
            observer.plugin().reported(&notification.id);
            if !notifications.send(notification) {
                tracing::warn!("how a stage ended is not counted: the ledger is not read fast enough");
            }
        }
    }
}

/// What has notification, on its way to be looked into.
pub(super) struct Notifications {
    sender: Sender<Notification>,
    observer: Arc<Observer>,
}

impl Notifications {
    /// Returns whether there was room for it.
    pub(super) fn send(&self, notification: Notification) -> bool {
        self.observer.begin_counting();
        let is_sent = self.sender.send(notification);
        if !is_sent {
            self.observer.end_counting();
        }
        is_sent
    }
}

/// Has what is sent looked into, on a thread that ends when nothing can be sent any more.
///
/// # Errors
/// There can be no further thread.
pub(super) fn look_into(ledger: Ledger, observer: Arc<Observer>) -> io::Result<Notifications> {
    let (sender, notifications) = channel(MAX_WAITING);
    let thread = thread::Builder::new().name("stages".into());
    let of_thread = observer.clone();
    thread.spawn(move || look_into_all(&ledger, &of_thread, &notifications))?;
    Ok(Notifications { sender, observer })
}

fn look_into_all(ledger: &Ledger, observer: &Observer, notifications: &Receiver<Notification>) {
    while let Some(first) = notifications.receive() {
        thread::sleep(LATER);
        for notification in iter::once(first).chain(iter::from_fn(|| notifications.receive_at_once())) {
            if let Err(error) = take(ledger, &notification, observer) {
                tracing::warn!(id = %notification.id, stage = %notification.stage, %error, "how a stage ended cannot be told");
            }
            observer.end_counting();
        }
    }
}

fn take(ledger: &Ledger, notification: &Notification, observer: &Observer) -> Result<(), LedgerError> {
    let Some(directory) = directory(ledger, notification)? else {
        return Ok(());
    };
    let Some(record) = directory.record(notification.stage)? else {
        return Ok(());
    };
    let header = directory.header()?;
    for run in record.runs() {
        if let Some(end) = run.ended {
            let took = end.at.since(run.began);
            observer.ran(notification.stage, (run.path, run.file), end.outcome, took);
        }
    }
    if let Some(result) = record.finished() {
        observer.over(notification.stage, result, record.event_timeouts().count());
        tell(&header, notification.stage, &record, result, observer);
    }
    Ok(())
}

/// The container's files, which may have gone to the past meanwhile.
fn directory(ledger: &Ledger, notification: &Notification) -> Result<Option<EntryDirectory>, LedgerError> {
    match ledger.find(&notification.id)? {
        None => ledger.find_archived(&notification.id),
        found => Ok(found),
    }
}

/// Logs what failed. What a runner told that the daemon had started is logged there already.
fn tell(header: &Header, stage: Stage, record: &Record, result: &StageResult, observer: &Observer) {
    let mut told = failures(header, stage, record);
    if let StageResult::Skipped { reason } = result {
        told.push(format!("{stage} hooks were skipped: {reason}"));
    }
    if let Some(last) = told.last() {
        observer.failed(last);
    }
    let by = started_by(record).unwrap_or(Trigger::Oci);
    let identity = &header.identity;
    let (namespace, pod) = (&*identity.namespace, &*identity.pod);
    let (container, id) = (&*identity.container, identity.id.as_str());
    let _about = tracing::error_span!("container", namespace, pod, container, id).entered();
    for failure in told {
        tracing::warn!(%stage, by = %by, "{failure}");
    }
}

/// What started the runner that ended the stage.
fn started_by(record: &Record) -> Option<Trigger> {
    record.lines.iter().rev().find_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    })
}
