//! The pods to explain.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, ensure};

use super::ExplainArgs;
use crate::manifest::{self, ContainerKind, Manifest, ManifestContainer, ManifestPod};
use crate::model::escaped;

/// The namespace of objects that name none, as for kubectl.
const DEFAULT_NAMESPACE: &str = "default";

/// The container of a pod that was described only by its annotations.
const DEFAULT_CONTAINER: &str = "main";

/// The pods to explain, each with a namespace, and the objects that describe none.
///
/// Fails if the manifest cannot be read, or has none of the requested containers.
pub(super) fn of(args: &ExplainArgs, input: &mut impl Read) -> anyhow::Result<Manifest> {
    let mut manifest = match &args.manifest {
        Some(file) => from_file(file, input)?,
        None => Manifest {
            pods: vec![described(args)],
            others: Vec::new(),
        },
    };
    ensure!(
        !(manifest.pods.is_empty() && manifest.others.is_empty()),
        "the manifest is empty"
    );
    let namespace = args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    for pod in &mut manifest.pods {
        pod.namespace.get_or_insert_with(|| namespace.to_owned());
        pod.annotations.extend(args.annotations.iter().cloned());
    }
    let included = |container: &ManifestContainer| args.includes(&container.name);
    let mut containers = manifest.pods.iter().flat_map(|pod| &pod.containers);
    ensure!(
        containers.any(included) || manifest.pods.is_empty(),
        "the manifest has no container called {}",
        args.containers
            .iter()
            .map(|name| escaped(name).to_string())
            .collect::<Vec<_>>()
            .join(" or ")
    );
    Ok(manifest)
}

fn from_file(file: &str, input: &mut impl Read) -> anyhow::Result<Manifest> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the manifest is longer.
    let max = manifest::MAX_SIZE as u64 + 1;
    let read = match file {
        "-" => input.take(max).read_to_end(&mut bytes),
        file => File::open(file).and_then(|open| open.take(max).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read {}", escaped(file)))?;
    manifest::read(&bytes).with_context(|| escaped(file).to_string())
}

/// A pod as the command line describes it.
fn described(args: &ExplainArgs) -> ManifestPod {
    let named = args.containers.iter().cloned();
    let mut names: Vec<String> = named.collect();
    if names.is_empty() {
        names.push(DEFAULT_CONTAINER.to_owned());
    }
    let main = |name| ManifestContainer {
        name,
        kind: ContainerKind::Main,
        command: None,
    };
    ManifestPod {
        object: "the pod described".to_owned(),
        namespace: None,
        runtime_class: None,
        annotations: args.annotations.iter().cloned().collect(),
        always_restarts: false,
        containers: names.into_iter().map(main).collect(),
    }
}
