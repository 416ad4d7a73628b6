//! `args[0]` is the name under which a program runs, not its first argument.

use super::lints::Linted;
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::escaped;
use crate::spec::Hook;

/// Programs of many commands, which `args[0]` selects.
const MULTI_CALL: [&str; 3] = ["busybox", "coreutils", "toybox"];

/// One warning for each hook whose `args[0]` is not the name of its program.
pub(super) fn lint<'l>(linted: &'l Linted<'_>) -> impl Iterator<Item = Diagnostic> + 'l {
    linted.hooks().filter_map(|at| {
        let (arg0, program) = foreign_arg0(at.hook)?;
        let message = format!(
            "is {}, but {program} uses its first item as its own name, not as an argument",
            escaped(arg0)
        );
        let help = format!("write [\"{program}\", ...] and the arguments after it");
        Some(linted.warning(
            at,
            ("args[0]", at.places.arg0),
            Rule::Arg0NotProgram,
            (message, help),
        ))
    })
}

/// `args[0]` and the name of the program, if they differ.
fn foreign_arg0(hook: &Hook) -> Option<(&str, String)> {
    let arg0 = hook.args.as_ref()?.first()?;
    let program = name(&hook.path);
    // A - before its name marks a login shell.
    let is_its_name = name(arg0.strip_prefix('-').unwrap_or(arg0)) == program;
    let is_foreign = !is_its_name && !MULTI_CALL.contains(&program);
    is_foreign.then(|| (arg0.as_str(), escaped(program).to_string()))
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
