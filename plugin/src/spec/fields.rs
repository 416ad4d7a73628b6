//! Reading one hook: the rules about `path`, `args`, `env` and `timeout`.

use super::json::{Kind, Node};
use super::report::{Field, Report};
use super::{Hook, Timeout};
use crate::diagnostic::{Rule, shown};

/// The keys of a hook, as they are listed to who mistypes one.
const KEYS: [&str; 4] = ["path", "args", "env", "timeout"];

/// The hook that `node` is, and the value of its `path`; `None` if it has no usable path. Fields
/// with a mistake are left out.
pub(super) fn read_hook<'t>(report: &mut Report<'t>, node: Node<'t>) -> Option<(Hook, Node<'t>)> {
    let help = "a hook is an object with a path";
    let [path, args, env, timeout] = report.values(node, Field::Whole, &KEYS, help)?;
    if path.is_none() {
        let help = "name the program by its absolute path";
        report.at(node, Field::Whole, Rule::PathMissing, "has no path", help);
    }
    let args = args.and_then(|list| strings(report, "args", list, |_, _, _, _| true));
    let env = env.and_then(|list| strings(report, "env", list, is_key_value));
    let timeout = timeout.and_then(|value| read_timeout(report, value));
    let node_of_path = path?;
    let path = read_path(report, node_of_path)?;
    let line = report.place(node).line;
    Some((
        Hook {
            path,
            args,
            env,
            timeout,
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
    let message = format!("must begin with /, but is {}", shown(&path));
    report.at(node, Field::Key("path"), Rule::PathNotAbsolute, message, help);
    None
}

/// The strings of a list, of which each passes `is_good`, which reports those that do not.
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

/// The message names the key alone: a value may be a secret.
fn is_key_value<'t>(report: &mut Report<'t>, node: Node<'t>, field: Field, entry: &str) -> bool {
    match entry.split_once('=') {
        Some(("", _)) => {
            report.at(
                node,
                field,
                Rule::EnvEmptyKey,
                "has no name before the =",
                "write KEY=VALUE",
            );
            false
        }
        Some(_) => true,
        None => {
            report.at(
                node,
                field,
                Rule::EnvNotKeyValue,
                "has no =",
                "write KEY=VALUE; the value may be empty",
            );
            false
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
    let (rule, message) = if text.contains(['.', 'e', 'E']) {
        (
            Rule::TimeoutNotInteger,
            format!("must be a whole number, but is {}", shown(text)),
        )
    } else if text.trim_start_matches('-') == "0" {
        (Rule::TimeoutZero, "must be greater than 0, but is 0".into())
    } else if text.starts_with('-') {
        (
            Rule::TimeoutNegative,
            format!("must be greater than 0, but is {}", shown(text)),
        )
    } else if let Some(timeout) = text.parse().ok().and_then(Timeout::from_seconds) {
        return Some(timeout);
    } else {
        let most = Timeout::MAX_SECONDS;
        (
            Rule::TimeoutTooLarge,
            format!("must be at most {most}, but is {}", shown(text)),
        )
    };
    report.at(node, field, rule, message, help);
    None
}
