//! All lints of one hook-spec.

use std::collections::{BTreeMap, HashSet};

use super::{arguments, delivery, directory, environment, program, timeouts};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, MAX_ERRORS, Place, Rule};
use crate::model::Stage;
use crate::select::LoadedSpec;
use crate::spec::{Hook, HookPlaces, places};

/// The warnings about a hook-spec without errors, in the order of its `text`. Reads its programs and the
/// interpreters in their `#!` lines. `config` has the deliveries of its hooks.
///
/// At most [`MAX_ERRORS`].
pub(crate) fn lint(spec: &LoadedSpec, text: &[u8], config: &Config) -> Vec<Diagnostic> {
    let linted = Linted::new(spec, text);
    let mut warnings: Vec<Diagnostic> = arguments::lint(&linted)
        .chain(program::lint(&linted))
        .chain(environment::lint(&linted))
        .chain(delivery::lint(&linted, config))
        .chain(timeouts::lint(&linted, config))
        .chain(directory::lint(&linted))
        .take(MAX_ERRORS)
        .collect();
    // Warnings about the file as a whole come last.
    warnings.sort_by_key(|warning| (warning.place.is_none(), warning.place));
    warnings
}

/// A hook-spec to check, and the places of its parts.
pub(super) struct Linted<'l> {
    pub(super) spec: &'l LoadedSpec,
    places: BTreeMap<Stage, Vec<HookPlaces>>,
    /// The first hook of each program.
    first_uses: HashSet<(Stage, usize)>,
}

/// One hook to check.
#[derive(Clone, Copy)]
pub(super) struct LintedHook<'l> {
    pub(super) stage: Stage,
    pub(super) index: usize,
    pub(super) hook: &'l Hook,
    pub(super) places: HookPlaces,
}

impl<'l> Linted<'l> {
    /// A hook-spec and its text.
    pub(super) fn new(spec: &'l LoadedSpec, text: &[u8]) -> Linted<'l> {
        let programs = spec.programs().iter();
        let first_uses = programs.filter_map(|program| program.stage.zip(program.index));
        Linted {
            spec,
            places: places(text),
            first_uses: first_uses.collect(),
        }
    }
}

impl Linted<'_> {
    /// Every hook, stage by stage.
    pub(super) fn hooks(&self) -> impl Iterator<Item = LintedHook<'_>> {
        self.spec.spec().stages.iter().flat_map(|(stage, hooks)| {
            let places = self.places.get(stage).map_or(&[][..], Vec::as_slice);
            let pairs = hooks.iter().zip(places).enumerate();
            pairs.map(|(index, (hook, places))| LintedHook {
                stage: *stage,
                index,
                hook,
                places: *places,
            })
        })
    }

    /// One hook for each program on the host: the first that runs it.
    pub(super) fn programs(&self) -> impl Iterator<Item = LintedHook<'_>> {
        self.hooks()
            .filter(|at| self.first_uses.contains(&(at.stage, at.index)))
    }

    /// A warning about one hook, or a field of it if `field` is not empty, at `place` or at the whole hook.
    pub(super) fn warning(
        &self,
        at: LintedHook<'_>,
        (field, place): (&str, Option<Place>),
        rule: Rule,
        (message, help): (String, String),
    ) -> Diagnostic {
        Diagnostic {
            stage: Some(at.stage),
            index: Some(at.index),
            field: (!field.is_empty()).then(|| field.to_owned()),
            ..Diagnostic::of_file(self.spec.file(), rule, message, help).at(place.unwrap_or(at.places.hook))
        }
    }
}
