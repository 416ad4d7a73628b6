//! Plugins made with this crate, for the fake runtime to drive.

use std::time::Duration;

use containerd_nri::api::{Container, ContainerUpdate, CreateContainerResponse, PodSandbox};
use containerd_nri::{
    Adjustment, Backoff, Configuration, Context, Error, EventMask, Identity, Plugin, Service, Status,
    Subscription, Updates, Verdict, event,
};
use containerd_nri_testkit::{ContainerBuilder, Outcome, PluginHandle, PodBuilder};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::raw_plugin::socket;

/// A service in the background; dropping it stops it.
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    /// Whether the service has ended, which it should do for no byte of the runtime.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a plugin as `10-tested` on the socket of the runtime in this directory.
pub(crate) fn serve<P: Plugin>(plugin: P, directory: &TempDir) -> Running {
    let service = Service::new(plugin, Identity::new("10", "tested").unwrap())
        .socket(socket(directory))
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(10)));
    Running(tokio::spawn(async move {
        service.run().await;
    }))
}

/// A pod and a container in it.
pub(crate) fn pod_and_container() -> (PodSandbox, Container) {
    let pod = PodBuilder::new("pod").build();
    let container = ContainerBuilder::new(&pod, "app").build();
    (pod, container)
}

/// Sends CreateContainer for the container of [`pod_and_container`].
pub(crate) async fn create(plugin: &mut PluginHandle) -> Outcome<CreateContainerResponse> {
    let (pod, container) = pod_and_container();
    plugin.create_container(&pod, &container).await
}

/// A plugin that answers CreateContainer with what a function returns.
pub(crate) struct OnCreate<F>(pub(crate) F);

impl<F, R> Plugin for OnCreate<F>
where
    F: Fn(Context, Container) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Adjustment, Status>> + Send,
{
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(EventMask::CREATE_CONTAINER.into())
    }

    async fn create_container(
        &self,
        ctx: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { container, .. } = event;
        (self.0)(ctx.clone(), container).await
    }
}

/// The calls that a [`Recorder`] got, in order.
pub(crate) struct Seen(mpsc::UnboundedReceiver<String>);

impl Seen {
    /// Waits for the next thing seen.
    pub(crate) async fn next(&mut self) -> String {
        self.0.recv().await.expect("the recorder lives")
    }

    /// The next thing seen, if there is one.
    pub(crate) fn now(&mut self) -> Option<String> {
        self.0.try_recv().ok()
    }
}

/// A plugin that subscribes to all events and notes each.
pub(crate) struct Recorder {
    sender: mpsc::UnboundedSender<String>,
}

impl Recorder {
    pub(crate) fn new() -> (Self, Seen) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender }, Seen(receiver))
    }

    fn note(&self, event: &str) {
        // A test that is over listens no more.
        let _ = self.sender.send(event.to_owned());
    }

    fn note_pod(&self, event: &str, pod: &PodSandbox) -> Result<(), Status> {
        self.note(&format!("{event} {}", pod.name));
        Ok(())
    }

    fn note_container(&self, event: &str, pod: &PodSandbox, container: &Container) -> Result<(), Status> {
        self.note(&format!("{event} {} {}", pod.name, container.name));
        Ok(())
    }
}

impl Plugin for Recorder {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        self.note("configure");
        Ok(EventMask::ALL.into())
    }

    async fn synchronize(&self, _: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let event::Synchronize { pods, containers, .. } = event;
        self.note(&format!("synchronize {} {}", pods.len(), containers.len()));
        Ok(Updates::new())
    }

    async fn run_pod_sandbox(&self, _: &Context, event: event::RunPodSandbox) -> Result<(), Status> {
        let event::RunPodSandbox { pod, .. } = event;
        self.note_pod("run_pod_sandbox", &pod)
    }

    async fn update_pod_sandbox(&self, _: &Context, event: event::UpdatePodSandbox) -> Result<(), Status> {
        let event::UpdatePodSandbox { pod, .. } = event;
        self.note_pod("update_pod_sandbox", &pod)
    }

    async fn post_update_pod_sandbox(
        &self,
        _: &Context,
        event: event::PostUpdatePodSandbox,
    ) -> Result<(), Status> {
        let event::PostUpdatePodSandbox { pod, .. } = event;
        self.note_pod("post_update_pod_sandbox", &pod)
    }

    async fn stop_pod_sandbox(&self, _: &Context, event: event::StopPodSandbox) -> Result<(), Status> {
        let event::StopPodSandbox { pod, .. } = event;
        self.note_pod("stop_pod_sandbox", &pod)
    }

    async fn remove_pod_sandbox(&self, _: &Context, event: event::RemovePodSandbox) -> Result<(), Status> {
        let event::RemovePodSandbox { pod, .. } = event;
        self.note_pod("remove_pod_sandbox", &pod)
    }

    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("create_container", &p, &c)?;
        Ok(Adjustment::new().env("CREATED", "yes"))
    }

    async fn post_create_container(
        &self,
        _: &Context,
        event: event::PostCreateContainer,
    ) -> Result<(), Status> {
        let event::PostCreateContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("post_create_container", &p, &c)
    }

    async fn start_container(&self, _: &Context, event: event::StartContainer) -> Result<(), Status> {
        let event::StartContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("start_container", &p, &c)
    }

    async fn post_start_container(
        &self,
        _: &Context,
        event: event::PostStartContainer,
    ) -> Result<(), Status> {
        let event::PostStartContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("post_start_container", &p, &c)
    }

    async fn update_container(&self, _: &Context, event: event::UpdateContainer) -> Result<Updates, Status> {
        let event::UpdateContainer {
            pod: p,
            container: c,
            resources,
            ..
        } = event;
        self.note_container("update_container", &p, &c)?;
        let mut update = ContainerUpdate {
            container_id: c.id,
            ..Default::default()
        };
        update.linux.mut_or_insert_default().resources = Some(resources).into();
        Ok(Updates::new().update(update))
    }

    async fn post_update_container(
        &self,
        _: &Context,
        event: event::PostUpdateContainer,
    ) -> Result<(), Status> {
        let event::PostUpdateContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("post_update_container", &p, &c)
    }

    async fn stop_container(&self, _: &Context, event: event::StopContainer) -> Result<Updates, Status> {
        let event::StopContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("stop_container", &p, &c)?;
        Ok(Updates::new().update(ContainerUpdate {
            container_id: c.id,
            ..Default::default()
        }))
    }

    async fn remove_container(&self, _: &Context, event: event::RemoveContainer) -> Result<(), Status> {
        let event::RemoveContainer {
            pod: p, container: c, ..
        } = event;
        self.note_container("remove_container", &p, &c)
    }

    async fn validate_container_adjustment(
        &self,
        _: &Context,
        proposal: event::ValidateContainerAdjustment,
    ) -> Result<Verdict, Status> {
        self.note_container(
            "validate_container_adjustment",
            &proposal.pod,
            &proposal.container,
        )?;
        Ok(Verdict::reject("not today"))
    }

    fn disconnected(&self, _: &Error) {
        self.note("disconnected");
    }
}
