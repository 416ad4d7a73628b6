//! The recorded output of a hook.

use serde::{Deserialize, Serialize};

/// One output stream of a hook: its beginning, and if it was long, its end.
///
/// Invalid UTF-8 becomes U+FFFD.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The first bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub head: String,
    /// The number of bytes between the two that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// The last bytes, if they are not in the head.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

impl Output {
    /// Whether the hook wrote nothing.
    pub fn is_empty(&self) -> bool {
        *self == Output::default()
    }

    /// The number of recorded bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Its last `most` bytes, with the number of bytes left out.
    #[must_use]
    pub(crate) fn shortened(self, most: usize) -> Output {
        let all = match self.tail.is_empty() {
            true => &self.head,
            false => &self.tail,
        };
        let mut from = all.len().saturating_sub(most);
        while !all.is_char_boundary(from) {
            from += 1;
        }
        let tail = all[from..].to_owned();
        Output {
            omitted: self.omitted + (self.len() - tail.len()) as u64,
            head: String::new(),
            tail,
        }
    }

    /// The last `count` lines that are not blank, in their order.
    pub fn last_lines(&self, count: usize) -> Vec<&str> {
        // The omitted part may have ended in the middle of a line.
        let parts = if self.omitted == 0 {
            [self.head.as_str(), self.tail.as_str()]
        } else {
            ["", self.tail.as_str()]
        };
        let lines = parts.into_iter().flat_map(str::lines);
        let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
