//! Every event, in the form of each runtime version, from the fake runtime to the method of the plugin.

use containerd_nri::api::{
    ContainerUpdate, Empty, LinuxResources, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use containerd_nri::{Code, EventMask};
use containerd_nri_testkit::{Outcome, PluginHandle, RuntimeProfile};

use crate::plugins::{OnCreate, Recorder, create, pod_and_container, serve};
use crate::raw_plugin::{PLUGIN, error, events, introduced, listen_as, outcome};

/// Sends every event; returns those that the plugin was not asked about.
async fn send_every_event(plugin: &mut PluginHandle) -> Vec<&'static str> {
    let (pod, container) = pod_and_container();
    let resources = LinuxResources {
        rdt_class: Some(Default::default()).into(),
        // Runtimes add these two where they are missing.
        memory: Some(Default::default()).into(),
        cpu: Some(Default::default()).into(),
        ..Default::default()
    };
    let update = |id: &str| ContainerUpdate {
        container_id: id.to_owned(),
        ..Default::default()
    };
    let proposal = ValidateContainerAdjustmentRequest {
        pod: Some(pod.clone()).into(),
        container: Some(container.clone()).into(),
        ..Default::default()
    };
    let pod_update = UpdatePodSandboxRequest {
        pod: Some(pod.clone()).into(),
        ..Default::default()
    };
    let mut skipped = Vec::new();
    let mut check = |event: &'static str, outcome: Outcome<()>| match outcome {
        Outcome::Answer(()) => {}
        Outcome::NotSubscribed => skipped.push(event),
        other => panic!("{event}: {other:?}"),
    };
    check("run_pod_sandbox", plugin.run_pod_sandbox(&pod).await);
    check("update_pod_sandbox", plugin.update_pod_sandbox(&pod_update).await);
    check(
        "post_update_pod_sandbox",
        plugin.post_update_pod_sandbox(&pod).await,
    );

    let created = create(plugin).await.into_answer().unwrap();
    assert_eq!(created.adjust.env[0].key, "CREATED");
    match plugin.validate_container_adjustment(&proposal).await {
        Outcome::NotSubscribed => check("validate_container_adjustment", Outcome::NotSubscribed),
        verdict => {
            let verdict = verdict.into_answer().unwrap();
            assert_eq!((verdict.reject, verdict.reason.as_str()), (true, "not today"));
        }
    }
    check(
        "post_create_container",
        plugin.post_create_container(&pod, &container).await,
    );
    check("start_container", plugin.start_container(&pod, &container).await);
    check(
        "post_start_container",
        plugin.post_start_container(&pod, &container).await,
    );
    let updated = plugin
        .update_container(&pod, &container, &resources)
        .await
        .into_answer()
        .unwrap();
    assert_eq!(*updated.update[0].linux.resources, resources);
    check(
        "post_update_container",
        plugin.post_update_container(&pod, &container).await,
    );
    let stopped = plugin
        .stop_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
    assert_eq!(stopped.update, [update(&container.id)]);
    check(
        "remove_container",
        plugin.remove_container(&pod, &container).await,
    );
    check("stop_pod_sandbox", plugin.stop_pod_sandbox(&pod).await);
    check("remove_pod_sandbox", plugin.remove_pod_sandbox(&pod).await);
    skipped
}

#[tokio::test]
async fn every_event_of_every_version_reaches_its_method() {
    let order = [
        "run_pod_sandbox pod",
        "update_pod_sandbox pod",
        "post_update_pod_sandbox pod",
        "create_container pod app",
        "validate_container_adjustment pod app",
        "post_create_container pod app",
        "start_container pod app",
        "post_start_container pod app",
        "update_container pod app",
        "post_update_container pod app",
        "stop_container pod app",
        "remove_container pod app",
        "stop_pod_sandbox pod",
        "remove_pod_sandbox pod",
    ];
    let since_0_10 = [
        "update_pod_sandbox",
        "post_update_pod_sandbox",
        "validate_container_adjustment",
    ];
    for profile in RuntimeProfile::all() {
        let skipped = if profile.nri.minor < 10 {
            &since_0_10[..]
        } else {
            &[]
        };
        let (mut runtime, directory) = listen_as(profile);
        let (recorder, mut seen) = Recorder::new();
        let _service = serve(recorder, &directory);
        let mut plugin = runtime.accept().await.unwrap();
        assert_eq!(seen.next().await, "configure");
        assert_eq!(seen.next().await, "synchronize 0 0");

        assert_eq!(send_every_event(&mut plugin).await, skipped);
        for event in order {
            if !skipped.iter().any(|skipped| event.starts_with(skipped)) {
                assert_eq!(seen.next().await, event);
            }
        }
        assert_eq!(seen.now(), None);
    }
}

#[tokio::test]
async fn a_plugin_asks_for_the_events_that_the_version_of_the_runtime_knows() {
    for profile in RuntimeProfile::all() {
        let known = if profile.nri.minor < 10 { 0x7FF } else { 0x3FFF };
        let (mut runtime, directory) = listen_as(profile);
        let _service = serve(Recorder::new().0, &directory);
        assert_eq!(runtime.accept().await.unwrap().events().bits(), known);
    }
}

#[tokio::test]
async fn events_that_a_plugin_did_not_subscribe_to_are_not_sent() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let _service = serve(OnCreate(async |_, _| Ok(Default::default())), &directory);
    let mut plugin = runtime.accept().await.unwrap();
    let (pod, container) = pod_and_container();
    assert_eq!(plugin.events(), EventMask::CREATE_CONTAINER);
    assert_eq!(
        plugin.start_container(&pod, &container).await,
        Outcome::NotSubscribed
    );
    create(&mut plugin).await.into_answer().unwrap();
}

#[tokio::test]
async fn a_plugin_without_dedicated_rpcs_is_served_through_state_change_for_good() {
    let (mut plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    let (pod, container) = pod_and_container();
    assert!(!plugin.is_served_through_state_change());
    let (started, ()) = tokio::join!(plugin.start_container(&pod, &container), async {
        let (stream, request) = raw.call().await;
        assert_eq!(request.method, "StartContainer");
        raw.send(
            PLUGIN,
            &[&error(stream, ttrpc::Code::UNIMPLEMENTED, "no such method")],
        )
        .await;
        let (stream, request) = raw.call().await;
        assert_eq!(request.method, "StateChange");
        raw.reply(stream, &Empty::new()).await;
    });
    started.into_answer().unwrap();
    assert!(plugin.is_served_through_state_change());
    let (ran, ()) = tokio::join!(plugin.run_pod_sandbox(&pod), async {
        let (stream, request) = raw.call().await;
        assert_eq!(request.method, "StateChange");
        raw.reply(stream, &Empty::new()).await;
    });
    ran.into_answer().unwrap();
}

#[tokio::test]
async fn any_other_error_than_unimplemented_is_an_error_of_the_event() {
    let (mut plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    let (pod, container) = pod_and_container();
    let (started, ()) = tokio::join!(plugin.start_container(&pod, &container), async {
        let (stream, _) = raw.call().await;
        raw.send(PLUGIN, &[&error(stream, ttrpc::Code::NOT_FOUND, "not found")])
            .await;
    });
    let Outcome::Refused(status) = started else {
        panic!("{started:?}")
    };
    assert_eq!(
        (status.code, status.message.as_str()),
        (Code::NotFound, "not found")
    );
    assert!(!plugin.is_served_through_state_change());
}

#[tokio::test]
async fn plugins_of_one_runtime_are_called_one_at_a_time() {
    let (mut first, mut raw, mut runtime, directory) = introduced(RuntimeProfile::containerd_main()).await;
    let mut other = crate::raw_plugin::RawPlugin::connect(&crate::raw_plugin::socket(&directory)).await;
    let (second, ()) = tokio::join!(runtime.accept(), other.introduce(0));
    let mut second = second.unwrap();
    let (pod, _) = pod_and_container();
    let answered = std::cell::Cell::new(false);
    let (one, two, (), ()) = tokio::join!(
        first.run_pod_sandbox(&pod),
        second.run_pod_sandbox(&pod),
        async {
            let (stream, _) = raw.call().await;
            // Long enough for the other call to arrive, if it were sent.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            answered.set(true);
            raw.reply(stream, &Empty::new()).await;
        },
        async {
            let (stream, _) = other.call().await;
            assert!(answered.get(), "two events at the same time");
            other.reply(stream, &Empty::new()).await;
        }
    );
    one.into_answer().unwrap();
    two.into_answer().unwrap();
}

#[tokio::test]
async fn answers_to_other_calls_are_ignored() {
    let (result, ..) = outcome(
        containerd_nri_testkit::FakeRuntime::builder(RuntimeProfile::containerd_main()),
        async |raw| {
            raw.register().await;
            let (stream, _) = raw.call().await;
            raw.reply(stream + 100, &events(0x4000)).await;
            raw.reply(stream, &events(0)).await;
            let (stream, _) = raw.call().await;
            raw.reply(stream, &Empty::new()).await;
        },
    )
    .await;
    assert!(result.is_ok());
}
