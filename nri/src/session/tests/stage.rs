//! A session for tests: the runtime's half driven by hand, and a plugin that follows instructions.

use std::future::{pending, ready};
use std::sync::Mutex;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use ttrpc::asynchronous::TtrpcContext;

use super::super::*;
use crate::adjustment::{Adjustment, MAX_MESSAGE};
use crate::api::*;
use crate::context::{Configuration, Context};
use crate::event;
use crate::events::EventMask;
use crate::rpc::{self, PluginClient};
use crate::subscription::Subscription;
use crate::updates::Updates;

/// The runtime's half of a connection, driven by hand.
pub(super) struct Runtime {
    pub(super) plugin: PluginClient,
    pub(super) registered: mpsc::UnboundedReceiver<RegisterPluginRequest>,
    pub(super) trunk: JoinHandle<Error>,
    pub(super) _server: Server,
}

pub(super) struct RuntimeService {
    pub(super) registered: mpsc::UnboundedSender<RegisterPluginRequest>,
    pub(super) refuse: bool,
}

#[async_trait::async_trait]
impl rpc::Runtime for RuntimeService {
    async fn register_plugin(
        &self,
        _: &TtrpcContext,
        request: RegisterPluginRequest,
    ) -> ttrpc::Result<Empty> {
        let _ = self.registered.send(request);
        if self.refuse {
            return Err(Status::invalid_argument("no such plugin wanted").into_rpc());
        }
        Ok(Empty::default())
    }

    async fn update_containers(
        &self,
        _: &TtrpcContext,
        request: UpdateContainersRequest,
    ) -> ttrpc::Result<UpdateContainersResponse> {
        Ok(UpdateContainersResponse {
            failed: request.update,
            ..Default::default()
        })
    }
}

impl Runtime {
    /// A runtime, and the socket for the plugin. The mux looks the same from both ends.
    pub(super) async fn start(refuse: bool) -> (Self, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut trunk, plugin, runtime) = Trunk::open(ours);
        let (registered, receiver) = mpsc::unbounded_channel();
        let service = Arc::new(RuntimeService { registered, refuse });
        let connections = stream::once(ready(Ok(runtime))).chain(stream::pending());
        let mut server = Server::new()
            .add_listener(Listener::new(connections))
            .register_service(rpc::create_runtime(service));
        server.start().await.unwrap();
        let plugin = PluginClient::new(Client::new(Socket::new(plugin)));
        let trunk = tokio::spawn(async move { trunk.drive().await });
        (
            Self {
                plugin,
                registered: receiver,
                trunk,
                _server: server,
            },
            theirs,
        )
    }

    pub(super) async fn configure(&self, version: &str) -> ttrpc::Result<i32> {
        self.configure_as("containerd", "2.1.9+unknown", version).await
    }

    pub(super) async fn configure_as(&self, name: &str, version: &str, nri: &str) -> ttrpc::Result<i32> {
        let request = ConfigureRequest {
            runtime_name: name.into(),
            runtime_version: version.into(),
            NRI_version: nri.into(),
            ..Default::default()
        };
        self.plugin
            .configure(seconds(2), &request)
            .await
            .map(|response| response.events)
    }

    pub(super) async fn create(&self, container: &str) -> Result<CreateContainerResponse, Status> {
        let request = CreateContainerRequest {
            container: named(container),
            ..Default::default()
        };
        self.plugin
            .create_container(seconds(2), &request)
            .await
            .map_err(Status::received)
    }
}

pub(super) fn seconds(seconds: u64) -> ttrpc::context::Context {
    ttrpc::context::with_duration(Duration::from_secs(seconds))
}

pub(super) fn named(name: &str) -> MessageField<Container> {
    MessageField::some(Container {
        name: name.into(),
        ..Default::default()
    })
}

/// A plugin that records its events. At CreateContainer it does as the container's name requests.
pub(super) struct Puppet {
    pub(super) events: EventMask,
    pub(super) seen: Mutex<Vec<String>>,
    pub(super) started: Mutex<Option<oneshot::Sender<()>>>,
    pub(super) go_on: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Puppet {
    pub(super) fn new(events: EventMask) -> Self {
        Self {
            events,
            seen: Mutex::default(),
            started: Mutex::default(),
            go_on: Mutex::default(),
        }
    }

    pub(super) fn note(&self, event: impl Into<String>) {
        self.seen.lock().unwrap().push(event.into());
    }

    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Records an event of a pod or of a container.
macro_rules! noting {
    ($($method:ident $event:ident;)*) => {
        $(async fn $method(&self, _: &Context, _: event::$event) -> Result<(), Status> {
            self.note(stringify!($method));
            Ok(())
        })*
    };
}

impl Plugin for Puppet {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(self.events.into())
    }

    async fn synchronize(&self, _: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let event::Synchronize { pods, containers, .. } = event;
        let ids = pods
            .iter()
            .map(|pod| &pod.id)
            .chain(containers.iter().map(|container| &container.id));
        self.note(ids.map(String::as_str).collect::<Vec<_>>().join(" "));
        Ok(Updates::new().update(ContainerUpdate {
            container_id: "c1".into(),
            ..Default::default()
        }))
    }

    async fn create_container(
        &self,
        ctx: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { container, .. } = event;
        match container.name.as_str() {
            "panics" => panic!("no idea"),
            "refused" => Err(Status::failed_precondition("not today")),
            "slow" => pending().await,
            "large" => Ok(Adjustment::new().annotation("key", "x".repeat(2 << 20))),
            "too large" => Ok(Adjustment::new().annotation("key", "x".repeat(MAX_MESSAGE))),
            "waits" => {
                let go_on = self.go_on.lock().unwrap().take().unwrap();
                self.started.lock().unwrap().take().unwrap().send(()).unwrap();
                go_on.await.unwrap();
                Ok(Adjustment::new().env("WAITED", "1"))
            }
            "updates" => {
                let (handle, updates) = (ctx.handle().clone(), vec![ContainerUpdate::default()]);
                let failed = tokio::spawn(async move { handle.update_containers(updates).await });
                let failed = failed.await.unwrap().unwrap();
                Ok(Adjustment::new().env("FAILED", failed.len().to_string()))
            }
            _ => Ok(Adjustment::new().env("A", "b")),
        }
    }

    async fn update_container(&self, _: &Context, _: event::UpdateContainer) -> Result<Updates, Status> {
        self.note("update_container");
        Ok(Updates::new().update(ContainerUpdate::default()))
    }

    async fn stop_container(&self, _: &Context, _: event::StopContainer) -> Result<Updates, Status> {
        self.note("stop_container");
        Ok(Updates::new().update(ContainerUpdate::default()))
    }

    noting! {
        run_pod_sandbox RunPodSandbox;
        update_pod_sandbox UpdatePodSandbox;
        post_update_pod_sandbox PostUpdatePodSandbox;
        stop_pod_sandbox StopPodSandbox;
        remove_pod_sandbox RemovePodSandbox;
        post_create_container PostCreateContainer;
        start_container StartContainer;
        post_start_container PostStartContainer;
        post_update_container PostUpdateContainer;
        remove_container RemoveContainer;
        shutdown Shutdown;
    }

    fn disconnected(&self, reason: &Error) {
        self.note(format!("disconnected: {reason}"));
    }
}

/// A puppet in a session with a runtime.
pub(super) struct Stage {
    pub(super) puppet: Arc<Puppet>,
    pub(super) runtime: Runtime,
    pub(super) session: JoinHandle<End>,
    pub(super) stop: oneshot::Sender<()>,
}

impl Stage {
    pub(super) async fn with(events: EventMask, refuse: bool) -> Self {
        let (runtime, socket) = Runtime::start(refuse).await;
        let puppet = Arc::new(Puppet::new(events));
        let (stop, stopped) = oneshot::channel::<()>();
        let plugin = Arc::clone(&puppet);
        let session = tokio::spawn(async move {
            let identity = Identity::new("42", "puppet").unwrap();
            let stopped = async {
                if stopped.await.is_err() {
                    pending().await
                }
            };
            run(
                plugin,
                &Workers::new(),
                &identity,
                &RuntimeHandle::new(),
                socket,
                pin!(stopped),
            )
            .await
        });
        Self {
            puppet,
            runtime,
            session,
            stop,
        }
    }

    pub(super) async fn new() -> Self {
        Self::with(EventMask::CREATE_CONTAINER, false).await
    }
}
