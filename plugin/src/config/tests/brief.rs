//! Short forms for reading a configuration and for its errors.

use crate::config::{Config, Overrides};
use crate::diagnostic::Diagnostic;

pub(super) fn read(text: &str) -> Result<Config, Vec<Diagnostic>> {
    Config::from_text("config.toml", text, &Overrides::default())
}

/// `rule line:column field` of each error.
pub(super) fn found(text: &str) -> Vec<String> {
    let brief = |error: &Diagnostic| {
        let place = error.place.expect("every error of a text has a place");
        let field = error.field.as_deref().unwrap_or_default();
        format!("{} {}:{} {field}", error.rule, place.line, place.column)
            .trim_end()
            .to_owned()
    };
    read(text).err().unwrap_or_default().iter().map(brief).collect()
}
