//! Files of hooks.d in version 0.1.0, which is not read: one error that shows the same file in 1.0.0.

use super::json::{Kind, Node};
use super::report::{Field, Report};
use crate::diagnostic::Rule;
use crate::model::escaped;

/// The top-level keys of version 0.1.0 that 1.0.0 lacks.
const KEYS: [&str; 7] = [
    "arguments",
    "annotation",
    "cmd",
    "cmds",
    "hasbindmounts",
    "stage",
    "annotations",
];

/// The parts of a file of version 0.1.0.
#[derive(Default)]
struct Earlier<'t> {
    version: Option<Node<'t>>,
    hook: Option<Node<'t>>,
    commands: Option<Node<'t>>,
    stages: Option<Node<'t>>,
    has_its_keys: bool,
    has_when: bool,
}

/// Reports that `root` is of version 0.1.0 if it is; returns whether it is.
pub(super) fn refuse<'t>(report: &mut Report<'t>, root: Node<'t>) -> bool {
    let mut earlier = Earlier::default();
    if root.kind() != Kind::Object {
        return false;
    }
    // Parsed text has members that can be read.
    let _ = root.members(|key, value| match key.string().as_deref() {
        Ok("version") => earlier.version = Some(value),
        Ok("hook") => earlier.hook = Some(value),
        Ok("when") => earlier.has_when = true,
        Ok(key) => {
            earlier.has_its_keys |= KEYS.contains(&key);
            match key {
                "cmd" | "cmds" => earlier.commands = Some(value),
                "stage" | "stages" => earlier.stages = Some(value),
                _ => {}
            }
        }
        Err(_) => {}
    });
    let is_earlier = match earlier.version {
        Some(version) => version.text() == "\"0.1.0\"",
        None => !earlier.has_when && (earlier.is_hook_a_string() || earlier.has_its_keys),
    };
    if is_earlier {
        let message = "has version 0.1.0 of hooks.d, which is not supported";
        let help = format!("write it in version 1.0.0: {}", earlier.in_current_version());
        let at = earlier.version.unwrap_or(root);
        report.at(at, Field::Whole, Rule::InvalidValue, message, help);
    }
    is_earlier
}

impl Earlier<'_> {
    fn is_hook_a_string(&self) -> bool {
        self.hook.is_some_and(|hook| hook.kind() == Kind::String)
    }

    /// The same file in version 1.0.0, if it is as short as people write it.
    fn in_current_version(&self) -> String {
        let short = |node: Option<Node<'_>>, otherwise: &str| match node {
            Some(node) if node.text().len() <= 200 => {
                node.text().split_whitespace().collect::<Vec<_>>().join(" ")
            }
            _ => otherwise.to_owned(),
        };
        let list = |text: String| match text.starts_with('[') {
            true => text,
            false => format!("[{text}]"),
        };
        let hook = match self.is_hook_a_string() {
            true => format!("{{\"path\": {}}}", short(self.hook, "\"/PATH\"")),
            false => short(self.hook, "{\"path\": \"/PATH\"}"),
        };
        let when = match self.commands {
            Some(_) => format!(
                "{{\"commands\": {}}}",
                list(short(self.commands, "[\"PATTERN\"]"))
            ),
            None => "{\"always\": true}".to_owned(),
        };
        let stages = list(short(self.stages, "[\"prestart\"]"));
        let whole =
            format!("{{\"version\": \"1.0.0\", \"hook\": {hook}, \"when\": {when}, \"stages\": {stages}}}");
        as_written(&whole)
    }
}

/// `text`, with its quotes if nothing in it has to be escaped.
fn as_written(text: &str) -> String {
    match text.chars().all(|c| (' '..='~').contains(&c)) {
        true => text.to_owned(),
        false => escaped(text).to_string(),
    }
}
