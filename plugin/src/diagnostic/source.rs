//! The text of a file for display: one line with a place in it, safe for any terminal.

use std::ops::Range;

use super::secrets::secrets;
use super::{Diagnostic, Place};

/// The number of characters of a line that are shown on either side of the start of a place.
const AROUND: usize = 60;

/// The maximum number of bytes of a character.
const WIDEST: usize = 4;

/// The text of a file whose findings are shown.
///
/// The values of an `env` may be secrets. So `*` replaces the value in a quoted `KEY=VALUE`, and an entry that is
/// not one. It also replaces all values under an unknown key, which may be mistyped.
#[derive(Debug)]
pub(crate) struct SourceText<'t> {
    bytes: &'t [u8],
    /// The hidden parts, in order; no two overlap.
    secrets: Vec<Range<usize>>,
}

/// The line of a place.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// The visible part of the line.
    pub(super) text: String,
    /// The number of characters before the place.
    pub(super) before: usize,
    /// The number of characters of the place; at least 1, because a place between two characters is marked
    /// too.
    pub(super) width: usize,
}

impl<'t> SourceText<'t> {
    /// The text in `bytes`, for showing `findings`. It need not be valid, nor even UTF-8.
    pub(crate) fn new<'f>(bytes: &'t [u8], findings: impl IntoIterator<Item = &'f Diagnostic>) -> Self {
        let mut secrets = secrets(bytes);
        let bad = findings.into_iter().filter_map(bad_env);
        secrets.extend(bad);
        secrets.sort_by_key(|secret| secret.start);
        secrets.dedup_by(|next, before| {
            let overlap = next.start < before.end;
            if overlap {
                before.end = before.end.max(next.end);
            }
            overlap
        });
        SourceText { bytes, secrets }
    }

    /// The line on which `place` begins, with about 60 characters on either side.
    pub(super) fn excerpt(&self, place: Place) -> Excerpt {
        let offset = place.offset.min(self.bytes.len());
        let marked = offset..offset + place.length;
        let (before, after) = self.bytes.split_at(offset);
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let end = after
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.bytes.len(), |at| offset + at);

        let first = start.max(offset.saturating_sub(WIDEST * AROUND));
        let last = end.min(offset + WIDEST * AROUND);
        let lead = self.characters(first..offset);
        let tail = self.characters(offset..last);
        let cut = lead.len().saturating_sub(AROUND);

        let mut excerpt = Excerpt::default();
        if cut > 0 || first > start {
            excerpt.text.push_str("...");
        }
        excerpt
            .text
            .extend(lead[cut..].iter().map(|(_, shown)| shown.as_str()));
        excerpt.before = excerpt.text.len();
        for (at, shown) in tail.iter().take(AROUND) {
            let is_marked = marked.contains(at);
            excerpt.text.push_str(shown);
            excerpt.width += if is_marked { shown.len() } else { 0 };
        }
        if tail.len() > AROUND || last < end {
            excerpt.text.push_str("...");
        }
        excerpt.width = excerpt.width.max(1);
        excerpt
    }

    /// The characters of a part of the text, each with its offset, in printable ASCII.
    fn characters(&self, part: Range<usize>) -> Vec<(usize, String)> {
        let mut characters = Vec::new();
        let mut at = part.start;
        for chunk in self.bytes[part].utf8_chunks() {
            for character in chunk.valid().chars() {
                characters.push((at, self.shown(at, character)));
                at += character.len_utf8();
            }
            for byte in chunk.invalid() {
                characters.push((at, format!("\\x{byte:02x}")));
                at += 1;
            }
        }
        characters
    }

    fn shown(&self, at: usize, character: char) -> String {
        match character {
            _ if self.is_secret(at) => "*".to_owned(),
            '\t' => "    ".to_owned(),
            ' '..='~' => character.to_string(),
            _ => character.escape_default().to_string(),
        }
    }

    fn is_secret(&self, at: usize) -> bool {
        let next = self.secrets.partition_point(|secret| secret.end <= at);
        self.secrets.get(next).is_some_and(|secret| secret.contains(&at))
    }
}

/// The place of an invalid `env` or entry of one: without its `KEY=`, the entry is a value alone.
fn bad_env(finding: &Diagnostic) -> Option<Range<usize>> {
    let place = finding.place?;
    let is_env = finding.field.as_ref()?.starts_with("env");
    is_env.then_some(place.offset..place.offset + place.length)
}
