//! A poststart that its OCI runtime starts before process 1 runs, as runc up to 1.5.1 does inside of
//! create: it stays behind for its moment.

use std::fs::OpenOptions;
use std::io;
use std::time::Duration;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::container::Container;
use super::stages;
use crate::ledger::Trigger;
use crate::spec::Stage;
use crate::system::in_a_copy;

/// How long may lie between create and start. One that is started later is left to NRI
/// PostStartContainer, as is one of which it cannot be seen that it was started.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long process 1 is not looked at. The OCI runtime has to end, the CRI's runtime to ask for the start,
/// and the OCI runtime to begin anew: whoever looks meanwhile takes processor time away from them. A
/// program that ends before it is looked at is left to NRI PostStartContainer, too.
const HEAD_START: Duration = Duration::from_millis(2);

/// Leaves a copy of this process behind that runs poststart when process 1 has begun to run; this one
/// returns to the OCI runtime, which would not start the container before.
///
/// # Errors
/// The kernel has no room for another process.
pub(super) fn stay_behind(container: &Container) -> io::Result<()> {
    let Some((init, before)) = container.init().and_then(|init| Some((init, init.program()?))) else {
        return Ok(());
    };
    in_a_copy(|| {
        if let_go_of_caller().is_err() {
            return 1;
        }
        if init.await_exec(before, HEAD_START, PATIENCE) {
            // What became of it is on record; nobody listens here.
            let _ = stages::run(container, Stage::Poststart, Trigger::Oci);
        }
        0
    })?;
    Ok(())
}

/// Closes what the caller waits for the end of.
fn let_go_of_caller() -> io::Result<()> {
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok(())
}
