//! Checks whether the daemon would accept a file that a pod brings.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, ConfigSource};
use crate::diagnostic::Diagnostic;
use crate::lint::lint_file;
use crate::select::{Format, LoadedSpec};

/// Checks the files of a pod by the daemon's rules.
pub(super) struct FileCheck<'s> {
    source: &'s ConfigSource,
    /// The configuration on the host; `None` if there is none, or it is invalid.
    active: Option<Config>,
    /// The configuration that the pod brings; the host's if the pod brings none, or an invalid one.
    incoming: Config,
}

impl<'s> FileCheck<'s> {
    /// For files beside the configuration `source`; `text` is the pod's configuration.
    pub(super) fn new(source: &'s ConfigSource, text: Option<&[u8]>) -> FileCheck<'s> {
        let active = Config::from_file(source.path(), source.overrides()).ok();
        let incoming = text
            .and_then(|text| str::from_utf8(text).ok())
            .and_then(|text| Config::from_text(source.path(), text, source.overrides()).ok());
        FileCheck {
            source,
            incoming: incoming.or_else(|| active.clone()).unwrap_or_default(),
            active,
        }
    }

    /// The errors for which the daemon would refuse the file at `path` if it were `target`. Empty if the
    /// daemon would accept it, or reads no such file.
    pub(super) fn errors(&self, target: &Path, path: &Path) -> Vec<Diagnostic> {
        let file: Arc<str> = path.to_string_lossy().into();
        if self.is_config(target) {
            return self.errors_of_config(&file).err().unwrap_or_default();
        }
        let format = self.format(target);
        format.map_or_else(Vec::new, |format| lint_file(&file, format, &self.incoming).errors)
    }

    /// Whether the daemon needs `target`.
    pub(super) fn needs(&self, target: &Path) -> bool {
        let configs = self.active.iter().chain([&self.incoming]);
        self.is_config(target) || configs.into_iter().any(|config| has_default(config, target))
    }

    fn is_config(&self, target: &Path) -> bool {
        target == Path::new(&**self.source.path())
    }

    fn errors_of_config(&self, file: &Arc<str>) -> Result<(), Vec<Diagnostic>> {
        let config = Config::from_file(file, self.source.overrides())?;
        let before = |file: &Arc<str>| {
            self.active
                .iter()
                .any(|active| has_default(active, Path::new(&**file)))
        };
        // As the daemon reads it: another default hook-spec must be valid, because with an invalid one no
        // container is created.
        let mut others = config
            .defaults()
            .map(|(file, _)| file)
            .filter(|file| !before(file));
        others.try_for_each(|default| LoadedSpec::load(default).map(drop))
    }

    /// The format in which the daemon would read `target`; `None` if it would not.
    fn format(&self, target: &Path) -> Option<Format> {
        let is_in = |directories: &[Arc<str>]| {
            let parent = target.parent();
            let mut directories = directories.iter().map(|directory| Path::new(&**directory));
            directories.any(|directory| parent == Some(directory))
        };
        let is_json = target.extension().is_some_and(|extension| extension == "json");
        if has_default(&self.incoming, target) {
            Some(Format::HookSpec)
        } else if is_json && is_in(&self.incoming.hooks_dirs) {
            Some(Format::HooksD)
        } else if is_json && is_in(&self.incoming.annotation.spec_dirs) {
            Some(Format::HookSpec)
        } else {
            None
        }
    }
}

fn has_default(config: &Config, target: &Path) -> bool {
    config.defaults().any(|(file, _)| Path::new(&**file) == target)
}
