//! One log line: its message with the container, and its fields.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::queue::Queue;
use crate::model::escaped;

/// The field that has the message.
pub(super) const MESSAGE: &str = "message";

/// The fields with the reason: their texts end the message.
pub(super) const REASONS: [&str; 3] = ["error", "reason", "status"];

/// Writes a line in the form of its destination.
type Write = fn(&Line<'_>) -> Vec<u8>;

/// Sends each event to the queue of the destination.
pub(super) struct Lines {
    pub(super) write: Write,
    pub(super) queue: Queue,
}

/// A log line.
pub(super) struct Line<'e> {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) target: &'e str,
    /// The fields of the event. The message begins with its container, and ends with the reason.
    pub(super) fields: Fields,
    /// The spans around it, the innermost last.
    pub(super) spans: Vec<Fields>,
}

/// Values by their names.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            fields.0.insert("name".to_owned(), span.name().into());
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let scope = ctx
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root());
        let mut line = Line {
            at: SystemTime::now(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            fields: Fields::default(),
            spans: scope
                .filter_map(|span| span.extensions().get::<Fields>().cloned())
                .collect(),
        };
        event.record(&mut line.fields);
        line.complete_message();
        self.queue.push((self.write)(&line));
    }
}

impl Line<'_> {
    /// The container, then the message, then the reason: each once.
    fn complete_message(&mut self) {
        let about = self.spans.iter().rev().find_map(about).unwrap_or_default();
        let message = self.fields.text(MESSAGE).unwrap_or_default();
        let mut message = format!("{about}{}", without(message, &about));
        for reason in REASONS.into_iter().filter_map(|name| self.fields.text(name)) {
            message.push_str(": ");
            message.push_str(without(reason, &about));
        }
        self.fields.0.insert(MESSAGE.to_owned(), message.into());
    }
}

/// `text` without a part that is before the message already, and without the prefix of an error for the
/// runtime.
fn without<'t>(text: &'t str, about: &str) -> &'t str {
    let text = text.strip_prefix("nri-oci-hooks: ").unwrap_or(text);
    text.strip_prefix(about).unwrap_or(text)
}

/// The container of the span: `container C of pod N/P: `.
fn about(span: &Fields) -> Option<String> {
    let text = |name| span.text(name).map(escaped);
    let (namespace, pod) = (text("namespace")?, text("pod")?);
    let pod = format!("pod {namespace}/{pod}: ");
    Some(match text("container") {
        Some(container) => format!("container {container} of {pod}"),
        None => pod,
    })
}
