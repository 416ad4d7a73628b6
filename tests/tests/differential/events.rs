//! Events: their form, their answers, what a plugin changes and asks for.

use containerd_nri::api::{
    ContainerAdjustment, ContainerUpdate, CreateContainerResponse, Hook, Hooks, KeyValue, Message,
    UpdateContainersRequest, UpdateContainersResponse,
};
use containerd_nri_testkit::RuntimeProfile;

use crate::raw_plugin::{RUNTIME, error, request, response};
use crate::side::{EVENTS, Kind, Next, Seen, Side, alike, nothing, refusal};

/// The content of every event for a plugin with this subscription, and the result.
async fn life(
    kind: Kind,
    profile: RuntimeProfile,
    mask: i32,
    answer: impl Fn(u32, &ttrpc::Request) -> Vec<u8>,
) -> Vec<(&'static str, Next, Vec<Seen>)> {
    let mut side = Side::start(kind, profile).await;
    let mut raw = side.plugin(mask).await;
    let mut all = Vec::new();
    for event in EVENTS {
        let (next, seen) = side.call_while(event, &mut raw, &answer).await;
        // Where the version does not have the event, nothing happens, as where the plugin has not subscribed to it.
        all.push((event, next.unwrap_or_else(Next::goes_on), seen));
    }
    all
}

async fn with_all_events(kind: Kind, profile: RuntimeProfile) -> Vec<(&'static str, Next, Vec<Seen>)> {
    life(kind, profile, 0, nothing).await
}

#[tokio::test]
async fn every_event_comes_in_the_same_form() {
    alike!(with_all_events);
}

async fn with_those_of_containers(
    kind: Kind,
    profile: RuntimeProfile,
) -> Vec<(&'static str, Next, Vec<Seen>)> {
    life(kind, profile, 0x668, nothing).await
}

#[tokio::test]
async fn events_that_were_not_asked_for_do_not_come() {
    alike!(with_those_of_containers);
}

async fn with_old_methods_alone(kind: Kind, profile: RuntimeProfile) -> Vec<(&'static str, Next, Vec<Seen>)> {
    let old = [
        "StateChange",
        "CreateContainer",
        "UpdateContainer",
        "StopContainer",
    ];
    life(kind, profile, 0x7ff, |stream, request| {
        match old.contains(&request.method.as_str()) {
            true => nothing(stream, request),
            false => error(stream, ttrpc::Code::UNIMPLEMENTED, "method"),
        }
    })
    .await
}

#[tokio::test]
async fn a_plugin_that_does_not_implement_a_method_gets_the_event_as_state_change() {
    alike!(with_old_methods_alone);
}

async fn with_errors(kind: Kind, profile: RuntimeProfile) -> Vec<(&'static str, Next, Vec<Seen>)> {
    life(kind, profile, 0x7ff, refusal).await
}

#[tokio::test]
async fn an_error_answer_fails_the_same_with_the_same_words() {
    alike!(with_errors);
}

fn changes() -> CreateContainerResponse {
    let hook = |path: &str| Hook {
        path: path.to_owned(),
        args: vec!["hook".to_owned(), "--now".to_owned()],
        env: vec!["A=B".to_owned()],
        timeout: Some(30.into()).into(),
        ..Default::default()
    };
    let adjust = ContainerAdjustment {
        annotations: [("key".to_owned(), "value".to_owned())].into(),
        env: vec![KeyValue {
            key: "NAME".to_owned(),
            value: "value".to_owned(),
            ..Default::default()
        }],
        hooks: Some(Hooks {
            prestart: vec![hook("/first"), hook("/second")],
            create_runtime: vec![hook("/runtime")],
            create_container: vec![hook("/container")],
            start_container: vec![hook("/start")],
            poststart: vec![hook("/poststart")],
            poststop: vec![hook("/poststop")],
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    CreateContainerResponse {
        adjust: Some(adjust).into(),
        ..Default::default()
    }
}

async fn a_creation_with_changes(kind: Kind, profile: RuntimeProfile) -> Option<Next> {
    let mut side = Side::start(kind, profile).await;
    let mut raw = side.plugin(0x668).await;
    let answer = |stream, _: &ttrpc::Request| response(stream, &changes());
    side.call_while("CreateContainer", &mut raw, answer).await.0
}

#[tokio::test]
async fn what_a_plugin_changes_arrives_alike() {
    alike!(a_creation_with_changes);
}

async fn with_a_refused_adjustment(kind: Kind, profile: RuntimeProfile) -> Option<Next> {
    let mut side = Side::start(kind, profile).await;
    let mut raw = side.plugin(0).await;
    let answer = |stream, request: &ttrpc::Request| match request.method.as_str() {
        "ValidateContainerAdjustment" => refusal(stream, request),
        _ => nothing(stream, request),
    };
    // The words around those of the plugin are the real runtime's own.
    match side.call_while("CreateContainer", &mut raw, answer).await.0 {
        Some(Next::Fails(text)) => {
            assert!(text.contains("not today"), "{text}");
            Some(Next::Fails(String::new()))
        }
        other => other,
    }
}

#[tokio::test]
async fn a_validation_that_fails_fails_the_creation_alike() {
    alike!(with_a_refused_adjustment);
}

/// The updates that could not be made of those that a plugin asks for.
async fn failed_updates(kind: Kind, profile: RuntimeProfile) -> Vec<String> {
    let mut side = Side::with_state(kind, profile, &[], &[], &["second"]).await;
    let mut raw = side.plugin(0x668).await;
    let update = |id: &str| ContainerUpdate {
        container_id: id.to_owned(),
        ..Default::default()
    };
    let wanted = UpdateContainersRequest {
        update: vec![update("first"), update("second"), update("third")],
        ..Default::default()
    };
    raw.send(RUNTIME, &[&request(3, "UpdateContainers", &wanted)])
        .await;
    let (_, body) = raw.receive(RUNTIME).await.expect("an answer");
    let answer = ttrpc::Response::parse_from_bytes(&body).unwrap();
    let answer = UpdateContainersResponse::parse_from_bytes(&answer.payload).unwrap();
    answer
        .failed
        .into_iter()
        .map(|update| update.container_id)
        .collect()
}

#[tokio::test]
async fn updates_that_a_plugin_asks_for_are_answered_alike() {
    alike!(failed_updates);
}
