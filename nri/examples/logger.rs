//! Prints every event of a node, until it is interrupted.
//!
//! `cargo run --example logger -- [SOCKET]`

use std::io::{self, Write};

use containerd_nri::api::{Container, PodSandbox};
use containerd_nri::{
    Adjustment, Configuration, Context, DEFAULT_SOCKET, Error, EventMask, Identity, Plugin, Service, Status,
    Subscription, Updates, Verdict, event,
};

struct Logger;

/// One line per event. A failure to write it cannot be reported.
fn log(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn log_pod(event: &str, pod: &PodSandbox) {
    log(format_args!(
        "{event} {}/{} ({})",
        pod.namespace, pod.name, pod.id
    ));
}

fn log_container(event: &str, pod: &PodSandbox, container: &Container) {
    let Container { name, id, pid, .. } = container;
    log(format_args!(
        "{event} {}/{}/{name} ({id}, pid {pid})",
        pod.namespace, pod.name
    ));
}

impl Plugin for Logger {
    async fn configure(&self, _: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        let runtime = configuration.runtime;
        let events = EventMask::known_to(runtime.nri());
        log(format_args!(
            "configure by {} {}: {events}",
            runtime.name, runtime.version
        ));
        Ok(events.into())
    }

    async fn synchronize(&self, _: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let event::Synchronize { pods, containers, .. } = event;
        log(format_args!(
            "synchronize {} pods, {} containers",
            pods.len(),
            containers.len()
        ));
        Ok(Updates::new())
    }

    async fn run_pod_sandbox(&self, _: &Context, event: event::RunPodSandbox) -> Result<(), Status> {
        let event::RunPodSandbox { pod, .. } = event;
        log_pod("run_pod_sandbox", &pod);
        Ok(())
    }

    async fn update_pod_sandbox(&self, _: &Context, event: event::UpdatePodSandbox) -> Result<(), Status> {
        let event::UpdatePodSandbox { pod, .. } = event;
        log_pod("update_pod_sandbox", &pod);
        Ok(())
    }

    async fn post_update_pod_sandbox(
        &self,
        _: &Context,
        event: event::PostUpdatePodSandbox,
    ) -> Result<(), Status> {
        let event::PostUpdatePodSandbox { pod, .. } = event;
        log_pod("post_update_pod_sandbox", &pod);
        Ok(())
    }

    async fn stop_pod_sandbox(&self, _: &Context, event: event::StopPodSandbox) -> Result<(), Status> {
        let event::StopPodSandbox { pod, .. } = event;
        log_pod("stop_pod_sandbox", &pod);
        Ok(())
    }

    async fn remove_pod_sandbox(&self, _: &Context, event: event::RemovePodSandbox) -> Result<(), Status> {
        let event::RemovePodSandbox { pod, .. } = event;
        log_pod("remove_pod_sandbox", &pod);
        Ok(())
    }

    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { pod, container, .. } = event;
        log_container("create_container", &pod, &container);
        Ok(Adjustment::new())
    }

    async fn post_create_container(
        &self,
        _: &Context,
        event: event::PostCreateContainer,
    ) -> Result<(), Status> {
        let event::PostCreateContainer { pod, container, .. } = event;
        log_container("post_create_container", &pod, &container);
        Ok(())
    }

    async fn start_container(&self, _: &Context, event: event::StartContainer) -> Result<(), Status> {
        let event::StartContainer { pod, container, .. } = event;
        log_container("start_container", &pod, &container);
        Ok(())
    }

    async fn post_start_container(
        &self,
        _: &Context,
        event: event::PostStartContainer,
    ) -> Result<(), Status> {
        let event::PostStartContainer { pod, container, .. } = event;
        log_container("post_start_container", &pod, &container);
        Ok(())
    }

    async fn update_container(&self, _: &Context, event: event::UpdateContainer) -> Result<Updates, Status> {
        let event::UpdateContainer { pod, container, .. } = event;
        log_container("update_container", &pod, &container);
        Ok(Updates::new())
    }

    async fn post_update_container(
        &self,
        _: &Context,
        event: event::PostUpdateContainer,
    ) -> Result<(), Status> {
        let event::PostUpdateContainer { pod, container, .. } = event;
        log_container("post_update_container", &pod, &container);
        Ok(())
    }

    async fn stop_container(&self, _: &Context, event: event::StopContainer) -> Result<Updates, Status> {
        let event::StopContainer { pod, container, .. } = event;
        log_container("stop_container", &pod, &container);
        Ok(Updates::new())
    }

    async fn remove_container(&self, _: &Context, event: event::RemoveContainer) -> Result<(), Status> {
        let event::RemoveContainer { pod, container, .. } = event;
        log_container("remove_container", &pod, &container);
        Ok(())
    }

    async fn validate_container_adjustment(
        &self,
        _: &Context,
        proposal: event::ValidateContainerAdjustment,
    ) -> Result<Verdict, Status> {
        log_container(
            "validate_container_adjustment",
            &proposal.pod,
            &proposal.container,
        );
        Ok(Verdict::Accept)
    }

    fn disconnected(&self, reason: &Error) {
        log(format_args!("disconnected: {reason}"));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Service::new(Logger, Identity::new("90", "logger")?)
        .socket(socket)
        .run_until(interrupted)
        .await;
    Ok(())
}
