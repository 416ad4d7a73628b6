//! Synchronize: whole, split, refused, too late; and how this crate puts it together for a plugin.

use std::cell::Cell;
use std::time::Duration;

use containerd_nri::api::{
    Container, ContainerState, ContainerUpdate, PodSandbox, SynchronizeRequest, SynchronizeResponse,
};
use containerd_nri_testkit::{
    AcceptError, ContainerBuilder, FakeRuntime, NoAnswer, PodBuilder, RuntimeProfile, Unfinished,
};

use crate::plugins::{Recorder, serve};
use crate::raw_plugin::{PLUGIN, RawPlugin, error, events, listen, outcome, socket};

/// Containers of about 1 kB each, in pods of 30.
fn containers(count: usize) -> (Vec<PodSandbox>, Vec<Container>) {
    let pod = |number| PodBuilder::new(&format!("pod-{number}")).build();
    let pods: Vec<PodSandbox> = (0..count.div_ceil(30)).map(pod).collect();
    let container = |number| {
        ContainerBuilder::new(&pods[number / 30], &format!("app-{number}"))
            .state(ContainerState::CONTAINER_RUNNING)
            .env("PADDING", &"x".repeat(1_000))
            .build()
    };
    let containers = (0..count).map(container).collect();
    (pods, containers)
}

/// A plugin that is configured, and then answers every Synchronize with `answer`. Returns how many came.
async fn synchronizes(
    raw: &mut RawPlugin,
    answer: impl Fn(&SynchronizeRequest) -> SynchronizeResponse,
) -> usize {
    raw.register().await;
    let (stream, _) = raw.call().await;
    raw.reply(stream, &events(0)).await;
    let mut messages = 0;
    while let Some((header, body)) = raw.receive(PLUGIN).await {
        let request: ttrpc::Request = protobuf::Message::parse_from_bytes(&body).unwrap();
        let request: SynchronizeRequest = protobuf::Message::parse_from_bytes(&request.payload).unwrap();
        messages += 1;
        raw.reply(header.stream_id, &answer(&request)).await;
        if !request.more {
            break;
        }
    }
    messages
}

/// The answer of a plugin that wants nothing changed.
fn echo(request: &SynchronizeRequest) -> SynchronizeResponse {
    SynchronizeResponse {
        more: request.more,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_state_of_over_4_mib_reaches_the_plugin_as_one() {
    let (pods, containers) = containers(6_000);
    for profile in [
        RuntimeProfile::containerd_2_1(),
        RuntimeProfile::containerd_main(),
    ] {
        let builder = FakeRuntime::builder(profile).state(pods.clone(), containers.clone());
        let (mut runtime, directory) = listen(builder.request_timeout(Duration::from_secs(20)));
        let (recorder, mut seen) = Recorder::new();
        let _service = serve(recorder, &directory);
        let _plugin = runtime.accept().await.unwrap();
        assert_eq!(seen.next().await, "configure");
        assert_eq!(seen.next().await, "synchronize 200 6000");
    }
}

#[tokio::test]
async fn a_state_of_up_to_4_mib_comes_in_one_message() {
    let (pods, containers) = containers(2_000);
    for profile in RuntimeProfile::all() {
        let mut messages = 0;
        let builder = FakeRuntime::builder(profile)
            .state(pods.clone(), containers.clone())
            .request_timeout(Duration::from_secs(20));
        let (result, ..) = outcome(builder, async |raw| messages = synchronizes(raw, echo).await).await;
        assert!(result.is_ok());
        assert_eq!(messages, 1);
    }
}

#[tokio::test]
async fn a_state_of_over_4_mib_is_split_and_nothing_is_lost() {
    let (pods, containers) = containers(6_000);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1())
        .state(pods, containers)
        .request_timeout(Duration::from_secs(20));
    let mut messages = 0;
    let counted = Cell::new((0, 0));
    let (result, ..) = outcome(builder, async |raw| {
        messages = synchronizes(raw, |request| {
            let (pods, containers) = counted.get();
            counted.set((pods + request.pods.len(), containers + request.containers.len()));
            echo(request)
        })
        .await;
    })
    .await;
    assert!(result.is_ok());
    assert!(messages > 1, "{messages}");
    assert_eq!(counted.get(), (200, 6_000));
}

#[tokio::test]
async fn before_nri_0_7_a_state_of_over_4_mib_comes_in_one_message() {
    let (pods, containers) = containers(6_000);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_1_7())
        .state(pods, containers)
        .request_timeout(Duration::from_secs(20));
    let mut messages = 0;
    let (result, ..) = outcome(builder, async |raw| messages = synchronizes(raw, echo).await).await;
    assert!(result.is_ok());
    assert_eq!(messages, 1);
}

#[tokio::test]
async fn a_plugin_that_does_not_echo_more_is_disconnected() {
    let (pods, containers) = containers(6_000);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1())
        .state(pods, containers)
        .request_timeout(Duration::from_secs(20));
    let (result, mut raw, _runtime) = outcome(builder, async |raw| {
        assert_eq!(synchronizes(raw, |_| SynchronizeResponse::new()).await, 1);
    })
    .await;
    assert!(matches!(result, Err(AcceptError::NoSplitSynchronize)));
    raw.closed().await;
}

#[tokio::test]
async fn the_request_timeout_covers_all_messages_of_a_synchronize() {
    let (pods, containers) = containers(6_000);
    let limit = Duration::from_secs(3);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1())
        .state(pods, containers)
        .request_timeout(limit);
    let (result, mut raw, _runtime) = outcome(builder, async |raw| {
        raw.register().await;
        let (stream, _) = raw.call().await;
        raw.reply(stream, &events(0)).await;
        // The first message is answered in good time, the second never.
        let (stream, request) = raw.called::<SynchronizeRequest>("Synchronize").await;
        raw.reply(stream, &echo(&request)).await;
    })
    .await;
    assert!(matches!(
        result,
        Err(AcceptError::Synchronize(Unfinished::NoAnswer(NoAnswer::Timeout(passed)))) if passed == limit
    ));
    raw.closed().await;
}

#[tokio::test]
async fn an_error_answer_to_synchronize_ends_the_connection_but_not_on_containerd_1_7() {
    for profile in RuntimeProfile::all() {
        let stays_open = profile.nri.minor < 8;
        let (result, mut raw, _runtime) = outcome(FakeRuntime::builder(profile), async |raw| {
            raw.register().await;
            let (stream, _) = raw.call().await;
            raw.reply(stream, &events(0)).await;
            let (stream, _) = raw.call().await;
            raw.send(PLUGIN, &[&error(stream, ttrpc::Code::INTERNAL, "no")])
                .await;
        })
        .await;
        assert!(matches!(
            result,
            Err(AcceptError::Synchronize(Unfinished::Refused(_)))
        ));
        if stays_open {
            raw.is_alive(3).await;
        } else {
            raw.closed().await;
        }
    }
}

/// Proportional pieces have no space for a single pod, and the runtime offers no more than that, again and again.
#[tokio::test]
async fn a_single_pod_with_containers_of_over_4_mib_is_never_handed_over() {
    let (mut pods, containers) = containers(6_000);
    pods.truncate(1);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1())
        .state(pods, containers)
        .request_timeout(Duration::from_secs(1));
    let (result, ..) = outcome(builder, async |raw| {
        synchronizes(raw, |request| {
            assert!(request.pods.is_empty());
            echo(request)
        })
        .await;
    })
    .await;
    assert!(matches!(
        result,
        Err(AcceptError::Synchronize(Unfinished::NoAnswer(NoAnswer::Timeout(
            _
        ))))
    ));
}

#[tokio::test]
async fn updates_that_a_plugin_wants_at_synchronize_reach_the_runtime() {
    let (mut runtime, directory) = listen(FakeRuntime::builder(RuntimeProfile::containerd_main()));
    let wanted = ContainerUpdate {
        container_id: "some".to_owned(),
        ..Default::default()
    };
    let mut raw = RawPlugin::connect(&socket(&directory)).await;
    let (plugin, _) = tokio::join!(
        runtime.accept(),
        synchronizes(&mut raw, |_| SynchronizeResponse {
            update: vec![wanted.clone()],
            ..Default::default()
        })
    );
    assert_eq!(plugin.unwrap().synchronize_updates(), [wanted]);
}
