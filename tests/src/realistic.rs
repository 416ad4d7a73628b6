//! Pods and containers with as much in them as real ones: annotations, variables, mounts.

use containerd_nri::api::{Mount, PodSandbox};
use containerd_nri_testkit::{ContainerBuilder, PodBuilder};

const ANNOTATIONS: usize = 20;
const VARIABLES: usize = 60;
const MOUNTS: usize = 20;

/// A pod with 20 annotations of 100 bytes.
pub fn pod(name: &str) -> PodSandbox {
    let empty = PodBuilder::new(name);
    let annotated = (0..ANNOTATIONS).fold(empty, |pod, number| {
        pod.annotation(format!("example.com/annotation-{number}"), "x".repeat(100))
    });
    annotated.build()
}

/// A container with 60 variables and 20 mounts.
pub fn container(pod: &PodSandbox, name: &str) -> ContainerBuilder {
    let mut container = ContainerBuilder::new(pod, name);
    let plain = container.clone().build();
    for number in plain.env.len()..VARIABLES {
        container = container.env(&format!("VARIABLE_{number}"), "some value of a usual length");
    }
    for number in plain.mounts.len()..MOUNTS {
        container = container.mount(Mount {
            destination: format!("/data/{number}"),
            type_: "bind".to_owned(),
            source: format!("/var/lib/kubelet/volumes/{number}"),
            options: ["rbind", "rprivate", "rw"].map(str::to_owned).into(),
            ..Default::default()
        });
    }
    container
}
