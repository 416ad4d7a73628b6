//! The parser of hook-specs: it checks every rule about the text and reports every error.

use std::collections::HashSet;
use std::sync::Arc;

use super::fields::read_hook;
use super::json::{Kind, Node};
use super::report::{Field, Report};
use super::text::read_json;
use super::{Hook, HookSpec, When, other};
use crate::diagnostic::{Diagnostic, Place, Rule};
use crate::model::Stage;

/// The maximum size of a hook-spec, in bytes: 10 MiB exactly is still read (iSulad's rule).
pub(crate) const MAX_SIZE: u64 = 10 * 1024 * 1024;

/// The result of parsing a text as a hook-spec.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Its conditions: always, unless it is a hooks.d file.
    pub(crate) when: When,
    /// The hooks in the text; complete only if there is no error.
    pub spec: HookSpec,
    /// The programs on the host that it names, each once. Hooks with errors are included.
    pub(crate) programs: Vec<Program>,
    /// Every error, in the order of the text.
    pub errors: Vec<Diagnostic>,
}

/// A program that a hook-spec names, with its first occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The absolute path.
    pub(crate) path: Arc<str>,
    /// The stage that names it first; none in a hooks.d file, whose one hook is in no stage.
    pub(crate) stage: Option<Stage>,
    /// The index of the hook that names it first.
    pub(crate) index: Option<usize>,
    /// The field that names it.
    pub(crate) field: &'static str,
    /// The place of the path.
    pub(crate) place: Place,
}

impl Program {
    /// An error about this program in the hook-spec `file`.
    pub(crate) fn error(&self, file: &Arc<str>, rule: Rule, message: String, help: String) -> Diagnostic {
        Diagnostic {
            stage: self.stage,
            index: self.index,
            ..Diagnostic::of_file(file, rule, message, help)
                .at(self.place)
                .in_field(self.field)
        }
    }
}

/// Reads `bytes`, the content of the hook-spec `file`. Opens no file, neither the hook-spec nor a program.
/// `startContainer` programs are files of the container and not listed.
pub fn parse(file: &Arc<str>, bytes: &[u8]) -> Parsed {
    let mut report = Report::new(file, bytes);
    let mut contents = Contents::default();
    if let Some(root) = read_json(&mut report.errors, "a hook-spec without hooks is written {}") {
        contents.read(&mut report, root);
    }
    Parsed {
        when: When::default(),
        spec: contents.spec,
        programs: contents.programs,
        errors: report.errors.into_vec(),
    }
}

/// The result so far.
#[derive(Default)]
struct Contents {
    spec: HookSpec,
    programs: Vec<Program>,
    named: HashSet<Arc<str>>,
}

impl Contents {
    fn read<'t>(&mut self, report: &mut Report<'t>, root: Node<'t>) {
        if !report.is_kind(
            root,
            Field::Whole,
            Kind::Object,
            "a hook-spec is an object of stages",
        ) {
            return;
        }
        if other::refuse_as_hook_spec(report, root) {
            return;
        }
        let mut seen = HashSet::new();
        report.members(root, |report, key, name, value| match Stage::from_key(name) {
            // Null counts as absent.
            Some(stage) if !seen.insert(stage) => report.duplicate(key, name),
            Some(_) if value.kind() == Kind::Null => {}
            Some(stage) => {
                report.stage = Some(stage);
                self.read_stage(report, stage, value);
                report.stage = None;
            }
            None => {
                let known = Stage::ALL.map(Stage::key);
                report.unknown(key, Rule::UnknownStage, "stage", name, &known);
            }
        });
    }

    fn read_stage<'t>(&mut self, report: &mut Report<'t>, stage: Stage, list: Node<'t>) {
        if !report.is_kind(
            list,
            Field::Whole,
            Kind::Array,
            "list the hooks of a stage in [ ]",
        ) {
            return;
        }
        let mut hooks: Vec<Hook> = Vec::new();
        report.items(list, |report, index, item| {
            report.index = Some(index);
            report.misplaced.clear();
            if let Some((hook, path)) = read_hook(report, item) {
                if stage != Stage::StartContainer && !self.named.contains(hook.path.as_str()) {
                    let program: Arc<str> = hook.path.as_str().into();
                    self.named.insert(program.clone());
                    self.programs.push(Program {
                        path: program,
                        stage: Some(stage),
                        index: Some(index),
                        field: "path",
                        place: report.place(path),
                    });
                }
                hooks.push(hook);
            }
            report.index = None;
        });
        if !hooks.is_empty() {
            self.spec.stages.insert(stage, hooks);
        }
    }
}
