//! One of the two runtimes, and what a plugin sees of it.

use std::path::PathBuf;

use containerd_nri::EventMask;
use containerd_nri::api::{
    Container, ContainerAdjustment, CreateContainerRequest, CreateContainerResponse, LinuxResources, Message,
    PodSandbox, StateChangeEvent, UpdateContainerRequest, UpdatePodSandboxRequest,
    ValidateContainerAdjustmentRequest,
};
use containerd_nri_testkit::{
    ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile,
};
use e2e::adaptation::{Adaptation, Called, Field};
use e2e::node::say_not_tested;
use tempfile::TempDir;

use crate::raw_plugin::{PLUGIN, RawPlugin, error, events, response};

/// The profiles whose versions of NRI are built.
pub(crate) fn profiles() -> Vec<RuntimeProfile> {
    let versions = ["v0.6.1", "v0.8.0", "v0.10.0", "v0.11.0", "v0.12.5"];
    let mut profiles = RuntimeProfile::all();
    profiles.retain(|profile| {
        profile.runtime_name == "containerd" && versions.contains(&profile.nri.to_string().as_str())
    });
    assert_eq!(profiles.len(), versions.len());
    profiles
}

/// Whether the real runtime side of a profile is there; if not, it is reported.
pub(crate) fn is_built(profile: &RuntimeProfile, case: &str) -> bool {
    let program = Adaptation::program(profile);
    if let Err(error) = &program {
        say_not_tested(case, &format!("{error:#}"));
    }
    program.is_ok()
}

/// Runs a case on both sides of each version and compares what it returns.
macro_rules! alike {
    ($case:ident) => {
        for profile in $crate::side::profiles() {
            if $crate::side::is_built(&profile, stringify!($case)) {
                let real = $case($crate::side::Kind::Real, profile.clone()).await;
                let fake = $case($crate::side::Kind::Fake, profile.clone()).await;
                assert!(
                    fake == real,
                    "the fake runtime (-) and NRI {} (+):\n{}",
                    profile.nri,
                    $crate::side::difference(&fake, &real)
                );
            }
        }
    };
}
pub(crate) use alike;

/// The lines in which two values differ, whatever the order of maps.
pub(crate) fn difference(fake: &impl std::fmt::Debug, real: &impl std::fmt::Debug) -> String {
    let (fake, real) = (format!("{fake:#?}"), format!("{real:#?}"));
    let mut added: Vec<&str> = real.lines().collect();
    let mut text = String::new();
    for line in fake.lines() {
        match added.iter().position(|other| *other == line) {
            Some(place) => drop(added.remove(place)),
            None => text += &format!("-{line}\n"),
        }
    }
    added
        .into_iter()
        .fold(text, |text, line| text + &format!("+{line}\n"))
}

/// Which of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Fake,
    Real,
}

pub(crate) enum Side {
    Fake {
        runtime: FakeRuntime,
        plugin: Option<Box<PluginHandle>>,
        directory: TempDir,
    },
    Real(Adaptation),
}

/// A request to a plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) event: i32,
    pub(crate) pod: PodSandbox,
    pub(crate) container: Container,
    pub(crate) resources: [LinuxResources; 2],
}

impl Seen {
    fn of(request: &ttrpc::Request) -> Seen {
        let payload = &request.payload;
        let mut seen = Seen {
            method: request.method.clone(),
            ..Default::default()
        };
        match request.method.as_str() {
            "StateChange" => {
                let message = StateChangeEvent::parse_from_bytes(payload).unwrap();
                seen.event = message.event.value();
                seen.pod = message.pod.unwrap_or_default();
                seen.container = message.container.unwrap_or_default();
            }
            "UpdateContainer" => {
                let message = UpdateContainerRequest::parse_from_bytes(payload).unwrap();
                seen.pod = message.pod.unwrap_or_default();
                seen.container = message.container.unwrap_or_default();
                seen.resources[0] = message.linux_resources.unwrap_or_default();
            }
            "UpdatePodSandbox" => {
                let message = UpdatePodSandboxRequest::parse_from_bytes(payload).unwrap();
                seen.pod = message.pod.unwrap_or_default();
                seen.resources[0] = message.linux_resources.unwrap_or_default();
                seen.resources[1] = message.overhead_linux_resources.unwrap_or_default();
            }
            // Earlier adjustments are not compared: the fake runtime leaves that to the test.
            "ValidateContainerAdjustment" => {}
            // The requests of all other events begin alike.
            _ => {
                let message = CreateContainerRequest::parse_from_bytes(payload).unwrap();
                seen.pod = message.pod.unwrap_or_default();
                seen.container = message.container.unwrap_or_default();
            }
        }
        seen
    }
}

/// The runtime's reaction after an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    GoesOn(Box<ContainerAdjustment>),
    Fails(String),
}

impl Next {
    pub(crate) fn goes_on() -> Next {
        Next::GoesOn(Box::default())
    }
}

/// The events in the order of a life.
pub(crate) const EVENTS: [&str; 13] = [
    "RunPodSandbox",
    "UpdatePodSandbox",
    "PostUpdatePodSandbox",
    "CreateContainer",
    "PostCreateContainer",
    "StartContainer",
    "PostStartContainer",
    "UpdateContainer",
    "PostUpdateContainer",
    "StopContainer",
    "RemoveContainer",
    "StopPodSandbox",
    "RemovePodSandbox",
];

/// The pod and the container of all events.
pub(crate) fn pod_and_container() -> (PodSandbox, Container) {
    let pod = PodBuilder::new("web").build();
    let container = ContainerBuilder::new(&pod, "app").build();
    (pod, container)
}

fn resources() -> LinuxResources {
    LinuxResources {
        rdt_class: Some("gold".to_owned().into()).into(),
        ..Default::default()
    }
}

impl Side {
    pub(crate) async fn start(kind: Kind, profile: RuntimeProfile) -> Side {
        Side::with_state(kind, profile, &[], &[], &[]).await
    }

    pub(crate) async fn with_state(
        kind: Kind,
        profile: RuntimeProfile,
        pods: &[PodSandbox],
        containers: &[Container],
        failing_updates: &[&str],
    ) -> Side {
        match kind {
            Kind::Fake => {
                let directory = tempfile::tempdir().unwrap();
                let builder = FakeRuntime::builder(profile).state(pods.to_vec(), containers.to_vec());
                let builder = failing_updates
                    .iter()
                    .fold(builder, |builder, id| builder.failing_update(*id));
                let runtime = builder.listen(directory.path().join("nri.sock")).unwrap();
                Side::Fake {
                    runtime,
                    plugin: None,
                    directory,
                }
            }
            Kind::Real => {
                let mut real = Adaptation::start(&profile).await.unwrap();
                real.set_state(pods, containers, failing_updates).await.unwrap();
                Side::Real(real)
            }
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        match self {
            Side::Fake { directory, .. } => directory.path().join("nri.sock"),
            Side::Real(real) => real.socket(),
        }
    }

    /// Waits until a plugin is taken in or refused; whether it is taken in.
    pub(crate) async fn accept(&mut self) -> bool {
        match self {
            Side::Fake { runtime, plugin, .. } => {
                *plugin = runtime.accept().await.ok().map(Box::new);
                plugin.is_some()
            }
            Side::Real(real) => real.accept().await.unwrap().is_ok(),
        }
    }

    /// A plugin that has subscribed to these events, and is taken in.
    pub(crate) async fn plugin(&mut self, mask: i32) -> RawPlugin {
        let mut raw = RawPlugin::connect(&self.socket()).await;
        let (accepted, ()) = tokio::join!(self.accept(), raw.introduce_with(events(mask)));
        assert!(accepted);
        raw
    }

    /// Calls an event, with one pod and one container. None if this version does not have it.
    pub(crate) async fn call(&mut self, event: &str) -> Option<Next> {
        match self {
            Side::Fake { plugin, .. } => call_fake(plugin.as_mut().expect("a plugin"), event).await,
            Side::Real(real) => call_real(real, event).await,
        }
    }

    /// Calls an event while a plugin answers; what comes of it, and what the plugin was asked.
    pub(crate) async fn call_while(
        &mut self,
        event: &str,
        raw: &mut RawPlugin,
        answer: impl Fn(u32, &ttrpc::Request) -> Vec<u8>,
    ) -> (Option<Next>, Vec<Seen>) {
        let mut seen = Vec::new();
        let next = tokio::select! {
            next = self.call(event) => next,
            () = answer_calls(raw, &mut seen, answer) => panic!("a plugin answers for ever"),
        };
        (next, seen)
    }
}

/// Answers calls forever, and records them.
async fn answer_calls(
    raw: &mut RawPlugin,
    seen: &mut Vec<Seen>,
    answer: impl Fn(u32, &ttrpc::Request) -> Vec<u8>,
) {
    while let Some((header, body)) = raw.receive(PLUGIN).await {
        let request = ttrpc::Request::parse_from_bytes(&body).unwrap();
        seen.push(Seen::of(&request));
        let bytes = answer(header.stream_id, &request);
        if !bytes.is_empty() {
            raw.send(PLUGIN, &[&bytes]).await;
        }
    }
    // The runtime has closed.
    std::future::pending().await
}

/// An answer that changes nothing.
pub(crate) fn nothing(stream: u32, _: &ttrpc::Request) -> Vec<u8> {
    response(stream, &containerd_nri::api::Empty::new())
}

/// An answer that is an error.
pub(crate) fn refusal(stream: u32, _: &ttrpc::Request) -> Vec<u8> {
    error(stream, ttrpc::Code::INTERNAL, "not today")
}

/// No answer.
pub(crate) fn silence(_: u32, _: &ttrpc::Request) -> Vec<u8> {
    Vec::new()
}

/// The changes that a plugin can make, by a hook and otherwise: the two are compared by all of them.
fn essence(response: CreateContainerResponse) -> Next {
    let adjust = response.adjust.unwrap_or_default();
    Next::GoesOn(Box::new(ContainerAdjustment {
        annotations: adjust.annotations,
        mounts: adjust.mounts,
        env: adjust.env,
        hooks: adjust
            .hooks
            .into_option()
            .filter(|hooks| hooks.compute_size() > 0)
            .into(),
        ..Default::default()
    }))
}

async fn call_real(real: &mut Adaptation, event: &str) -> Option<Next> {
    let (pod, container) = pod_and_container();
    let (pod, resources) = (Field::Pod(&pod), &resources());
    let container = Field::Container(&container);
    let fields: &[Field<'_>] = match event {
        "UpdatePodSandbox" => &[pod, Field::Resources(resources), Field::Overhead(resources)],
        "UpdateContainer" => &[pod, container, Field::Resources(resources)],
        event if event.ends_with("PodSandbox") => &[pod],
        _ => &[pod, container],
    };
    match real.call(event, fields).await.unwrap() {
        Called::Missing => None,
        Called::Fails(text) => Some(Next::Fails(text)),
        Called::GoesOn(response) => Some(essence(*response)),
    }
}

async fn call_fake(plugin: &mut PluginHandle, event: &str) -> Option<Next> {
    let (pod, container) = pod_and_container();
    let resources = resources();
    let outcome = match event {
        "RunPodSandbox" => plugin.run_pod_sandbox(&pod).await,
        "UpdatePodSandbox" => {
            let request = UpdatePodSandboxRequest {
                pod: Some(pod).into(),
                overhead_linux_resources: Some(resources.clone()).into(),
                linux_resources: Some(resources).into(),
                ..Default::default()
            };
            plugin.update_pod_sandbox(&request).await
        }
        "PostUpdatePodSandbox" => plugin.post_update_pod_sandbox(&pod).await,
        "CreateContainer" => return Some(create_on_fake(plugin, &pod, &container).await),
        "PostCreateContainer" => plugin.post_create_container(&pod, &container).await,
        "StartContainer" => plugin.start_container(&pod, &container).await,
        "PostStartContainer" => plugin.post_start_container(&pod, &container).await,
        "UpdateContainer" => plugin
            .update_container(&pod, &container, &resources)
            .await
            .map(drop),
        "PostUpdateContainer" => plugin.post_update_container(&pod, &container).await,
        "StopContainer" => plugin.stop_container(&pod, &container).await.map(drop),
        "RemoveContainer" => plugin.remove_container(&pod, &container).await,
        "StopPodSandbox" => plugin.stop_pod_sandbox(&pod).await,
        "RemovePodSandbox" => plugin.remove_pod_sandbox(&pod).await,
        other => panic!("there is no event {other}"),
    };
    Some(next(outcome.map(|()| CreateContainerResponse::new())))
}

/// The creation of a container: what the plugin changes, which it may be asked to validate then.
async fn create_on_fake(plugin: &mut PluginHandle, pod: &PodSandbox, container: &Container) -> Next {
    let created = plugin.create_container(pod, container).await;
    let Outcome::Answer(response) = created else {
        return next(created);
    };
    if plugin.events().contains(EventMask::VALIDATE_CONTAINER_ADJUSTMENT) {
        let request = ValidateContainerAdjustmentRequest {
            pod: Some(pod.clone()).into(),
            container: Some(container.clone()).into(),
            adjust: response.adjust.clone(),
            ..Default::default()
        };
        if let Next::Fails(text) = next(
            plugin
                .validate_container_adjustment(&request)
                .await
                .map(|_| CreateContainerResponse::new()),
        ) {
            return Next::Fails(text);
        }
    }
    essence(response)
}

fn next(outcome: Outcome<CreateContainerResponse>) -> Next {
    match outcome {
        Outcome::Answer(response) => essence(response),
        Outcome::NoAnswer(_) | Outcome::NotSubscribed => Next::goes_on(),
        Outcome::Refused(status) => Next::Fails(format!(
            "rpc error: code = {:?} desc = {}",
            status.code, status.message
        )),
        Outcome::Failed(failed) => Next::Fails(failed.to_string()),
        other => panic!("no runtime knows this outcome: {other:?}"),
    }
}
