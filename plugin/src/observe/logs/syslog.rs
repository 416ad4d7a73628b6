//! Log lines to syslog, in the form that every daemon on the other end reads (RFC 3164).

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The facility of daemons.
const DAEMON: u8 = 3;

/// A connection to syslog.
#[derive(Debug)]
pub(super) struct Syslog(UnixDatagram);

/// Sends one event.
#[derive(Debug)]
pub(super) struct SyslogWriter<'s> {
    socket: &'s UnixDatagram,
    priority: u8,
}

impl Syslog {
    /// A connection to the syslog that listens at `path`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn connect(path: &Path) -> io::Result<Syslog> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A syslog that hangs must not make us hang.
        socket.set_nonblocking(true)?;
        Ok(Syslog(socket))
    }

    fn writer(&self, level: Level) -> SyslogWriter<'_> {
        let severity = match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        SyslogWriter {
            socket: &self.0,
            priority: DAEMON * 8 + severity,
        }
    }
}

impl<'s> MakeWriter<'s> for Syslog {
    type Writer = SyslogWriter<'s>;

    fn make_writer(&'s self) -> SyslogWriter<'s> {
        self.writer(Level::INFO)
    }

    fn make_writer_for(&'s self, meta: &Metadata<'_>) -> SyslogWriter<'s> {
        self.writer(*meta.level())
    }
}

impl Write for SyslogWriter<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut message = format!("<{}>nri-oci-hooks[{}]: ", self.priority, process::id()).into_bytes();
        message.extend_from_slice(event.trim_ascii_end());
        // What cannot be sent now is lost: there is nowhere to say so.
        let _ = self.socket.send(&message);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_message_with_facility_severity_name_and_pid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::connect(&path).unwrap();
        writeln!(syslog.writer(Level::WARN), "hook failed").unwrap();
        let mut message = [0; 1024];
        let length = listener.recv(&mut message).unwrap();
        let message = str::from_utf8(&message[..length]).unwrap();
        assert_eq!(
            message,
            format!("<28>nri-oci-hooks[{}]: hook failed", process::id())
        );
    }
}
