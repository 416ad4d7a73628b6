//! Reading a hook-spec: every rule about its text, every mistake reported.

use std::collections::HashSet;
use std::sync::Arc;

use super::fields::read_hook;
use super::json::{self, Kind, Malformed, Node};
use super::report::{Field, Report};
use super::{Hook, HookSpec, Stage};
use crate::diagnostic::{Diagnostic, Place, Rule};

/// How large a hook-spec may be, in bytes: 10 MiB exactly is still read (the seed's rule).
pub const MAX_SIZE: u64 = 10 * 1024 * 1024;

/// A text that was read as a hook-spec.
#[derive(Debug)]
pub struct Parsed {
    /// What the text says; all of it only if there is no mistake.
    pub spec: HookSpec,
    /// The programs on the host that it names, each once, also those of hooks with mistakes.
    pub programs: Vec<Program>,
    /// Every mistake, in the order of the text.
    pub mistakes: Vec<Diagnostic>,
}

/// A program that a hook-spec names, where it does so first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The absolute path.
    pub path: Arc<str>,
    /// The stage that names it first.
    pub stage: Stage,
    /// The index of the hook that names it first.
    pub index: usize,
    /// The place of the path.
    pub place: Place,
}

impl Program {
    /// A mistake about this program in the hook-spec `file`.
    pub fn mistake(&self, file: &Arc<str>, rule: Rule, message: String, help: String) -> Diagnostic {
        Diagnostic {
            stage: Some(self.stage),
            index: Some(self.index),
            ..Diagnostic::of_file(file, rule, message, help)
                .at(self.place)
                .in_field("path")
        }
    }
}

/// Reads `bytes`, the content of the hook-spec `file`. Looks at no file: neither at this one nor
/// at the programs. `startContainer` programs are files of the container and not listed.
pub fn parse(file: &Arc<str>, bytes: &[u8]) -> Parsed {
    let mut report = Report::new(file, bytes);
    let mut contents = Contents::default();
    if let Some(root) = read_json(&mut report, bytes) {
        contents.read(&mut report, root);
    }
    Parsed {
        spec: contents.spec,
        programs: contents.programs,
        mistakes: report.into_mistakes(),
    }
}

/// The one JSON value that `bytes` holds.
fn read_json<'t>(report: &mut Report<'t>, bytes: &'t [u8]) -> Option<Node<'t>> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let place = report
                .lines()
                .place(error.valid_up_to(), error.error_len().unwrap_or(1));
            let help = "save the file as UTF-8";
            report.at_place(place, Field::Whole, Rule::InvalidUtf8, "is not UTF-8", help);
            return None;
        }
    };
    // The mark is one mistake; what follows it is still read.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - body.len();
    if mark > 0 {
        let place = report.lines().place(0, mark);
        let message = "begins with a byte order mark";
        report.at_place(
            place,
            Field::Whole,
            Rule::ByteOrderMark,
            message,
            "save the file without one",
        );
    }
    if body.bytes().all(|byte| byte.is_ascii_whitespace()) {
        let place = report.lines().place(bytes.len(), 0);
        let help = "a hook-spec without hooks is written {}";
        report.at_place(place, Field::Whole, Rule::EmptyFile, "is empty", help);
        return None;
    }
    let (rule, error, help) = match json::parse(body) {
        Ok(root) => return Some(root),
        Err(Malformed::Syntax(error)) => (Rule::InvalidJson, error, "correct the JSON here"),
        Err(Malformed::Trailing(error)) => (
            Rule::TrailingData,
            error,
            "a hook-spec is one JSON object and nothing after it",
        ),
    };
    // The parser did not count the mark, which stands on the first line.
    let mark = if error.line() == 1 { mark } else { 0 };
    let place = report.lines().place_of(error.line(), error.column() + mark);
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    report.at_place(
        place,
        Field::Whole,
        rule,
        format!("is not valid JSON: {message}"),
        help,
    );
    None
}

/// What has been read so far.
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
        let mut seen = HashSet::new();
        report.members(root, |report, key, name, value| match Stage::from_key(name) {
            Some(stage) if seen.insert(stage) => {
                report.stage = Some(stage);
                self.read_stage(report, stage, value);
                report.stage = None;
            }
            Some(_) => report.duplicate(key, name),
            None => report.unknown(
                key,
                Rule::UnknownStage,
                "stage",
                name,
                &Stage::ALL.map(Stage::key),
            ),
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
            if let Some((hook, path)) = read_hook(report, item) {
                if stage != Stage::StartContainer && !self.named.contains(hook.path.as_str()) {
                    let program: Arc<str> = hook.path.as_str().into();
                    self.named.insert(program.clone());
                    self.programs.push(Program {
                        path: program,
                        stage,
                        index,
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
