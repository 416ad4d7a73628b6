//! The failure policy of NRI 0.12.5: what the runtime does when a plugin does not answer, and how a plugin asks for it.

use std::time::Duration;

use containerd_nri::api::{ConfigureResponse, CreateContainerResponse, Empty, Message};
use containerd_nri::{Configuration, Context, EventMask, FailurePolicy, Plugin, Status, Subscription};
use containerd_nri_testkit::{
    AcceptError, ConnectionEnd, FakeRuntime, NoAnswer, Outcome, PluginHandle, RawConnection, RuntimeProfile,
};
use tempfile::TempDir;

use crate::plugins::{create, pod_and_container, serve};
use crate::raw_plugin::{PLUGIN, RUNTIME, RawPlugin, error, events, listen, listen_as, request, socket};

const LIMIT: Duration = Duration::from_millis(200);

const KNOWN: fn() -> RuntimeProfile = RuntimeProfile::containerd_2_4_nri_0_12_5;

fn policies() -> [FailurePolicy; 4] {
    let none = FailurePolicy::default();
    [
        none,
        none.fail_request(),
        none.keep_connected(),
        none.fail_request().keep_connected(),
    ]
}

/// A raw plugin with this policy, ready for events.
async fn with_policy(
    profile: RuntimeProfile,
    policy: FailurePolicy,
) -> (PluginHandle, RawPlugin, FakeRuntime, TempDir) {
    let (mut runtime, directory) = listen(FakeRuntime::builder(profile).request_timeout(LIMIT));
    let mut raw = RawPlugin::connect(&socket(&directory)).await;
    let configured = ConfigureResponse {
        failure_policy: policy.into(),
        ..events(0)
    };
    let (plugin, ()) = tokio::join!(runtime.accept(), raw.introduce_with(configured));
    (plugin.unwrap(), raw, runtime, directory)
}

/// Checks that a request which was not answered for this reason failed, or did not, as the policy says.
fn assert_goes_by(
    policy: FailurePolicy,
    outcome: &Outcome<CreateContainerResponse>,
    reason: &NoAnswer,
    text: &str,
) {
    match outcome {
        Outcome::Failed(failed) if policy.fail_request => {
            assert_eq!(&failed.reason, reason, "{policy:?}");
            let expected = format!("plugin 10-raw failed to handle CreateContainer request: {text}");
            assert_eq!(failed.to_string(), expected);
        }
        Outcome::NoAnswer(given) if !policy.fail_request => assert_eq!(given, reason, "{policy:?}"),
        other => panic!("{policy:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_timeout_fails_the_request_and_keeps_the_connection_as_the_policy_says() {
    for policy in policies() {
        let (mut plugin, mut raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
        let outcome = create(&mut plugin).await;
        assert_goes_by(
            policy,
            &outcome,
            &NoAnswer::Timeout(LIMIT),
            "context deadline exceeded",
        );
        let (overdue, _) = raw.call().await;
        if !policy.keep_connected {
            raw.closed().await;
            assert_eq!(plugin.end(), Some(ConnectionEnd::ByRuntime));
            continue;
        }
        // The answer that arrives after the deadline does not answer the next request.
        let answer_both = async {
            let (stream, _) = raw.call().await;
            raw.reply(overdue, &Empty::new()).await;
            raw.reply(stream, &CreateContainerResponse::default()).await;
        };
        let (outcome, ()) = tokio::join!(create(&mut plugin), answer_both);
        outcome.into_answer().unwrap();
        assert_eq!(plugin.end(), None);
    }
}

#[tokio::test]
async fn a_connection_lost_during_a_request_fails_it_and_is_closed_whatever_the_policy() {
    for policy in policies() {
        let (mut plugin, mut raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
        let (outcome, ()) = tokio::join!(create(&mut plugin), async {
            raw.call().await;
            drop(raw);
        });
        let reason = NoAnswer::Closed(ConnectionEnd::ByPlugin);
        assert_goes_by(policy, &outcome, &reason, "ttrpc: closed");
        assert!(plugin.end().is_some());
    }
}

#[tokio::test]
async fn a_protocol_error_fails_the_request_and_closes_the_connection_whatever_the_policy() {
    for policy in policies() {
        let (mut plugin, mut raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
        let (outcome, ()) = tokio::join!(create(&mut plugin), async {
            let (stream, _) = raw.call().await;
            // A request in the place of the answer.
            raw.send(PLUGIN, &[&request(stream, "RegisterPlugin", &Empty::new())])
                .await;
        });
        let end = plugin.end().unwrap();
        assert!(matches!(end, ConnectionEnd::Protocol(_)), "{end}");
        assert_goes_by(policy, &outcome, &NoAnswer::Closed(end), "protocol error");
    }
}

#[tokio::test]
async fn a_plugin_that_is_gone_before_a_request_does_not_fail_it() {
    let policy = FailurePolicy::default().fail_request().keep_connected();
    let (mut plugin, raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
    drop(raw);
    plugin.closed().await;
    let outcome = create(&mut plugin).await;
    assert!(
        matches!(outcome, Outcome::NoAnswer(NoAnswer::Closed(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_error_that_the_plugin_answers_is_no_failure() {
    let policy = FailurePolicy::default().fail_request().keep_connected();
    let (mut plugin, mut raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
    let (outcome, ()) = tokio::join!(create(&mut plugin), async {
        let (stream, _) = raw.call().await;
        raw.send(PLUGIN, &[&error(stream, ttrpc::Code::FAILED_PRECONDITION, "no")])
            .await;
    });
    assert_eq!(outcome, Outcome::Refused(Status::failed_precondition("no")));
    assert_eq!(plugin.end(), None);
}

#[tokio::test]
async fn a_failed_event_that_goes_through_state_change_is_named_for_what_it_is() {
    let policy = FailurePolicy::default().fail_request();
    let (mut plugin, mut raw, _runtime, _directory) = with_policy(KNOWN(), policy).await;
    let (pod, container) = pod_and_container();
    let (outcome, ()) = tokio::join!(plugin.start_container(&pod, &container), async {
        let (stream, _) = raw.call().await;
        raw.send(PLUGIN, &[&error(stream, ttrpc::Code::UNIMPLEMENTED, "no")])
            .await;
    });
    let Outcome::Failed(failed) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(failed.method, "StartContainer");
}

#[tokio::test]
async fn a_runtime_before_0_12_5_ignores_the_policy() {
    let profiles = RuntimeProfile::all().into_iter();
    for profile in profiles.filter(|profile| profile.nri < KNOWN().nri) {
        for policy in policies() {
            let (mut plugin, mut raw, _runtime, _directory) = with_policy(profile.clone(), policy).await;
            assert_eq!(plugin.failure_policy(), policy);
            let outcome = create(&mut plugin).await;
            assert_eq!(outcome, Outcome::NoAnswer(NoAnswer::Timeout(LIMIT)));
            raw.closed().await;
        }
    }
}

/// A plugin that asks for this and does nothing.
struct Asks(Subscription);

impl Plugin for Asks {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(self.0)
    }
}

#[tokio::test]
async fn a_policy_that_a_plugin_asks_for_reaches_the_runtime() -> Result<(), AcceptError> {
    for policy in policies() {
        let (mut runtime, directory) = listen_as(KNOWN());
        let wanted = Subscription::new(EventMask::STOP_CONTAINER).failure_policy(policy);
        let _service = serve(Asks(wanted), &directory);
        let plugin = runtime.accept().await?;
        assert_eq!(
            (plugin.events(), plugin.failure_policy()),
            (wanted.events, policy)
        );
    }
    Ok(())
}

/// The payload of the next frame on a connection, without the header of the message, which is small.
async fn message(connection: &mut RawConnection, on: u32) -> Vec<u8> {
    let frame = connection.read_frame().await.unwrap();
    assert_eq!(frame.connection, on);
    frame.payload[10..].to_vec()
}

#[tokio::test]
async fn a_plugin_that_asks_for_events_alone_sends_no_policy_at_all() {
    let (mut runtime, directory) = listen_as(KNOWN());
    let _service = serve(Asks(EventMask::CREATE_CONTAINER.into()), &directory);
    let mut connection = runtime.accept_raw().await.unwrap();
    message(&mut connection, RUNTIME).await;
    connection
        .write_request(1, "Configure", &Empty::new())
        .await
        .unwrap();
    let response = ttrpc::Response::parse_from_bytes(&message(&mut connection, PLUGIN).await).unwrap();
    // Field 2, and nothing else.
    assert_eq!(response.payload, [0x10, 0x08]);
}
