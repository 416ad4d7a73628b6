//! What a command says when something is wrong.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::model::one_line;

/// Says on stderr what is wrong; the command may go on.
pub(super) fn complain(about: &dyn Display) {
    let text = about.to_string();
    let lines: Vec<String> = text.lines().map(one_line).collect();
    // Nobody is left to be told if this fails; `eprintln` would panic.
    let _ = writeln!(
        io::stderr(),
        "nri-oci-hooks: {}",
        lines.join(
            "
"
        )
    );
}

/// Says why the command ends, and with which status: 1.
pub(super) fn fail(error: &anyhow::Error) -> ExitCode {
    complain(&format_args!("{error:#}"));
    ExitCode::FAILURE
}
