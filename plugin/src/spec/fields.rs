//! Reading one hook: the rules about `path`, `args`, `env` and `timeout`.

use super::Hook;
use super::json::{Kind, Node};
use super::report::{Field, Report};
use crate::diagnostic::{Rule, timeout};
use crate::model::{OnFailure, Timeout, escaped};

/// The keys of a hook, as the hint for a mistyped key lists them.
const KEYS: [&str; 5] = ["path", "args", "env", "timeout", "onFailure"];

/// The longest string that the kernel accepts as an argument or a variable, without the NUL at its end:
/// `MAX_ARG_STRLEN`, which is 32 pages of at least 4 KiB (execve(2)).
const LONGEST_STRING: usize = 32 * 4096 - 1;

/// Reads the hook in `node`, with the node of its `path`; `None` if it has no usable path. Fields with an
/// error are left out.
pub(super) fn read_hook<'t>(report: &mut Report<'t>, node: Node<'t>) -> Option<(Hook, Node<'t>)> {
    let help = "a hook is an object with a path";
    let [path, args, env, timeout, on_failure] = report.values(node, Field::Whole, &KEYS, help)?;
    if path.is_none() && !report.misplaced.contains(&"path") {
        let help = "name the program by its absolute path";
        report.at(node, Field::Whole, Rule::PathMissing, "has no path", help);
    }
    let args = args.and_then(|list| strings(report, "args", list, fits_kernel));
    let env = env.and_then(|list| {
        strings(report, "env", list, |report, node, field, entry| {
            fits_kernel(report, node, field, entry) && is_key_value(report, node, field, entry)
        })
    });
    let timeout = timeout.and_then(|value| read_timeout(report, value));
    let on_failure = on_failure.and_then(|value| read_on_failure(report, value));
    let node_of_path = path?;
    let path = read_path(report, node_of_path)?;
    let line = report.place(node).line;
    Some((
        Hook {
            path,
            args,
            env,
            timeout,
            on_failure: on_failure.unwrap_or_default(),
            line,
        },
        node_of_path,
    ))
}

fn read_path(report: &mut Report<'_>, node: Node<'_>) -> Option<String> {
    let help = "name the program by its absolute path";
    let path = report.string(node, Field::Key("path"), help)?;
    if path.starts_with('/') {
        return Some(path);
    }
    let message = format!("must begin with /, but is {}", escaped(&path));
    report.at(node, Field::Key("path"), Rule::PathNotAbsolute, message, help);
    None
}

/// The strings of a list. `is_good` checks each one and reports its errors.
fn strings<'t>(
    report: &mut Report<'t>,
    key: &'static str,
    list: Node<'t>,
    is_good: impl Fn(&mut Report<'t>, Node<'t>, Field, &str) -> bool,
) -> Option<Vec<String>> {
    if !report.is_kind(
        list,
        Field::Key(key),
        Kind::Array,
        "list the strings in [ ], or leave the key out",
    ) {
        return None;
    }
    let mut strings = Vec::new();
    report.items(list, |report, index, item| {
        let field = Field::Item(key, index);
        if let Some(string) = report.string(item, field, "write it in quotes")
            && is_good(report, item, field, &string)
        {
            strings.push(string);
        }
    });
    Some(strings)
}

/// Whether the kernel accepts the string when it executes a program.
fn fits_kernel<'t>(report: &mut Report<'t>, node: Node<'t>, field: Field, string: &str) -> bool {
    let fits = string.len() <= LONGEST_STRING;
    if !fits {
        let length = string.len();
        let message = format!("is {length} bytes long, but the kernel takes at most {LONGEST_STRING}");
        let help = "write it to a file that the program reads";
        report.at(node, field, Rule::TooLarge, message, help);
    }
    fits
}

/// The message shows the key alone, because a value may be a secret.
fn is_key_value<'t>(report: &mut Report<'t>, node: Node<'t>, field: Field, entry: &str) -> bool {
    let (rule, message, help) = match entry.split_once('=') {
        Some(("", _)) => (
            Rule::EnvEmptyKey,
            "has no name before the =".to_owned(),
            "write KEY=VALUE",
        ),
        Some((name, _)) if is_for_the_loader(name) => (
            Rule::EnvForLoader,
            format!("{} can make the dynamic loader run unchecked code", escaped(name)),
            "set path to a script that sets it and executes the program",
        ),
        Some(_) => return true,
        None => (
            Rule::EnvNotKeyValue,
            "has no =".to_owned(),
            "write KEY=VALUE; the value may be empty",
        ),
    };
    report.at(node, field, rule, message, help);
    false
}

/// Whether the dynamic loader obeys the variable `name` (ld.so(8)). The loader runs before the program, as
/// root. Some of these variables name code, and releases add new ones.
fn is_for_the_loader(name: &str) -> bool {
    name.starts_with("LD_") || name == "GLIBC_TUNABLES"
}

fn read_on_failure(report: &mut Report<'_>, node: Node<'_>) -> Option<OnFailure> {
    let (field, help) = (Field::Key("onFailure"), "write \"ignore\" or \"fail\"");
    match report.string(node, field, help)?.as_str() {
        "fail" => Some(OnFailure::Fail),
        "ignore" => Some(OnFailure::Ignore),
        other => {
            let message = format!("must be ignore or fail, but is {}", escaped(other));
            report.at(node, field, Rule::InvalidValue, message, help);
            None
        }
    }
}

fn read_timeout(report: &mut Report<'_>, node: Node<'_>) -> Option<Timeout> {
    let field = Field::Key("timeout");
    let help = "write a whole number of seconds greater than 0, without quotes";
    if !report.is_kind(node, field, Kind::Number, help) {
        return None;
    }
    let text = node.text();
    let written = escaped(text).to_string();
    let timeout = if text.contains(['.', 'e', 'E']) {
        let message = format!("must be a whole number, but is {written}");
        Err((Rule::TimeoutNotInteger, message))
    } else {
        timeout(text.parse().unwrap_or(i128::MAX), &written)
    };
    timeout
        .map_err(|(rule, message)| report.at(node, field, rule, message, help))
        .ok()
}
