//! The selection for one container: its hook-specs, and their merged hooks.

mod parts;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache::{MergeCache, SpecCache};
use super::hooks_d::HooksD;
use super::last_good::LastGoodSpec;
use super::{Copies, Deadline, Deliveries, Format, LoadedSpec, OlderVersion, SelectError, Subject};
use crate::config::{Config, FailurePolicy, Names};
use crate::diagnostic::Diagnostic;
use crate::model::{Chosen, Origin, ResolvedHooks};
use crate::shared::Shared;
use crate::trust::PathCache;

/// Selects the hooks of containers. No lock is held while a file is read: a file system that hangs blocks
/// only containers that need it.
#[derive(Debug)]
pub struct Selector {
    config: Config,
    deliveries: Deliveries,
    defaults: Vec<DefaultSpec>,
    hooks_d: Shared<HooksD>,
    cache: Mutex<Cache>,
    copies: Copies,
}

/// A default hook-spec.
#[derive(Debug)]
struct DefaultSpec {
    /// The namespaces of its pods; `None` if it is for all.
    namespaces: Option<Names>,
    spec: Shared<LastGoodSpec>,
}

impl DefaultSpec {
    fn is_for(&self, namespace: &str) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|names| names.contains(namespace))
    }
}

#[derive(Debug, Default)]
struct Cache {
    selected: SpecCache,
    merged: MergeCache,
}

/// A hook-spec for the container, and the reason why it gets it.
type Part = (Arc<LoadedSpec>, Origin);

/// The result of the selection.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The hooks, with every value filled in.
    pub(crate) resolved: Arc<ResolvedHooks>,
    /// The hook-specs that they come from, in order.
    pub specs: Vec<Chosen>,
    /// The errors that were ignored because `failure_policy` is `"ignore"`; already logged.
    pub(crate) ignored: Vec<SelectError>,
}

impl Selector {
    /// A selector for this configuration. It reads no file yet: each [`select`](Selector::select) does, and
    /// `Selector::refresh`.
    pub fn new(config: Config) -> Selector {
        Selector::with_copies(config, Copies::default())
    }

    /// The same, which stores the last good version of each file among `copies`, and uses that of an invalid file.
    pub(crate) fn with_copies(config: Config, copies: Copies) -> Selector {
        let new = |file: &Arc<str>| LastGoodSpec::new(Format::HookSpec, file.clone(), copies.clone());
        let defaults = config.defaults().map(|(file, _)| new(file)).collect();
        let hooks_d = HooksD::new(&config.hooks_dirs, copies.clone());
        Selector::with(config, defaults, hooks_d, copies)
    }

    /// A selector for another configuration, in place of this one. Files of both that are active here stay
    /// active.
    ///
    /// Fails with all errors of the default hook-spec, if that is another than before: this selector is
    /// better than one that lets no container be created.
    pub(crate) fn succeed(&self, config: Config) -> Result<Selector, Vec<Diagnostic>> {
        let earlier = self.default_specs();
        let known = |file: &Arc<str>| earlier.iter().find(|earlier| earlier.file() == file).cloned();
        let default = |file: &Arc<str>| {
            if let Some(earlier) = known(file) {
                return Ok(earlier);
            }
            let (text, loaded) = LoadedSpec::load_with_text(file);
            let loaded = loaded?;
            Deliveries::of(&config).check(&loaded)?;
            self.copies.store(file, &text);
            Ok(LastGoodSpec::with_good(loaded, self.copies.clone()))
        };
        let defaults: Result<Vec<LastGoodSpec>, Vec<Diagnostic>> =
            config.defaults().map(|(file, _)| default(file)).collect();
        let defaults = defaults?;
        let hooks_d = HooksD::after(&config.hooks_dirs, &self.hooks_d.get());
        Ok(Selector::with(config, defaults, hooks_d, self.copies.clone()))
    }

    /// `defaults` are those that the configuration names, in its order.
    fn with(config: Config, defaults: Vec<LastGoodSpec>, hooks_d: HooksD, copies: Copies) -> Selector {
        let namespaces = config.defaults().map(|(_, namespaces)| namespaces.cloned());
        let defaults = namespaces.zip(defaults).map(|(namespaces, spec)| DefaultSpec {
            namespaces,
            spec: Shared::new(spec),
        });
        Selector {
            deliveries: Deliveries::of(&config),
            defaults: defaults.collect(),
            config,
            copies,
            hooks_d: Shared::new(hooks_d),
            cache: Mutex::default(),
        }
    }

    /// The current default hook-specs.
    fn default_specs(&self) -> Vec<LastGoodSpec> {
        self.defaults.iter().map(|default| default.spec.get()).collect()
    }

    /// Checks the default hook-specs and hooks.d now, not only at the next container, and logs their changes.
    pub(crate) fn refresh(&self) {
        let mut path_cache = PathCache::new();
        // The result is logged, and the same at the next container.
        for default in &self.defaults {
            let _ = default
                .spec
                .work_on(|spec| spec.current(&mut path_cache, &self.deliveries));
        }
        let _ = self
            .hooks_d
            .work_on(|hooks_d| hooks_d.current(&mut path_cache, &self.deliveries));
    }

    /// Usable after a panic: entries are only added or removed.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The errors of the default hook-specs, and of the directories and files of hooks.d, at the last check.
    pub(crate) fn errors(&self) -> Vec<Diagnostic> {
        let (defaults, hooks_d) = (self.default_specs(), self.hooks_d.get());
        let of_default = defaults.iter().flat_map(LastGoodSpec::errors);
        let found = of_default.chain(hooks_d.errors()).cloned();
        let active_specs = self.active_specs();
        let partly = active_specs
            .iter()
            .flat_map(|(_, spec)| self.deliveries.partly(spec));
        found.chain(partly).collect()
    }

    /// The files among them of which an older version is active.
    pub(crate) fn older(&self) -> Vec<OlderVersion> {
        let (defaults, hooks_d) = (self.default_specs(), self.hooks_d.get());
        let of_default = defaults.iter().filter_map(LastGoodSpec::older);
        of_default.chain(hooks_d.older()).collect()
    }

    /// The copies of the last good versions.
    pub(crate) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The active files that need no selection: the default hook-specs and those of hooks.d, in their last good
    /// versions.
    pub(crate) fn active_specs(&self) -> Vec<(Origin, Arc<LoadedSpec>)> {
        let (defaults, hooks_d) = (self.default_specs(), self.hooks_d.get());
        let default = defaults.iter().filter_map(LastGoodSpec::good);
        let default = default.map(|spec| (Origin::Default, spec.clone()));
        let hooks_d = hooks_d.good().map(|spec| (Origin::HooksD, spec.clone()));
        default.chain(hooks_d).collect()
    }

    /// The hooks of one container. Unless its namespace is excluded, its default hook-specs come first, then the files
    /// of hooks.d whose conditions hold. Then come the hook-specs that the pod's annotation selects, in its order.
    ///
    /// Every file is checked again; unchanged files are not read again.
    ///
    /// Fails if the default hook-spec or the annotation is invalid, unless `failure_policy` is `"ignore"`:
    /// then the invalid one of the two is left out. Always fails if the conditions of hooks.d take until
    /// `deadline`: otherwise a pod's author could leave hooks out. A file on a file system that does not
    /// answer counts as invalid.
    pub fn select(&self, subject: &Subject<'_>, deadline: Deadline) -> Result<Selected, SelectError> {
        let selected = self.choose(subject, deadline)?;
        for error in &selected.ignored {
            tracing::warn!(%error, "created without these hooks, because failure_policy is ignore");
        }
        Ok(selected)
    }

    /// As [`Selector::select`], but ignored errors are not logged, because no container is created.
    ///
    /// # Errors
    /// As [`Selector::select`].
    pub(crate) fn choose(&self, subject: &Subject<'_>, deadline: Deadline) -> Result<Selected, SelectError> {
        let mut path_cache = PathCache::new();
        let mut parts = self.without_annotation(subject, &mut path_cache, deadline)?;
        match self.selected_part(&mut path_cache, subject, deadline) {
            Ok(selected) => parts.extend(selected),
            Err(error) => parts.push(Err(error)),
        }
        self.merged(parts, subject)
    }

    /// As [`Selector::select`], without the pod's annotation.
    ///
    /// # Errors
    /// As [`Selector::select`].
    pub(crate) fn select_without_annotation(
        &self,
        subject: &Subject<'_>,
        deadline: Deadline,
    ) -> Result<Selected, SelectError> {
        let parts = self.without_annotation(subject, &mut PathCache::new(), deadline)?;
        self.merged(parts, subject)
    }

    /// The hooks of those `parts` that can be delivered.
    ///
    /// # Errors
    /// One is invalid or cannot be delivered, and may not be ignored.
    fn merged(
        &self,
        parts: Vec<Result<Part, SelectError>>,
        subject: &Subject<'_>,
    ) -> Result<Selected, SelectError> {
        let mut chosen: Vec<Part> = Vec::new();
        let mut ignored = Vec::new();
        for part in parts {
            let part = part.and_then(|(spec, by)| {
                spec.check_delivery(subject.delivery)?;
                Ok((spec, by))
            });
            match part {
                Ok(part) => chosen.push(part),
                Err(error) if self.may_ignore(&error) => ignored.push(error),
                Err(error) => return Err(error),
            }
        }
        let origins = chosen.iter().map(|(spec, by)| Chosen {
            file: spec.file().clone(),
            by: by.clone(),
        });
        let origins = origins.collect();
        let specs = chosen.into_iter().map(|(spec, _)| spec).collect();
        Ok(Selected {
            resolved: self
                .cache()
                .merged
                .get(specs, self.config.default_timeout, self.config.limits),
            specs: origins,
            ignored,
        })
    }

    /// Whether `failure_policy` lets a container be created without the part that has `error`.
    fn may_ignore(&self, error: &SelectError) -> bool {
        let by_the_pod = matches!(error, SelectError::Conditions { .. });
        self.config.failure_policy == FailurePolicy::Ignore && !by_the_pod
    }
}
