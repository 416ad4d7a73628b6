//! From byte offsets to lines and columns.

use super::Place;

/// The number of bytes between two cached positions: the most that one lookup reads.
const STEP: usize = 4096;

/// Line and column of every offset of a text.
///
/// Caches one position every 4 KiB, so that a 10 MiB text costs 40 KiB. A lookup in a text of one long line
/// costs no more than any other.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    steps: Vec<Position>,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn after(mut self, bytes: &[u8]) -> Position {
        for &byte in bytes {
            if byte == b'\n' {
                self = Position {
                    line: self.line + 1,
                    column: 1,
                };
            } else if byte & 0xC0 != 0x80 {
                // A continuation byte of UTF-8 belongs to the character that is already counted.
                self.column += 1;
            }
        }
        self
    }
}

impl<'t> Lines<'t> {
    /// Indexes `text`.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let mut position = Position { line: 1, column: 1 };
        let mut steps = Vec::with_capacity(text.len() / STEP + 1);
        for step in text.chunks(STEP) {
            steps.push(position);
            position = position.after(step);
        }
        Lines { text, steps }
    }

    /// The place of the `length` bytes from `offset`. An offset beyond the end is the end of the text.
    pub(crate) fn place(&self, offset: usize, length: usize) -> Place {
        let offset = offset.min(self.text.len());
        let length = length.min(self.text.len() - offset);
        // The end of a text that fills its last step exactly belongs to that step.
        let step = (offset / STEP).min(self.steps.len().saturating_sub(1));
        let start = self
            .steps
            .get(step)
            .copied()
            .unwrap_or(Position { line: 1, column: 1 });
        let Position { line, column } = start.after(&self.text[step * STEP..offset]);
        Place {
            offset,
            length,
            line,
            column,
        }
    }

    /// The offset of line `line`, byte column `column` of a parser, both from 1.
    pub(crate) fn offset_of(&self, line: usize, column: usize) -> usize {
        let start = match line.saturating_sub(1) {
            0 => 0,
            breaks => self
                .text
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .nth(breaks - 1)
                .map_or(self.text.len(), |(at, _)| at + 1),
        };
        start + column.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Line and column by the plain definition.
    fn counted(text: &str, offset: usize) -> (usize, usize) {
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }

    proptest! {
        #[test]
        fn every_offset_has_the_line_and_column_that_counting_gives(
            text in "[a\u{e4}\u{20ac}\u{1f600}\n]{0,3000}",
            index in any::<proptest::sample::Index>(),
        ) {
            let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let offset = *index.get(&offsets);
            let place = Lines::new(text.as_bytes()).place(offset, 0);
            prop_assert_eq!((place.line, place.column), counted(&text, offset));
        }
    }

    #[test]
    fn the_end_of_a_text_of_whole_steps_has_a_place() {
        let text = "x".repeat(2 * STEP);
        let place = Lines::new(text.as_bytes()).place(text.len(), 5);
        assert_eq!((place.line, place.column, place.length), (1, 2 * STEP + 1, 0));
    }

    #[test]
    fn an_empty_text_begins_and_ends_at_line_1_column_1() {
        let place = Lines::new(b"").place(7, 7);
        assert_eq!(
            place,
            Place {
                offset: 0,
                length: 0,
                line: 1,
                column: 1
            }
        );
    }

    #[test]
    fn a_parsers_byte_column_becomes_a_column_in_characters() {
        let lines = Lines::new("a\n\u{e4}\u{e4}x".as_bytes());
        let place = lines.place(lines.offset_of(2, 5), 1);
        assert_eq!((place.offset, place.line, place.column), (6, 2, 3));
    }
}
