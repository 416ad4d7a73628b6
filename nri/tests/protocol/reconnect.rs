//! The life of a service across restarts of the runtime.

use containerd_nri::testkit::{ConnectionEnd, FakeRuntime, PodBuilder, RuntimeProfile};

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
async fn a_plugin_that_the_runtime_dropped_registers_anew() {
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
