//! containerd's own file: it is made to import drop-ins, and otherwise left as it is, with every
//! comment.

use toml::de::{DeTable, DeValue};

/// The files that are to be imported.
const DROP_INS: &str = "/etc/containerd/conf.d/*.toml";

/// `text` with the drop-ins imported; `None` if they are. An empty text becomes one of `version`.
///
/// Fails with what is wrong with it.
pub(super) fn importing(text: &str, version: u32) -> Result<Option<String>, String> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        return Err(error.message().to_owned());
    }
    let line = format!("imports = [\"{DROP_INS}\"]\n");
    if text.trim().is_empty() {
        return Ok(Some(format!("version = {version}\n{line}")));
    }
    let entry = |key: &str| table.get_ref().iter().find(|(name, _)| name.get_ref() == key);
    let format = entry("version").and_then(|(_, value)| value.get_ref().as_integer());
    let format = format
        .and_then(|number| number.as_str().parse::<u32>().ok())
        .unwrap_or(1);
    if format < 2 {
        return Err("its format is version 1, which imports nothing".to_owned());
    }
    let Some((_, imports)) = entry("imports") else {
        // Keys of no table stand before the first table.
        return Ok(Some(format!("{line}{text}")));
    };
    let DeValue::Array(list) = imports.get_ref() else {
        return Err("imports is not a list".to_owned());
    };
    if list.iter().any(|item| item.get_ref().as_str() == Some(DROP_INS)) {
        return Ok(None);
    }
    // Behind the last item, or in the empty list.
    let (at, comma) = match list.last() {
        Some(last) => (last.span().end, ", "),
        None => (imports.span().start + 1, ""),
    };
    let (before, behind) = text.split_at(at);
    Ok(Some(format!("{before}{comma}\"{DROP_INS}\"{behind}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drop_ins_are_imported_and_nothing_else_is_changed() {
        for (text, expected) in [
            ("", "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n"),
            (
                "# mine\nversion = 2 # yes\n\n[plugins]\n",
                "imports = [\"/etc/containerd/conf.d/*.toml\"]\n# mine\nversion = 2 # yes\n\n[plugins]\n",
            ),
            (
                "version = 3\nimports = [] # none\n",
                "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"] # none\n",
            ),
            (
                "imports = [\n  \"/a.toml\", # a\n]\nversion = 3\n",
                "imports = [\n  \"/a.toml\", \"/etc/containerd/conf.d/*.toml\", # a\n]\nversion = 3\n",
            ),
        ] {
            let edited = importing(text, 3).unwrap().unwrap();
            assert_eq!(edited, expected);
            assert_eq!(importing(&edited, 3), Ok(None), "it is done: {edited}");
            edited.parse::<toml::Table>().unwrap();
        }
    }

    #[test]
    fn a_file_that_cannot_be_changed_safely_is_refused() {
        for text in [
            "version = [",
            "root = \"/x\"\n",
            "version = 1\n",
            "version = 2\nimports = \"x\"\n",
        ] {
            assert!(importing(text, 2).is_err(), "{text}");
        }
    }
}
