//! The answers of a session.

use std::time::Instant;

use super::super::*;
use super::stage::{Stage, named, seconds};
use crate::api::*;
use crate::events::EventMask;

#[tokio::test]
async fn a_failure_of_a_handler_becomes_an_error_answer_and_the_connection_lives_on() {
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
    let status = Status::received(answer.unwrap_err());
    assert_eq!(status.code, crate::Code::DeadlineExceeded);
    assert_eq!(
        status.message,
        "the plugin did not handle CreateContainer before its deadline"
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
async fn an_unknown_event_is_ignored() {
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
