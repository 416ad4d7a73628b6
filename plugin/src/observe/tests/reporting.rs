//! The reports about the daemon, which must match the events.

use std::fs;
use std::time::Duration;

use containerd_nri::api::Container;
use containerd_nri::{FailurePolicy, RuntimeInfo};
use containerd_nri_testkit::{ContainerBuilder, PluginHandle, PodBuilder, RuntimeProfile};

use super::node::Node;
use crate::ledger::{Claimed, Notification, Outcome, Output, StageResult, Trigger};
use crate::model::Stage;
use crate::observe::http::Client;
use crate::observe::notifications::spawn_processing;
use crate::observe::{OnSilence, Status};

const KEY: &str = "hook-spec.noderesource.dev";

/// The number of hooks that [`time_out`] has let run.
const RUNS: &str = "nri_oci_hooks_hook_runs_total{stage=\"prestart\",outcome=\"timed-out\"}";

#[tokio::test]
async fn events_are_counted_by_what_the_runtime_got() {
    let node = Node::new("delivery = \"direct\"");
    let (_runtime, mut plugin, _serving) = node.connected().await;
    let good = PodBuilder::new("good").build();
    let bad = PodBuilder::new("bad").annotation(KEY, "none").build();
    for pod in [&good, &bad, &good] {
        let container = ContainerBuilder::new(pod, "main").build();
        let _ = plugin.create_container(pod, &container).await;
    }
    let created =
        |result| format!("nri_oci_hooks_events_total{{event=\"CreateContainer\",result=\"{result}\"}}");
    assert_eq!(node.metric(&created("ok")), 2.0);
    assert_eq!(node.metric(&created("error")), 1.0);
    assert_eq!(node.metric(&created("dropped")), 0.0);
    assert_eq!(
        node.metric("nri_oci_hooks_event_duration_seconds_count{event=\"CreateContainer\"}"),
        3.0
    );
    assert_eq!(node.metric("nri_oci_hooks_connections_total"), 1.0);
    let status = node.observer.status();
    let last = status.last_error.unwrap().text;
    assert!(last.starts_with("CreateContainer: "), "{last}");
}

#[tokio::test]
async fn a_daemon_is_ready_when_it_is_registered_synchronized_and_sound() {
    let node = Node::new("delivery = \"direct\"");
    assert_eq!(node.observer.not_ready(), ["not registered with the runtime"]);
    let (runtime, plugin, serving) = node.connected().await;
    assert_eq!(node.observer.not_ready(), [""; 0]);
    assert_eq!(node.metric("nri_oci_hooks_ready"), 1.0);
    assert_eq!(node.metric("nri_oci_hooks_active_specs"), 1.0);

    fs::write(node.root.path().join("default.json"), "{").unwrap();
    node.observer.plugin().reload();
    assert_eq!(
        node.observer.not_ready(),
        [""; 0],
        "its last good version is active"
    );
    let older = node.observer.degraded();
    assert!(
        older.len() == 1 && older[0].contains("[invalid-json]"),
        "{older:?}"
    );
    for (series, value) in [("file_errors", 1.0), ("older_versions", 1.0), ("ready", 1.0)] {
        assert_eq!(node.metric(&format!("nri_oci_hooks_{series}")), value, "{series}");
    }
    let readyz = "GET /readyz HTTP/1.1\r\n\r\n";
    let answer = node.response(Client::Anyone, readyz).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\ndegraded\n"),
        "{answer}"
    );
    assert!(
        node.response(Client::Root, readyz)
            .await
            .contains("[invalid-json]")
    );

    // A file that was never valid has no earlier version.
    let root = node.root.path();
    fs::create_dir(root.join("hooks.d")).unwrap();
    fs::write(root.join("hooks.d/x.json"), "{").unwrap();
    let text = fs::read_to_string(root.join("config.toml")).unwrap();
    let directory = root.join("hooks.d");
    fs::write(
        root.join("config.toml"),
        format!("hooks_dirs = [{directory:?}]\n{text}"),
    )
    .unwrap();
    node.observer.plugin().reload();
    let reasons = node.observer.not_ready();
    assert!(reasons.len() == 1 && reasons[0].contains("x.json"), "{reasons:?}");

    drop((plugin, runtime));
    while node.metric("nri_oci_hooks_disconnections_total") == 0.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.observer.not_ready()[0], "not registered with the runtime");
    let connection = node.observer.status().connection;
    assert!(
        connection.lost.is_some() && connection.runtime.is_none(),
        "{connection:?}"
    );
    serving.abort();
}

#[test]
fn an_invalid_hook_spec_is_reported_before_a_pod_selects_it() {
    let node = Node::new("");
    let file = node.root.path().join("specs/gpu.json");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, "{").unwrap();
    node.observer.plugin().check_selectable();
    assert_eq!(node.metric("nri_oci_hooks_invalid_specs"), 1.0);
    assert!(node.observer.status().invalid_specs[0].contains("gpu.json"));
    fs::write(&file, "{}").unwrap();
    node.observer.plugin().check_selectable();
    assert_eq!(node.metric("nri_oci_hooks_invalid_specs"), 0.0);
}

#[tokio::test]
async fn who_is_registered_and_not_synchronized_for_long_says_since_when_and_what_it_means() {
    let node = Node::new("");
    let runtime = RuntimeInfo::new("containerd", "2.4.2");
    node.observer.configured(&runtime, FailurePolicy::default());
    assert_eq!(
        node.observer.not_ready(),
        ["not synchronized with the runtime"],
        "not for long"
    );
    let mut connection = node.observer.status().connection;
    connection.registered = Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
    node.observer.registered(connection);
    let expected = "registered since 2026-01-01T00:00:00.000Z and not synchronized: the runtime waits for the stop of a \
                    container, or is deadlocked";
    assert_eq!(node.observer.not_ready().len(), 1);
    let status = node.observer.status().not_ready;
    let readyz = node.response(Client::Root, "GET /readyz HTTP/1.1\r\n\r\n").await;
    for text in [&node.observer.not_ready()[0], &status[0], &readyz] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(readyz.starts_with("HTTP/1.1 503 "), "{readyz}");
    for (series, value) in [("registered", 1.0), ("synchronized", 0.0), ("ready", 0.0)] {
        assert_eq!(node.metric(&format!("nri_oci_hooks_{series}")), value, "{series}");
    }
    node.observer.synchronized();
    assert_eq!(node.observer.not_ready(), [""; 0]);
}

#[tokio::test]
async fn the_action_of_the_runtime_on_silence_follows_from_its_nri_version_and_the_policy() {
    let (old, new) = (
        RuntimeProfile::containerd_2_1(),
        RuntimeProfile::containerd_2_4_nri_0_12_5(),
    );
    for (profile, policy, expected) in [
        (old.clone(), "fail", OnSilence::LetThrough),
        (old, "ignore", OnSilence::LetThrough),
        (new.clone(), "fail", OnSilence::Refuse),
        (new, "ignore", OnSilence::Ignore),
    ] {
        let node = Node::new(&format!("failure_policy = \"{policy}\""));
        assert_eq!(node.observer.status().connection.on_silence, None);
        let (_runtime, _plugin, _serving) = node.connected_to(profile).await;
        assert_eq!(node.observer.status().connection.on_silence, Some(expected));
        let refuses = f64::from(u8::from(expected == OnSilence::Refuse));
        assert_eq!(node.metric("nri_oci_hooks_refused_on_silence"), refuses);
        assert_eq!(node.metric("nri_oci_hooks_refused_without"), 1.0);
    }
}

#[tokio::test]
async fn the_status_has_runtime_configuration_and_digests() {
    let node = Node::new("");
    let (_runtime, _plugin, _serving) = node.connected().await;
    let status = node.observer.status();
    assert_eq!(status.connection.runtime.as_deref(), Some("containerd"));
    assert!(status.connection.registered.is_some() && status.connection.synchronized);
    assert_eq!(status.not_ready, [""; 0]);
    assert_eq!(status.active.len(), 1);
    let digest = crate::select::Digest::of(&fs::read(node.root.path().join("default.json")).unwrap());
    assert_eq!(status.active[0].digest, digest.to_string());
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(
        serde_json::from_str::<Status>(&json).unwrap(),
        status,
        "it reads what it writes"
    );
}

#[tokio::test]
async fn hooks_that_runners_ran_are_counted_when_their_stage_is_over() {
    let node = Node::new("");
    let (_runtime, mut plugin, _serving) = node.connected().await;
    let container = created(&node, &mut plugin, "main").await;
    assert_eq!(
        node.metric("nri_oci_hooks_ledger_containers{state=\"tracked\"}"),
        1.0
    );

    time_out(&node, &container);

    // The last metric that is counted.
    while node.metric("nri_oci_hooks_event_timeouts_total{stage=\"prestart\"}") == 0.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.metric(RUNS), 1.0);
    assert_eq!(
        node.metric("nri_oci_hooks_hook_duration_seconds_count{stage=\"prestart\"}"),
        1.0
    );
    assert_eq!(
        node.metric("nri_oci_hooks_stages_total{stage=\"prestart\",result=\"failed\"}"),
        1.0
    );
    assert_eq!(
        node.metric("nri_oci_hooks_event_timeouts_total{stage=\"prestart\"}"),
        1.0
    );
    let last = node.observer.status().last_error.unwrap().text;
    assert!(last.contains("prestart hook 1 of 1, /bin/true"), "{last}");
}

/// A container that was created with its hooks.
async fn created(node: &Node, plugin: &mut PluginHandle, name: &str) -> Container {
    let pod = PodBuilder::new("pod").build();
    let container = ContainerBuilder::new(&pod, name).build();
    let answer = plugin.create_container(&pod, &container).await;
    answer.into_answer().unwrap();
    // It is created in the background.
    while !node.ledger().root().join("bell").exists() {
        tokio::task::yield_now().await;
    }
    container
}

/// The records of a runner whose hook times out.
fn time_out(node: &Node, container: &Container) {
    let id = container.id.parse().unwrap();
    let directory = node.ledger().find(&id).unwrap().unwrap();
    let hooks = directory.hooks(Stage::Prestart).unwrap();
    let Claimed::Ours(mut claim) = directory.claim(Stage::Prestart, Trigger::Oci).unwrap() else {
        panic!("somebody else has it");
    };
    claim.began(0, &hooks[0]).unwrap();
    let outcome = Outcome::TimedOut { seconds: 30, left: 0 };
    claim
        .ended(0, outcome, Output::default(), Output::default())
        .unwrap();
    directory
        .note_event_timed_out(Stage::Prestart, Trigger::StartContainer, Default::default())
        .unwrap();
    let result = StageResult::Failed { message: "x".into() };
    claim.finish(result).unwrap();
}

#[tokio::test]
async fn all_notifications_at_once_are_counted_and_so_is_one_whose_container_is_removed_meanwhile() {
    let node = Node::new("");
    let (_runtime, mut plugin, _serving) = node.connected().await;
    for name in ["one", "two", "three"] {
        let container = created(&node, &mut plugin, name).await;
        time_out(&node, &container);
        if name == "two" {
            node.ledger().archive(&container.id.parse().unwrap()).unwrap();
        }
    }
    while node.metric(RUNS) < 3.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.metric(RUNS), 3.0);
}

#[tokio::test]
async fn notifications_before_the_end_of_the_daemon_are_counted_at_its_end() {
    let node = Node::new("");
    let (_runtime, mut plugin, _serving) = node.connected().await;
    let container = created(&node, &mut plugin, "main").await;
    // The daemon's own socket must not receive it.
    fs::remove_file(node.ledger().root().join("bell")).unwrap();
    time_out(&node, &container);
    let notification = Notification {
        id: container.id.parse().unwrap(),
        stage: Stage::Prestart,
        trouble: None,
    };
    let notifications = spawn_processing(node.ledger(), node.observer.clone()).unwrap();
    assert!(notifications.send(notification));
    drop(notifications);
    node.observer.counted(Duration::from_secs(30)).await;
    assert_eq!(node.metric(RUNS), 1.0);
}

#[tokio::test]
async fn each_path_is_answered_and_an_invalid_request_is_refused() {
    let node = Node::new("");
    for (client, request, answer) in [
        (
            Client::Anyone,
            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ),
        (
            Client::Anyone,
            "GET /metrics?x=1 HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ),
        (Client::Anyone, "GET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 "),
        (Client::Anyone, "GET /status HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        (
            Client::Root,
            "GET /status HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ),
        (Client::Root, "GET /x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        (Client::Root, "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
        (Client::Root, "nonsense\r\n\r\n", "HTTP/1.1 400 "),
        (Client::Root, "GET /healthz SMTP\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let got = node.response(client, request).await;
        assert!(got.starts_with(answer), "{request:?}: {got}");
    }
    let endless = node.response(Client::Anyone, &"x".repeat(20_000)).await;
    assert!(endless.starts_with("HTTP/1.1 400 "), "{endless}");
    let head = node
        .response(Client::Anyone, "HEAD /healthz HTTP/1.1\r\n\r\n")
        .await;
    assert!(
        head.ends_with("Content-Length: 3\r\nConnection: close\r\n\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_client_that_may_not_see_files_sees_only_that_the_daemon_is_not_ready() {
    let node = Node::new("");
    let request = "GET /readyz HTTP/1.1\r\n\r\n";
    assert!(
        node.response(Client::Anyone, request)
            .await
            .ends_with("\r\n\r\nnot ready\n")
    );
    let root = node.response(Client::Root, request).await;
    assert!(
        root.ends_with("\r\n\r\nnot registered with the runtime\n"),
        "{root}"
    );
}

#[test]
fn no_name_of_a_pod_a_container_or_a_file_is_in_the_metrics() {
    let node = Node::new("");
    let text = node.observer.metrics();
    let directory = node.root.path().to_str().unwrap();
    assert!(!text.contains(directory) && !text.contains(".json"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    insta::assert_snapshot!("metrics", names.join("\n"));
}
