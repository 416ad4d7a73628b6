//! Programs that the kernel would not start: a script without an interpreter line, or with an interpreter
//! that does not exist.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::lints::{Linted, LintedHook};
use super::shebang::{HEAD, Start, wanted_by_env};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::escaped;
use crate::select::DEFAULT_PATH;
use crate::trust::TrustedFile;

/// The directories in which `env` looks for programs without a `PATH` (execvp(3)).
const NO_PATH: &str = "/bin:/usr/bin";

/// At most one warning for each program, at its first hook.
pub(super) fn lint<'l>(linted: &'l Linted<'_>) -> impl Iterator<Item = Diagnostic> + 'l {
    linted.programs().filter_map(|at| {
        let (rule, message, help) = trouble(at)?;
        Some(linted.warning(at, ("path", at.places.path), rule, (message, help)))
    })
}

/// The reason why the program would not start. `None` if it cannot be read, which is not for a lint.
fn trouble(at: LintedHook<'_>) -> Option<(Rule, String, String)> {
    let path = Path::new(&at.hook.path);
    let mut head = Vec::new();
    let file = TrustedFile::to_execute(path).and_then(|file| file.open()).ok()?;
    file.take(HEAD as u64).read_to_end(&mut head).ok()?;
    match Start::of(&head) {
        Start::Binary => None,
        Start::Neither => Some((
            Rule::NoShebang,
            format!(
                "{} is neither machine code nor a script with a #! line",
                escaped(&at.hook.path)
            ),
            "begin the script with a line such as #!/bin/sh".to_owned(),
        )),
        Start::Script {
            interpreter,
            argument,
        } => missing(at, &interpreter, &argument)
            .map(|(message, help)| (Rule::InterpreterMissing, message, help)),
    }
}

fn missing(at: LintedHook<'_>, interpreter: &str, argument: &str) -> Option<(String, String)> {
    let script = escaped(&at.hook.path);
    let of_script = |what: &str| format!("{script} needs {what}");
    if interpreter.ends_with('\r') {
        let message = of_script(&format!("{}, which does not exist", escaped(interpreter)));
        return Some((
            message,
            "save the script with LF at its line ends, not CR LF".to_owned(),
        ));
    }
    if !interpreter.starts_with('/') {
        let message = of_script(&format!(
            "{}, which is not an absolute path",
            escaped(interpreter)
        ));
        return Some((message, "write the whole path from / after the #!".to_owned()));
    }
    if !is_program(Path::new(interpreter)) {
        let message = of_script(&format!(
            "{}, which is not a program on this node",
            escaped(interpreter)
        ));
        return Some((message, "install it, or name another after the #!".to_owned()));
    }
    if Path::new(interpreter).file_name() != Some("env".as_ref()) {
        return None;
    }
    let wanted = wanted_by_env(argument.trim_end_matches('\r'))?;
    let path = search_path(at.hook.env.as_deref());
    if path
        .split(':')
        .any(|directory| is_program(&Path::new(directory).join(wanted)))
    {
        return None;
    }
    let help = if wanted.contains(' ') {
        "env uses all of it as one name; write #!/usr/bin/env -S before it"
    } else {
        "install it, give the hook an env with the PATH to it, or name its absolute path after the #!"
    };
    let message = of_script(&format!(
        "{}, which env cannot find in {}",
        escaped(wanted),
        escaped(path)
    ));
    Some((message, help.to_owned()))
}

/// The directories in which `env` looks for programs in a hook with this environment.
fn search_path(env: Option<&[String]>) -> &str {
    let default = DEFAULT_PATH.strip_prefix("PATH=").unwrap_or(DEFAULT_PATH);
    match env {
        None | Some([]) => default,
        Some(entries) => entries
            .iter()
            .find_map(|entry| entry.strip_prefix("PATH="))
            .unwrap_or(NO_PATH),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
