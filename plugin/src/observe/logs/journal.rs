//! Log lines to journald, with all their fields, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::queue::Queue;

/// Where journald listens.
pub(super) const JOURNAL: &str = "/run/systemd/journal/socket";

/// What one datagram carries for sure; longer values are cut off.
const MAX_VALUE: usize = 32 * 1024;

/// Launched by the runtime, the program has another name.
const IDENTIFIER: &str = "nri-oci-hooks";

/// Sends each event to journald.
#[derive(Debug)]
pub(super) struct Journal {
    queue: Queue,
}

impl Journal {
    /// To the journald of this node.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn connect() -> io::Result<(Journal, Queue)> {
        Journal::connect_to(Path::new(JOURNAL))
    }

    fn connect_to(path: &Path) -> io::Result<(Journal, Queue)> {
        let path = path.to_owned();
        let queue = Queue::before(move || {
            let socket = UnixDatagram::unbound()?;
            // Nothing is sent: only whether anybody is there.
            UnixDatagram::unbound()?.connect(&path)?;
            // By its path each time: journald may be restarted.
            Ok(move |entry: &[u8]| socket.send_to(entry, &path).map(drop))
        })?;
        Ok((Journal { queue: queue.clone() }, queue))
    }
}

/// The fields of a span, as they are sent.
struct SpanFields(Fields);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut entry = Fields::default();
        let about = event.metadata();
        entry.put("PRIORITY", priority(*about.level()));
        entry.put("SYSLOG_IDENTIFIER", IDENTIFIER);
        entry.put("TARGET", about.target());
        for span in ctx
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                entry.bytes.extend_from_slice(&fields.bytes);
            }
        }
        event.record(&mut entry);
        self.queue.push(entry.bytes);
    }
}

/// By the levels of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// Fields of an entry.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
}

impl Fields {
    fn put(&mut self, name: &str, value: &str) {
        let value = &value[..value.floor_char_boundary(MAX_VALUE)];
        self.bytes.extend(name.bytes().map(|byte| match byte {
            b'.' | b'-' => b'_',
            other => other.to_ascii_uppercase(),
        }));
        if value.contains('\n') {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.bytes.push(b'=');
        }
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(b'\n');
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{value:?}");
        self.put(field.name(), &text);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn received(journal: &UnixDatagram) -> String {
        let mut entry = [0; 4096];
        let length = journal.recv(&mut entry).unwrap();
        String::from_utf8_lossy(&entry[..length]).into_owned()
    }

    #[test]
    fn an_entry_has_the_fields_of_its_event_and_its_spans() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        journald.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (layer, _) = Journal::connect_to(&path).unwrap();
        let subscriber = tracing_subscriber::Registry::default().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::error_span!("container", pod = "web").entered();
            tracing::warn!(stage = %"poststop", "failed");
            tracing::error!("two\nlines");
        });
        let entry = received(&journald);
        for line in [
            "PRIORITY=4\n",
            "SYSLOG_IDENTIFIER=nri-oci-hooks\n",
            "POD=web\n",
            "STAGE=poststop\n",
            "MESSAGE=failed\n",
        ] {
            assert!(entry.contains(line), "{line:?} in {entry:?}");
        }
        assert!(received(&journald).contains("MESSAGE\n\u{9}\0\0\0\0\0\0\0two\nlines\n"));
    }

    #[test]
    fn an_entry_reaches_a_journald_that_was_restarted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let first = UnixDatagram::bind(&path).unwrap();
        let (journal, queue) = Journal::connect_to(&path).unwrap();
        drop(first);
        std::fs::remove_file(&path).unwrap();
        journal.queue.push(b"to nobody".to_vec());
        queue.flush(Duration::from_secs(30));
        let second = UnixDatagram::bind(&path).unwrap();
        second.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        journal.queue.push(b"again".to_vec());
        assert_eq!(received(&second), "again");
    }
}
