//! Receives the notifications of runners that a stage is over: lets waiting events continue, counts the
//! stage, and logs failures.

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::{io, iter};

use tokio::net::UnixDatagram;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Observer;
use super::background::in_background;
use crate::ledger::{
    EntryDirectory, Header, Ledger, LedgerError, Line, Notification, Record, StageResult, Trigger,
};
use crate::model::Stage;
use crate::runner::failures;
use crate::trust::access::Use;

/// The delay before a notification is processed. When a stage is over, its container's start or stop
/// continues, which needs the processors more than the counting does.
const DELAY: Duration = Duration::from_millis(50);

/// The maximum number of waiting notifications; the ledger may hang.
const MAX_WAITING: usize = 4096;

/// Receives the notifications in `ledger` until it is dropped; those received until then are still processed.
///
/// # Errors
/// The socket cannot be created, or the thread cannot be started.
pub(super) async fn receive(ledger: Ledger, observer: Arc<Observer>) -> io::Result<()> {
    let here = ledger.clone();
    let made = in_background(async move {
        let root = here.root();
        let _access = Use::Write.begin(root).map_err(|hangs| hangs.of(root))?;
        UnixDatagram::from_std(here.notification_socket()?)
    });
    let socket = made.await.ok_or_else(|| io::Error::other("it panicked"))??;
    let notifications = spawn_processing(ledger, observer.clone())?;
    let mut message = [0; Notification::MAX_SIZE];
    loop {
        let length = socket.recv(&mut message).await?;
        // A message of a later release is ignored.
        if let Some(notification) = Notification::parse(&message[..length]) {
            if let Some(trouble) = &notification.trouble {
                observer
                    .plugin()
                    .cannot_record(&notification.id, notification.stage, trouble);
                continue;
            }
            observer.plugin().reported(&notification.id);
            if !notifications.send(notification) {
                tracing::warn!("the metrics lack the end of a stage: the ledger is not read fast enough");
            }
        }
    }
}

/// Sends received notifications to the thread that processes them.
pub(super) struct Notifications {
    sender: Sender<Notification>,
    observer: Arc<Observer>,
}

impl Notifications {
    /// Returns whether there was space for it.
    pub(super) fn send(&self, notification: Notification) -> bool {
        self.observer.begin_counting();
        let is_sent = self.sender.try_send(notification).is_ok();
        if !is_sent {
            self.observer.end_counting();
        }
        is_sent
    }
}

/// Starts a thread that processes the notifications, and ends when no more can be sent.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn spawn_processing(ledger: Ledger, observer: Arc<Observer>) -> io::Result<Notifications> {
    let (sender, mut notifications) = channel(MAX_WAITING);
    let thread = thread::Builder::new().name("stages".into());
    let of_thread = observer.clone();
    thread.spawn(move || process_all(&ledger, &of_thread, &mut notifications))?;
    Ok(Notifications { sender, observer })
}

fn process_all(ledger: &Ledger, observer: &Observer, notifications: &mut Receiver<Notification>) {
    while let Some(first) = notifications.blocking_recv() {
        thread::sleep(DELAY);
        for notification in iter::once(first).chain(iter::from_fn(|| notifications.try_recv().ok())) {
            if let Err(error) = report_stage(ledger, &notification, observer) {
                tracing::warn!(id = %notification.id, stage = %notification.stage, %error, "cannot report the end of a stage");
            }
            observer.end_counting();
        }
    }
}

fn report_stage(
    ledger: &Ledger,
    notification: &Notification,
    observer: &Observer,
) -> Result<(), LedgerError> {
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
        log_failures(&header, notification.stage, &record, result, observer);
    }
    Ok(())
}

/// The container's files, which may have been archived meanwhile.
fn directory(ledger: &Ledger, notification: &Notification) -> Result<Option<EntryDirectory>, LedgerError> {
    match ledger.find(&notification.id)? {
        None => ledger.find_archived(&notification.id),
        found => Ok(found),
    }
}

/// Logs failures. Those of a runner that the daemon has started are already logged.
fn log_failures(header: &Header, stage: Stage, record: &Record, result: &StageResult, observer: &Observer) {
    let mut lines = failures(header, stage, record);
    if let StageResult::Skipped { reason } = result {
        lines.push(format!("{stage} hooks were skipped: {reason}"));
    }
    if let Some(last) = lines.last() {
        observer.failed(last);
    }
    let by = started_by(record).unwrap_or(Trigger::Oci);
    let identity = &header.identity;
    let (namespace, pod) = (&*identity.namespace, &*identity.pod);
    let (container, id) = (&*identity.container, identity.id.as_str());
    let _about = tracing::error_span!("container", namespace, pod, container, id).entered();
    for failure in lines {
        tracing::warn!(%stage, by = %by, "{failure}");
    }
}

/// The trigger of the runner that ended the stage.
fn started_by(record: &Record) -> Option<Trigger> {
    record.lines.iter().rev().find_map(|line| match line {
        Line::Claimed { by, .. } => Some(*by),
        _ => None,
    })
}
