//! The messages: one realistic container, and a node full of them.

use containerd_nri::api::{Container, ContainerState, PodSandbox};
use e2e::realistic::{container, pod};

const CONTAINERS_OF_POD: usize = 10;

/// The annotation of a container that has been given its hooks.
const MARK: &str = "nri-oci-hooks.noderesource.dev/given-to";

/// The pod of this name, and a container in it with 60 variables and 20 mounts. Every number makes another one.
pub(crate) fn realistic(pod_name: &str, number: usize) -> (PodSandbox, Container) {
    let pod = pod(pod_name);
    let container = container(&pod, &format!("app-{number}")).build();
    (pod, container)
}

/// The pod of the container `number` of a [`node`] with these `pods`.
pub(crate) fn pod_of(pods: &[PodSandbox], number: usize) -> &PodSandbox {
    &pods[number / CONTAINERS_OF_POD]
}

/// A node with so many running containers, ten to a pod. They have been given their hooks: a daemon has been there all
/// along, and has none to report.
pub(crate) fn node(containers: usize) -> (Vec<PodSandbox>, Vec<Container>) {
    let pods: Vec<PodSandbox> = (0..containers.div_ceil(CONTAINERS_OF_POD))
        .map(|number| pod(&format!("pod-{number}")))
        .collect();
    let containers = (0..containers)
        .map(|number| {
            let mut container = container(pod_of(&pods, number), &format!("app-{number}"))
                .state(ContainerState::CONTAINER_RUNNING)
                .build();
            container
                .annotations
                .insert(MARK.to_owned(), container.id.clone());
            container
        })
        .collect();
    (pods, containers)
}
