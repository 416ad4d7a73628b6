//! The comments of a `.proto` file.

use std::collections::HashMap;

/// The comment of each message, enum, field and value, by its name: `Message.field`.
pub(crate) struct Comments(HashMap<String, String>);

impl Comments {
    /// Reads the comments of a file with one item a line. The comment stands above its item. The version of NRI stands
    /// in parentheses after the item, or at the beginning of the comment.
    pub(crate) fn parse(proto: &str) -> Self {
        let mut comments = HashMap::new();
        let mut scope: Vec<&str> = Vec::new();
        let mut above: Vec<&str> = Vec::new();
        for line in proto.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix("//") {
                above.push(comment.trim());
                continue;
            }
            let (code, behind) = line.split_once("//").unwrap_or((line, ""));
            if let Some(name) = item(code) {
                let name = [&scope[..], &[name]].concat().join(".");
                if let Some(comment) = documentation(&above.join(" "), behind.trim()) {
                    comments.insert(name, comment);
                }
            }
            above.clear();
            if let Some(name) = block(code).filter(|_| !code.contains('}')) {
                scope.push(name);
            } else if code.starts_with('}') {
                scope.pop();
            }
        }
        Self(comments)
    }

    /// The comment of an item, as documentation.
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The name of the message, enum or service that begins here.
fn block(code: &str) -> Option<&str> {
    let mut words = code.split_whitespace();
    matches!(words.next()?, "message" | "enum" | "service")
        .then(|| words.next())
        .flatten()
}

/// The name of the message, enum, field or value that is declared here.
fn item(code: &str) -> Option<&str> {
    block(code).or_else(|| code.split_once('=')?.0.split_whitespace().last())
}

/// A comment and what stands behind the item as one text, with the version of NRI at its end.
fn documentation(above: &str, behind: &str) -> Option<String> {
    let (before, text) = match above.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        Some((version, text)) => (version, text),
        None => ("", above),
    };
    let behind = behind.trim_matches(['(', ')']);
    let version = if before.is_empty() { behind } else { before };
    match (text.is_empty(), version.is_empty()) {
        (true, _) => None,
        (false, true) => Some(text.to_owned()),
        (false, false) => Some(format!("{} (NRI {version}).", text.trim_end_matches('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str = "
        // (0.10) A thing.
        message Thing {
          // Its kind.
          enum Kind {
            // No kind.
            NONE = 0; // (0.11)
          }
          // Its
          // name.
          map<string, string> name = 1;
          string bare = 2;
        }
        // Nothing.
        message Empty {}
    ";

    #[test]
    fn an_item_has_the_comment_above_it_and_its_version() {
        let comments = Comments::parse(PROTO);
        for (name, comment) in [
            ("Thing", "A thing (NRI 0.10)."),
            ("Thing.Kind", "Its kind."),
            ("Thing.Kind.NONE", "No kind (NRI 0.11)."),
            ("Thing.name", "Its name."),
            ("Empty", "Nothing."),
        ] {
            assert_eq!(comments.of(name), Some(comment), "{name}");
        }
        assert_eq!(comments.of("Thing.bare"), None);
    }
}
