//! The life of a service across restarts of the runtime.

use std::time::Duration;

use containerd_nri::{Backoff, ConnectionState, Identity, Service, Update, Updates};
use containerd_nri_testkit::{ConnectionEnd, FakeRuntime, PodBuilder, RuntimeProfile};

use crate::plugins::{Recorder, create, pod_and_container, serve};
use crate::raw_plugin::{listen_as, socket};

#[tokio::test]
async fn a_plugin_is_back_after_every_restart_of_the_runtime() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_2_1());
    let (recorder, mut seen) = Recorder::new();
    let _service = serve(recorder, &directory);
    for round in 0..3 {
        let mut plugin = runtime.accept().await.unwrap();
        assert_eq!(seen.next().await, "configure");
        assert_eq!(seen.next().await, format!("synchronize {round} 0"));
        create(&mut plugin).await.into_answer().unwrap();
        assert_eq!(seen.next().await, "create_container pod app");
        let pods = (0..=round).map(|number| PodBuilder::new(&format!("pod-{number}")).build());
        runtime.set_state(pods.collect(), Vec::new());
        runtime.restart().unwrap();
        assert_eq!(plugin.closed().await, ConnectionEnd::ByRuntime);
        assert_eq!(seen.next().await, "disconnected");
    }
}

#[tokio::test]
async fn a_plugin_that_starts_before_the_runtime_waits_for_its_socket() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, mut seen) = Recorder::new();
    let _service = serve(recorder, &directory);
    tokio::task::yield_now().await;
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_main());
    let mut runtime = builder.listen(socket(&directory)).unwrap();
    runtime.accept().await.unwrap();
    assert_eq!(seen.next().await, "configure");
}

#[tokio::test]
async fn a_plugin_that_the_runtime_dropped_registers_again() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let (recorder, _seen) = Recorder::new();
    let _service = serve(recorder, &directory);
    for _ in 0..10 {
        runtime.accept().await.unwrap().close();
    }
    let mut plugin = runtime.accept().await.unwrap();
    let (pod, _) = pod_and_container();
    plugin.run_pod_sandbox(&pod).await.into_answer().unwrap();
}

#[tokio::test]
async fn the_handle_to_the_runtime_is_valid_over_all_connections() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let service = Service::new(Recorder::new().0, Identity::new("10", "tested").unwrap())
        .socket(socket(&directory))
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(10)));
    let handle = service.runtime();
    let mut state = handle.watch();
    let service = tokio::spawn(service.run());
    for _ in 0..2 {
        let mut plugin = runtime.accept().await.unwrap();
        state
            .wait_for(|state| *state == ConnectionState::Synchronized)
            .await
            .unwrap();
        let update = Update::new("other").cpu_shares(2);
        let failed = handle.update_containers(Updates::new().update(update)).await;
        assert_eq!(failed.unwrap(), []);
        let request = plugin.update_request().await.unwrap();
        assert_eq!(request.update[0].container_id, "other");
        drop(plugin);
        state
            .wait_for(|state| *state == ConnectionState::Disconnected)
            .await
            .unwrap();
    }
    service.abort();
}
