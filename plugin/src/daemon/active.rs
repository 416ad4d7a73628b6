//! The active configuration, refreshed from its file, and the selection by it.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::ConfiguredBy;
use super::applied::AppliedConfig;
use super::first::{First, LastGood, first};
use super::lifecycle::RunnerProgram;
use crate::config::{Changed, Checked, Config, ConfigSource, ReadFrom, Reload, state_dir_of};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::Timestamp;
use crate::select::OlderVersion;
use crate::shared::Shared;
use crate::trust::access;

/// The active configuration, shared by all event handlers. No lock is held while a file is read.
#[derive(Debug)]
pub(super) struct ActiveConfiguration {
    now: Shared<Arc<Now>>,
    runner: RunnerProgram,
    /// Held by the thread that makes the first configuration: that may take long, and has effects.
    first: Mutex<()>,
}

/// The active configuration at one moment, and its sources.
#[derive(Debug, Clone)]
pub(super) struct Now {
    reload: Reload,
    /// `None` until a configuration could be read. Survives reconnects, so that the last good default spec
    /// does too.
    applied: Option<Arc<AppliedConfig>>,
    /// The configuration that the runtime handed over: then the file does not count.
    handed_over: Option<Config>,
    /// The state directory that the invalid file names, as long as no configuration is active.
    state_dir: Option<Arc<str>>,
}

impl ActiveConfiguration {
    /// No configuration is active, and no file is read yet.
    pub(super) fn new(source: ConfigSource, runner: RunnerProgram) -> Self {
        ActiveConfiguration {
            now: Shared::new(Arc::new(Now {
                reload: Reload::new(source),
                applied: None,
                handed_over: None,
                state_dir: None,
            })),
            runner,
            first: Mutex::new(()),
        }
    }

    /// The active configuration now, without a check of any file.
    pub(super) fn now(&self) -> Arc<Now> {
        self.now.get()
    }

    /// Uses the configuration that the runtime hands over at Configure from now on; the file, if that is
    /// empty. Reads no file yet.
    ///
    /// Fails with every error of the configuration handed over; then nothing changes.
    pub(super) fn configure(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        let before = self.now();
        let handed_over = match text.trim().is_empty() {
            true => None,
            false => {
                let source = "the configuration from the runtime";
                let overrides = before.reload.source().overrides();
                Some(Config::from_text(source, text, overrides)?)
            }
        };
        if handed_over != before.handed_over {
            self.now.work_on(|now| {
                let now = Arc::make_mut(now);
                if handed_over.is_none()
                    || now.applied.as_ref().map(|it| it.selector.config()) != handed_over.as_ref()
                {
                    now.applied = None;
                    now.reload = Reload::new(now.reload.source().clone());
                }
                now.handed_over = handed_over;
            });
        }
        Ok(())
    }

    /// The active configuration, refreshed from the file: all of the file's settings or none.
    ///
    /// Fails with the errors if the file system does not answer, or if no configuration is active.
    pub(super) fn up_to_date(&self) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let now = self.now();
        match &now.applied {
            Some(applied) if now.handed_over.is_some() => Ok(applied.clone()),
            Some(applied) => self.refresh(&now, applied),
            None => self.make_first(),
        }
    }

    fn refresh(
        &self,
        now: &Now,
        applied: &Arc<AppliedConfig>,
    ) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let checked = match now.reload.check() {
            Checked::Changed(read) => {
                let Changed {
                    config,
                    read_from,
                    text,
                } = *read;
                match applied.succeed(now.reload.source().path(), config) {
                    Ok(successor) => {
                        let successor = Arc::new(successor);
                        let file = now.reload.source().path();
                        successor.selector.copies().store(file, &text);
                        self.now.work_on(|now| {
                            let now = Arc::make_mut(now);
                            now.applied = Some(successor.clone());
                            now.reload.apply(read_from);
                        });
                        return Ok(successor);
                    }
                    Err(errors) => Checked::failed(errors),
                }
            }
            checked => checked,
        };
        match checked {
            Checked::NotAnswered(errors) => return Err(errors),
            Checked::Invalid(errors) => self.now.work_on(|now| Arc::make_mut(now).reload.refuse(errors)),
            Checked::Same if now.reload.refused().is_empty() => {}
            _ => self.now.work_on(|now| Arc::make_mut(now).reload.confirm()),
        }
        Ok(applied.clone())
    }

    /// Reads the configuration for the first time, and makes the active configuration from it.
    fn make_first(&self) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let _making = match self.first.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(self.being_made()),
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Ok(making) => making,
        };
        let now = self.now();
        if let Some(applied) = &now.applied {
            return Ok(applied.clone());
        }
        let first = match &now.handed_over {
            Some(config) => Ok((config.clone(), None)),
            None => first(&now.reload).map(|first| match first {
                First::File(config, read_from) => (*config, Some(Source::File(read_from))),
                First::LastGood(last) => (last.config.clone(), Some(Source::LastGood(last))),
            }),
        };
        let (config, source) = match first {
            Ok(first) => first,
            Err(Checked::NotAnswered(errors)) => return Err(errors),
            Err(Checked::Invalid(errors)) => {
                let source = now.reload.source();
                let (text, _) = source.read_with_text();
                let state_dir = state_dir_of(&text, source.overrides());
                self.now.work_on(|now| {
                    let now = Arc::make_mut(now);
                    now.reload.refuse(errors.clone());
                    now.state_dir = Some(state_dir);
                });
                return Err(errors);
            }
            // Only an active configuration can be the same.
            Err(Checked::Same | Checked::Changed(_)) => return Err(self.being_made()),
        };
        let made = Arc::new(AppliedConfig::new(config, &self.runner));
        self.now.work_on(|now| {
            let now = Arc::make_mut(now);
            now.applied = Some(made.clone());
            match source {
                Some(Source::File(file)) => now.reload.apply(file),
                Some(Source::LastGood(last)) => {
                    now.reload.apply_last_good(last.copy, last.taken);
                    now.reload.refuse(last.refused);
                }
                None => {}
            }
        });
        Ok(made)
    }

    /// The error that another thread makes the first configuration, with the path that it waits for.
    fn being_made(&self) -> Vec<Diagnostic> {
        let now = self.now();
        let file = now.reload.source().path();
        let error = match access::unanswered().first() {
            Some(unanswered) => {
                let help = "check its disk or its server; nothing here needs a restart";
                Diagnostic::of_file(file, Rule::NotAnswering, unanswered.to_string(), help)
            }
            None => Diagnostic::of_file(
                file,
                Rule::NotAnswering,
                "is still being read",
                "try again in a moment",
            ),
        };
        vec![error]
    }
}

/// The source of a first configuration.
enum Source {
    File(ReadFrom),
    LastGood(Box<LastGood>),
}

impl Now {
    /// The files whose content differs from their active version, which is an older one.
    pub(super) fn older(&self) -> Vec<OlderVersion> {
        let of_config = self.reload.outdated().map(|(taken, since)| OlderVersion {
            file: self.reload.source().path().clone(),
            taken,
            since,
            errors: self.reload.refused().to_vec(),
        });
        let of_specs = self.applied.iter().flat_map(|applied| applied.selector.older());
        of_config.into_iter().chain(of_specs).collect()
    }

    /// The active configuration; `None` until a configuration could be read.
    pub(super) fn applied(&self) -> Option<&Arc<AppliedConfig>> {
        self.applied.as_ref()
    }

    /// The active configuration; as long as there is none, the defaults with the settings of the command
    /// line.
    pub(super) fn config(&self) -> Config {
        match &self.applied {
            Some(applied) => applied.selector.config().clone(),
            None => {
                let config = self.reload.source().overridden_defaults();
                Config {
                    state_dir: self.state_dir.clone().unwrap_or(config.state_dir),
                    ..config
                }
            }
        }
    }

    /// The configuration file, whether it exists or not.
    pub(super) fn file(&self) -> &Arc<str> {
        self.reload.source().path()
    }

    /// The source of the configuration.
    pub(super) fn configured_by(&self) -> ConfiguredBy {
        match self.reload.file() {
            _ if self.handed_over.is_some() => ConfiguredBy::Runtime,
            Some(file) => ConfiguredBy::File(file.clone()),
            None => ConfiguredBy::Defaults,
        }
    }

    /// The time when it became active.
    pub(super) fn configured_at(&self) -> Timestamp {
        self.reload.taken()
    }

    /// The errors that keep the file's content from being active; empty if it is active.
    pub(super) fn refused(&self) -> &[Diagnostic] {
        self.reload.refused()
    }
}
