//! From an object to its pods.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::always_restarts;
use super::{Manifest, ManifestError};

/// The parts of a pod, or of the pods of a workload, that hooks depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestPod {
    /// The object that describes it, as `Kind/name`.
    pub object: String,
    /// The namespace, if the object names one.
    pub namespace: Option<String>,
    /// Its `runtimeClassName`, if it has one.
    pub runtime_class: Option<String>,
    /// The pod's annotations.
    pub annotations: HashMap<String, String>,
    /// Whether the kubelet certainly creates its containers again when they end.
    pub always_restarts: bool,
    /// The pod's containers, in the order in which they run.
    pub containers: Vec<ManifestContainer>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestContainer {
    /// Its name in the pod.
    pub(crate) name: String,
    /// Which list of the pod it is in.
    pub(crate) kind: ContainerKind,
    /// The first word of its command line; `None` if the image has it.
    pub(crate) command: Option<String>,
}

/// Which list of a pod a container is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContainerKind {
    /// `initContainers`
    Init,
    /// `containers`
    Main,
    /// `ephemeralContainers`
    Ephemeral,
}

impl ContainerKind {
    /// Every kind, in the order in which they run, with the field that lists them.
    const FIELDS: [(&'static str, ContainerKind); 3] = [
        ("initContainers", ContainerKind::Init),
        ("containers", ContainerKind::Main),
        ("ephemeralContainers", ContainerKind::Ephemeral),
    ];
}

/// The kinds whose pods can have no `restartPolicy` but `Always`, and carry a label that shows it.
const ALWAYS_RESTART: [&str; 3] = ["Deployment", "DaemonSet", "StatefulSet"];

/// The fields of the pod template in the kinds of Kubernetes.
const TEMPLATES: [&str; 3] = ["/spec/jobTemplate/spec/template", "/spec/template", "/template"];

/// Adds the pods of `object`. `kind_of_items` is its kind if it names none itself: in a list of one kind from
/// the API server, no item names it.
pub(super) fn collect(
    object: &Value,
    kind_of_items: Option<&str>,
    manifest: &mut Manifest,
) -> Result<(), ManifestError> {
    let kind = object.get("kind").and_then(Value::as_str).or(kind_of_items);
    let kind = kind.ok_or(ManifestError::NoKind)?;
    if let Some(items) = object.get("items").and_then(Value::as_array)
        && let Some(of_items) = kind.strip_suffix("List")
    {
        let of_items = Some(of_items).filter(|kind| !kind.is_empty());
        return items
            .iter()
            .try_for_each(|item| collect(item, of_items, manifest));
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let generated = || object.pointer("/metadata/generateName").and_then(Value::as_str);
    let label = format!("{kind}/{}", name.or_else(generated).unwrap_or_default());
    let template = TEMPLATES.iter().find_map(|place| object.pointer(place));
    match template.filter(|template| template.pointer("/spec/containers").is_some()) {
        _ if kind == "Pod" => manifest.pods.push(pod(label, object, object)?),
        Some(template) => manifest.pods.push(ManifestPod {
            always_restarts: ALWAYS_RESTART.contains(&kind),
            ..pod(label, object, template)?
        }),
        None => manifest.others.push(label),
    }
    Ok(())
}

/// The pod of `template`, which is part of `object` or the object itself.
fn pod(label: String, object: &Value, template: &Value) -> Result<ManifestPod, ManifestError> {
    let wrong = |field: &str, wanted| ManifestError::shape(&label, field, wanted);
    let namespace = match object.pointer("/metadata/namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(namespace)) => Some(namespace.clone()),
        Some(_) => return Err(wrong("metadata.namespace", "a string")),
    };
    let runtime_class = match template.pointer("/spec/runtimeClassName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name.clone()).filter(|name| !name.is_empty()),
        Some(_) => return Err(wrong("spec.runtimeClassName", "a string")),
    };
    let mut annotations = HashMap::new();
    match template.pointer("/metadata/annotations") {
        None | Some(Value::Null) => {}
        Some(Value::Object(members)) => {
            for (key, value) in members {
                let text = value.as_str();
                let field = || format!("the annotation {key}");
                let text = text.ok_or_else(|| wrong(&field(), "a string; write its value in quotes"))?;
                annotations.insert(key.clone(), text.to_owned());
            }
        }
        Some(_) => return Err(wrong("metadata.annotations", "a map")),
    }
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    let always_restarts = always_restarts(&labels.collect(), &annotations);
    let mut containers = Vec::new();
    for (field, kind) in ContainerKind::FIELDS {
        let list = match template.get("spec").and_then(|spec| spec.get(field)) {
            None | Some(Value::Null) => continue,
            Some(list) => list.as_array().ok_or_else(|| wrong(field, "a list"))?,
        };
        for container in list {
            let name = container.get("name").and_then(Value::as_str);
            containers.push(ManifestContainer {
                name: name
                    .ok_or_else(|| wrong(&format!("{field}[].name"), "a string"))?
                    .to_owned(),
                kind,
                command: container
                    .pointer("/command/0")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            });
        }
    }
    if containers.is_empty() {
        return Err(wrong("spec.containers", "a list of containers"));
    }
    Ok(ManifestPod {
        object: label,
        namespace,
        runtime_class,
        annotations,
        always_restarts,
        containers,
    })
}
