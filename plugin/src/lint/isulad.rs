//! Parts of a hook-spec that iSulad does not have, for hook-specs that iSulad reads too.

use super::lints::Linted;
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::Stage;
use crate::select::LoadedSpec;

/// The stages that iSulad has.
const STAGES: [Stage; 3] = [Stage::Prestart, Stage::Poststart, Stage::Poststop];

/// One warning for each hook that iSulad leaves out, or whose failure has another effect in iSulad. The hook-spec has no
/// errors; the warnings are in the order of its `text`.
pub(crate) fn lint_for_isulad(spec: &LoadedSpec, text: &[u8]) -> Vec<Diagnostic> {
    let linted = Linted::new(spec, text);
    let hooks = linted.hooks();
    let mut warnings: Vec<Diagnostic> = hooks
        .filter_map(|at| {
            let (field, place, what) = if !STAGES.contains(&at.stage) {
                let message = "is in a stage that iSulad does not have, so iSulad never runs it";
                ("", None, (message, "move it to prestart, poststart or poststop"))
            } else if !at.hook.on_failure.is_fail() {
                let message = "is not known to iSulad, which handles the failure like any other";
                (
                    "onFailure",
                    at.places.on_failure,
                    (message, "have the program itself exit 0"),
                )
            } else {
                return None;
            };
            let what = (what.0.to_owned(), what.1.to_owned());
            Some(linted.warning(at, (field, place), Rule::UnknownToIsulad, what))
        })
        .collect();
    warnings.sort_by_key(|warning| warning.place);
    warnings
}
