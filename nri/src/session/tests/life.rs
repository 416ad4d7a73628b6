//! The life of a session: registration, configuration, and its end.

use std::future::pending;

use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use super::super::*;
use super::stage::{Puppet, Stage, seconds};
use crate::api::*;
use crate::events::EventMask;
use crate::frame::{FrameHeader, MessageHeader};

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
async fn an_empty_set_of_events_is_refused_since_it_would_mean_all() {
    for events in [EventMask::NONE, EventMask::UPDATE_POD_SANDBOX] {
        let stage = Stage::with(events, false).await;
        let status = Status::received(stage.runtime.configure("").await.unwrap_err());
        assert_eq!(status.code, crate::Code::FailedPrecondition);
        assert!(status.message.contains(&events.to_string()), "{status}");
    }
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
    let refusal: ttrpc::Response = Status::invalid_argument("go away").into_rpc().into();
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
        &RuntimeHandle::new(),
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
async fn the_end_of_the_connection_ends_the_session_and_its_handlers_and_calls_the_plugin() {
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
async fn stopping_answers_the_current_request_first() {
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
