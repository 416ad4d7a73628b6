//! The types of a valid configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::Listen;
use super::{Limits, Names, SelectionRule};

use crate::model::{DEFAULT_STATE_DIR, HookLimits, Timeout};

/// The daemon's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `hook_spec`: absolute path of the default hook-spec, for every container; none if unset.
    pub hook_spec: Option<Arc<str>>,
    /// `[[default_specs]]`: further default hook-specs, for the containers of some namespaces; none if unset.
    pub default_specs: Vec<DefaultSpec>,
    /// `hooks_dirs`: directories of hooks.d files, absolute and without a slash at the end; none if unset. A
    /// file masks one of the same name in an earlier directory.
    pub hooks_dirs: Vec<Arc<str>>,
    /// `exclude_namespaces`: namespaces, or patterns of them, that get neither the default hook-spec nor
    /// hooks.d; none if unset. Their pods can still select hook-specs.
    pub exclude_namespaces: Names,
    /// `failure_policy`: the fate of a container whose hooks cannot be determined.
    pub failure_policy: FailurePolicy,
    /// `delivery`: the way in which hooks run.
    pub delivery: Delivery,
    /// `[runtimes.NAME]`, `delivery`: the same for the pods of one runtime handler.
    pub runtimes: BTreeMap<String, Delivery>,
    /// `state_dir`: the directory of the ledger; `/var/lib/nri-oci-hooks` if unset.
    pub state_dir: Arc<str>,
    /// `listen`: the address of metrics and health; none if unset.
    pub listen: Option<Listen>,
    /// `default_timeout`: the timeout of a hook without `timeout`, in seconds; 30 if unset.
    pub default_timeout: Timeout,
    /// `[limits]`: the share of the node that each hook may use; 1,024 processes if unset.
    pub limits: HookLimits,
    /// `[missed]`, `action`: the action for a container that was created without its hooks.
    pub missed: MissedAction,
    /// `[annotation]`: how a pod selects hook-specs.
    pub annotation: Annotation,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            hook_spec: None,
            default_specs: Vec::new(),
            hooks_dirs: Vec::new(),
            exclude_namespaces: Names::default(),
            failure_policy: FailurePolicy::default(),
            delivery: Delivery::default(),
            runtimes: BTreeMap::new(),
            state_dir: DEFAULT_STATE_DIR.into(),
            listen: None,
            default_timeout: Timeout::DEFAULT,
            limits: HookLimits::default(),
            missed: MissedAction::default(),
            annotation: Annotation::default(),
        }
    }
}

impl Config {
    /// The default hook-specs, in order, each with its namespaces: `hook_spec` is for all.
    pub(crate) fn defaults(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Names>)> {
        let for_some = self.default_specs.iter();
        let for_some = for_some.map(|spec| (&spec.hook_spec, spec.namespaces.as_ref()));
        self.hook_spec.iter().map(|file| (file, None)).chain(for_some)
    }

    /// The delivery for the pods of a runtime handler; the name of the default handler is empty.
    pub(crate) fn delivery(&self, runtime_handler: &str) -> Delivery {
        let own = self.runtimes.get(runtime_handler);
        own.copied().unwrap_or(self.delivery)
    }

    /// Whether the ledger is needed for the hooks of any pod.
    pub(crate) fn needs_ledger(&self) -> bool {
        self.deliveries().any(|delivery| delivery != Delivery::Direct)
    }

    /// Whether the hooks of any pod go into its containers' OCI specs unchanged.
    pub(crate) fn delivers_directly(&self) -> bool {
        self.deliveries().any(|delivery| delivery == Delivery::Direct)
    }

    /// Whether the hooks of any pod run only at the runtime's events.
    pub(crate) fn needs_all_events(&self) -> bool {
        self.deliveries().any(|delivery| delivery == Delivery::Events)
    }

    fn deliveries(&self) -> impl Iterator<Item = Delivery> {
        self.runtimes.values().chain([&self.delivery]).copied()
    }
}

/// One of `[[default_specs]]`: a default hook-spec for the containers of some namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultSpec {
    /// `hook_spec`: its absolute path.
    pub(crate) hook_spec: Arc<str>,
    /// `namespaces`: of the pods whose containers get its hooks; all if unset.
    pub(crate) namespaces: Option<Names>,
}

/// How a pod selects hook-specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `key`: the annotation; `hook-spec.noderesource.dev` if unset.
    pub key: AnnotationKey,
    /// `spec_dirs`: the directories of the hook-specs that pods may select, absolute and without a slash at
    /// the end; `/etc/nri-oci-hooks/specs` alone if unset.
    pub spec_dirs: Vec<Arc<str>>,
    /// `[[annotation.rules]]`: which pods may select which hook-specs; no rule if unset.
    pub(crate) rules: Vec<SelectionRule>,
    /// `max_timeout`, `max_hooks`, `stages`: the limits of selected hook-specs.
    pub limits: Limits,
}

impl Default for Annotation {
    fn default() -> Self {
        Annotation {
            key: AnnotationKey("hook-spec.noderesource.dev".into()),
            spec_dirs: vec!["/etc/nri-oci-hooks/specs".into()],
            rules: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// The key of the annotation, without a scope.
///
/// With a scope, `/pod` or `/container.NAME`, it is the prefix of a Kubernetes label or annotation key;
/// without one it is the name part. So it must be valid as both: a DNS name of lower-case letters, digits,
/// `-` and `.`, at most 63 characters, outside `kubernetes.io` and `k8s.io`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotationKey(Arc<str>);

impl AnnotationKey {
    /// The maximum length of the name part of a Kubernetes annotation key, in characters.
    pub(crate) const LONGEST: usize = 63;

    /// The key `text`, if it is valid.
    pub(crate) fn new(text: &str) -> Option<AnnotationKey> {
        let reserved = ["kubernetes.io", "k8s.io"].iter().any(|domain| {
            text.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let valid = text.len() <= Self::LONGEST && text.split('.').all(is_dns_label) && !reserved;
        valid.then(|| AnnotationKey(text.into()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AnnotationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` is a label of RFC 1123, as Kubernetes requires: 1 to 63 lower-case letters, digits and `-`,
/// neither first nor last a `-`. Namespaces have such names.
pub(super) fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A value that is one of a few words.
pub(super) trait Word: Copy + Sized + 'static {
    /// Every value with its word.
    const WORDS: &'static [(&'static str, Self)];
}

/// The fate of a container whose hooks cannot be determined, because a hook-spec or an annotation is invalid.
/// Kubernetes uses the same names for admission webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// `"fail"`: it is not created.
    #[default]
    Fail,
    /// `"ignore"`: it is created without the hooks concerned.
    Ignore,
}

impl Word for FailurePolicy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("fail", FailurePolicy::Fail), ("ignore", FailurePolicy::Ignore)];
}

/// The action for a container that was created without its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MissedAction {
    /// `"report"`: it is reported.
    #[default]
    Report,
    /// `"restart"`: its init is ended too, so that the kubelet creates the container again.
    Restart,
}

impl Word for MissedAction {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("report", MissedAction::Report),
        ("restart", MissedAction::Restart),
    ];
}

/// The way in which hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// `"runner"`: the container's OCI spec gets one hook per stage, the runner. NRI's events replace the OCI
    /// runtime if that calls it too early, after the stage, or not at all.
    #[default]
    Runner,
    /// `"direct"`: the hooks go into the container's OCI spec unchanged, and the OCI runtime runs them.
    Direct,
    /// `"events"`: nothing goes into the container's OCI spec; the runner is started only at NRI's events.
    Events,
}

impl Word for Delivery {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("runner", Delivery::Runner),
        ("direct", Delivery::Direct),
        ("events", Delivery::Events),
    ];
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, delivery)| delivery == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl FromStr for Delivery {
    type Err = String;

    /// Fails with the valid words.
    fn from_str(text: &str) -> Result<Self, String> {
        word(text).ok_or_else(|| format!("must be one of: {}", words::<Delivery>()))
    }
}

/// The value of the word `text`.
pub(super) fn word<W: Word>(text: &str) -> Option<W> {
    W::WORDS
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
}

/// All words, for a message.
pub(super) fn words<W: Word>() -> String {
    W::WORDS
        .iter()
        .map(|(word, _)| *word)
        .collect::<Vec<_>>()
        .join(", ")
}
