//! Files in the form of another format: one error that shows what to write.

use super::json::{Kind, Node};
use super::report::{Field, Report};
use crate::diagnostic::Rule;
use crate::model::Stage;

/// The keys at the top level of a text that show its format.
#[derive(Default)]
struct Keys<'t> {
    /// The key `hooks`, if its value is an object: the OCI configuration of a container has it.
    hooks: Option<Node<'t>>,
    /// The first key that is a stage.
    stage: Option<Node<'t>>,
    /// Whether it has a key of hooks.d.
    is_hooks_d: bool,
}

impl<'t> Keys<'t> {
    fn of(root: Node<'t>) -> Keys<'t> {
        let mut keys = Keys::default();
        if root.kind() == Kind::Object {
            // Parsed text has members that can be read.
            let _ = root.members(|key, value| match key.string().as_deref() {
                Ok("hooks") if value.kind() == Kind::Object => keys.hooks = Some(key),
                Ok("version" | "hook" | "when" | "stages") => keys.is_hooks_d = true,
                Ok(name) if Stage::from_key(name).is_some() => keys.stage = keys.stage.or(Some(key)),
                _ => {}
            });
        }
        keys
    }
}

/// Reports a hook-spec that has its stages in `hooks`, as the OCI configuration of a container has them.
/// Returns whether it is one.
pub(super) fn refuse_as_hook_spec<'t>(report: &mut Report<'t>, root: Node<'t>) -> bool {
    let keys = Keys::of(root);
    let Some(hooks) = keys.hooks.filter(|_| keys.stage.is_none()) else {
        return false;
    };
    let message = "the stages are inside hooks, as in the OCI configuration of a container";
    let help = "write the content of hooks alone: {\"prestart\": [{\"path\": \"/PATH\"}]}";
    report.at(hooks, Field::Whole, Rule::UnknownStage, message, help);
    true
}

/// Reports a hooks.d file in the form of a hook-spec, or of the OCI configuration of a container. Returns
/// whether it is one.
pub(super) fn refuse_as_hooks_d<'t>(report: &mut Report<'t>, root: Node<'t>) -> bool {
    let keys = Keys::of(root);
    let Some(key) = keys.hooks.or(keys.stage).filter(|_| !keys.is_hooks_d) else {
        return false;
    };
    let message = "lists hooks by stage, as a hook-spec does, but a hooks.d file holds one hook";
    let help = "write {\"version\": \"1.0.0\", \"hook\": {\"path\": \"/PATH\"}, \"when\": {\"always\": true}, \
                \"stages\": [\"prestart\"]}, or move it to where hook-specs are";
    report.at(key, Field::Whole, Rule::UnknownKey, message, help);
    true
}
