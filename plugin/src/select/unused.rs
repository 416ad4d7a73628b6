//! The files and annotations that could give a container hooks but do not, with the reasons: for
//! administrators, not for the daemon.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::annotation::{Scope, SpecRef, effective, scope, spec_refs};
use super::conditions::Conditions;
use super::{Deadline, Selector, Subject};
use crate::config::AnnotationKey;
use crate::diagnostic::did_you_mean;
use crate::model::{Chosen, escaped};
use crate::trust::PathCache;

/// A file or annotation that could give a container hooks but does not, with the reason. Displayed as both,
/// in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub(crate) enum Unused {
    /// No default hook-spec is configured.
    NoDefault,
    /// The default hook-spec, or a file of hooks.d: the pod's namespace is among
    /// `exclude_namespaces`.
    NamespaceExcluded {
        /// The file.
        file: Arc<str>,
        /// The namespace.
        namespace: String,
    },
    /// A default hook-spec that is for the pods of other namespaces.
    OtherNamespaces {
        /// The file.
        file: Arc<str>,
        /// Those that it is for, as patterns.
        namespaces: Vec<String>,
    },
    /// A file of hooks.d whose conditions do not all hold.
    Unmet {
        /// The file.
        file: Arc<str>,
        /// The keys of the conditions that do not hold.
        conditions: Vec<&'static str>,
    },
    /// A file of hooks.d with conditions that may hold: that depends on facts that are unknown here.
    NotKnown {
        /// The file.
        file: Arc<str>,
        /// The keys of those conditions.
        conditions: Vec<&'static str>,
    },
    /// An annotation of ours, but another one is nearer to the container.
    Overridden {
        /// Its key.
        annotation: String,
        /// The key of the other.
        by: String,
    },
    /// An annotation of ours for another container.
    OtherContainer {
        /// Its key.
        annotation: String,
        /// The other container.
        container: String,
    },
    /// An annotation of ours with an empty value, which selects nothing.
    Empty {
        /// Its key.
        annotation: String,
    },
    /// An annotation whose key resembles ours.
    AnotherKey {
        /// Its key.
        annotation: String,
        /// Our key.
        key: String,
    },
    /// A hook-spec in a spec directory that no annotation selects, although the pod may.
    NotSelected {
        /// The hook-spec.
        file: Arc<str>,
    },
    /// A hook-spec in a spec directory that a pod of this namespace may not select.
    WouldBeRefused {
        /// The hook-spec.
        file: Arc<str>,
        /// The reason.
        reason: String,
    },
    /// A hook-spec in a spec directory whose name means a file in an earlier directory.
    Hidden {
        /// The hook-spec.
        file: Arc<str>,
        /// The file in the earlier directory.
        by: Arc<str>,
    },
}

impl Unused {
    /// Whether it is related to the request; the rest are other files of the node.
    pub(crate) fn is_near(&self) -> bool {
        !matches!(
            self,
            Unused::OtherNamespaces { .. }
                | Unused::Unmet { .. }
                | Unused::NotSelected { .. }
                | Unused::WouldBeRefused { .. }
                | Unused::Hidden { .. }
        )
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unused::NoDefault => f.write_str("default hook-spec: none is configured (hook_spec)"),
            Unused::NamespaceExcluded { file, namespace } => write!(
                f,
                "{}: namespace {} is among exclude_namespaces",
                escaped(file),
                escaped(namespace)
            ),
            Unused::OtherNamespaces { file, namespaces } => write!(
                f,
                "{}: is only for the namespaces {}",
                escaped(file),
                namespaces.join(", ")
            ),
            Unused::Unmet { file, conditions } => write!(
                f,
                "{}: these conditions do not hold: {}",
                escaped(file),
                conditions.join(", ")
            ),
            Unused::NotKnown { file, conditions } => write!(
                f,
                "{}: these conditions depend on the image or the runtime, and may hold: {}",
                escaped(file),
                conditions.join(", ")
            ),
            Unused::Overridden { annotation, by } => {
                write!(
                    f,
                    "annotation {}: {} is more specific",
                    escaped(annotation),
                    escaped(by)
                )
            }
            Unused::OtherContainer {
                annotation,
                container,
            } => write!(
                f,
                "annotation {}: is for container {}",
                escaped(annotation),
                escaped(container)
            ),
            Unused::Empty { annotation } => {
                write!(
                    f,
                    "annotation {}: is empty, so it selects nothing",
                    escaped(annotation)
                )
            }
            Unused::AnotherKey { annotation, key } => {
                write!(
                    f,
                    "annotation {}: is not known; did you mean {key}?",
                    escaped(annotation)
                )
            }
            Unused::NotSelected { file } => write!(f, "{}: no annotation selects it", escaped(file)),
            Unused::WouldBeRefused { file, reason } => write!(f, "{}: {reason}", escaped(file)),
            Unused::Hidden { file, by } => {
                write!(
                    f,
                    "{}: its name means {}, which is found first",
                    escaped(file),
                    escaped(by)
                )
            }
        }
    }
}

/// The facts about a container that only its runtime, its image or the cluster knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Whether its command is unknown.
    pub(crate) command: bool,
    /// The keys of its annotations with unknown values.
    pub(crate) annotations: Vec<&'static str>,
}

impl Selector {
    /// The files and annotations that could give the container hooks but do not; `unknown` are its unknown
    /// facts, and `chosen` are its hook-specs.
    pub(crate) fn unused(&self, subject: &Subject<'_>, unknown: &Unknown, chosen: &[Chosen]) -> Vec<Unused> {
        let mut unused = Vec::new();
        unused.extend(self.unused_defaults(subject));
        unused.extend(self.unused_hooks_d(subject, unknown));
        unused.extend(self.unused_annotations(subject));
        unused.extend(self.unused_specs(subject, chosen));
        unused
    }

    fn unused_defaults(&self, subject: &Subject<'_>) -> Vec<Unused> {
        let mut defaults = self.config().defaults().peekable();
        if defaults.peek().is_none() {
            return vec![Unused::NoDefault];
        }
        let unused = defaults.filter_map(|(file, namespaces)| {
            let others = namespaces.filter(|namespaces| !namespaces.contains(subject.namespace));
            let others = others.map(|namespaces| Unused::OtherNamespaces {
                file: file.clone(),
                namespaces: namespaces.patterns().map(str::to_owned).collect(),
            });
            others.or_else(|| self.excluded(subject, file))
        });
        unused.collect()
    }

    fn unused_hooks_d(&self, subject: &Subject<'_>, unknown: &Unknown) -> Vec<Unused> {
        let specs = self.hooks_d();
        let mut conditions = Conditions::of(subject, Deadline::none());
        let unused = specs.iter().filter_map(|spec| {
            let unmet = || {
                // The selection reports a check that takes too long.
                let unmet = conditions.unmet(spec.when()).ok()?;
                let file = spec.file().clone();
                let may_hold = |key: &&'static str| conditions.may_hold(key, spec.when(), unknown);
                match unmet.iter().all(may_hold) {
                    _ if unmet.is_empty() => None,
                    true => Some(Unused::NotKnown {
                        file,
                        conditions: unmet,
                    }),
                    false => Some(Unused::Unmet {
                        file,
                        conditions: unmet,
                    }),
                }
            };
            self.excluded(subject, spec.file()).or_else(unmet)
        });
        unused.collect()
    }

    /// `file` as unused, if the pod's namespace is excluded.
    fn excluded(&self, subject: &Subject<'_>, file: &Arc<str>) -> Option<Unused> {
        let is_excluded = self.config().exclude_namespaces.contains(subject.namespace);
        is_excluded.then(|| Unused::NamespaceExcluded {
            file: file.clone(),
            namespace: subject.namespace.to_owned(),
        })
    }

    /// In the order of their keys, so that the same pod always gets the same answer.
    fn unused_annotations(&self, subject: &Subject<'_>) -> Vec<Unused> {
        let key = &self.config().annotation.key;
        // The selection reports their errors.
        let counts = effective(key, subject.annotations, subject.container)
            .ok()
            .flatten();
        let mut names: Vec<&String> = subject.annotations.keys().collect();
        names.sort();
        let why = |name: &String| {
            let annotation = name.clone();
            match (scope(key, name), counts) {
                (None, _) => is_like(key, name).then(|| Unused::AnotherKey {
                    annotation,
                    key: key.as_str().to_owned(),
                }),
                (Some(Scope::Container(container)), _) if container != subject.container => {
                    Some(Unused::OtherContainer {
                        annotation,
                        container: container.to_owned(),
                    })
                }
                (Some(_), Some((by, _))) if by != name => Some(Unused::Overridden {
                    annotation,
                    by: by.to_owned(),
                }),
                (Some(_), Some((_, value))) => spec_refs(value)
                    .is_ok_and(|refs| refs.is_empty())
                    .then_some(Unused::Empty { annotation }),
                (Some(_), None) => None,
            }
        };
        names.into_iter().filter_map(why).collect()
    }

    fn unused_specs(&self, subject: &Subject<'_>, chosen: &[Chosen]) -> Vec<Unused> {
        let mut path_cache = PathCache::new();
        let deadline = Deadline::none();
        let directories = &self.config().annotation.spec_dirs;
        let mut unused = Vec::new();
        for file in directories
            .iter()
            .filter_map(|directory| specs_in(directory).ok())
            .flatten()
        {
            let name = Path::new(&*file).file_stem().and_then(|name| name.to_str());
            if chosen.iter().any(|chosen| chosen.file == file) {
                continue;
            }
            let reference = SpecRef::Name(name.unwrap_or_default().to_owned());
            unused.push(
                match self.permitted(subject.namespace, &reference, &mut path_cache, deadline) {
                    Ok(found) if found.file == file => Unused::NotSelected { file },
                    Ok(found) => Unused::Hidden { file, by: found.file },
                    Err(fault) => Unused::WouldBeRefused {
                        file,
                        reason: fault.to_string(),
                    },
                },
            );
        }
        unused
    }
}

/// The files that bare names in an annotation may mean: the `*.json` of a spec directory, in the order of
/// their names.
///
/// Fails if the directory cannot be read.
pub(crate) fn specs_in(directory: &str) -> io::Result<Vec<Arc<str>>> {
    let mut files = Vec::new();
    for entry in Path::new(directory).read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.extend(path.to_str().map(Arc::from));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the key of an annotation resembles `ours`: the same name in another domain, or nearly the same
/// name in this one.
fn is_like(ours: &AnnotationKey, key: &str) -> bool {
    let key = key.split('/').next().unwrap_or_default();
    let (Some((our_name, our_domain)), Some((name, domain))) =
        (ours.as_str().split_once('.'), key.split_once('.'))
    else {
        return false;
    };
    name == our_name || (domain == our_domain && did_you_mean(name, [our_name]).is_some())
}
