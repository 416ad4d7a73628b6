//! Synchronize: how much comes at once, and what answers make of it.

use std::time::Duration;

use containerd_nri::api::{Container, Message, PodSandbox, SynchronizeRequest, SynchronizeResponse};
use containerd_nri_testkit::{ContainerBuilder, PodBuilder, RuntimeProfile};

use crate::raw_plugin::{PLUGIN, RUNTIME, RawPlugin, error, events, request, response};
use crate::side::{Kind, Side, alike};

/// Containers of about 1 kB each, in pods of 30.
pub(crate) fn state(count: usize) -> (Vec<PodSandbox>, Vec<Container>) {
    let pods: Vec<PodSandbox> = (0..count.div_ceil(30))
        .map(|number| PodBuilder::new(&format!("pod-{number}")).build())
        .collect();
    let container = |number| {
        ContainerBuilder::new(&pods[number / 30], &format!("app-{number}"))
            .env("PADDING", &"x".repeat(1_000))
            .build()
    };
    let containers = (0..count).map(container).collect();
    (pods, containers)
}

/// The result of a Synchronize. It has the number of pods and containers of each message, and whether more were to
/// come. It also has whether the plugin was accepted, and whether it was disconnected.
type Synchronized = (Vec<(usize, usize, bool)>, bool, bool);

/// A plugin that answers each message with what `answer` makes of its stream and whether more is to come.
async fn synchronized(
    kind: Kind,
    mut profile: RuntimeProfile,
    containers: usize,
    limit: Duration,
    answer: impl Fn(u32, bool) -> Vec<u8>,
) -> Synchronized {
    profile.request_timeout = limit;
    let (pods, containers) = state(containers);
    let mut side = Side::with_state(kind, profile, &pods, &containers, &[]).await;
    let mut raw = RawPlugin::connect(&side.socket()).await;
    let mut messages = Vec::new();
    let accepted = tokio::select! {
        accepted = side.accept() => accepted,
        () = async {
            raw.register().await;
            let (stream, _) = raw.call().await;
            raw.reply(stream, &events(0x668)).await;
            while let Some((header, body)) = raw.receive(PLUGIN).await {
                let request = ttrpc::Request::parse_from_bytes(&body).unwrap();
                let request = SynchronizeRequest::parse_from_bytes(&request.payload).unwrap();
                messages.push((request.pods.len(), request.containers.len(), request.more));
                let answer = answer(header.stream_id, request.more);
                if !answer.is_empty() {
                    raw.send(PLUGIN, &[&answer]).await;
                }
            }
            std::future::pending().await
        } => unreachable!(),
    };
    let probe = request(3, "NoSuchMethod", &containerd_nri::api::Empty::new());
    raw.send(RUNTIME, &[&probe]).await;
    (messages, accepted, raw.receive(RUNTIME).await.is_none())
}

/// The answer of a plugin that knows of split messages.
fn echo(stream: u32, more: bool) -> Vec<u8> {
    response(
        stream,
        &SynchronizeResponse {
            more,
            ..Default::default()
        },
    )
}

const LONG: Duration = Duration::from_secs(30);

async fn up_to_4_mib(kind: Kind, profile: RuntimeProfile) -> Synchronized {
    synchronized(kind, profile, 300, LONG, echo).await
}

#[tokio::test]
async fn a_small_state_comes_in_one_message() {
    alike!(up_to_4_mib);
}

async fn over_4_mib(kind: Kind, profile: RuntimeProfile) -> Synchronized {
    synchronized(kind, profile, 6_000, LONG, echo).await
}

#[tokio::test]
async fn a_large_state_is_split_alike() {
    alike!(over_4_mib);
}

async fn over_4_mib_without_echo(kind: Kind, profile: RuntimeProfile) -> Synchronized {
    synchronized(kind, profile, 6_000, LONG, |stream, _| echo(stream, false)).await
}

#[tokio::test]
async fn a_plugin_that_does_not_know_of_split_messages_is_refused_alike() {
    alike!(over_4_mib_without_echo);
}

async fn with_an_error(kind: Kind, profile: RuntimeProfile) -> Synchronized {
    let refuse = |stream, _| error(stream, ttrpc::Code::INTERNAL, "not today");
    synchronized(kind, profile, 1, LONG, refuse).await
}

#[tokio::test]
async fn an_error_answer_to_synchronize_ends_alike() {
    alike!(with_an_error);
}

async fn without_an_answer(kind: Kind, profile: RuntimeProfile) -> Synchronized {
    synchronized(kind, profile, 1, Duration::from_secs(1), |_, _| Vec::new()).await
}

#[tokio::test]
async fn no_answer_to_synchronize_ends_alike() {
    alike!(without_an_answer);
}
