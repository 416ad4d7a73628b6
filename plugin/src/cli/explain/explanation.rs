//! The hooks that each container would get, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ExplainArgs;
use super::added::Runtime;
use crate::config::{Delivery, MissedAction};
use crate::diagnostic::Diagnostic;
use crate::lint::overruns;
use crate::manifest::{ContainerKind, Manifest, ManifestPod};
use crate::model::{Chosen, Origin, ResolvedHook, ResolvedHooks, Stage, escaped};
use crate::select::{Deadline, ImageProgram, Selected, Selector, Subject, Unknown, Unused};

/// The hooks that each container of some pods would get.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// The configuration's file; `None` if there is none.
    pub(super) config: Option<String>,
    /// The delivery of the hooks, except for pods that select another.
    pub(super) delivery: Delivery,
    /// The action for a container that was created without the daemon.
    pub(super) missed: MissedAction,
    pub(super) pods: Vec<PodExplanation>,
    /// The errors of the default hook-spec and of hooks.d.
    pub(super) errors: Vec<Diagnostic>,
    /// Objects that describe no pod.
    pub(super) others: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PodExplanation {
    pub(super) object: String,
    pub(super) namespace: String,
    /// The delivery of the hooks in this pod.
    pub(super) delivery: Delivery,
    /// The action for its containers that were created without the daemon.
    pub(super) missed: MissedAction,
    pub(super) warnings: Vec<String>,
    pub(super) containers: Vec<ContainerExplanation>,
}

#[derive(Debug, Serialize)]
pub(super) struct ContainerExplanation {
    pub(super) container: String,
    pub(super) kind: ContainerKind,
    /// The reason why it would not be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    /// The parts that it would lack, because `failure_policy` is `"ignore"`.
    pub(super) ignored: Vec<String>,
    /// Its hooks, in order.
    pub(super) stages: BTreeMap<Stage, Vec<HookExplanation>>,
    pub(super) warnings: Vec<String>,
    pub(super) unused: Vec<UnusedExplanation>,
}

#[derive(Debug, Serialize)]
pub(super) struct HookExplanation {
    pub(super) path: String,
    /// The image that the program is from; absent if it is from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<ImageProgram>,
    pub(super) args: Vec<String>,
    /// Only the names: the values may be secrets.
    pub(super) env: Vec<String>,
    /// In seconds.
    pub(super) timeout: u32,
    pub(super) file: String,
    pub(super) line: usize,
    #[serde(flatten)]
    pub(super) by: Origin,
}

#[derive(Debug, Serialize)]
pub(super) struct UnusedExplanation {
    #[serde(flatten)]
    pub(super) what: Unused,
    /// The explanation for people.
    pub(super) text: String,
}

impl Explanation {
    /// The hooks that `selector` gives to the containers of `manifest` that `args` name. All pods have a
    /// namespace.
    pub(super) fn new(selector: &Selector, args: &ExplainArgs, manifest: &Manifest) -> Explanation {
        let pods = manifest.pods.iter();
        let pods = pods.map(|pod| PodExplanation::new(selector, args, pod));
        let pods = pods.collect();
        Explanation {
            config: args.config.file().map(str::to_owned),
            delivery: selector
                .config()
                .delivery(args.runtime_handler.as_deref().unwrap_or_default()),
            missed: selector.config().missed,
            pods,
            errors: selector.errors(),
            others: manifest.others.clone(),
        }
    }

    pub(super) fn all_can_be_created(&self) -> bool {
        let mut containers = self.pods.iter().flat_map(|pod| &pod.containers);
        !self.pods.is_empty() && containers.all(|container| container.refused.is_none())
    }
}

impl PodExplanation {
    fn new(selector: &Selector, args: &ExplainArgs, pod: &ManifestPod) -> PodExplanation {
        let namespace = pod.namespace.clone().unwrap_or_default();
        let class = pod.runtime_class.as_deref();
        let handler = args.runtime_handler.as_deref().or(class).unwrap_or_default();
        let delivery = selector.config().delivery(handler);
        let included = pod
            .containers
            .iter()
            .filter(|container| args.includes(&container.name));
        let runtime = Runtime::of_node();
        let containers = included.map(|container| {
            let added = runtime.adds(pod, &namespace, &container.name);
            let subject = Subject {
                namespace: &namespace,
                annotations: &pod.annotations,
                container_annotations: &added,
                container: &container.name,
                command: container.command.as_deref(),
                // Kubelet mounts a file of the host into every container, such as /etc/hosts.
                has_bind_mounts: true,
                delivery,
            };
            let unknown = runtime.unknown_of(&added, container.command.is_some());
            ContainerExplanation::new(selector, &subject, &unknown, delivery, container.kind)
        });
        let containers: Vec<ContainerExplanation> = containers.collect();
        let mut warnings = nobodys_annotations(&containers, pod);
        if let (Some(class), None) = (class, &args.runtime_handler)
            && !selector.config().runtimes.is_empty()
        {
            warnings.push(format!(
                "runtimeClassName {0}: only the cluster knows its runtime handler; explain assumes {0}. Name another \
                 with --runtime-handler",
                escaped(class)
            ));
        }
        PodExplanation {
            object: pod.object.clone(),
            delivery,
            missed: match selector.config().exclude_namespaces.contains(&namespace) || !pod.always_restarts {
                true => MissedAction::Report,
                false => selector.config().missed,
            },
            warnings,
            containers,
            namespace,
        }
    }
}

impl ContainerExplanation {
    fn new(
        selector: &Selector,
        subject: &Subject<'_>,
        unknown: &Unknown,
        delivery: Delivery,
        kind: ContainerKind,
    ) -> ContainerExplanation {
        let (selected, refused) = match selector.choose(subject, Deadline::none()) {
            Ok(selected) => (Some(selected), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let ignored = selected.iter().flat_map(|selected| &selected.ignored);
        let ignored = ignored.map(ToString::to_string).collect();
        let chosen = selected.as_ref().map_or(&[][..], |selected| &selected.specs);
        let unused = selector
            .unused(subject, unknown, chosen)
            .into_iter()
            .map(|what| UnusedExplanation {
                text: what.to_string(),
                what,
            });
        let got = selected.as_ref();
        let resolved = got.map(|selected| &*selected.resolved);
        ContainerExplanation {
            container: subject.container.to_owned(),
            kind,
            refused,
            ignored,
            warnings: resolved.map_or_else(Vec::new, |resolved| warnings(selector, resolved, delivery)),
            stages: got.map_or_else(BTreeMap::new, stages),
            unused: unused.collect(),
        }
    }

    pub(super) fn hooks(&self) -> usize {
        self.stages.values().map(Vec::len).sum()
    }
}

/// A warning for each annotation about a container that the pod does not have.
fn nobodys_annotations(explained: &[ContainerExplanation], pod: &ManifestPod) -> Vec<String> {
    let unused = explained.iter().flat_map(|container| &container.unused);
    let about: BTreeSet<(&String, &String)> = unused
        .filter_map(|unused| match &unused.what {
            Unused::OtherContainer {
                annotation,
                container,
            } => Some((annotation, container)),
            _ => None,
        })
        .collect();
    let has = |name: &str| pod.containers.iter().any(|container| container.name == name);
    let nobodys = about.into_iter().filter(|(_, container)| !has(container));
    nobodys
        .map(|(annotation, container)| {
            format!(
                "annotation {}: the pod has no container {}",
                escaped(annotation),
                escaped(container)
            )
        })
        .collect()
}

fn warnings(selector: &Selector, resolved: &ResolvedHooks, delivery: Delivery) -> Vec<String> {
    let config = selector.config();
    let stages = resolved.stages.iter().map(|(stage, hooks)| {
        let timeouts = hooks.iter().map(|hook| hook.timeout);
        (*stage, timeouts.collect())
    });
    let overruns = overruns(stages, delivery).into_iter();
    overruns
        .map(|overrun| {
            let hook = overrun.index + 1;
            format!(
                "{} {hook}: {}; {}",
                overrun.stage,
                overrun.message(),
                overrun.help(config)
            )
        })
        .collect()
}

fn stages(selected: &Selected) -> BTreeMap<Stage, Vec<HookExplanation>> {
    let explained = selected
        .resolved
        .stages
        .iter()
        .map(|(stage, hooks)| (*stage, explained(hooks, &selected.specs)));
    explained.collect()
}

/// The hooks of one stage, each with the reason why it was selected.
///
/// They are in the order of the hook-specs, and indices rise within one spec. So a hook is of the first spec
/// with its file, counted from the spec of the previous hook. If its index does not rise, the count starts
/// after that spec, because a spec may be selected twice.
fn explained(hooks: &[ResolvedHook], specs: &[Chosen]) -> Vec<HookExplanation> {
    let mut explained = Vec::new();
    let mut from = 0;
    let mut before: Option<usize> = None;
    for hook in hooks {
        let source = &hook.source;
        if before.is_some_and(|before| {
            specs.get(from).is_some_and(|spec| spec.file == source.file) && source.index <= before
        }) {
            from += 1;
        }
        let found = specs.iter().skip(from).position(|spec| spec.file == source.file);
        from += found.unwrap_or_default();
        before = Some(source.index);
        let Some(spec) = specs.get(from) else { break };
        explained.push(HookExplanation {
            path: hook.path.clone(),
            image: hook.pinned.as_deref().and_then(ImageProgram::at),
            args: hook.args.clone(),
            env: hook.env.iter().map(|entry| name(entry)).collect(),
            timeout: hook.timeout.seconds(),
            file: source.file.to_string(),
            line: source.line,
            by: spec.by.clone(),
        });
    }
    explained
}

fn name(entry: &str) -> String {
    entry.split_once('=').map_or(entry, |(name, _)| name).to_owned()
}
