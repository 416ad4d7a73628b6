//! The standard streams of a process that goes on without its caller.

use std::fs::OpenOptions;
use std::io;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Closes the standard streams, which the caller's are, and for the end of which it may wait.
pub(crate) fn let_go_of_caller() -> io::Result<()> {
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok(())
}
