use std::future::{pending, ready};
use std::sync::Mutex;
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use ttrpc::asynchronous::TtrpcContext;

use super::*;
use crate::adjustment::{Adjustment, MAX_MESSAGE};
use crate::api::*;
use crate::context::{Configuration, Context};
use crate::events::EventMask;
use crate::frame::{FrameHeader, MessageHeader};
use crate::rpc::{self, PluginClient};
use crate::subscription::Subscription;
use crate::updates::Updates;

/// The runtime's half of a connection, driven by hand.
struct Runtime {
    plugin: PluginClient,
    registered: mpsc::UnboundedReceiver<RegisterPluginRequest>,
    trunk: JoinHandle<Error>,
    _server: Server,
}

struct RuntimeService {
    registered: mpsc::UnboundedSender<RegisterPluginRequest>,
    refuse: bool,
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
            return Err(Status::invalid_argument("no such plugin wanted").into());
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
    async fn start(refuse: bool) -> (Self, UnixStream) {
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

    async fn configure(&self, version: &str) -> ttrpc::Result<i32> {
        self.configure_as("containerd", "2.1.9+unknown", version).await
    }

    async fn configure_as(&self, name: &str, version: &str, nri: &str) -> ttrpc::Result<i32> {
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

    async fn create(&self, container: &str) -> Result<CreateContainerResponse, Status> {
        let request = CreateContainerRequest {
            container: named(container),
            ..Default::default()
        };
        self.plugin
            .create_container(seconds(2), &request)
            .await
            .map_err(Status::from)
    }
}

fn seconds(seconds: u64) -> ttrpc::context::Context {
    ttrpc::context::with_duration(Duration::from_secs(seconds))
}

fn named(name: &str) -> MessageField<Container> {
    MessageField::some(Container {
        name: name.into(),
        ..Default::default()
    })
}

/// A plugin that notes its events, and does at CreateContainer what the container's name says.
struct Puppet {
    events: EventMask,
    seen: Mutex<Vec<String>>,
    started: Mutex<Option<oneshot::Sender<()>>>,
    go_on: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Puppet {
    fn new(events: EventMask) -> Self {
        Self {
            events,
            seen: Mutex::default(),
            started: Mutex::default(),
            go_on: Mutex::default(),
        }
    }

    fn note(&self, event: impl Into<String>) {
        self.seen.lock().unwrap().push(event.into());
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Notes an event of a pod or of a container.
macro_rules! noting {
    ($($method:ident($($argument:ty),*);)*) => {
        $(async fn $method(&self, _: &Context, $(_: $argument),*) -> Result<(), Status> {
            self.note(stringify!($method));
            Ok(())
        })*
    };
}

impl Plugin for Puppet {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(self.events.into())
    }

    async fn synchronize(
        &self,
        _: &Context,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        let ids = pods
            .iter()
            .map(|pod| &pod.id)
            .chain(containers.iter().map(|container| &container.id));
        self.note(ids.map(String::as_str).collect::<Vec<_>>().join(" "));
        Ok(vec![ContainerUpdate {
            container_id: "c1".into(),
            ..Default::default()
        }])
    }

    async fn create_container(
        &self,
        ctx: &Context,
        _: PodSandbox,
        container: Container,
    ) -> Result<Adjustment, Status> {
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

    async fn update_container(
        &self,
        _: &Context,
        _: PodSandbox,
        _: Container,
        _: LinuxResources,
    ) -> Result<Updates, Status> {
        self.note("update_container");
        Ok(Updates::new().update(ContainerUpdate::default()))
    }

    async fn stop_container(
        &self,
        _: &Context,
        _: PodSandbox,
        _: Container,
    ) -> Result<Vec<ContainerUpdate>, Status> {
        self.note("stop_container");
        Ok(vec![ContainerUpdate::default()])
    }

    noting! {
        run_pod_sandbox(PodSandbox);
        update_pod_sandbox(PodSandbox, LinuxResources, LinuxResources);
        post_update_pod_sandbox(PodSandbox);
        stop_pod_sandbox(PodSandbox);
        remove_pod_sandbox(PodSandbox);
        post_create_container(PodSandbox, Container);
        start_container(PodSandbox, Container);
        post_start_container(PodSandbox, Container);
        post_update_container(PodSandbox, Container);
        remove_container(PodSandbox, Container);
        shutdown();
    }

    fn disconnected(&self, reason: &Error) {
        self.note(format!("disconnected: {reason}"));
    }
}

/// A puppet in a session with a runtime.
struct Stage {
    puppet: Arc<Puppet>,
    runtime: Runtime,
    session: JoinHandle<End>,
    stop: oneshot::Sender<()>,
}

impl Stage {
    async fn with(events: EventMask, refuse: bool) -> Self {
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
            run(plugin, &Workers::new(), &identity, socket, pin!(stopped)).await
        });
        Self {
            puppet,
            runtime,
            session,
            stop,
        }
    }

    async fn new() -> Self {
        Self::with(EventMask::CREATE_CONTAINER, false).await
    }
}

#[tokio::test]
async fn a_plugin_registers_with_its_name_its_index_and_the_nri_version() {
    let mut stage = Stage::new().await;
    let request = stage.runtime.registered.recv().await.unwrap();
    assert_eq!((&*request.plugin_name, &*request.plugin_idx), ("puppet", "42"));
    assert_eq!(request.NRI_version, "v0.12.5");
}

#[tokio::test]
async fn configure_is_served_before_the_registration_is_answered() {
    let mut stage = Stage::new().await;
    assert_eq!(stage.runtime.configure("").await, Ok(0x8));
    assert!(stage.runtime.registered.recv().await.is_some());
}

#[tokio::test]
async fn events_unknown_to_the_runtime_are_left_out() {
    let stage = Stage::with(EventMask::ALL, false).await;
    assert_eq!(stage.runtime.configure("").await, Ok(0x7FF));
    assert_eq!(stage.runtime.configure("v0.12.0").await, Ok(0x3FFF));
    let release = |name, version| stage.runtime.configure_as(name, version, "");
    assert_eq!(release("containerd", "2.2.0").await, Ok(0x3FFF));
    assert_eq!(release("cri-o", "1.33.0").await, Ok(0x7FF));
    assert_eq!(release("cri-o", "1.34.0").await, Ok(0x3FFF));
}

#[tokio::test]
async fn no_event_is_left_out_for_a_runtime_of_unknown_version() {
    let stage = Stage::with(EventMask::ALL, false).await;
    for (name, version) in [
        ("containerd", "(devel)"),
        ("containerd", "0.0.0+unknown"),
        ("other", "1.0.0"),
    ] {
        assert_eq!(stage.runtime.configure_as(name, version, "").await, Ok(0x3FFF));
    }
}

#[tokio::test]
async fn no_event_at_all_is_refused_since_it_would_mean_all() {
    for events in [EventMask::NONE, EventMask::UPDATE_POD_SANDBOX] {
        let stage = Stage::with(events, false).await;
        let status = Status::from(stage.runtime.configure("").await.unwrap_err());
        assert_eq!(status.code, crate::Code::FailedPrecondition);
        assert!(status.message.contains(&events.to_string()), "{status}");
    }
}

#[tokio::test]
async fn what_goes_wrong_in_a_handler_becomes_an_error_answer_and_the_connection_lives_on() {
    let stage = Stage::new().await;
    for (container, expected) in [
        (
            "panics",
            "internal error: the plugin panicked in CreateContainer: no idea",
        ),
        ("refused", "failed precondition: not today"),
        (
            "too large",
            "resource exhausted: the plugin's answer to CreateContainer has",
        ),
    ] {
        let status = stage.runtime.create(container).await.unwrap_err().to_string();
        assert!(status.starts_with(expected), "{status}");
    }
    assert_eq!(stage.runtime.create("any").await.unwrap().adjust.env[0].key, "A");
}

#[tokio::test]
async fn a_handler_that_is_not_done_in_time_is_answered_for_before_the_runtime_gives_up() {
    let stage = Stage::new().await;
    let request = CreateContainerRequest {
        container: named("slow"),
        ..Default::default()
    };
    let (limit, begin) = (Duration::from_millis(150), Instant::now());
    let answer = stage
        .runtime
        .plugin
        .create_container(ttrpc::context::with_duration(limit), &request)
        .await;
    let status = Status::from(answer.unwrap_err());
    assert_eq!(status.code, crate::Code::DeadlineExceeded);
    assert_eq!(
        status.message,
        "the plugin had not handled CreateContainer when its time was up"
    );
    assert!(
        begin.elapsed() >= Duration::from_millis(100),
        "it was not given its time"
    );
}

#[tokio::test]
async fn an_answer_of_two_mebibytes_arrives() {
    let stage = Stage::new().await;
    let response = stage.runtime.create("large").await.unwrap();
    assert_eq!(response.adjust.annotations["key"].len(), 2 << 20);
}

#[tokio::test]
async fn a_synchronization_in_pieces_reaches_the_plugin_as_one() {
    let stage = Stage::new().await;
    let piece = |pod: &str, container: &str, more| SynchronizeRequest {
        pods: vec![PodSandbox {
            id: pod.into(),
            ..Default::default()
        }],
        containers: vec![Container {
            id: container.into(),
            ..Default::default()
        }],
        more,
        ..Default::default()
    };
    for (request, updates) in [
        (piece("p1", "c1", true), 0),
        (piece("p2", "c2", true), 0),
        (piece("p3", "c3", false), 1),
    ] {
        let response = stage
            .runtime
            .plugin
            .synchronize(seconds(2), &request)
            .await
            .unwrap();
        assert_eq!((response.more, response.update.len()), (request.more, updates));
    }
    assert_eq!(stage.puppet.seen(), ["p1 p2 p3 c1 c2 c3"]);
}

#[tokio::test]
async fn both_styles_of_events_reach_the_same_handlers() {
    let stage = Stage::with(EventMask::ALL, false).await;
    let plugin = &stage.runtime.plugin;
    /// Sends an event as a call of its own and as a state change.
    macro_rules! both {
        ($($event:ident $method:ident $request:ident),* $(,)?) => {$(
            plugin.$method(seconds(2), &$request::default()).await.unwrap();
            let change = StateChangeEvent { event: Event::$event.into(), ..Default::default() };
            plugin.state_change(seconds(2), &change).await.unwrap();
            assert_eq!(stage.puppet.seen(), [stringify!($method), stringify!($method)]);
        )*};
    }
    both!(
        RUN_POD_SANDBOX run_pod_sandbox RunPodSandboxRequest,
        POST_UPDATE_POD_SANDBOX post_update_pod_sandbox PostUpdatePodSandboxRequest,
        STOP_POD_SANDBOX stop_pod_sandbox StopPodSandboxRequest,
        REMOVE_POD_SANDBOX remove_pod_sandbox RemovePodSandboxRequest,
        POST_CREATE_CONTAINER post_create_container PostCreateContainerRequest,
        START_CONTAINER start_container StartContainerRequest,
        POST_START_CONTAINER post_start_container PostStartContainerRequest,
        POST_UPDATE_CONTAINER post_update_container PostUpdateContainerRequest,
        REMOVE_CONTAINER remove_container RemoveContainerRequest,
    );
}

#[tokio::test]
async fn calls_with_an_answer_of_their_own_carry_it() {
    let stage = Stage::with(EventMask::ALL, false).await;
    let plugin = &stage.runtime.plugin;
    let updated = plugin
        .update_container(seconds(2), &UpdateContainerRequest::default())
        .await
        .unwrap();
    assert_eq!(updated.update.len(), 1);
    let stopped = plugin
        .stop_container(seconds(2), &StopContainerRequest::default())
        .await
        .unwrap();
    assert_eq!(stopped.update.len(), 1);
    plugin
        .update_pod_sandbox(seconds(2), &UpdatePodSandboxRequest::default())
        .await
        .unwrap();
    let request = ValidateContainerAdjustmentRequest::default();
    let verdict = plugin
        .validate_container_adjustment(seconds(2), &request)
        .await
        .unwrap();
    assert!(!verdict.reject);
    plugin.shutdown(seconds(2), &Empty::default()).await.unwrap();
    assert_eq!(
        stage.puppet.seen(),
        [
            "update_container",
            "stop_container",
            "update_pod_sandbox",
            "shutdown"
        ]
    );
}

#[tokio::test]
async fn an_event_from_the_future_is_ignored() {
    let stage = Stage::new().await;
    let change = StateChangeEvent {
        event: EnumOrUnknown::from_i32(99),
        ..Default::default()
    };
    assert!(
        stage
            .runtime
            .plugin
            .state_change(seconds(2), &change)
            .await
            .is_ok()
    );
    assert!(stage.puppet.seen().is_empty());
}

#[tokio::test]
async fn a_plugin_can_call_the_runtime() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.runtime.create("updates").await.unwrap().adjust.env[0].value,
        "1"
    );
}

#[tokio::test]
async fn a_refused_registration_ends_the_session_with_the_reason_of_the_runtime() {
    let stage = Stage::with(EventMask::ALL, true).await;
    let End::Failed {
        reason,
        was_synchronized: false,
    } = stage.session.await.unwrap()
    else {
        panic!()
    };
    let expected =
        "the runtime refused to register plugin 42-puppet: invalid argument: no such plugin wanted";
    assert_eq!(reason.to_string(), expected);
    assert!(stage.puppet.seen().is_empty(), "it was never configured");
}

#[tokio::test]
async fn a_refusal_keeps_its_reason_when_the_runtime_closes_right_after_it() {
    let (mut runtime, socket) = UnixStream::pair().unwrap();
    let refusal: ttrpc::Response = ttrpc::Error::from(Status::invalid_argument("go away")).into();
    let body = refusal.write_to_bytes().unwrap();
    let length = MessageHeader::LEN + body.len();
    runtime
        .write_all(
            &FrameHeader {
                connection: 2,
                length: length as u32,
            }
            .encode(),
        )
        .await
        .unwrap();
    runtime
        .write_all(&(body.len() as u32).to_be_bytes())
        .await
        .unwrap();
    runtime
        .write_all(&[0, 0, 0, 1, MessageHeader::RESPONSE, 0])
        .await
        .unwrap();
    runtime.write_all(&body).await.unwrap();
    runtime.shutdown().await.unwrap();
    let identity = Identity::new("42", "puppet").unwrap();
    let end = run(
        Arc::new(Puppet::new(EventMask::ALL)),
        &Workers::new(),
        &identity,
        socket,
        pin!(pending()),
    )
    .await;
    let End::Failed {
        reason: Error::Refused { status, .. },
        ..
    } = end
    else {
        panic!()
    };
    assert_eq!(status.message, "go away");
}

#[tokio::test]
async fn the_end_of_the_connection_ends_the_session_and_its_handlers_and_tells_the_plugin() {
    let stage = Stage::new().await;
    stage.runtime.configure("").await.unwrap();
    stage
        .runtime
        .plugin
        .synchronize(seconds(2), &SynchronizeRequest::default())
        .await
        .unwrap();
    stage.puppet.seen();
    let (started, has_started) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    *stage.puppet.started.lock().unwrap() = Some(started);
    *stage.puppet.go_on.lock().unwrap() = Some(may_go_on);
    tokio::select! {
        answer = stage.runtime.create("waits") => panic!("{answer:?}"),
        started = has_started => started.unwrap(),
    }
    stage.runtime.trunk.abort();
    let End::Failed {
        reason: Error::Closed,
        was_synchronized: true,
    } = stage.session.await.unwrap()
    else {
        panic!()
    };
    assert_eq!(
        stage.puppet.seen(),
        ["disconnected: the runtime closed the connection"]
    );
    assert!(go_on.is_closed(), "the handler is still there");
}

#[tokio::test]
async fn stopping_answers_the_request_at_hand_first() {
    let stage = Stage::new().await;
    let (started, has_started) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    *stage.puppet.started.lock().unwrap() = Some(started);
    *stage.puppet.go_on.lock().unwrap() = Some(may_go_on);
    let Stage {
        runtime,
        session,
        stop,
        ..
    } = stage;
    let create = runtime.create("waits");
    let stopping = async {
        has_started.await.unwrap();
        stop.send(()).unwrap();
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(create, stopping);
    assert_eq!(answer.unwrap().adjust.env[0].key, "WAITED");
    assert!(matches!(session.await.unwrap(), End::Stopped));
    assert!(matches!(runtime.trunk.await.unwrap(), Error::Closed));
}
