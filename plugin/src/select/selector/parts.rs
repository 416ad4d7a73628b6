//! The hook-specs of one container: the default ones, those of hooks.d, and those that its pod selects.

use std::sync::Arc;

use super::{DefaultSpec, Part, Selector};
use crate::diagnostic::Diagnostic;
use crate::model::Origin;
use crate::select::annotation::{SpecRef, effective, spec_refs};
use crate::select::conditions::Conditions;
use crate::select::hooks_d::NotAnswered;
use crate::select::last_good::is_not_answered;
use crate::select::locate::{Located, candidates, locate};
use crate::select::policy::{self, names};
use crate::select::{Deadline, Format, LoadedSpec, SelectError, SelectionFault, Subject};
use crate::trust::PathCache;

impl Selector {
    /// The hook-specs of the container without its pod's annotation. Each invalid part is an error inside,
    /// for which `failure_policy` counts.
    pub(super) fn without_annotation(
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
    pub(in crate::select) fn hooks_d(&self) -> Vec<Arc<LoadedSpec>> {
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

    pub(super) fn selected_part(
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
            selected: reference.text().to_owned(),
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
    pub(in crate::select) fn permitted(
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
