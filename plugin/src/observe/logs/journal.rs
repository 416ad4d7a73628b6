//! Log lines to journald, with all their fields, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use serde_json::Value;
use tracing::Level;

use super::line::{Fields, Line};
use super::queue::Queue;

/// The socket of journald.
pub(super) const JOURNAL: &str = "/run/systemd/journal/socket";

/// The maximum size of a value: one datagram can certainly carry it; longer values are cut off.
const MAX_VALUE: usize = 32 * 1024;

/// The program has another name when the runtime launches it.
const IDENTIFIER: &str = "nri-oci-hooks";

/// A queue before the journald that listens at `path`.
///
/// # Errors
/// There is none.
pub(super) fn connect(path: &Path) -> io::Result<Queue> {
    let path = path.to_owned();
    Queue::before(move || {
        let socket = UnixDatagram::unbound()?;
        // Nothing is sent: this only checks that the socket is open.
        UnixDatagram::unbound()?.connect(&path)?;
        // By its path each time, because journald may be restarted.
        Ok(move |entry: &[u8]| socket.send_to(entry, &path).map(drop))
    })
}

/// The line as one entry.
pub(super) fn entry(line: &Line<'_>) -> Vec<u8> {
    let mut entry = Vec::new();
    put(&mut entry, "PRIORITY", priority(line.level));
    put(&mut entry, "SYSLOG_IDENTIFIER", IDENTIFIER);
    put(&mut entry, "TARGET", line.target);
    for Fields(fields) in line.spans.iter().chain([&line.fields]) {
        for (name, value) in fields {
            match value {
                Value::String(text) => put(&mut entry, name, text),
                other => put(&mut entry, name, &other.to_string()),
            }
        }
    }
    entry
}

/// The levels of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value[..value.floor_char_boundary(MAX_VALUE)];
    entry.extend(name.bytes().map(|byte| match byte {
        b'.' | b'-' => b'_',
        other => other.to_ascii_uppercase(),
    }));
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn received(journal: &UnixDatagram) -> String {
        let mut entry = [0; 4096];
        let length = journal.recv(&mut entry).unwrap();
        String::from_utf8_lossy(&entry[..length]).into_owned()
    }

    #[test]
    fn an_entry_reaches_a_journald_that_was_restarted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let first = UnixDatagram::bind(&path).unwrap();
        let queue = connect(&path).unwrap();
        drop(first);
        std::fs::remove_file(&path).unwrap();
        queue.push(b"to nobody".to_vec());
        queue.flush(Duration::from_secs(30));
        let second = UnixDatagram::bind(&path).unwrap();
        second.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        queue.push(b"again".to_vec());
        assert_eq!(received(&second), "again");
    }
}
