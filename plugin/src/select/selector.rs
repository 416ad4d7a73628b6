//! The selection for one container: its hook-specs, and their merged hooks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::annotation::{SpecRef, effective, spec_refs};
use super::cache::{MergeCache, SpecCache};
use super::conditions::Conditions;
use super::hooks_d::{HooksD, NotAnswered};
use super::last_good::{LastGoodSpec, is_not_answered};
use super::locate::{Located, candidates, locate};
use super::policy::{self, names};
use super::{
    Copies, Deadline, Deliveries, Format, LoadedSpec, OlderVersion, SelectError, SelectionFault, Subject,
};
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
            tracing::warn!(%error, "it goes without these hooks, as failure_policy is ignore");
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

    /// The hook-specs of the container without its pod's annotation. Each invalid part is an error inside,
    /// for which `failure_policy` counts.
    fn without_annotation(
        &self,
        subject: &Subject<'_>,
        path_cache: &mut PathCache,
        deadline: Deadline,
    ) -> Result<Vec<Result<Part, SelectError>>, SelectError> {
        let mut parts = Vec::new();
        for default in self.defaults_for(subject.namespace) {
            match self.default_part(default, path_cache) {
                Ok(part) => parts.push(Ok(part)),
                Err(error) if self.may_ignore(&error) => parts.push(Err(error)),
                // No other file is read then: a file system may hang.
                Err(error) => return Err(error),
            }
        }
        match self.hooks_d_part(path_cache, subject, deadline) {
            Ok(part) => parts.extend(part.into_iter().map(Ok)),
            Err(error) => parts.push(Err(error)),
        }
        Ok(parts)
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

    /// The default hook-specs of the containers of a namespace, in order.
    fn defaults_for(&self, namespace: &str) -> impl Iterator<Item = &DefaultSpec> {
        let is_excluded = self.config.exclude_namespaces.contains(namespace);
        let defaults = self.defaults.iter().filter(move |_| !is_excluded);
        defaults.filter(move |default| default.is_for(namespace))
    }

    fn default_part(&self, default: &DefaultSpec, path_cache: &mut PathCache) -> Result<Part, SelectError> {
        default.spec.work_on(|spec| {
            let current = spec.current(path_cache, &self.deliveries);
            let file = spec.file().clone();
            current
                .map(|current| (current, Origin::Default))
                .map_err(|errors| SelectError::DefaultSpec { file, errors })
        })
    }

    /// The active files of hooks.d, in order, whether their conditions hold or not.
    pub(super) fn hooks_d(&self) -> Vec<Arc<LoadedSpec>> {
        let current = self
            .hooks_d
            .work_on(|hooks_d| hooks_d.current(&mut PathCache::new(), &self.deliveries));
        current.unwrap_or_default()
    }

    fn hooks_d_part(
        &self,
        path_cache: &mut PathCache,
        subject: &Subject<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Part>, SelectError> {
        if self.config.exclude_namespaces.contains(subject.namespace) {
            return Ok(Vec::new());
        }
        let specs = self
            .hooks_d
            .work_on(|hooks_d| hooks_d.current(path_cache, &self.deliveries));
        let specs = specs.map_err(|NotAnswered { path, errors }| SelectError::HooksD { path, errors })?;
        let mut conditions = Conditions::of(subject, deadline);
        let mut parts = Vec::new();
        for spec in &specs {
            let hold = conditions.hold(spec.when());
            if hold.map_err(|why| SelectError::conditions(spec, subject, why))? {
                parts.push((spec.clone(), Origin::HooksD));
            }
        }
        Ok(parts)
    }

    fn selected_part(
        &self,
        path_cache: &mut PathCache,
        subject: &Subject<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Result<Part, SelectError>>, SelectError> {
        let rules = &self.config.annotation;
        let effective = effective(&rules.key, subject.annotations, subject.container)
            .map_err(|(annotation, fault)| SelectError::Annotation { annotation, fault })?;
        let Some((annotation, value)) = effective else {
            return Ok(Vec::new());
        };
        let fault_of_all = |fault| SelectError::Annotation {
            annotation: annotation.to_owned(),
            fault,
        };
        let mut parts: Vec<Result<Part, SelectError>> = Vec::new();
        for reference in spec_refs(value).map_err(fault_of_all)? {
            parts.push(self.selected(subject, annotation, &reference, path_cache, deadline));
        }
        let specs = parts.iter().flatten().map(|(spec, _)| &**spec);
        policy::hold_together(&rules.limits, specs).map_err(fault_of_all)?;
        Ok(parts)
    }

    /// The hook-spec for one reference in `annotation`.
    fn selected(
        &self,
        subject: &Subject<'_>,
        annotation: &str,
        reference: &SpecRef,
        path_cache: &mut PathCache,
        deadline: Deadline,
    ) -> Result<Part, SelectError> {
        let rules = &self.config.annotation;
        let selection_fault = |fault| SelectError::Selection {
            annotation: annotation.to_owned(),
            element: reference.text().to_owned(),
            fault,
        };
        let found = self
            .permitted(subject.namespace, reference, path_cache, deadline)
            .map_err(selection_fault)?;
        let spec = self
            .current(&found, path_cache)
            .map_err(|errors| SelectError::SelectedSpec {
                annotation: annotation.to_owned(),
                element: reference.text().to_owned(),
                errors,
            })?;
        policy::hold(&rules.limits, &spec, self.config.default_timeout).map_err(selection_fault)?;
        let by = Origin::Annotation {
            annotation: annotation.to_owned(),
            pick: reference.text().to_owned(),
        };
        Ok((spec, by))
    }

    /// The selected hook-spec that was found, read again if its file has changed; its last good version if
    /// that is invalid.
    fn current(
        &self,
        found: &Located,
        path_cache: &mut PathCache,
    ) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        let known = self.cache().selected.known(&found.file);
        let (format, trusted) = (Format::HookSpec, &found.trusted);
        let copies = &self.copies;
        let refreshed = LoadedSpec::refresh(format, &found.file, trusted, known.as_ref(), path_cache, copies);
        let refreshed = refreshed.and_then(|spec| self.deliveries.check(&spec).map(|()| spec));
        let spec = match refreshed {
            Err(errors) if !is_not_answered(&errors) => {
                let last = known.or_else(|| {
                    let (last, _) = LoadedSpec::last_good(format, &found.file, path_cache, copies)?;
                    Some(Arc::new(last))
                });
                let last = last.filter(|last| self.deliveries.check(last).is_ok());
                let last = last.and_then(|last| last.checked(path_cache).ok());
                last.ok_or(errors)?
            }
            refreshed => refreshed?,
        };
        self.cache().selected.insert(spec.clone());
        Ok(spec)
    }

    /// The file that `reference` means, if a pod in `namespace` may select it.
    pub(super) fn permitted(
        &self,
        namespace: &str,
        reference: &SpecRef,
        path_cache: &mut PathCache,
        deadline: Deadline,
    ) -> Result<Located, SelectionFault> {
        let annotation = &self.config.annotation;
        let directories = &annotation.spec_dirs;
        let candidates = candidates(directories, reference);
        let permit = |file: &str, real_names: &[&str]| {
            policy::permit(
                annotation,
                namespace,
                &names(file, directories),
                real_names,
                deadline,
            )
        };
        // Before a file is read: a pod that may select none of them cannot find out which exist.
        let permits = candidates.iter().map(|file| permit(file, &[]));
        permits.reduce(|first, next| next.or(first)).transpose()?;
        let found = locate(directories, reference, &candidates, path_cache)?;
        let real_names: Vec<&str> = found.real_names.iter().map(String::as_str).collect();
        permit(&found.file, &real_names)?;
        Ok(found)
    }
}
