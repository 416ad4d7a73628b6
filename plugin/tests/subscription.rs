//! Which events the daemon asks a runtime for, and what the runtime does when it does not answer one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;

use containerd_nri::{EventMask, FailurePolicy, Identity, Service};
use containerd_nri_testkit::{FakeRuntime, RuntimeProfile};
use nri_oci_hooks::config::{ConfigSource, Overrides};
use nri_oci_hooks::daemon::{OciHooks, RunnerProgram};
use nri_oci_hooks::ledger::{self, Ledger};
use nri_oci_hooks::model::ResolvedHooks;
use tempfile::TempDir;

/// The events that a daemon with this configuration, and the ledger in `directory`, asks for.
async fn subscribed(directory: &TempDir, runtime: &str, config: &str) -> EventMask {
    subscription(directory, runtime, config).await.0
}

/// These events, and the failure policy that it declares.
async fn subscription(directory: &TempDir, runtime: &str, config: &str) -> (EventMask, FailurePolicy) {
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let config = format!("state_dir = {:?}\n{config}", path("state"));
    fs::write(path("config.toml"), config).unwrap();
    let source = ConfigSource::file(&path("config.toml"), Overrides::default());
    let plugin = OciHooks::new(source, RunnerProgram::this().unwrap());

    let socket = directory.path().join("nri.sock");
    let mut profile = RuntimeProfile::containerd_2_1();
    profile.runtime_name = runtime.to_owned();
    let mut runtime = FakeRuntime::builder(profile).listen(&socket).unwrap();
    let service = Service::new(plugin, Identity::new("10", "hooks").unwrap()).socket(socket);
    let serving = tokio::spawn(async move {
        service.run().await;
    });
    let plugin = runtime.accept().await.unwrap();
    serving.abort();
    (plugin.events(), plugin.failure_policy())
}

const CREATE: EventMask = EventMask::CREATE_CONTAINER;

fn fewest() -> EventMask {
    CREATE | EventMask::REMOVE_CONTAINER
}

fn with_stop() -> EventMask {
    fewest() | EventMask::STOP_CONTAINER
}

fn all() -> EventMask {
    with_stop() | EventMask::START_CONTAINER | EventMask::POST_START_CONTAINER
}

#[tokio::test]
async fn a_runtime_is_asked_for_no_event_that_no_hook_waits_for() {
    for (runtime, config, expected) in [
        ("containerd", "delivery = \"direct\"", fewest()),
        ("containerd", "", fewest()),
        ("containerd", "delivery = \"events\"", all()),
        ("containerd", "runtimes.kata.delivery = \"events\"", all()),
        ("cri-o", "", with_stop()),
        ("cri-o", "delivery = \"events\"", all()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let events = subscribed(&directory, runtime, config).await;
        assert_eq!(events, expected, "{runtime} {config}");
    }
}

#[tokio::test]
async fn a_container_from_before_that_depends_on_events_still_gets_them() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(&directory.path().join("state")).unwrap();
    let enter = |id: &str, injected| {
        let identity = ledger::Identity {
            id: id.parse().unwrap(),
            container: "app".into(),
            pod: "web".into(),
            namespace: "default".into(),
            uid: "1".into(),
        };
        ledger.add(identity, &ResolvedHooks::default(), injected).unwrap();
    };
    enter("injected", true);
    assert_eq!(subscribed(&directory, "containerd", "").await, fewest());
    enter("by-events", false);
    assert_eq!(subscribed(&directory, "containerd", "").await, all());
}

#[tokio::test]
async fn silence_refuses_unless_the_policy_is_ignore_and_disconnects_in_neither_case() {
    let connected = FailurePolicy::default().keep_connected();
    for (config, expected) in [
        ("", connected.fail_request()),
        ("failure_policy = \"fail\"", connected.fail_request()),
        ("failure_policy = \"ignore\"", connected),
        ("delivery = \"direct\"", connected.fail_request()),
        // None is active: no container is created.
        ("failure_policy = \"unknown\"", connected.fail_request()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (_, policy) = subscription(&directory, "containerd", config).await;
        assert_eq!(policy, expected, "{config}");
    }
}
