//! Log lines to syslog, in the form that every daemon on the other end reads (RFC 3164).

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The facility of daemons.
const DAEMON: u8 = 3;

/// A connection to syslog.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
}

/// Sends one event.
#[derive(Debug)]
pub(super) struct SyslogWriter<'s> {
    syslog: &'s Syslog,
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
        Ok(Syslog {
            socket,
            path: path.to_owned(),
        })
    }

    /// Sends `message`; to a syslog that was restarted too, which the socket is not connected to.
    fn send(&self, message: &[u8]) -> io::Result<usize> {
        match self.socket.send(message) {
            // It does not keep up.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(_) => {
                self.socket.connect(&self.path)?;
                self.socket.send(message)
            }
            sent => sent,
        }
    }

    fn writer(&self, level: Level) -> SyslogWriter<'_> {
        let severity = match level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        SyslogWriter {
            syslog: self,
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
        let _ = self.syslog.send(&message);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(listener: &UnixDatagram) -> String {
        let mut message = [0; 1024];
        listener.set_nonblocking(true).unwrap();
        let length = listener.recv(&mut message).unwrap();
        str::from_utf8(&message[..length]).unwrap().to_owned()
    }

    #[test]
    fn an_event_is_one_message_with_facility_severity_name_and_pid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::connect(&path).unwrap();
        writeln!(syslog.writer(Level::WARN), "hook failed").unwrap();
        assert_eq!(
            received(&listener),
            format!("<28>nri-oci-hooks[{}]: hook failed", process::id())
        );
    }

    #[test]
    fn no_event_is_lost_for_a_restart_of_syslog() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let first = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::connect(&path).unwrap();
        drop(first);
        writeln!(syslog.writer(Level::INFO), "to nobody").unwrap();
        std::fs::remove_file(&path).unwrap();
        writeln!(syslog.writer(Level::INFO), "to nobody").unwrap();
        for restart in ["first", "second"] {
            let listener = UnixDatagram::bind(&path).unwrap();
            writeln!(syslog.writer(Level::INFO), "{restart}").unwrap();
            assert!(received(&listener).ends_with(restart));
            drop(listener);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
