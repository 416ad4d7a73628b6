//! The text of a line in each form.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::line::{Line, Lines};
use super::queue::Queue;
use super::{format, journal};

/// The text that `log` writes in a form.
fn written(write: fn(&Line<'_>) -> Vec<u8>, log: impl FnOnce()) -> String {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let sink = bytes.clone();
    let queue = Queue::before(move || {
        Ok(move |line: &[u8]| {
            sink.lock().unwrap().extend_from_slice(line);
            Ok(())
        })
    });
    let queue = queue.unwrap();
    let lines = Lines {
        write,
        queue: queue.clone(),
    };
    tracing::subscriber::with_default(Registry::default().with(lines), log);
    queue.flush(Duration::from_secs(30));
    String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned()
}

fn container() -> Span {
    let (namespace, pod, container, id) = ("default", "web", "app", "abc");
    tracing::error_span!("container", namespace, pod, container, id)
}

const ABOUT: &str = "container app of pod default/web: ";

#[test]
fn a_message_about_a_container_begins_with_its_name_and_ends_with_the_reason() {
    let log = || {
        let _about = container().entered();
        let error = "no such hook-spec";
        tracing::warn!(%error, stage = "prestart", count = 2, "not created");
    };
    let message = format!("{ABOUT}not created: no such hook-spec");
    let text = written(format::text, log);
    assert!(
        text.ends_with(&format!("  WARN {message} id=abc count=2 stage=prestart\n")),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&written(format::json, log)).unwrap();
    assert_eq!(json["fields"]["message"], *message);
    assert_eq!(json["fields"]["error"], "no such hook-spec");
    assert_eq!(json["fields"]["count"], 2);
    assert_eq!(
        (&json["level"], &json["span"]["pod"]),
        (&"WARN".into(), &"web".into())
    );
    assert_eq!(json["spans"][0]["name"], "container");
    let entry = written(journal::entry, log);
    for line in [
        "PRIORITY=4\n",
        "SYSLOG_IDENTIFIER=nri-oci-hooks\n",
        "POD=web\n",
        "STAGE=prestart\n",
        "ERROR=no such hook-spec\n",
        &format!("MESSAGE={message}\n"),
    ] {
        assert!(entry.contains(line), "{line:?} in {entry:?}");
    }
}

#[test]
fn the_name_of_a_container_is_in_a_line_once() {
    let log = || {
        let _about = container().entered();
        tracing::warn!("{ABOUT}prestart hook 1 of 1 failed");
        let reason = format!("nri-oci-hooks: {ABOUT}it hangs");
        tracing::warn!(reason, "not started");
    };
    let text = written(format::text, log);
    assert_eq!(text.matches("container app").count(), 2, "{text}");
    assert!(text.contains(": not started: it hangs id=abc\n"), "{text}");
}

#[test]
fn a_line_is_one_line_and_a_journal_entry_keeps_its_line_breaks() {
    let log = || tracing::error!(what = "a\nb", "two\nlines \u{1b}[2J");
    let text = written(format::text, log);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(written(journal::entry, log).contains("MESSAGE\n\u{e}\0\0\0\0\0\0\0two\nlines \u{1b}[2J\n"));
}
